import {
  currentAttempt,
  type GiveUpState,
  retrySync,
  runWithRetrySync,
  stopAfterAttempt,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";

const busy = new Error("busy");

afterEach(() => {
  vi.restoreAllMocks();
});

describe("retrySync", () => {
  it("passes this and the arguments through and returns the value itself", () => {
    const seen: unknown[] = [];
    const counter = {
      add: retrySync(function (this: unknown, ...args: number[]) {
        seen.push([this, args]);
        if (seen.length < 2) throw busy;
        return args.length;
      }, instant),
    };

    expect(counter.add(1, 2, 3)).toBe(3);
    expect(seen).toEqual([
      [counter, [1, 2, 3]],
      [counter, [1, 2, 3]],
    ]);
  });

  it("sleeps on the policy's clock between attempts, and not after the last", () => {
    const clock = virtualClock();

    expect(() =>
      retrySync(flaky([busy, busy, busy]), { clock, wait: waitFixed(100), stop: stopAfterAttempt(3) })(),
    ).toThrow(busy);
    expect(clock.now()).toBe(200);
  });

  it("really blocks the thread by default", () => {
    const began = performance.now();

    retrySync(flaky([busy, "ok"]), { wait: waitFixed(3) })();

    expect(performance.now() - began).toBeGreaterThan(1);
  });

  it("says that a thread may not block, and loses neither the attempt's error nor the refusal", () => {
    const refusal = new TypeError("Atomics.wait cannot be called in this context");
    vi.spyOn(Atomics, "wait").mockImplementation(() => {
      throw refusal;
    });
    const call = retrySync(flaky([busy, "ok"]), { wait: waitFixed(3) });

    const error = catchError(call);

    expect(error).toMatchObject({ code: "ERR_RETRY_STRATEGY", strategy: "wait", outcome: { ok: false, error: busy } });
    expect((error as Error).message).toContain("this thread may not block");
    expect((error as { cause: Error }).cause.cause).toBe(refusal);
  });

  it("gives the budget its tokens back where the thread may not block", () => {
    const refunds: number[] = [];
    const budget = { acquire: () => 2, recordSuccess() {}, refund: (taken: number) => refunds.push(taken), balance: 0 };
    const clock = {
      now: () => 0,
      sleepSync: () => {
        throw new Error("refused");
      },
    };

    expect(retrySync(flaky([busy, "ok"]), { clock, budget, wait: waitFixed(3) })).toThrow("refused");
    expect(refunds).toEqual([2]);
  });

  it("gives back what an async budget grants after it was refused", async () => {
    const refunds: number[] = [];
    const budget = {
      acquire: async () => 2,
      recordSuccess() {},
      refund: (taken: number) => refunds.push(taken),
      balance: 0,
    };

    expect(retrySync(flaky([busy, "ok"]), { ...instant, budget })).toThrow("budget must be synchronous");
    await new Promise((resolve) => setImmediate(resolve));

    expect(refunds).toEqual([2]);
  });

  it("asks a budget for no refund of nothing, nor a budget for what retryIf promised", async () => {
    const refunds: unknown[] = [];
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const budget = {
      acquire: async () => 0,
      recordSuccess() {},
      refund: (taken: number) => refunds.push(taken),
      balance: 0,
    };

    expect(retrySync(flaky([busy]), { ...instant, budget })).toThrow("budget must be synchronous");
    expect(retrySync(flaky([busy]), { ...instant, budget, retryIf: (async () => true) as never })).toThrow(
      "retryIf must",
    );
    expect(retrySync(flaky([busy]), { ...instant, retryIf: (async () => true) as never })).toThrow("retryIf must");
    await new Promise((resolve) => setImmediate(resolve));

    expect(refunds).toEqual([]);
    expect(unhandled).not.toHaveBeenCalled();
    process.off("unhandledRejection", unhandled);
  });

  it("asks the clock for no sleep of 0", () => {
    const sleeps: number[] = [];
    const clock = { now: () => 0, sleepSync: (ms: number) => sleeps.push(ms) };

    retrySync(flaky([busy, busy, "ok"]), { clock, wait: (state) => state.attempt - 1 })();

    expect(sleeps).toEqual([1]);
  });

  it("returns an object whose then cannot be read as the value that it is", () => {
    const value = {
      get then() {
        throw busy;
      },
    };

    expect(retrySync(() => value)()).toBe(value);
  });

  it("does not ask to block for a delay of 0", () => {
    const wait = vi.spyOn(Atomics, "wait");

    expect(retrySync(flaky([busy, "ok"]), { wait: waitNone })()).toBe("ok");
    expect(wait).not.toHaveBeenCalled();
  });

  it("refuses an async function when it is wrapped", () => {
    // @ts-expect-error a function that returns a promise is not for the sync loop
    expect(() => retrySync(async () => 1)).toThrow(/^retrySync: fn must not be an async function, use retry/);
    // @ts-expect-error nor is a block that does
    expect(() => runWithRetrySync(async () => 1)).toThrow(/^runWithRetrySync: fn must not be an async function/);
  });

  it("refuses a promise when one comes back, retries nothing and leaves no rejection unhandled", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    let calls = 0;
    const call = retrySync(
      (() => {
        calls++;
        return Promise.reject(busy);
      }) as () => unknown,
      instant,
    );

    expect(call).toThrow(/fn must not return a promise; use retry/);
    await new Promise((resolve) => setImmediate(resolve));

    expect(calls).toBe(1);
    expect(call.stats).toMatchObject({ calls: 1, failures: 1 });
    expect(unhandled).not.toHaveBeenCalled();
    process.off("unhandledRejection", unhandled);
  });

  it("refuses a promise from a fallback", () => {
    const call = retrySync(flaky([busy]), { ...instant, stop: stopAfterAttempt(1), fallback: async () => "cached" });

    expect(call).toThrow(/fallback must not return a promise/);
  });

  it("refuses a promise from retryIf and leaves no rejection unhandled", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const call = retrySync(flaky([busy, "ok"]), { ...instant, retryIf: (() => Promise.reject(busy)) as never });

    const error = catchError(call);
    await new Promise((resolve) => setImmediate(resolve));

    expect(error).toMatchObject({ code: "ERR_RETRY_STRATEGY", strategy: "retryIf", outcome: { error: busy } });
    expect((error as Error).cause).toBeInstanceOf(TypeError);
    expect(unhandled).not.toHaveBeenCalled();
    process.off("unhandledRejection", unhandled);
  });

  it.each(["onAttempt", "onRetry", "onSuccess", "onGiveUp"] as const)(
    "reports a promise from %s, and its rejection, to onHookError",
    async (hook) => {
      const bug = new Error("bug");
      const reported: unknown[] = [];
      const options = {
        ...instant,
        stop: stopAfterAttempt(2),
        [hook]: () => Promise.reject(bug),
        onHookError: (error: unknown) => reported.push(error),
      };

      expect(retrySync(flaky([busy, "ok"]), options)()).toBe("ok");
      expect(() => retrySync(flaky([busy, busy]), options)()).toThrow(busy);
      await new Promise((resolve) => setImmediate(resolve));

      expect(reported).toContain(bug);
      expect(
        reported.some((error) => error instanceof TypeError && /must not return a promise/.test(error.message)),
      ).toBe(true);
    },
  );

  it("returns what a fallback returns, and throws what it throws", () => {
    const gone = new Error("no cache");
    const options = { ...instant, stop: stopAfterAttempt(1) };
    const reasons: string[] = [];
    const fallback = (state: GiveUpState) => {
      reasons.push(state.reason);
      return "cached";
    };
    const fail = () => {
      throw gone;
    };

    const call = retrySync(flaky([busy]), { ...options, fallback });

    expect(call()).toBe("cached");
    expect(call.stats).toMatchObject({ calls: 1, successes: 0, failures: 1 });
    expect(reasons).toEqual(["stopped"]);
    expect(() => retrySync(flaky([busy]), { ...options, fallback: fail })()).toThrow(gone);
  });

  it("counts calls, attempts, retries, successes, failures and the time slept", () => {
    const call = retrySync(flaky([busy, "ok", busy, busy, "ok"]), {
      clock: virtualClock(),
      wait: waitFixed(10),
      stop: stopAfterAttempt(2),
    });

    call();
    expect(call).toThrow(busy);
    call();

    expect({ ...call.stats }).toEqual({ calls: 3, attempts: 5, retries: 2, successes: 2, failures: 1, idle: 20 });
  });

  it("counts a strategy that fails, and a sleep that is refused, as failures", () => {
    const clock = {
      now: () => 0,
      sleepSync: () => {
        throw new Error("refused");
      },
    };
    const bad = retrySync(flaky([busy]), { wait: () => Number.NaN });
    const refused = retrySync(flaky([busy]), { clock, wait: waitFixed(1) });

    expect(bad).toThrow();
    expect(refused).toThrow();

    expect(bad.stats).toMatchObject({ calls: 1, failures: 1 });
    expect(refused.stats).toMatchObject({ calls: 1, failures: 1 });
  });

  it("refuses what is no function, by its name", () => {
    expect(() => retrySync(undefined as never)).toThrow(/^retrySync: fn must be a function, got undefined$/);
    expect(() => runWithRetrySync(undefined as never)).toThrow(
      /^runWithRetrySync: fn must be a function, got undefined$/,
    );
  });

  it("counts a value that a hook was shown", () => {
    const call = retrySync(() => "ok", { onSuccess: () => {} });

    call();

    expect(call.stats).toMatchObject({ calls: 1, attempts: 1, successes: 1, failures: 0 });
  });

  it("counts a call whose options function throws", () => {
    const call = retrySync(
      () => "ok",
      () => {
        throw busy;
      },
    );

    expect(call).toThrow(busy);
    expect(call.stats).toMatchObject({ calls: 1, attempts: 0, failures: 1 });
  });

  it("gives each attempt its context, as an argument in a block and by currentAttempt elsewhere", () => {
    const seen: unknown[] = [];
    const wrapped = retrySync(() => {
      const { attempt, previousError, signal } = currentAttempt();
      seen.push([attempt, previousError, signal.aborted]);
      if (attempt === 1) throw busy;
    }, instant);

    wrapped();
    runWithRetrySync((context) => {
      expect(currentAttempt()).toBe(context);
      seen.push([context.attempt, context.previousError, context.signal.aborted]);
      if (context.attempt === 1) throw busy;
    }, instant);

    const both = [
      [1, undefined, false],
      [2, busy, false],
    ];
    expect(seen).toEqual([...both, ...both]);
    expect(() => currentAttempt()).toThrow("currentAttempt() is valid only");
  });
});

function catchError(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
