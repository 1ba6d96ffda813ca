import { retry, runWithRetry, waitFixed, waitNone } from "undaunted";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { busy, countedSignal, never, now, reason, recordingBudget, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

describe("a clock that fails", () => {
  it("fails the call where its clock fails, and gives the tokens back", async () => {
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

  it("makes no attempt that its clock cannot time: the call ends, and no strategy is asked", async () => {
    const broken = new Error("no timers left");
    const setTimer = () => {
      throw broken;
    };
    const load = flaky([]);
    const asked: unknown[] = [];
    const retryIf = (error: unknown) => {
      asked.push(error);
      return true;
    };
    const call = retry(load, { clock: { ...virtualClock(), setTimer }, attemptTimeout: 10, wait: waitNone, retryIf });

    await expect(call()).rejects.toBe(broken);
    expect([load.calls, asked]).toEqual([[], []]);
    expect(call.stats).toMatchObject({ calls: 1, attempts: 0, failures: 1 });
  });

  it.each([
    ["cannot be timed", { attemptTimeout: 10 }, "setTimer"],
    ["cannot be dated", { onRetry: () => {} }, "now"],
  ] as const)(
    "ends the call where its second attempt %s, and gives the tokens back",
    async (_what, options, method) => {
      const broken = new Error("out of order");
      let fails = false;
      const clock = virtualClock();
      const failing = {
        ...clock,
        [method]: (...args: unknown[]) => {
          if (fails) throw broken;
          return (clock[method] as (...args: unknown[]) => unknown)(...args);
        },
      };
      const { budget, log } = recordingBudget(() => 1);
      const load = flaky([busy]);
      const onAttempt = ({ attempt }: { attempt: number }) => {
        fails = attempt === 2;
      };
      const call = retry(load, { clock: failing, budget, wait: waitNone, onAttempt, ...options });

      await expect(call()).rejects.toBe(broken);
      expect([load.calls.length, log]).toEqual([1, ["acquire", "refund 1"]]);
      expect(call.stats).toMatchObject({ calls: 1, attempts: 1, retries: 0, failures: 1 });
    },
  );

  it("fails the call where its clock fails as the deadline passes", async () => {
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

  it("aborts every call on the signal although one's clock fails, and reports that in place of the hook's state", async () => {
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

    expect(await now(broke)).toEqual({ error: reason });
    expect(seen).toEqual([broken]);
    expect(await now(fine)).toEqual({ error: reason });
    expect(listeners.size).toBe(0);
  });
});

describe("a clock that fails to cancel", () => {
  it("cuts every call on the signal although one's clock fails to cancel, and reports it", async () => {
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

  it.each([
    ["an attemptTimeout", { attemptTimeout: 10 }],
    ["a totalTimeout", { totalTimeout: 10 }],
    ["a hook", { onRetry() {} }],
    ["a signal", { signal: new AbortController().signal, onRetry() {} }],
    ["onAttempt", { totalTimeout: 10, onAttempt() {} }],
  ])("rejects where its clock fails as the call begins, throws nothing and calls nothing: %s", async (_, options) => {
    const broken = new Error("no time at all");
    const now = () => {
      throw broken;
    };
    const load = flaky([]);
    const policy = { ...options, clock: { ...virtualClock(), now } };
    const call = retry(load, policy);

    await expect(call()).rejects.toBe(broken);
    await expect(runWithRetry(load, policy)).rejects.toBe(broken);
    expect(load.calls).toEqual([]);
    expect(call.stats).toMatchObject({ calls: 1, failures: 1 });
  });
});
