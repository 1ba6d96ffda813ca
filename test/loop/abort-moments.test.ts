import {
  currentAttempt,
  type GiveUpState,
  type RetryBudget,
  type RetryOptions,
  retry,
  runWithRetry,
  stopAfterAttempt,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { abruptClock, busy, countedSignal, never, now, reason, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

describe("an abort in the very moment of the call", () => {
  it("heeds an abort in the moment of the call before an attempt begins", async () => {
    const { signal, abort } = countedSignal();
    const load = flaky(["too late"]);
    const call = retry(load, { signal, onAttempt: abort });

    await expect(call()).rejects.toBe(reason);
    expect(load.calls).toEqual([]);
    expect(call.stats).toMatchObject({ calls: 1, attempts: 0, failures: 1 });
  });

  it.each(["attemptTimeout", "totalTimeout"])(
    "heeds an abort in the moment of the call before %s, however soon its timer fires",
    async (timeout) => {
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
    },
  );

  it("heeds an abort that onGiveUp causes, however soon the deadline came", async () => {
    const { signal, abort } = countedSignal();
    const clock = abruptClock();
    const options: RetryOptions = { signal, clock, totalTimeout: 50, onGiveUp: abort, fallback: () => "cached" };
    const result = retry((): Promise<string> => new Promise(() => {}), options)();

    clock.fire();

    await expect(result).rejects.toBe(reason);
  });

  it("returns the value where its budget causes an abort: that comes too late", async () => {
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
  it("begins no attempt after an abort between two attempts", async () => {
    const { signal, abort } = countedSignal();
    const load = flaky([busy, "too late"]);
    // An attempt that follows at once leaves no time between the two; one that waited for somebody begins a little later.
    const policy: RetryOptions = { signal, wait: waitNone, retryIf: async () => true };
    const result = retry(load, { ...policy, onRetry: () => queueMicrotask(abort) })();

    await expect(result).rejects.toBe(reason);
    expect(load.calls).toHaveLength(1);
  });

  it("counts an abort once, also where a strategy fails afterwards, and asks no budget that is not there", async () => {
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

describe("an interruption that sets off another", () => {
  it("rejects a call once and for all where its attempt's own signal got it aborted", async () => {
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

  it("retries a timeout although a nested run listens to the attempt's signal", async () => {
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
  it("shows a sleep that was cut short: its delay is the coming one, not a previous one", async () => {
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

  it("shows no coming delay in the midst of an attempt", async () => {
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
