import {
  CircuitOpenError,
  type GiveUpState,
  NonRetryableError,
  type RetryState,
  retry,
  retryIfAny,
  retryIfError,
  retryIfErrorType,
  retryIfNot,
  retryIfNotResult,
  retryIfOutcome,
  retryIfResult,
  retryNever,
  StrategyError,
  stopAfterAttempt,
  TryAgainError,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { bothLoops } from "./both-loops.js";

const busy = new Error("busy");
/** What tells our own errors. */
const brand = Symbol.for("undaunted.error");

describe.each(bothLoops)("what %s decides", (_name, wrap) => {
  it("returns the first value", async () => {
    const load = flaky(["ok"]);

    expect(await wrap(load, instant)()).toBe("ok");
    expect(load.calls).toHaveLength(1);
  });

  it("tries every error again, four attempts in all, and rethrows the very error of the last", async () => {
    const last = new Error("last");
    const load = flaky([busy, busy, busy, last, "too late"]);

    await expect(wrap(load, instant)()).rejects.toBe(last);
    expect(load.calls).toHaveLength(4);
  });

  it("waits by default a random time up to 500, 1,000 and 2,000 ms", async () => {
    const delays: number[] = [];
    const clock = virtualClock();
    const call = wrap(flaky([busy, busy, busy, busy]), {
      clock,
      random: () => 0.5,
      onRetry: (state) => delays.push(state.delay),
    });

    const result = call();
    result.catch(() => {});
    await clock.runAll();

    await expect(result).rejects.toBe(busy);
    expect(delays).toEqual([250, 500, 1_000]);
  });

  it("returns a value that an error predicate is not asked about", async () => {
    const asked: unknown[] = [];
    const retryIf = retryIfError((error) => {
      asked.push(error);
      return true;
    });

    expect(await wrap(flaky([busy, "ok"]), { ...instant, retryIf })()).toBe("ok");
    expect(asked).toEqual([busy]);
  });

  it("gives up on an error that retryIf does not want, and rethrows it unchanged", async () => {
    const reasons: string[] = [];
    const load = flaky([busy]);
    const onGiveUp = (state: GiveUpState) => reasons.push(state.reason);

    await expect(wrap(load, { ...instant, retryIf: retryIfErrorType(RangeError), onGiveUp })()).rejects.toBe(busy);
    expect(reasons).toEqual(["not-retryable"]);
  });

  it("tries a value again that retryIf wants to", async () => {
    const load = flaky(["pending", "pending", "done"]);

    expect(await wrap(load, { ...instant, retryIf: retryIfNotResult((job) => job === "done") })()).toBe("done");
    expect(load.calls).toHaveLength(3);
  });

  it("asks a user's own retryIf about errors only", async () => {
    const load = flaky([busy, "one", "two"]);
    const retryIf = vi.fn((_error: unknown, _state: RetryState) => true);

    expect(await wrap(load, { ...instant, retryIf })()).toBe("one");
    expect(retryIf.mock.calls.map(([error, { attempt }]) => [error, attempt])).toEqual([[busy, 1]]);
  });

  it("asks retryIfOutcome about both", async () => {
    const load = flaky([busy, "stale", "fresh"]);
    const retryIf = retryIfOutcome(({ outcome }) => !outcome.ok || outcome.value === "stale");

    expect(await wrap(load, { ...instant, retryIf })()).toBe("fresh");
  });

  it("calls a retryIf of one parameter with the error alone", async () => {
    const given: unknown[][] = [];
    const retryIf = function (this: unknown, _error: unknown) {
      // biome-ignore lint/complexity/noArguments: they are what is looked at
      given.push([...arguments]);
      return true;
    };

    await wrap(flaky([busy, "ok"]), { ...instant, retryIf })();
    await wrap(flaky([busy, "ok"]), { ...instant, retryIf: retryIfAny(retryIf) })();
    await wrap(flaky([busy, "ok"]), { ...instant, retryIf: retryIfNot(retryIfNot(retryIf)) })();

    expect(given).toEqual([[busy], [busy], [busy]]);
  });

  it("calls a retryIf of none, as a mock's or one with rest arguments, with error and state", async () => {
    const given: unknown[][] = [];
    const retryIf = (...asked: unknown[]) => given.push(asked) > 0;

    await wrap(flaky([busy, "ok"]), { ...instant, retryIf })();

    expect(given).toEqual([[busy, expect.objectContaining({ attempt: 1, outcome: { ok: false, error: busy } })]]);
  });

  it("never returns a value that the user called unacceptable", async () => {
    const load = flaky(["pending", "pending"]);
    const call = wrap(load, {
      ...instant,
      name: "poll",
      stop: stopAfterAttempt(2),
      retryIf: retryIfResult((job) => job === "pending"),
    });

    await expect(call("secret")).rejects.toMatchObject({
      name: "RetryExhaustedError",
      code: "ERR_RETRY_EXHAUSTED",
      attempts: 2,
      task: "poll",
      outcome: { ok: true, value: "pending" },
      args: ["secret"],
    });
  });

  it("tries no NonRetryableError again, and rejects with its cause", async () => {
    const cause = new Error("no such user");
    const load = flaky([new NonRetryableError("stop", { cause })]);

    await expect(wrap(load, { ...instant, retryIf: () => true })()).rejects.toBe(cause);
    expect(load.calls).toHaveLength(1);
  });

  it.each([
    ["none", {}],
    ["a string", { cause: "gone" }],
    ["null", { cause: null }],
  ])("rejects with the NonRetryableError itself where its cause is %s", async (_what, options) => {
    const error = new NonRetryableError("stop", options);

    await expect(wrap(flaky([error]), instant)()).rejects.toBe(error);
  });

  it.each([
    ["CircuitOpenError", new CircuitOpenError("open")],
    ["StrategyError", new StrategyError("stop", { ok: false, error: busy }, busy)],
    [
      "error of another copy of the package, told by its brand,",
      Object.assign(new Error(), { [brand]: "ERR_CIRCUIT_OPEN" }),
    ],
  ])("tries no %s again, whatever retryIf says", async (_what, error) => {
    const reasons: string[] = [];
    const load = flaky([error, "too late"]);
    const onGiveUp = (state: GiveUpState) => reasons.push(state.reason);

    await expect(wrap(load, { ...instant, retryIf: () => true, onGiveUp })()).rejects.toBe(error);
    expect(reasons).toEqual(["not-retryable"]);
  });

  it("obeys a TryAgainError although retryIf says no", async () => {
    expect(await wrap(flaky([new TryAgainError(), "ok"]), { ...instant, retryIf: retryNever })()).toBe("ok");
  });

  it("waits what a TryAgainError asks for, and what the policy says where it asks for nothing", async () => {
    const clock = virtualClock();
    const delays: number[] = [];
    const call = wrap(
      flaky([new TryAgainError({ after: 7_000 }), new TryAgainError({ after: 0 }), new TryAgainError(), "ok"]),
      {
        clock,
        wait: waitFixed(5),
        onRetry: (state) => delays.push(state.delay),
      },
    );

    const result = call();
    await clock.runAll();

    expect(await result).toBe("ok");
    expect(delays).toEqual([7_000, 0, 5]);
  });

  it("waits what the policy says where the after of another copy's TryAgainError cannot be read", async () => {
    const error = Object.defineProperty(Object.assign(new Error(), { [brand]: "ERR_TRY_AGAIN" }), "after", {
      get() {
        throw new Error("hands off");
      },
    });

    expect(await wrap(flaky([error, "ok"]), { ...instant, retryIf: retryNever })()).toBe("ok");
  });

  it("stops in spite of a TryAgainError, and rejects with its cause where it has one", async () => {
    const plain = new TryAgainError();
    const options = { ...instant, stop: stopAfterAttempt(1) };

    await expect(wrap(flaky([new TryAgainError({ cause: busy })]), options)()).rejects.toBe(busy);
    await expect(wrap(flaky([plain]), options)()).rejects.toBe(plain);
  });

  it("gives up with the deadline where onRetry took the time that the sleep needs, and pays the budget back", async () => {
    const clock = virtualClock();
    const refunds: number[] = [];
    const budget = { acquire: () => 2, recordSuccess() {}, refund: (taken: number) => refunds.push(taken), balance: 0 };
    const call = wrap(flaky([busy, "too late"]), {
      clock,
      budget,
      totalTimeout: 100,
      wait: waitFixed(50),
      onRetry: () => clock.sleepSync(60),
    });

    await expect(call()).rejects.toMatchObject({ code: "ERR_TOTAL_TIMEOUT", attempts: 1, cause: busy });
    expect(refunds).toEqual([2]);
    expect(clock.now()).toBe(60);
  });

  it("gives up with the deadline also where the sleep would end exactly at it, and where there is no budget", async () => {
    const reported: unknown[] = [];
    const call = (clock: ReturnType<typeof virtualClock>, busyFor: number) =>
      wrap(flaky([busy, "ok"]), {
        clock,
        totalTimeout: 100,
        wait: waitFixed(50),
        onRetry: () => clock.sleepSync(busyFor),
        onHookError: (error) => reported.push(error),
      });
    const late = virtualClock();
    const inTime = virtualClock();

    await expect(call(late, 50)()).rejects.toMatchObject({ code: "ERR_TOTAL_TIMEOUT" });
    const result = call(inTime, 49)();
    await inTime.runAll();

    expect(await result).toBe("ok");
    expect(reported).toEqual([]);
  });

  it("asks wait before stop, so that stop sees the coming delay", async () => {
    const seen: number[] = [];
    const stop = (state: RetryState) => {
      seen.push(state.delay);
      return true;
    };

    await expect(wrap(flaky([busy]), { wait: waitFixed(40), stop })()).rejects.toBe(busy);
    expect(seen).toEqual([40]);
  });

  it("gives up with the deadline when the coming sleep would end at totalTimeout, without sleeping", async () => {
    const clock = virtualClock();
    const load = flaky([busy, "too late"]);

    await expect(wrap(load, { clock, wait: waitFixed(100), totalTimeout: 100 })()).rejects.toMatchObject({
      name: "TotalTimeoutError",
      code: "ERR_TOTAL_TIMEOUT",
      timeout: 100,
      attempts: 1,
      cause: busy,
      outcome: { ok: false, error: busy },
    });
    expect(clock.now()).toBe(0);
    expect(load.calls).toHaveLength(1);
  });

  it("goes on when the coming sleep ends before totalTimeout", async () => {
    const clock = virtualClock();
    const result = wrap(flaky([busy, "ok"]), { clock, wait: waitFixed(99), totalTimeout: 100 })();

    await clock.runAll();

    expect(await result).toBe("ok");
  });

  describe.each([
    ["NaN", Number.NaN],
    ["negative", -1],
    ["infinite", Number.POSITIVE_INFINITY],
    ["negatively infinite", Number.NEGATIVE_INFINITY],
    ["a string", "5"],
    ["undefined", undefined],
    ["null", null],
    ["an object", {}],
  ])("a delay that is %s", (_what, delay) => {
    it("throws an error that names the strategy, the value and the attempt's outcome", async () => {
      const load = flaky([busy, "too late"]);

      const error = await wrap(load, { wait: () => delay as number })().catch((thrown: unknown) => thrown);

      expect(error).toMatchObject({
        code: "ERR_RETRY_STRATEGY",
        strategy: "wait",
        outcome: { ok: false, error: busy },
      });
      expect(error.cause).toBeInstanceOf(RangeError);
      expect(error.message).toContain(String(delay));
      expect(load.calls).toHaveLength(1);
    });

    it("rethrows the last error where stop says yes to a bad delay", async () => {
      await expect(wrap(flaky([busy]), { wait: () => delay as number, stop: () => true })()).rejects.toBe(busy);
    });
  });

  it.each(["stop", "wait", "retryIf"] as const)(
    "turns what %s throws into a StrategyError, and loses nothing",
    async (strategy) => {
      const thrown = new Error("bug");
      const given: unknown[] = [];
      const call = wrap(flaky([busy, "too late"]), {
        ...instant,
        [strategy]: () => {
          throw thrown;
        },
        onGiveUp: (state) => given.push(state),
        fallback: (state) => given.push(state),
      });

      await expect(call()).rejects.toMatchObject({
        name: "StrategyError",
        code: "ERR_RETRY_STRATEGY",
        strategy,
        cause: thrown,
        outcome: { ok: false, error: busy },
      });
      expect(given).toEqual([]);
    },
  );

  it("turns what retryIf throws about a value into a StrategyError with that value", async () => {
    const bug = new Error("bug");
    const call = wrap(flaky(["ok", "too late"]), {
      retryIf: retryIfResult(() => {
        throw bug;
      }),
    });

    await expect(call()).rejects.toMatchObject({
      code: "ERR_RETRY_STRATEGY",
      strategy: "retryIf",
      cause: bug,
      outcome: { ok: true, value: "ok" },
    });
  });

  it.each(["stop", "wait"] as const)("throws a StrategyError where %s returns a promise", async (strategy) => {
    const call = wrap(flaky([busy, "too late"]), { ...instant, [strategy]: (async () => true) as never });

    const error = await call().catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: "ERR_RETRY_STRATEGY", strategy });
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  it.each<[string, () => unknown]>([
    ["a promise", async () => 5],
    ["a function", () => () => 5],
    ["not there: wait throws", () => expect.fail("no delay")],
  ])(
    "asks a user's stop about a delay that is %s as about 0, and reports wait where that says no",
    async (_what, wait) => {
      const asked: unknown[] = [];
      const stop = (answer: boolean) => (state: RetryState) => {
        asked.push(state.delay);
        return answer;
      };

      await expect(wrap(flaky([busy]), { wait: wait as never, stop: stop(true) })()).rejects.toBe(busy);
      await expect(wrap(flaky([busy]), { wait: wait as never, stop: stop(false) })()).rejects.toMatchObject({
        code: "ERR_RETRY_STRATEGY",
        strategy: "wait",
      });
      expect(asked).toEqual([0, 0]);
    },
  );

  it.each(["stop", "retryIf", "wait"] as const)(
    "that a %s that is a factory passed without a call is a StrategyError",
    async (strategy) => {
      const call = wrap(flaky([busy, "too late"]), { ...instant, [strategy]: (() => () => true) as never });

      const error = await call().catch((thrown: unknown) => thrown);

      expect(error).toMatchObject({ code: "ERR_RETRY_STRATEGY", strategy });
      expect(error.message).toContain("factory");
    },
  );

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a string", "boom"],
    ["zero", 0],
    ["a symbol", Symbol("boom")],
    ["a frozen object", Object.freeze({ code: "E" })],
    ["an object without a prototype", Object.create(null)],
    [
      "an aggregate whose errors refuse to be read",
      { name: "AggregateError", errors: new Proxy([1], { get: () => Reflect.ownKeys(1 as never) }) },
    ],
    [
      "a proxy that throws at every touch",
      new Proxy(
        {},
        {
          get() {
            throw new Error("hands off");
          },
          set() {
            throw new Error("hands off");
          },
          has() {
            throw new Error("hands off");
          },
          ownKeys() {
            throw new Error("hands off");
          },
          getOwnPropertyDescriptor() {
            throw new Error("hands off");
          },
          getPrototypeOf() {
            throw new Error("hands off");
          },
          defineProperty() {
            throw new Error("hands off");
          },
        },
      ),
    ],
  ])("rethrows %s as it was", async (_what, thrown) => {
    let calls = 0;
    const call = wrap(
      () => {
        calls++;
        throw thrown;
      },
      { ...instant, stop: stopAfterAttempt(2) },
    );

    let caught: unknown = "nothing";
    await call().then(undefined, (error: unknown) => {
      caught = error;
    });

    expect(Object.is(caught, thrown)).toBe(true);
    expect(calls).toBe(2);
  });

  it("writes nothing on the error", async () => {
    const error = new Error("busy");
    const keys = Reflect.ownKeys(error);

    await wrap(flaky([error, error, error, error]), { ...instant, onGiveUp: () => {} })().catch(() => {});

    expect(Reflect.ownKeys(error)).toEqual(keys);
  });
});

describe("an async strategy", () => {
  const thenable = (then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void) =>
    ({ then }) as never;

  it.each<[string, unknown]>([
    ["a promise", Promise.resolve(true)],
    ["a thenable whose then returns nothing", thenable((resolve) => resolve(true))],
    [
      "a thenable that calls back twice",
      thenable((resolve) => {
        resolve(true);
        resolve(true);
      }),
    ],
  ])("waits for a retryIf that returns %s", async (_what, answer) => {
    const taken: number[] = [];
    const budget = { acquire: () => taken.push(1) && 1, recordSuccess() {}, refund() {}, balance: 0 };

    expect(
      await retry(flaky([busy, "ok"]), {
        ...instant,
        budget,
        retryIf: () => answer as never,
      })(),
    ).toBe("ok");
    expect(taken).toEqual([1]);
  });

  it("waits for a budget that returns a thenable", async () => {
    const budget = {
      acquire: () => thenable((resolve) => resolve(2)),
      recordSuccess: (taken: number) => log.push(taken),
      refund() {},
      balance: 0,
    };
    const log: number[] = [];

    expect(await retry(flaky([busy, "ok"]), { ...instant, budget })()).toBe("ok");
    expect(log).toEqual([2]);
  });

  it.each<[string, () => unknown, unknown]>([
    ["rejects", () => Promise.reject(busy), busy],
    [
      "throws in then",
      () =>
        thenable(() => {
          throw busy;
        }),
      busy,
    ],
    [
      "has a then that cannot be read",
      () => ({
        get then() {
          throw busy;
        },
      }),
      busy,
    ],
    ["is a factory passed without a call", async () => () => true, expect.any(TypeError)],
  ])("throws a StrategyError where what retryIf returns %s", async (_what, answer, cause) => {
    const load = flaky([busy, "too late"]);

    await expect(retry(load, { ...instant, retryIf: answer as never })()).rejects.toMatchObject({
      code: "ERR_RETRY_STRATEGY",
      strategy: "retryIf",
      cause,
    });
    expect(load.calls).toHaveLength(1);
  });

  it("goes by the truth of what an async retryIf resolves to: false gives up, or accepts a value", async () => {
    const no = { ...instant, retryIf: retryIfOutcome(async () => false) };

    await expect(retry(flaky([busy]), no)()).rejects.toBe(busy);
    expect(await retry(flaky(["ok"]), no)()).toBe("ok");
  });
});

describe.each(bothLoops)("the state that %s shows", (_name, wrap) => {
  it("shows the attempt, its outcome and the time slept", async () => {
    const clock = virtualClock();
    const states: RetryState[] = [];
    const call = wrap(flaky([busy, busy, "ok"]), {
      clock,
      wait: (state) => state.attempt * 100,
      onRetry: (state) => states.push(state),
      onSuccess: (state) => states.push(state),
      name: "load",
    });

    const result = call("a", 1);
    await clock.runAll();
    await result;

    const common = { name: "load", args: ["a", 1], exhausted: false };
    const failed = { ok: false, error: busy };
    expect(states).toMatchObject([
      { ...common, attempt: 1, outcome: failed, elapsed: 0, delay: 100, previousDelay: 0, idle: 0 },
      { ...common, attempt: 2, outcome: failed, elapsed: 100, delay: 200, previousDelay: 100, idle: 100 },
      {
        ...common,
        attempt: 3,
        outcome: { ok: true, value: "ok" },
        elapsed: 300,
        delay: 0,
        previousDelay: 200,
        idle: 300,
      },
    ]);
  });

  it("counts elapsed from the call's start, whatever the clock shows", async () => {
    const clock = virtualClock();
    await clock.advance(5_000);
    const elapsed: number[] = [];

    const result = wrap(flaky([busy, busy, "ok"]), {
      clock,
      wait: waitFixed(10),
      onRetry: (state) => elapsed.push(state.elapsed),
    })();
    await clock.runAll();
    await result;

    expect(elapsed).toEqual([0, 10]);
  });

  it("makes one state per attempt, the same for every strategy and hook, and never touches it afterwards", async () => {
    const seen: RetryState[] = [];
    const copies: RetryState[] = [];
    const keep = (state: RetryState) => {
      seen.push(state);
      return true;
    };
    const call = wrap(flaky([busy, busy, "ok"]), {
      wait: (state) => (keep(state) ? 0 : 0),
      retryIf: (_error, state) => keep(state),
      onRetry: (state) => {
        keep(state);
        copies.push({ ...state });
      },
    });

    await call();

    expect(seen.slice(0, 3).every((state) => state === seen[0])).toBe(true);
    expect(seen[3]).not.toBe(seen[0]);
    expect([seen[0], seen[3]]).toEqual(copies);
  });

  it("passes the policy's randomness to wait", async () => {
    const drawn: number[] = [];
    const call = wrap(flaky([busy, "ok"]), {
      random: () => 0.25,
      wait: (state) => {
        drawn.push(state.random());
        return 0;
      },
    });

    await call();

    expect(drawn).toEqual([0.25]);
  });

  it("shows onGiveUp and fallback the reason and the error that the call would end in", async () => {
    const seen: GiveUpState[] = [];
    const cause = new Error("gone");
    const call = wrap(flaky([new NonRetryableError("stop", { cause })]), {
      ...instant,
      onGiveUp: (state) => seen.push(state),
      fallback: (state) => {
        seen.push(state);
        return "cached";
      },
    });

    expect(await call()).toBe("cached");
    expect(seen).toMatchObject([
      { attempt: 1, reason: "not-retryable", error: cause },
      { attempt: 1, reason: "not-retryable", error: cause },
    ]);
    expect(seen[0]!.error).toBe(cause);
  });

  it("leaves the clock unread in a policy where nothing looks at the time", async () => {
    let reads = 0;
    const clock = {
      ...virtualClock(),
      now: () => {
        reads++;
        return 0;
      },
    };

    await wrap(flaky([busy, "ok"]), { clock, wait: waitNone, retryIf: retryIfError() })();

    expect(reads).toBe(0);
  });
});

describe.each(bothLoops)("the outcome of a StrategyError in %s", (_name, wrap) => {
  it.each(["retryIf", "wait", "stop"])(
    "a StrategyError's outcome is what %s was asked about, whatever it wrote to the state",
    async (strategy) => {
      const write = (...asked: object[]): never => {
        Object.assign(asked.at(-1)!, { outcome: "written" });
        return (() => true) as never;
      };

      const error = await wrap(flaky([busy]), { [strategy]: write })().catch((thrown: unknown) => thrown);

      expect(error).toMatchObject({ code: "ERR_RETRY_STRATEGY", strategy, outcome: { ok: false, error: busy } });
    },
  );
});
