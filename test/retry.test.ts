import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  type GiveUpState,
  type Hooks,
  type RetryState,
  retry,
  retryIfOutcome,
  retryIfResult,
  retrySync,
  runWithRetry,
  stopAfterAttempt,
  stopNever,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";

const busy = new Error("busy");

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a wrapped function", () => {
  it("passes this and the arguments through, to every attempt", async () => {
    const seen: unknown[] = [];
    const counter = {
      add: retry(function (this: unknown, ...args: number[]) {
        seen.push([this, args]);
        if (seen.length < 2) throw busy;
        return args.length;
      }, instant),
    };

    expect(await counter.add(1, 2, 3)).toBe(3);
    expect(seen).toEqual([
      [counter, [1, 2, 3]],
      [counter, [1, 2, 3]],
    ]);
  });

  it.each([
    ["an async function", async () => "ok"],
    ["a sync function", () => "ok"],
    ["a function of a promise", () => Promise.resolve("ok")],
    ["a function of a thenable", () => ({ then: (resolve: (value: string) => void) => resolve("ok") })],
    [
      "a function of a promise of a subclass",
      () => new (class Query<T> extends Promise<T> {})<string>((resolve) => resolve("ok")),
    ],
  ])("returns a native promise for %s", async (_what, fn) => {
    const result = retry(fn)();

    expect(Object.getPrototypeOf(result)).toBe(Promise.prototype);
    expect(await result).toBe("ok");
  });

  it.each([
    [
      "throws at once",
      (): never => {
        throw busy;
      },
    ],
    ["rejects", () => Promise.reject(busy)],
    [
      "answers a thenable that rejects",
      () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(busy) }),
    ],
    [
      "answers a thenable whose then throws",
      () => ({
        get then(): never {
          throw busy;
        },
      }),
    ],
  ])("tries again where the function %s", async (_what, fail) => {
    let calls = 0;
    const call = retry(() => (++calls < 3 ? fail() : ("ok" as never)), instant);

    expect(await call()).toBe("ok");
    expect(calls).toBe(3);
  });

  it("rejects and never throws, also where the function throws at once", async () => {
    const call = retry(
      (): never => {
        throw busy;
      },
      { stop: stopAfterAttempt(1) },
    );

    const result = call();

    await expect(result).rejects.toBe(busy);
  });

  it("keeps two calls apart", async () => {
    const clock = virtualClock();
    const attempts: Record<string, number> = { a: 0, b: 0 };
    const delays: [string, number][] = [];
    const call = retry(
      async (key: "a" | "b", failures: number) => {
        attempts[key]!++;
        if (attempts[key]! <= failures) throw new Error(key);
        return key;
      },
      {
        clock,
        wait: (state) => state.attempt * 10,
        onRetry: (state) => delays.push([state.args[0] as string, state.previousDelay]),
      },
    );

    const results = Promise.all([call("a", 1), call("b", 3)]);
    await clock.runAll();

    expect(await results).toEqual(["a", "b"]);
    expect(attempts).toEqual({ a: 2, b: 4 });
    expect(delays.filter(([key]) => key === "b")).toEqual([
      ["b", 0],
      ["b", 10],
      ["b", 20],
    ]);
  });

  it("counts calls, attempts, retries, successes, failures and the time slept", async () => {
    const clock = virtualClock();
    const call = retry(flaky([busy, "ok", busy, busy, "ok"]), {
      clock,
      wait: waitFixed(10),
      stop: stopAfterAttempt(2),
    });

    for (let n = 0; n < 3; n++) {
      const result = call().catch(() => {});
      await clock.runAll();
      await result;
    }

    expect({ ...call.stats }).toEqual({ calls: 3, attempts: 5, retries: 2, successes: 2, failures: 1, idle: 20 });
  });

  it("a wrapped function has stats and with of its own, also around another wrapped function", async () => {
    const fail = () => {
      throw busy;
    };
    const inner = retry(fail, { ...instant, stop: stopAfterAttempt(2) });
    const outer = retry(inner, { ...instant, stop: stopAfterAttempt(3), retryExhausted: true });

    await outer().catch(() => {});
    await outer
      .with({ stop: stopAfterAttempt(1) })()
      .catch(() => {});

    expect(outer.stats).toMatchObject({ calls: 2, attempts: 4 });
    expect(inner.stats).toMatchObject({ calls: 4, attempts: 8 });
  });

  it("lets its stats and with be replaced, as a test's double does", async () => {
    const call = retry(async () => "ok");
    const stats = { calls: 7 };

    const overridden = vi.spyOn(call, "with").mockReturnValue(call);
    Object.defineProperty(call, "stats", { value: stats });
    call.with({ wait: waitNone });

    expect(overridden).toHaveBeenCalledOnce();
    expect(call.stats).toBe(stats);
  });

  it.each([5, undefined, {}])(
    "is anonymous where its function's name is %o, as a class's static name may be",
    async (name) => {
      const seen: unknown[] = [];
      const load = Object.defineProperty(async () => "ok", "name", { value: name });

      await retry(load, { onAttempt: (start) => seen.push(start.name) })();

      expect(seen).toEqual(["anonymous"]);
    },
  );

  it("counts a call as a failure whose value comes from a fallback", async () => {
    const call = retry(flaky([busy]), { stop: stopAfterAttempt(1), fallback: () => "cached" });

    expect(await call()).toBe("cached");
    expect(call.stats).toMatchObject({ calls: 1, successes: 0, failures: 1 });
  });

  it("counts a StrategyError as a failure, after an error and after a value", async () => {
    const afterError = retry(flaky([busy]), { wait: () => Number.NaN });
    const afterValue = retry(flaky(["ok"]), { retryIf: retryIfResult(() => true), wait: () => Number.NaN });

    await afterError().catch(() => {});
    await afterValue().catch(() => {});

    expect(afterError.stats).toMatchObject({ calls: 1, failures: 1 });
    expect(afterValue.stats).toMatchObject({ calls: 1, failures: 1, successes: 0 });
  });

  it("returns the value that an async onSuccess was shown", async () => {
    expect(await retry(flaky(["ok"]), { onSuccess: async () => "not this" })()).toBe("ok");
  });

  it("returns what an async fallback resolves to, and rejects with what it rejects with", async () => {
    const gone = new Error("no cache");
    const options = { stop: stopAfterAttempt(1) };

    expect(await retry(flaky([busy]), { ...options, fallback: async () => "cached" })()).toBe("cached");
    await expect(retry(flaky([busy]), { ...options, fallback: () => Promise.reject(gone) })()).rejects.toBe(gone);
    await expect(
      retry(flaky([busy]), {
        ...options,
        fallback: () => {
          throw gone;
        },
      })(),
    ).rejects.toBe(gone);
  });
});

describe("runWithRetry", () => {
  it("hands the block the context of each attempt", async () => {
    const seen: unknown[] = [];

    await runWithRetry((context) => {
      seen.push([context.attempt, context.previousError]);
      if (context.attempt < 3) throw new Error(`failure ${context.attempt}`);
    }, instant);

    expect(seen).toEqual([
      [1, undefined],
      [2, new Error("failure 1")],
      [3, new Error("failure 2")],
    ]);
  });

  it("shows strategies no arguments", async () => {
    const args: unknown[] = [];

    await runWithRetry(flaky([busy, "ok"]), {
      ...instant,
      onAttempt: (start) => args.push(start.args),
      onRetry: (state) => args.push(state.args),
    });

    expect(args).toEqual([[], [], []]);
  });

  it("rejects for bad input, as an async function does", async () => {
    await expect(runWithRetry(5 as never)).rejects.toThrow(TypeError);
    await expect(runWithRetry(() => 1, { stop: 5 as never })).rejects.toThrow("stop must be a function, got 5");
  });
});

describe("hooks", () => {
  it("calls hooks in order: onAttempt, onRetry, …, onSuccess", async () => {
    const log: string[] = [];
    const hooks: Hooks = {
      onAttempt: ({ name, args, attempt }) => log.push(`attempt ${name} ${args} ${attempt}`),
      onRetry: (state) => log.push(`retry ${state.attempt}`),
      onSuccess: (state) => log.push(`success ${state.attempt}`),
      onGiveUp: (state) => log.push(`give up ${state.reason}`),
    };

    await retry(flaky([busy, "ok"]), { ...instant, ...hooks, name: "load" })("a");
    await retry(flaky([busy]), { ...instant, ...hooks, name: "save", stop: stopAfterAttempt(1) })().catch(() => {});

    expect(log).toEqual([
      "attempt load a 1",
      "retry 1",
      "attempt load a 2",
      "success 2",
      "attempt save  1",
      "give up stopped",
    ]);
  });

  it.each(["onAttempt", "onRetry", "onSuccess", "onGiveUp"] as const)(
    "that are async are waited for: %s",
    async (hook) => {
      const clock = virtualClock();
      let done = 0;
      const slow = () =>
        new Promise<void>((resolve) =>
          clock.setTimer(() => {
            done++;
            resolve();
          }, 100),
        );
      const script = hook === "onGiveUp" ? [busy] : [busy, "ok"];
      const stop = stopAfterAttempt(script.length);

      const result = retry(flaky(script), { clock, wait: waitNone, stop, [hook]: slow })();
      result.catch(() => {});
      let settled = false;
      const mark = () => {
        settled = true;
      };
      result.then(mark, mark);
      await clock.advance(99);
      expect(settled).toBe(false);
      await clock.runAll();

      expect(settled).toBe(true);
      expect(done).toBe(hook === "onAttempt" ? 2 : 1);
    },
  );

  it.each(["onAttempt", "onRetry", "onSuccess", "onGiveUp"] as const)(
    "that fail change nothing and reach onHookError: %s",
    async (hook) => {
      const bug = new Error("bug");
      const reported: unknown[] = [];
      const onHookError = (error: unknown) => reported.push(error);
      const failures = [
        () => {
          throw bug;
        },
        () => Promise.reject(bug),
      ];

      for (const fail of failures) {
        const options = { ...instant, onHookError, [hook]: fail, stop: stopAfterAttempt(2) };
        expect(await retry(flaky([busy, "ok"]), options)()).toBe("ok");
        await expect(retry(flaky([busy, busy]), options)()).rejects.toBe(busy);
      }

      expect(new Set(reported)).toEqual(new Set([bug]));
    },
  );

  it("hooks that write to the state change nothing", async () => {
    const clock = virtualClock();
    const scribble = (state: object) => {
      for (const key of Object.keys(state)) (state as Record<string, unknown>)[key] = "scribbled";
    };
    const hooks = { onRetry: scribble, onSuccess: scribble, onGiveUp: scribble };
    const options = { clock, wait: waitFixed(10), stop: stopAfterAttempt(2), ...hooks };

    const value = retry(flaky([busy, "ok"]), options)();
    const error = retry(flaky([busy, busy]), options)();
    error.catch(() => {});
    await clock.runAll();

    expect(await value).toBe("ok");
    await expect(error).rejects.toBe(busy);
    expect(clock.now()).toBe(10);
  });

  it("hooks and strategies that give the state an error or a reason change nothing", async () => {
    const write = (...asked: unknown[]) => {
      Object.assign(asked.at(-1) as object, { error: "written", reason: "written" });
      return false;
    };
    const reasons: string[] = [];
    const onGiveUp = (state: GiveUpState) => reasons.push(state.reason);

    await expect(retry(flaky([busy]), { retryIf: write, onGiveUp })()).rejects.toBe(busy);
    await expect(
      retry(flaky([busy, busy]), { ...instant, stop: stopAfterAttempt(2), onRetry: write, onGiveUp })(),
    ).rejects.toBe(busy);
    expect(() => retrySync(flaky([busy]), { retryIf: write, onGiveUp })()).toThrow(busy);

    expect(reasons).toEqual(["not-retryable", "stopped", "not-retryable"]);
  });

  it("hooks that return no promise cost no microtask", async () => {
    const ticksOf = async (options: Hooks) => {
      let ticks = 0;
      let done = false;
      const count = async () => {
        while (!done) {
          await null;
          ticks++;
        }
      };
      const counting = count();
      await retry(flaky([busy, busy, "ok"]), { ...instant, fallback: () => "", ...options })();
      done = true;
      await counting;
      return ticks;
    };
    const noop = () => {};

    const without = await ticksOf({ onSuccess: noop });
    const withHooks = await ticksOf({ onAttempt: noop, onRetry: noop, onSuccess: noop, onGiveUp: noop });

    expect(withHooks).toBe(without);
  });
});

it("rejects where a block's clock fails at its start", async () => {
  const broken = new Error("no time");
  const now = () => {
    throw broken;
  };

  await expect(runWithRetry(() => 1, { clock: { ...virtualClock(), now }, onRetry: () => {} })).rejects.toBe(broken);
});

it("goes by a monotonic clock: the wall clock may jump", async () => {
  const jumps = [0, 8.64e15, -8.64e15];
  const wallClock = vi.spyOn(Date, "now").mockImplementation(() => jumps[wallClock.mock.calls.length % jumps.length]!);
  const elapsed: number[] = [];
  const call = retry(flaky([busy, busy, "ok"]), {
    wait: waitFixed(1),
    totalTimeout: 60_000,
    onRetry: (state) => elapsed.push(state.elapsed),
  });

  expect(await call()).toBe("ok");
  expect(elapsed.every((ms) => ms >= 0 && ms < 60_000)).toBe(true);
  expect(wallClock).not.toHaveBeenCalled();
});

describe("immediate retries", () => {
  const depth = () => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = Number.POSITIVE_INFINITY;
    const lines = new Error("depth").stack!.split("\n").length;
    Error.stackTraceLimit = stackTraceLimit;
    return lines;
  };

  it.each([
    [
      "a sync function that throws",
      (): never => {
        throw busy;
      },
    ],
    [
      "an async function",
      async (): Promise<never> => {
        throw busy;
      },
    ],
  ])("immediate retries do not grow the stack: %s", async (_what, fail) => {
    const depths = new Set<number>();
    let calls = 0;
    const call = retry(
      () => {
        if (++calls > 2) depths.add(depth());
        return fail();
      },
      { wait: waitNone, stop: stopAfterAttempt(60) },
    );

    await expect(call()).rejects.toBe(busy);
    expect(depths.size).toBe(1);
  });

  it("immediate retries let timers and I/O have their turn now and then", async () => {
    const controller = new AbortController();
    let calls = 0;
    const call = retry(
      () => {
        if (++calls === 1) setImmediate(() => controller.abort(busy));
        throw new Error("down");
      },
      { wait: waitNone, stop: stopNever, signal: controller.signal },
    );

    await expect(call()).rejects.toBe(busy);
  });

  it("immediate retries keep the process alive at that turn, also under unref: it is no sleep", async () => {
    const clock = virtualClock();
    const timers: [number, boolean | undefined][] = [];
    const recording = {
      ...clock,
      setTimer: (fn: () => void, ms: number, unref?: boolean) => {
        timers.push([ms, unref]);
        return clock.setTimer(fn, ms, unref);
      },
    };
    const wait = (state: RetryState) => (state.attempt === 99 ? 7 : 0);

    const result = retry(
      () => {
        throw busy;
      },
      { clock: recording, wait, unref: true, stop: stopAfterAttempt(100) },
    )();
    result.catch(() => {});
    await clock.runAll();

    await expect(result).rejects.toBe(busy);
    expect(timers).toEqual([
      [0, false],
      [7, true],
    ]);
  });

  it("immediate retries yield after 64 attempts, no sooner and no later", async () => {
    const clock = virtualClock();
    let calls = 0;
    const result = retry(
      () => {
        calls++;
        throw busy;
      },
      { clock, wait: waitNone, stop: stopAfterAttempt(200) },
    )();
    result.catch(() => {});
    const turns: number[] = [];

    await new Promise((resolve) => setImmediate(resolve));
    turns.push(calls);
    await clock.runAll();

    expect(turns).toEqual([64]);
    expect(calls).toBe(200);
  });

  it("immediate retries yield on the policy's clock, every 64th in a row", async () => {
    const clock = virtualClock();
    let calls = 0;
    const result = retry(
      () => {
        calls++;
        throw busy;
      },
      { clock, wait: waitNone, stop: stopAfterAttempt(150) },
    )();
    result.catch(() => {});

    await clock.advance(0);

    expect(calls).toBe(150);
    expect(clock.now()).toBe(0);
  });
});

describe("the stack of an error thrown by a later attempt", () => {
  const { signal } = new AbortController();
  const modes = {
    "with the default policy": {},
    "with a sleep": { wait: waitFixed(1) },
    "with a value predicate": { retryIf: retryIfOutcome(() => true) },
    "with onSuccess": { onSuccess: () => {} },
    "with an async onAttempt": { onAttempt: async () => {} },
    "with an async onAttempt and a timeout": { onAttempt: async () => {}, totalTimeout: 10_000 },
    "with an async onRetry": { onRetry: async () => {} },
    "with a fallback": {
      fallback: (state: { error: unknown }) => {
        throw state.error;
      },
    },
    "with timeouts": { attemptTimeout: 10_000, totalTimeout: 10_000 },
    "with a signal": { signal },
    "with an attempt's timeout": { attemptTimeout: 10_000 },
    "with a signal and an attempt's timeout": { signal, attemptTimeout: 10_000 },
    "with a signal and a sleep": { signal, wait: waitFixed(1) },
    "with a signal and an async onRetry": { signal, onRetry: async () => {} },
    "with a timeout and an async predicate": { attemptTimeout: 10_000, retryIf: async () => true },
  };

  const works = {
    "after its first await": async () => {
      await null;
      throw new Error("deep");
    },
    "before its first await": async () => {
      throw new Error("deep");
    },
    synchronously: (): Promise<never> => {
      throw new Error("deep");
    },
  };
  const cases = Object.entries(works).flatMap(([when, work]) =>
    Object.entries(modes).flatMap(([mode, options]) =>
      [1, 2, 3, 4].map((attempts) => ({ when, work, mode, options, attempts })),
    ),
  );

  it.each(cases)("shows the caller: thrown $when, in attempt $attempts, $mode", async ({ work, options, attempts }) => {
    const policy = { ...instant, ...options, stop: stopAfterAttempt(attempts) };
    async function callerOfWrapped() {
      await retry(work, policy)();
    }
    async function callerOfBlock() {
      await runWithRetry(work, policy);
    }

    const wrapped = await callerOfWrapped().catch((error: Error) => error);
    const block = await callerOfBlock().catch((error: Error) => error);

    expect((wrapped as Error).stack).toContain("callerOfWrapped");
    expect((block as Error).stack).toContain("callerOfBlock");
  });
});

describe("memory", () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;

  it.each([
    ["with the default predicate", {}],
    ["with a value predicate", { retryIf: retryIfOutcome(({ outcome }) => !outcome.ok) }],
    ["with a signal and timeouts", { signal: new AbortController().signal, attemptTimeout: 1_000 }],
  ])("memory does not grow with the attempts, %s", async (_mode, options) => {
    const clock = virtualClock();
    const errors: WeakRef<Error>[] = [];
    const hang = new Promise<never>(() => {});
    const result = retry(
      async () => {
        if (errors.length === 500) return hang;
        const error = new Error("down");
        errors.push(new WeakRef(error));
        throw error;
      },
      { clock, wait: waitFixed(1), stop: stopNever, ...options },
    )();
    result.catch(() => {});

    await clock.advance(999);
    collectGarbage();

    expect(errors).toHaveLength(500);
    expect(errors.filter((error) => error.deref()).length).toBeLessThan(5);
  });
});
