import {
  type AttemptContext,
  AttemptTimeoutError,
  currentAttempt,
  type GiveUpState,
  type Outcome,
  type RetryBudget,
  type RetryOptions,
  retry,
  retryIfErrorType,
  runWithRetry,
  stopAfterAttempt,
  stopNever,
  TotalTimeoutError,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const busy = new Error("busy");
const reason = new Error("the user left");
const never = () => new Promise<never>(() => {});

let unhandled: unknown[];
const note = (error: unknown) => unhandled.push(error);

beforeEach(() => {
  unhandled = [];
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

/** A signal that counts its listeners. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  let added = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (type: string, listener: never) => {
    added++;
    listeners.add(listener);
    addEventListener.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: never) => {
    listeners.delete(listener);
    removeEventListener.call(signal, type, listener);
  };
  return { signal, listeners, added: () => added, abort: () => controller.abort(reason) };
}

/** The result of a promise once microtasks have run: what it is now, not what it will be. */
async function now<T>(promise: Promise<T>) {
  let result: { value: T } | { error: unknown } | "pending" = "pending";
  promise.then(
    (value) => {
      result = { value };
    },
    (error: unknown) => {
      result = { error };
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return result as typeof result;
}

describe("an abort", () => {
  it("before the call rejects with the reason and calls nothing but onGiveUp", async () => {
    const load = flaky(["ok"]);
    const seen: GiveUpState[] = [];
    const call = retry(load, {
      signal: AbortSignal.abort(reason),
      onGiveUp: (state) => seen.push(state),
      fallback: () => "cached",
    });

    await expect(call()).rejects.toBe(reason);
    expect(load.calls).toEqual([]);
    expect(seen).toMatchObject([
      {
        reason: "aborted",
        attempt: 0,
        exhausted: false,
        delay: 0,
        outcome: { ok: false, error: reason },
        error: reason,
      },
    ]);
  });

  it("rejects with whatever the reason is, also with undefined's default and with a string", async () => {
    await expect(retry(never, { signal: AbortSignal.abort() })()).rejects.toMatchObject({ name: "AbortError" });
    await expect(retry(never, { signal: AbortSignal.abort("why") })()).rejects.toBe("why");
  });

  const moments: Record<string, (abort: () => void) => RetryOptions & { fn?: () => unknown }> = {
    "in a pending attempt": () => ({ fn: never }),
    "in the sync part of an attempt": (abort) => ({
      fn: () => {
        abort();
        return "too late";
      },
    }),
    "in an attempt that then throws": (abort) => ({
      fn: () => {
        abort();
        throw busy;
      },
    }),
    "in a sleep": () => ({ wait: waitFixed(1_000) }),
    "in onAttempt": (abort) => ({ onAttempt: abort }),
    "in a pending onAttempt": () => ({ onAttempt: never }),
    "in onRetry": (abort) => ({ onRetry: abort }),
    "in a pending onRetry": () => ({ onRetry: never }),
    "in retryIf": (abort) => ({
      retryIf: () => {
        abort();
        return true;
      },
    }),
    "in a pending retryIf": () => ({ retryIf: never }),
    "in wait": (abort) => ({
      wait: () => {
        abort();
        return 0;
      },
    }),
    "in stop": (abort) => ({
      stop: () => {
        abort();
        return true;
      },
    }),
    "in a strategy that then throws": (abort) => ({
      stop: () => {
        abort();
        throw new Error("bug");
      },
    }),
    "in onGiveUp": (abort) => ({ stop: stopAfterAttempt(1), onGiveUp: abort }),
    "in a pending onGiveUp": () => ({ stop: stopAfterAttempt(1), onGiveUp: never }),
    "in a fallback": (abort) => ({
      stop: stopAfterAttempt(1),
      fallback: () => {
        abort();
        return "cached";
      },
    }),
    "in a fallback that then throws": (abort) => ({
      stop: stopAfterAttempt(1),
      fallback: () => {
        abort();
        throw new Error("no cache");
      },
    }),
    "in a pending fallback": () => ({ stop: stopAfterAttempt(1), fallback: never }),
  };

  it.each(Object.keys(moments))(
    "%s rejects at once with the reason and leaves no timer and no listener",
    async (moment) => {
      const clock = virtualClock();
      const { signal, listeners, abort } = countedSignal();
      const { fn = flaky([busy]), ...options } = moments[moment]!(abort);
      const call = retry(fn as () => unknown, {
        clock,
        signal,
        attemptTimeout: 5_000,
        totalTimeout: 9_000,
        wait: waitNone,
        ...options,
      });

      const result = call();
      result.catch(() => {});
      await now(result);
      abort();

      expect(await now(result)).toEqual({ error: reason });
      expect(clock.pending).toBe(0);
      expect(listeners.size).toBe(0);
      expect(call.stats).toMatchObject({ calls: 1, failures: 1, successes: 0 });
    },
  );

  it("tells onGiveUp of the attempts made and the last outcome, and does not wait for it", async () => {
    const clock = virtualClock();
    const { signal, abort } = countedSignal();
    const seen: GiveUpState[] = [];
    const onGiveUp = (state: GiveUpState) => {
      seen.push(state);
      return never();
    };

    const result = retry(flaky([busy]), { clock, signal, wait: waitFixed(100), onGiveUp })();
    await clock.advance(40);
    abort();

    expect(await now(result)).toEqual({ error: reason });
    expect(seen).toMatchObject([
      { attempt: 1, reason: "aborted", error: reason, outcome: { error: busy }, elapsed: 40 },
    ]);
  });

  it("is told to onGiveUp only where the call had not given up already", async () => {
    const { signal, abort } = countedSignal();
    const reasons: string[] = [];
    const call = retry(flaky([busy]), {
      signal,
      stop: stopAfterAttempt(1),
      onGiveUp: (state) => reasons.push(state.reason),
      fallback: never,
    });

    const result = call();
    await now(result);
    abort();

    await expect(result).rejects.toBe(reason);
    expect(reasons).toEqual(["stopped"]);
  });

  it("asks no fallback", async () => {
    const { signal, abort } = countedSignal();
    const result = retry(never, { signal, fallback: () => "cached" as never })();

    abort();

    await expect(result).rejects.toBe(reason);
  });

  it("is not retried by an outer policy", async () => {
    const { signal, abort } = countedSignal();
    let calls = 0;
    const inner = retry(
      () => {
        calls++;
        return never();
      },
      { signal },
    );

    const result = retry(inner, instant)();
    await now(result);
    abort();

    await expect(result).rejects.toBe(reason);
    expect(calls).toBe(1);
  });

  it("cannot take an accepted value back: it only abandons the hook", async () => {
    const { signal, listeners, abort } = countedSignal();
    const call = retry(flaky(["ok"]), { signal, onSuccess: never });

    const result = call();
    expect(await now(result)).toBe("pending");
    abort();

    expect(await now(result)).toEqual({ value: "ok" });
    expect(listeners.size).toBe(0);
    expect(call.stats).toMatchObject({ calls: 1, successes: 1, failures: 0 });
  });

  it("reaches the attempt through its signal, with the reason", async () => {
    const { signal, abort } = countedSignal();
    const contexts: AttemptContext[] = [];
    const result = runWithRetry(
      (context) => {
        contexts.push(context);
        return never();
      },
      { signal },
    );
    result.catch(() => {});
    const early = contexts[0]!.signal;

    abort();

    expect(early.aborted).toBe(true);
    expect(early.reason).toBe(reason);
  });

  it("is found in a signal that is read late", async () => {
    const { signal, abort } = countedSignal();
    let context: AttemptContext | undefined;
    const call = retry(
      () => {
        context = currentAttempt();
        return never();
      },
      { signal },
    );

    const result = call();
    abort();
    await now(result);

    expect(context!.signal.aborted).toBe(true);
    expect(context!.signal.reason).toBe(reason);
  });

  it("is found in a signal that is read later in the same sync part", async () => {
    const { signal, abort } = countedSignal();
    let found: unknown;
    const call = retry(
      () => {
        abort();
        found = currentAttempt().signal.reason;
      },
      { signal },
    );

    await expect(call()).rejects.toBe(reason);
    expect(found).toBe(reason);
  });

  it("in a sleep leaves the signal of the attempt before it alone", async () => {
    const { signal, abort } = countedSignal();
    let context: AttemptContext | undefined;
    const result = runWithRetry(
      (given) => {
        context = given;
        throw busy;
      },
      { signal, clock: virtualClock(), wait: waitFixed(100) },
    );
    await now(result);

    abort();

    await expect(result).rejects.toBe(reason);
    expect(context!.signal.aborted).toBe(false);
  });

  it("by either of two signals ends the call, and both are let go", async () => {
    const first = countedSignal();
    const second = countedSignal();

    const result = retry(never, { signal: first.signal }).with({ signal: second.signal })();
    second.abort();

    await expect(result).rejects.toBe(reason);
    expect(first.listeners.size + second.listeners.size).toBe(0);
  });

  it("after the call changes nothing, and a thousand calls leave no listener", async () => {
    const { signal, listeners, abort } = countedSignal();
    const call = retry(async (value: number) => value, { signal });

    const results = await Promise.all(Array.from({ length: 1_000 }, (_, index) => call(index)));
    abort();

    expect(results).toHaveLength(1_000);
    expect(listeners.size).toBe(0);
  });

  it("is listened for once, however many calls sleep on the signal", async () => {
    const clock = virtualClock();
    const { signal, listeners, abort } = countedSignal();
    const call = retry(async () => Promise.reject(busy), { clock, signal, wait: waitFixed(1_000) });

    const results = Promise.allSettled(Array.from({ length: 1_000 }, () => call()));
    await clock.advance(0);
    expect(listeners.size).toBe(1);
    expect(clock.pending).toBe(1_000);
    abort();

    expect((await results).every((each) => each.status === "rejected" && each.reason === reason)).toBe(true);
    expect(clock.pending).toBe(0);
    expect(listeners.size).toBe(0);
  });
});

describe("the listener on a signal", () => {
  it("is never added by a call that is over before anything else can happen", async () => {
    const { signal, added } = countedSignal();
    const call = retry(async () => "ok", { signal });

    for (let i = 0; i < 100; i++) await call();

    expect(added()).toBe(0);
  });

  it.each([
    ["takes its time", never, {}],
    ["fails at once", async () => Promise.reject(busy), { wait: waitFixed(1_000) }],
    ["waits for its first hook", async () => "ok", { onAttempt: never }],
    ["looks at its values", async () => "pending", { retryIf: () => true, wait: waitFixed(1_000) }],
  ])("is added a microtask after a call whose function %s, once for all such calls", async (_what, fn, options) => {
    const { signal, added, listeners, abort } = countedSignal();
    const call = retry(fn as () => Promise<string>, { signal, clock: virtualClock(), ...options });

    const results = Promise.allSettled([call(), call(), call()]);
    for (let i = 0; i < 5; i++) await null;
    expect([added(), listeners.size]).toEqual([1, 1]);
    abort();

    expect(await results).toEqual(Array(3).fill({ status: "rejected", reason }));
    expect(listeners.size).toBe(0);
  });

  it("is there at once where the attempt asks for its signal", () => {
    const { signal, added, abort } = countedSignal();
    let inner: AbortSignal | undefined;

    runWithRetry(
      (context) => {
        inner = context.signal;
        return never();
      },
      { signal },
    ).catch(() => {});
    expect(added()).toBe(1);
    abort();

    expect(inner?.reason).toBe(reason);
  });

  it("is not needed for an abort that comes before it: a value of that moment is late", async () => {
    const { signal, added, abort } = countedSignal();
    const late: unknown[] = [];
    const gaveUp: string[] = [];
    const hooks: RetryOptions = { onLateResult: (o) => late.push(o), onGiveUp: (s) => gaveUp.push(s.reason) };
    const call = retry(async () => "ok", { signal, ...hooks });

    const result = call();
    abort();

    await expect(result).rejects.toBe(reason);
    expect([late, gaveUp, added()]).toEqual([[{ ok: true, value: "ok" }], ["aborted"], 0]);
    expect(call.stats).toMatchObject({ calls: 1, attempts: 1, successes: 0, failures: 1 });
  });

  it("is not needed for one that comes in the same moment as a failure", async () => {
    const { signal, abort } = countedSignal();
    const asked: unknown[] = [];
    const retryIf = () => {
      asked.push("retryIf");
      return true;
    };

    const result = retry(async () => Promise.reject(busy), { signal, retryIf })();
    abort();

    await expect(result).rejects.toBe(reason);
    expect(asked).toEqual([]);
  });
});

describe("an abort in the very moment of the call", () => {
  it("is heeded before an attempt begins", async () => {
    const { signal, abort } = countedSignal();
    const load = flaky(["too late"]);
    const call = retry(load, { signal, onAttempt: abort });

    await expect(call()).rejects.toBe(reason);
    expect(load.calls).toEqual([]);
    expect(call.stats).toMatchObject({ calls: 1, attempts: 0, failures: 1 });
  });

  it.each(["attemptTimeout", "totalTimeout"])("is heeded before %s, however soon its timer fires", async (timeout) => {
    const { signal, abort } = countedSignal();
    const clock = abruptClock();
    const seen: unknown[] = [];
    const call = retry(never, {
      signal,
      clock,
      [timeout]: 50,
      onRetry: () => seen.push("onRetry"),
      onGiveUp: (state) => seen.push(state.reason),
    });

    const result = call();
    abort();
    clock.fire();

    await expect(result).rejects.toBe(reason);
    expect(seen).toEqual(["aborted"]);
    expect(clock.timers.size).toBe(0);
  });

  it("is heeded where onGiveUp causes it, however soon the deadline came", async () => {
    const { signal, abort } = countedSignal();
    const clock = abruptClock();
    const options: RetryOptions = { signal, clock, totalTimeout: 50, onGiveUp: abort, fallback: () => "cached" };
    const result = retry((): Promise<string> => new Promise(() => {}), options)();

    clock.fire();

    await expect(result).rejects.toBe(reason);
  });

  it("comes too late where the budget of a returned value causes it", async () => {
    const { signal, abort } = countedSignal();
    const budget: RetryBudget = { acquire: () => 1, recordSuccess: abort, refund: () => {}, balance: 1 };
    const gaveUp: unknown[] = [];
    const slow = () => new Promise((resolve) => setImmediate(resolve, "ok"));
    const call = retry(slow, { signal, budget, onGiveUp: (state) => gaveUp.push(state.reason) });

    expect(await call()).toBe("ok");
    expect(gaveUp).toEqual([]);
    expect(call.stats).toMatchObject({ successes: 1, failures: 0 });
  });
});

describe("an abort between two attempts", () => {
  it("begins no attempt that was about to begin", async () => {
    const { signal, abort } = countedSignal();
    const load = flaky([busy, "too late"]);
    // An attempt that follows at once leaves no time between the two; one that waited for somebody begins a little later.
    const policy: RetryOptions = { signal, wait: waitNone, retryIf: async () => true };
    const result = retry(load, { ...policy, onRetry: () => queueMicrotask(abort) })();

    await expect(result).rejects.toBe(reason);
    expect(load.calls).toHaveLength(1);
  });

  it("counts once, also where a strategy fails afterwards, and asks no budget that is not there", async () => {
    const { signal, abort } = countedSignal();
    const reported: unknown[] = [];
    let fail = (_error: unknown) => {};
    const call = retry(flaky([busy]), {
      signal,
      retryIf: () =>
        new Promise<boolean>((_, reject) => {
          fail = reject;
        }),
      onHookError: (error) => reported.push(error),
    });

    const result = call();
    await now(result);
    abort();
    fail(new Error("bug"));
    await now(result);

    await expect(result).rejects.toBe(reason);
    expect(call.stats).toMatchObject({ calls: 1, attempts: 1, retries: 0, failures: 1 });
    expect(reported).toEqual([]);
  });
});

describe("attemptTimeout", () => {
  it("fails an attempt that takes no notice, and tries again", async () => {
    const clock = virtualClock();
    const hang = flaky<unknown>([never, "ok"]);
    const errors: unknown[] = [];
    const call = retry(hang, {
      clock,
      attemptTimeout: 50,
      wait: waitNone,
      onRetry: (state) => errors.push(!state.outcome.ok && state.outcome.error),
    });

    const result = call();
    await clock.advance(49);
    expect(hang.calls).toHaveLength(1);
    await clock.advance(1);

    expect(await result).toBe("ok");
    expect(errors).toEqual([expect.any(AttemptTimeoutError)]);
    expect(errors[0]).toMatchObject({ code: "ERR_ATTEMPT_TIMEOUT", timeout: 50, attempt: 1 });
    expect(clock.pending).toBe(0);
  });

  it("is an error that retryIf may refuse, and what the call ends in", async () => {
    const clock = virtualClock();
    const result = retry(never, { clock, attemptTimeout: 50, retryIf: retryIfErrorType(RangeError) })();
    result.catch(() => {});

    await clock.advance(50);

    await expect(result).rejects.toBeInstanceOf(AttemptTimeoutError);
  });

  it("aborts the attempt's signal with its error", async () => {
    const clock = virtualClock();
    let signal: AbortSignal | undefined;
    const call = retry(
      () => {
        signal = currentAttempt().signal;
        return never();
      },
      { clock, attemptTimeout: 50, stop: stopAfterAttempt(1) },
    );

    const result = call();
    result.catch(() => {});
    await clock.advance(50);

    await expect(result).rejects.toBe(signal!.reason);
    expect(signal!.reason).toBeInstanceOf(AttemptTimeoutError);
  });

  it("counts anew for every attempt and not in the sleep between", async () => {
    const clock = virtualClock();
    const slow = () => new Promise((_, reject) => clock.setTimer(() => reject(busy), 40));
    const result = retry(slow, { clock, attemptTimeout: 50, wait: waitFixed(1_000), stop: stopAfterAttempt(3) })();
    result.catch(() => {});

    await clock.runAll();

    await expect(result).rejects.toBe(busy);
    expect(clock.now()).toBe(2_120);
  });

  it("that has fired makes what the attempt still does a late result, not an outcome", async () => {
    const clock = virtualClock();
    const late: Outcome[] = [];
    const settleLate = (settle: (resolve: (value: string) => void, reject: (error: unknown) => void) => void) => () =>
      new Promise<string>((resolve, reject) => clock.setTimer(() => settle(resolve, reject), 100));
    const call = retry(
      flaky([
        settleLate((resolve) => resolve("late")),
        settleLate((_, reject) => reject(busy)),
        () => "ok",
      ]) as () => Promise<string>,
      { clock, attemptTimeout: 60, wait: waitNone, onLateResult: (outcome) => late.push(outcome) },
    );

    const result = call();
    await clock.runAll();

    expect(await result).toBe("ok");
    expect(late).toEqual([
      { ok: true, value: "late" },
      { ok: false, error: busy },
    ]);
  });

  it("that has fired leaves no unhandled rejection where nobody asks for late results", async () => {
    const clock = virtualClock();
    const call = retry(() => new Promise((_, reject) => clock.setTimer(() => reject(busy), 100)), {
      clock,
      attemptTimeout: 60,
      stop: stopAfterAttempt(1),
    });

    const result = call();
    result.catch(() => {});
    await clock.runAll();

    await expect(result).rejects.toBeInstanceOf(AttemptTimeoutError);
  });

  it("reports what onLateResult throws to onHookError", async () => {
    const clock = virtualClock();
    const reported: unknown[] = [];
    const call = retry(() => new Promise((resolve) => clock.setTimer(() => resolve("late"), 100)), {
      clock,
      attemptTimeout: 60,
      stop: stopAfterAttempt(1),
      onLateResult: () => {
        throw busy;
      },
      onHookError: (error) => reported.push(error),
    });

    const result = call();
    result.catch(() => {});
    await clock.runAll();

    await expect(result).rejects.toBeInstanceOf(AttemptTimeoutError);
    expect(reported).toEqual([busy]);
  });

  it("leaves no timer behind a success", async () => {
    const clock = virtualClock();

    expect(await retry(async () => "ok", { clock, attemptTimeout: 50, totalTimeout: 90 })()).toBe("ok");
    expect(clock.pending).toBe(0);
  });

  it("of Infinity sets no timer", async () => {
    const clock = virtualClock();

    retry(never, { clock, attemptTimeout: Number.POSITIVE_INFINITY, totalTimeout: Number.POSITIVE_INFINITY })();

    expect(clock.pending).toBe(0);
  });
});

describe("totalTimeout", () => {
  it("ends a first attempt that hangs, with itself as the outcome and no cause", async () => {
    const clock = virtualClock();
    const seen: GiveUpState[] = [];
    const result = retry(never, { clock, totalTimeout: 100, onGiveUp: (state) => seen.push(state) })();
    result.catch(() => {});

    await clock.advance(100);

    const error = await result.catch((thrown: unknown) => thrown as TotalTimeoutError);
    expect(error).toBeInstanceOf(TotalTimeoutError);
    expect(error).toMatchObject({ timeout: 100, attempts: 1, outcome: { ok: false, error } });
    expect("cause" in error).toBe(false);
    expect(seen).toMatchObject([
      { reason: "deadline", attempt: 1, error, elapsed: 100, outcome: { ok: false, error } },
    ]);
    expect(clock.pending).toBe(0);
  });

  it("ends a later attempt that hangs, with the last error as its cause", async () => {
    const clock = virtualClock();
    const result = retry(flaky([busy, never]), { clock, totalTimeout: 100, wait: waitFixed(30) })();
    result.catch(() => {});

    await clock.advance(100);

    await expect(result).rejects.toMatchObject({ attempts: 2, cause: busy, outcome: { ok: false, error: busy } });
  });

  it("aborts the attempt's signal with its error", async () => {
    const clock = virtualClock();
    let signal: AbortSignal | undefined;
    const result = runWithRetry(
      (context) => {
        signal = context.signal;
        return never();
      },
      { clock, totalTimeout: 100 },
    );
    result.catch(() => {});

    await clock.advance(100);

    await expect(result).rejects.toBe(signal!.reason);
  });

  const phases: Record<string, RetryOptions> = {
    onAttempt: { onAttempt: never },
    onRetry: { onRetry: never },
    retryIf: { retryIf: never },
    "a budget": { budget: { acquire: never, recordSuccess() {}, refund() {}, balance: 0 } },
  };

  it.each(Object.keys(phases))("ends a call that %s holds up for ever", async (phase) => {
    const clock = virtualClock();
    const result = retry(flaky([busy]), { clock, totalTimeout: 100, wait: waitNone, ...phases[phase] })();
    result.catch(() => {});

    await clock.advance(100);

    expect(await now(result)).toMatchObject({ error: { code: "ERR_TOTAL_TIMEOUT" } });
    expect(clock.pending).toBe(0);
  });

  it("does not wait for an onGiveUp that never ends, and keeps the reason", async () => {
    const clock = virtualClock();
    const result = retry(flaky([busy]), {
      clock,
      totalTimeout: 100,
      stop: stopAfterAttempt(1),
      onGiveUp: never,
      fallback: (state) => state.reason,
    })();

    await clock.advance(99);
    expect(await now(result)).toBe("pending");
    await clock.advance(1);

    expect(await now(result)).toEqual({ value: "stopped" });
  });

  it("does not wait for an onGiveUp that is called when the time is up", async () => {
    const clock = virtualClock();
    const result = retry(never, { clock, totalTimeout: 100, onGiveUp: never })();
    result.catch(() => {});

    await clock.advance(100);

    expect(await now(result)).toMatchObject({ error: { code: "ERR_TOTAL_TIMEOUT" } });
  });

  it("cannot take an accepted value back: it only abandons the hook", async () => {
    const clock = virtualClock();
    const call = retry(flaky(["ok"]), { clock, totalTimeout: 100, onSuccess: never });

    const result = call();
    await clock.advance(100);

    expect(await now(result)).toEqual({ value: "ok" });
    expect(call.stats).toMatchObject({ successes: 1, failures: 0 });
  });

  it("does not stand over a fallback, which may take longer", async () => {
    const clock = virtualClock();
    const result = retry(never, {
      clock,
      totalTimeout: 100,
      fallback: () => new Promise<string>((resolve) => clock.setTimer(() => resolve("cached"), 500)) as Promise<never>,
    })();

    await clock.advance(600);

    expect(await now(result)).toEqual({ value: "cached" });
  });

  it("answers through the fallback also when the coming sleep would pass it", async () => {
    const call = retry(flaky([busy]), {
      clock: virtualClock(),
      totalTimeout: 100,
      wait: waitFixed(100),
      fallback: (state) => [state.reason, (state.error as Error).name],
    });

    expect(await call()).toEqual(["deadline", "TotalTimeoutError"]);
  });

  it("holds for the call, not for an attempt", async () => {
    const clock = virtualClock();
    const slow = () => new Promise((_, reject) => clock.setTimer(() => reject(busy), 40));
    const result = retry(slow, { clock, totalTimeout: 100, wait: waitNone, stop: stopNever })();
    result.catch(() => {});

    await clock.runAll();

    await expect(result).rejects.toMatchObject({ code: "ERR_TOTAL_TIMEOUT", attempts: 3 });
    expect(clock.now()).toBe(120);
  });
});

describe("an interruption that sets off another", () => {
  it("leaves a call that its attempt's own signal got aborted rejected, once and for all", async () => {
    const clock = virtualClock();
    const { signal, abort } = countedSignal();
    const reasons: string[] = [];
    let calls = 0;
    const call = retry(
      () => {
        calls++;
        currentAttempt().signal.addEventListener("abort", abort);
        return never();
      },
      { clock, signal, attemptTimeout: 100, wait: waitFixed(10), onGiveUp: (state) => reasons.push(state.reason) },
    );

    const result = call();
    result.catch(() => {});
    await clock.runAll();

    expect(await now(result)).toEqual({ error: reason });
    expect(calls).toBe(1);
    expect(reasons).toEqual(["aborted"]);
    expect(call.stats).toMatchObject({ calls: 1, failures: 1 });
  });

  it("asks no fallback where the deadline's signal got the call aborted", async () => {
    const clock = virtualClock();
    const { signal, abort } = countedSignal();
    const call = retry(
      () => {
        currentAttempt().signal.addEventListener("abort", abort);
        return never();
      },
      { clock, signal, totalTimeout: 100, fallback: () => "cached" as never },
    );

    const result = call();
    result.catch(() => {});
    await clock.runAll();

    expect(await now(result)).toEqual({ error: reason });
    expect(call.stats).toMatchObject({ calls: 1, failures: 1 });
  });

  it("keeps the first reason where one signal's listener aborts another signal", async () => {
    const first = countedSignal();
    const second = new AbortController();
    const call = retry(
      () => {
        currentAttempt().signal.addEventListener("abort", () => second.abort(new Error("second")));
        return never();
      },
      { signal: first.signal },
    ).with({ signal: second.signal });

    const result = call();
    first.abort();

    await expect(result).rejects.toBe(reason);
    expect(call.stats).toMatchObject({ calls: 1, failures: 1 });
  });

  it("is none where a nested run listens to the attempt's signal: the timeout is still retried", async () => {
    const clock = virtualClock();
    let attempts = 0;
    const result = runWithRetry(
      ({ signal }) => {
        attempts++;
        return runWithRetry(never, { signal, clock });
      },
      { clock, attemptTimeout: 100, wait: waitNone, stop: stopAfterAttempt(3) },
    );
    result.catch(() => {});

    await clock.runAll();

    await expect(result).rejects.toMatchObject({ code: "ERR_ATTEMPT_TIMEOUT", attempt: 3 });
    expect(attempts).toBe(3);
  });
});

describe("the state at an interruption", () => {
  it("tells of a sleep that was cut short: its delay is the coming one, not a previous one", async () => {
    const clock = virtualClock();
    const { signal, abort } = countedSignal();
    const seen: GiveUpState[] = [];
    const inner = retry(flaky([busy]), { stop: stopAfterAttempt(1) });
    const result = retry(inner, {
      clock,
      signal,
      retryExhausted: true,
      wait: waitFixed(100),
      onGiveUp: (state) => seen.push(state),
    })();
    result.catch(() => {});
    await clock.advance(40);

    abort();

    await expect(result).rejects.toBe(reason);
    expect(seen).toMatchObject([{ attempt: 1, delay: 100, previousDelay: 0, idle: 0, elapsed: 40, exhausted: true }]);
  });

  it("has no coming delay in the midst of an attempt", async () => {
    const clock = virtualClock();
    const { signal, abort } = countedSignal();
    const seen: GiveUpState[] = [];
    const result = retry(flaky([busy, never]), {
      clock,
      signal,
      wait: waitFixed(100),
      onGiveUp: (state) => seen.push(state),
    })();
    result.catch(() => {});
    await clock.advance(100);

    abort();

    await expect(result).rejects.toBe(reason);
    expect(seen).toMatchObject([{ attempt: 2, delay: 0, previousDelay: 100, idle: 100, outcome: { error: busy } }]);
  });
});

describe("a sleep that would pass totalTimeout", () => {
  it("is not begun where retryIf took the time it needs, and the budget gets its tokens back", async () => {
    const clock = virtualClock();
    const { budget, log } = recordingBudget(() => 1);
    const result = retry(flaky([busy]), {
      clock,
      budget,
      totalTimeout: 100,
      wait: waitFixed(50),
      retryIf: () => new Promise<boolean>((resolve) => clock.setTimer(() => resolve(true), 80)),
    })();
    result.catch(() => {});

    await clock.advance(80);

    expect(await now(result)).toMatchObject({ error: { code: "ERR_TOTAL_TIMEOUT", cause: busy } });
    expect(log).toEqual(["acquire", "refund 1"]);
    expect(clock.pending).toBe(0);
  });
});

describe("a clock that fails", () => {
  it("fails the call and gives the tokens back", async () => {
    const broken = new Error("no timers left");
    const clock = {
      ...virtualClock(),
      setTimer: () => {
        throw broken;
      },
    };
    const { budget, log } = recordingBudget(() => 1);

    await expect(retry(flaky([busy]), { clock, budget, wait: waitFixed(10) })()).rejects.toBe(broken);
    expect(log).toEqual(["acquire", "refund 1"]);
  });

  it("fails the attempt that it cannot time, and none is lost", async () => {
    const broken = new Error("no timers left");
    const setTimer = () => {
      throw broken;
    };
    const load = flaky([]);
    const call = retry(load, { clock: { ...virtualClock(), setTimer }, attemptTimeout: 10, wait: waitNone });

    await expect(call()).rejects.toBe(broken);
    expect(load.calls).toEqual([]);
    expect(call.stats).toMatchObject({ calls: 1, failures: 1 });
  });

  it("when the deadline passes fails the call", async () => {
    const broken = new Error("no time left");
    const clock = virtualClock();
    let fails = false;
    const failing = {
      ...clock,
      now: () => {
        if (fails) throw broken;
        return 0;
      },
    };
    const result = retry(never, { clock: failing, totalTimeout: 100 })();
    result.catch(() => {});

    fails = true;
    await clock.advance(100);

    expect(await now(result)).toEqual({ error: broken });
  });

  it("when an abort comes keeps it from nobody, and is reported where the hook would have been told", async () => {
    const broken = new Error("no time left");
    const { signal, listeners, abort } = countedSignal();
    let fails = false;
    const clock = {
      ...virtualClock(),
      now: () => {
        if (fails) throw broken;
        return 0;
      },
    };
    const seen: unknown[] = [];
    const hooks = { onGiveUp: () => seen.push("told"), onHookError: (error: unknown) => seen.push(error) };
    const broke = retry(never, { signal, clock, totalTimeout: 1_000, ...hooks })();
    const fine = retry(never, { signal })();
    broke.catch(() => {});
    fine.catch(() => {});
    await null;

    fails = true;
    abort();

    expect(seen).toEqual([broken]);
    expect(await now(broke)).toEqual({ error: reason });
    expect(await now(fine)).toEqual({ error: reason });
    expect(listeners.size).toBe(0);
  });
});

describe("a clock that fails to cancel", () => {
  it("keeps no call on the signal from being cut, and is reported", async () => {
    const { signal, abort } = countedSignal();
    const broken = new Error("no such timer");
    const virtual = virtualClock();
    const clock = {
      ...virtual,
      setTimer: (fn: () => void, ms: number) => {
        virtual.setTimer(fn, ms);
        return () => {
          throw broken;
        };
      },
    };
    const reported: unknown[] = [];
    const onHookError = (error: unknown) => reported.push(error);
    const sleeping = retry(async () => Promise.reject(busy), { signal, clock, wait: waitFixed(10), onHookError });
    const fine = retry(never, { signal });

    const results = Promise.allSettled([sleeping(), fine(), sleeping()]);
    await virtual.advance(0);
    abort();

    expect(await results).toEqual(Array(3).fill({ status: "rejected", reason }));
    expect(reported).toContain(broken);
  });
});

/** A clock whose timers fire while no microtask runs in between, as fake timers do. */
function abruptClock() {
  const clock = virtualClock();
  const timers = new Map<() => void, number>();
  const setTimer = (fn: () => void, ms: number) => {
    timers.set(fn, ms);
    return () => void timers.delete(fn);
  };
  const fire = () => {
    for (const fn of [...timers.keys()]) if (timers.delete(fn)) fn();
  };
  return { ...clock, setTimer, fire, timers };
}

/** A budget that writes down what it is asked. */
function recordingBudget(acquire: () => number | Promise<number>) {
  const log: string[] = [];
  const budget: RetryBudget = {
    acquire: () => {
      log.push("acquire");
      return acquire();
    },
    recordSuccess: (taken) => log.push(`success ${taken}`),
    refund: (taken) => log.push(`refund ${taken}`),
    balance: 0,
  };
  return { budget, log };
}

describe("a budget whose retry never begins", () => {
  it("gets its tokens back from an abort in the sleep", async () => {
    const { signal, abort } = countedSignal();
    const { budget, log } = recordingBudget(() => 3);
    const result = retry(flaky([busy]), { clock: virtualClock(), signal, budget, wait: waitFixed(10) })();
    await now(result);

    abort();

    await expect(result).rejects.toBe(reason);
    expect(log).toEqual(["acquire", "refund 3"]);
  });

  it.each(["onRetry", "onAttempt"] as const)("gets its tokens back from a deadline in a pending %s", async (hook) => {
    const clock = virtualClock();
    const { budget, log } = recordingBudget(() => 2);
    let calls = 0;
    const result = retry(flaky([busy]), {
      clock,
      budget,
      totalTimeout: 100,
      wait: waitNone,
      // The first attempt's own onAttempt lets it begin.
      [hook]: () => (hook === "onRetry" || ++calls > 1 ? never() : undefined),
    })();
    result.catch(() => {});

    await clock.advance(100);

    await expect(result).rejects.toMatchObject({ code: "ERR_TOTAL_TIMEOUT" });
    expect(log).toEqual(["acquire", "refund 2"]);
  });

  it("gets back what it grants after the end", async () => {
    const { signal, abort } = countedSignal();
    let grant = (_taken: number) => {};
    const { budget, log } = recordingBudget(
      () =>
        new Promise((resolve) => {
          grant = resolve;
        }),
    );
    const result = retry(flaky([busy]), { signal, budget, ...instant })();
    await now(result);

    abort();
    await expect(result).rejects.toBe(reason);
    grant(5);
    await now(result);

    expect(log).toEqual(["acquire", "refund 5"]);
  });

  it("keeps what a retry took that has begun", async () => {
    const { signal, abort } = countedSignal();
    const { budget, log } = recordingBudget(() => 1);
    const result = retry(flaky([busy, never]), { signal, budget, ...instant })();
    await now(result);

    abort();

    await expect(result).rejects.toBe(reason);
    expect(log).toEqual(["acquire"]);
  });
});
