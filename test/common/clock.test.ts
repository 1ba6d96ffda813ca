import { retrySync, StrategyError, waitFixed } from "undaunted";
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock, systemSyncClock } from "../../src/common/clock.js";

const LONGEST = 2 ** 31 - 1;

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("systemClock.now", () => {
  it("reads the monotonic clock, looked up at call time", () => {
    vi.stubGlobal("performance", { now: () => 42 });

    expect(systemClock.now()).toBe(42);
  });

  it("takes no notice of the wall clock", () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] });
    const before = systemClock.now();

    vi.setSystemTime(0);

    expect(systemClock.now()).toBe(before);
  });
});

describe("systemClock.setTimer", () => {
  it("calls the function once, when the time has passed", () => {
    vi.useFakeTimers();
    const fn = vi.fn();
    systemClock.setTimer(fn, 100);

    vi.advanceTimersByTime(99);
    expect(fn).not.toHaveBeenCalled();

    vi.advanceTimersByTime(1_000);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("returns a function that cancels the timer, any number of times", () => {
    vi.useFakeTimers();
    const fn = vi.fn();
    const cancel = systemClock.setTimer(fn, 100);

    cancel();
    cancel();
    vi.advanceTimersByTime(1_000);

    expect(fn).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("gives the runtime no delay that it cannot keep", () => {
    const delays: unknown[] = [];
    const fired: (() => void)[] = [];
    vi.stubGlobal("setTimeout", (fn: () => void, ms: number) => {
      fired.push(fn);
      delays.push(ms);
    });
    systemClock.setTimer(() => {}, 2 * LONGEST + 5);

    fired[0]!();
    fired[1]!();

    expect(delays).toEqual([LONGEST, LONGEST, 5]);
  });

  it("hands the longest delay that fits to the runtime in one piece", () => {
    const delays: unknown[] = [];
    vi.stubGlobal("setTimeout", (_fn: () => void, ms: number) => delays.push(ms));

    systemClock.setTimer(() => {}, LONGEST);

    expect(delays).toEqual([LONGEST]);
  });

  it("waits a delay above 2^31-1 ms to its end", () => {
    vi.useFakeTimers();
    const fn = vi.fn();
    systemClock.setTimer(fn, LONGEST + 1);

    vi.advanceTimersByTime(LONGEST);
    expect(fn).not.toHaveBeenCalled();

    vi.advanceTimersByTime(1);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it.each([0, 1, 2])("cancels a long delay in piece %i", (pieces) => {
    vi.useFakeTimers();
    const fn = vi.fn();
    const cancel = systemClock.setTimer(fn, 3 * LONGEST);

    vi.advanceTimersByTime(pieces * LONGEST);
    cancel();
    vi.advanceTimersByTime(3 * LONGEST);

    expect(vi.getTimerCount()).toBe(0);
    expect(fn).not.toHaveBeenCalled();
  });

  it("keeps the process alive unless told not to", () => {
    const cancel = [systemClock.setTimer(() => {}, 60_000), systemClock.setTimer(() => {}, 60_000, false)];
    const timer = vi.spyOn(globalThis, "setTimeout");
    cancel.push(systemClock.setTimer(() => {}, 60_000));

    expect((timer.mock.results[0]!.value as NodeJS.Timeout).hasRef()).toBe(true);

    for (const each of cancel) each();
  });

  it("does not keep the process alive with unref", () => {
    const timer = vi.spyOn(globalThis, "setTimeout");
    const cancel = systemClock.setTimer(() => {}, 60_000, true);

    expect((timer.mock.results[0]!.value as NodeJS.Timeout).hasRef()).toBe(false);

    cancel();
  });

  it("unrefs every piece of a long delay", () => {
    const unref = vi.fn();
    const fired: (() => void)[] = [];
    vi.stubGlobal("setTimeout", (fn: () => void) => {
      fired.push(fn);
      return { unref };
    });
    systemClock.setTimer(() => {}, 3 * LONGEST, true);

    fired[0]!();
    fired[1]!();

    expect(unref).toHaveBeenCalledTimes(3);
  });

  it("accepts unref where a runtime's timers are numbers", () => {
    vi.stubGlobal("setTimeout", () => 7);

    expect(() => systemClock.setTimer(() => {}, 5, true)).not.toThrow();
  });

  it("looks up clearTimeout when it cancels", () => {
    const clearTimeout = vi.fn();
    vi.stubGlobal("setTimeout", () => 7);
    const cancel = systemClock.setTimer(() => {}, 5);
    vi.stubGlobal("clearTimeout", clearTimeout);

    cancel();

    expect(clearTimeout).toHaveBeenCalledWith(7);
  });
});

describe("systemSyncClock.sleepSync", () => {
  it("blocks the thread by waiting on memory of its own", () => {
    const wait = vi.spyOn(Atomics, "wait").mockReturnValue("timed-out");

    systemSyncClock.sleepSync(1_234.5);

    expect(wait).toHaveBeenCalledTimes(1);
    const [memory, index, value, ms] = wait.mock.calls[0]!;
    expect([memory[0], index, value, ms]).toEqual([0, 0, 0, 1_234.5]);
  });

  it.each([0, -1, Number.NaN])("does not block for %s ms, not even where that is refused", (ms) => {
    vi.stubGlobal("SharedArrayBuffer", undefined);
    const wait = vi.spyOn(Atomics, "wait");

    expect(() => systemSyncClock.sleepSync(ms)).not.toThrow();
    expect(wait).not.toHaveBeenCalled();
  });

  it("says what to use instead where the thread may not block", () => {
    const refusal = new TypeError("Atomics.wait cannot be called in this context");
    vi.spyOn(Atomics, "wait").mockImplementation(() => {
      throw refusal;
    });

    const error = thrownBy(() => systemSyncClock.sleepSync(50)) as Error;

    expect(error.message).toBe(
      "retrySync: this thread may not block, so it cannot sleep 50 ms; use retry() or waitNone",
    );
    expect(error.cause).toBe(refusal);
  });

  it("says what to use instead where there is no memory to wait on", () => {
    vi.stubGlobal("SharedArrayBuffer", undefined);

    expect(() => systemSyncClock.sleepSync(50)).toThrow(/this thread may not block, so it cannot sleep 50 ms/);
  });

  it("ends a sync call in a StrategyError that keeps the attempt's own error", () => {
    vi.stubGlobal("SharedArrayBuffer", undefined);
    const busy = new Error("busy");
    const load = retrySync(
      () => {
        throw busy;
      },
      { wait: waitFixed(50) },
    );

    const error = thrownBy(load) as StrategyError;

    expect(error).toBeInstanceOf(StrategyError);
    expect(error).toMatchObject({ strategy: "wait", outcome: { ok: false, error: busy } });
    expect((error.cause as Error).message).toMatch(/may not block/);
  });
});

function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
