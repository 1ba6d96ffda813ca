import {
  type RetryBudget,
  type RetryState,
  retry,
  retryIfErrorType,
  retryIfNotResult,
  retryNever,
  retrySync,
  stopAfterAttempt,
  TryAgainError,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { bothLoops } from "./both-loops.js";

const busy = new Error("busy");

/** A budget that writes down what it is asked. */
function recordingBudget(acquire: (state: RetryState) => number | Promise<number> = () => 1) {
  const log: unknown[] = [];
  const budget: RetryBudget = {
    acquire: (state) => {
      log.push(["acquire", state.attempt]);
      return acquire(state);
    },
    recordSuccess: (taken, after) => log.push(["success", taken, after?.attempt]),
    recordFailure: (state) => log.push(["failure", state.attempt]),
    refund: (taken) => log.push(["refund", taken]),
    balance: 0,
  };
  return { budget, log };
}

describe.each(bothLoops)("%s and its budget", (_name, wrap) => {
  it("pays for each retry, and reports the success with what the last one took and was paid for", async () => {
    const { budget, log } = recordingBudget((state) => state.attempt * 2);

    expect(await wrap(flaky([busy, busy, "ok"]), { ...instant, budget })()).toBe("ok");
    expect(log).toEqual([
      ["failure", 1],
      ["acquire", 1],
      ["failure", 2],
      ["acquire", 2],
      ["success", 4, 2],
    ]);
  });

  it("reports a success at once as one that took nothing", async () => {
    const { budget, log } = recordingBudget();

    await wrap(flaky(["ok"]), { ...instant, budget })();

    expect(log).toEqual([["success", 0, undefined]]);
  });

  it("gives up with the last error where it refuses", async () => {
    const { budget } = recordingBudget(() => 0);
    const reasons: string[] = [];
    const load = flaky([busy, "too late"]);

    await expect(wrap(load, { ...instant, budget, onGiveUp: (state) => reasons.push(state.reason) })()).rejects.toBe(
      busy,
    );
    expect(reasons).toEqual(["budget"]);
    expect(load.calls).toHaveLength(1);
  });

  it("is not drawn on by a value that retryIf rejects, as in polling", async () => {
    const { budget, log } = recordingBudget(() => 0);
    const retryIf = retryIfNotResult((job) => job === "done");

    expect(await wrap(flaky(["pending", "done"]), { ...instant, budget, retryIf })()).toBe("done");
    expect(log).toEqual([["success", 0, undefined]]);
  });

  it("is not drawn on by a TryAgainError", async () => {
    const { budget, log } = recordingBudget(() => 0);

    expect(await wrap(flaky([new TryAgainError(), "ok"]), { ...instant, budget })()).toBe("ok");
    expect(log).toEqual([["success", 0, undefined]]);
  });

  it("hears of failures that deserve a retry, the last one too, and of no others", async () => {
    const { budget, log } = recordingBudget();

    await wrap(flaky([busy]), { ...instant, budget, stop: stopAfterAttempt(1) })().catch(() => {});
    await wrap(flaky([busy]), { ...instant, budget, retryIf: retryNever })().catch(() => {});

    expect(log).toEqual([["failure", 1]]);
  });

  it("forgets what a retry took once a later one draws nothing", async () => {
    const { budget, log } = recordingBudget();

    await wrap(flaky([busy, new TryAgainError(), "ok"]), { ...instant, budget })();

    expect(log.at(-1)).toEqual(["success", 0, undefined]);
  });

  it("is asked after stop and the deadline", async () => {
    const { budget, log } = recordingBudget();
    const clock = virtualClock();

    await wrap(flaky([busy]), { clock, budget, stop: () => true })().catch(() => {});
    await wrap(flaky([busy]), { clock, budget, wait: () => 10, totalTimeout: 10 })().catch(() => {});

    expect(log).toEqual([
      ["failure", 1],
      ["failure", 1],
    ]);
  });

  it("that throws in acquire is a StrategyError", async () => {
    const bug = new Error("bug");
    const { budget } = recordingBudget(() => {
      throw bug;
    });

    await expect(wrap(flaky([busy, "too late"]), { ...instant, budget })()).rejects.toMatchObject({
      code: "ERR_RETRY_STRATEGY",
      strategy: "budget",
      cause: bug,
      outcome: { ok: false, error: busy },
    });
  });

  it.each([
    ["NaN", Number.NaN],
    ["a negative number", -1],
    ["infinite", Number.POSITIVE_INFINITY],
    ["a boolean", true],
  ])("that takes %s is a StrategyError", async (_what, taken) => {
    const { budget } = recordingBudget(() => taken as number);

    const error = await wrap(flaky([busy, "too late"]), { ...instant, budget })().catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: "ERR_RETRY_STRATEGY", strategy: "budget" });
    expect(error.message).toContain(String(taken));
  });

  it("that throws in recordSuccess changes nothing: the error goes to onHookError", async () => {
    const bug = new Error("bug");
    const reported: unknown[] = [];
    const { budget } = recordingBudget();
    budget.recordSuccess = () => {
      throw bug;
    };
    const options = { ...instant, budget, onHookError: (error: unknown) => reported.push(error) };

    expect(await wrap(flaky(["ok"]), options)()).toBe("ok");
    expect(await wrap(flaky([busy, "ok"]), options)()).toBe("ok");
    expect(await wrap(flaky([busy, "ok"]), { ...options, onSuccess: () => {} })()).toBe("ok");
    expect(reported).toEqual([bug, bug, bug]);
  });

  it("is shared by with()", async () => {
    const { budget, log } = recordingBudget();

    await retry(flaky([busy, "ok"]), { ...instant, budget }).with({ stop: stopAfterAttempt(2) })();

    expect(log).toContainEqual(["acquire", 1]);
  });

  it.each(["recordSuccess", "recordFailure", "refund"] as const)(
    "that rejects or throws in %s is reported to onHookError",
    async (entry) => {
      const bug = new Error("bug");
      const reported: unknown[] = [];
      const { budget } = recordingBudget();
      const fail = [
        () => Promise.reject(bug),
        () => {
          throw bug;
        },
      ];

      for (const each of fail) {
        const clock = virtualClock();
        budget[entry] = each as never;
        const options = { clock, budget, onHookError: (error: unknown) => reported.push(error) };
        await wrap(flaky([busy, "ok"]), { ...options, wait: () => 0 })().catch(() => {});
        // A sleep that the hook made impossible is paid back.
        const onRetry = () => clock.sleepSync(60);
        await wrap(flaky([busy]), { ...options, wait: () => 50, totalTimeout: 100, onRetry })().catch(() => {});
        await new Promise((resolve) => setImmediate(resolve));
      }

      expect(reported.filter((error) => error === bug).length).toBeGreaterThanOrEqual(2);
    },
  );
});

describe("an async budget", () => {
  it("lets retry wait for its tokens", async () => {
    const { budget, log } = recordingBudget(async () => 3);

    expect(await retry(flaky([busy, "ok"]), { ...instant, budget })()).toBe("ok");
    expect(log.at(-1)).toEqual(["success", 3, 1]);
  });

  it("that grants nothing ends the call for that reason", async () => {
    const { budget } = recordingBudget(async () => 0);
    const reasons: string[] = [];
    const call = retry(flaky([busy, "too late"]), {
      ...instant,
      budget,
      onGiveUp: (state) => reasons.push(state.reason),
    });

    await expect(call()).rejects.toBe(busy);
    expect(reasons).toEqual(["budget"]);
  });

  it("that rejects, or grants what it may not, is a StrategyError", async () => {
    const bug = new Error("bug");
    const rejecting = recordingBudget(() => Promise.reject(bug));
    const granting = recordingBudget(async () => Number.NaN);

    await expect(retry(flaky([busy]), { ...instant, budget: rejecting.budget })()).rejects.toMatchObject({
      strategy: "budget",
      cause: bug,
    });
    await expect(retry(flaky([busy]), { ...instant, budget: granting.budget })()).rejects.toMatchObject({
      strategy: "budget",
    });
  });

  it("is refused by the sync loop", async () => {
    const { budget } = recordingBudget(async () => 3);

    expect(() => retrySync(flaky([busy]), { ...instant, budget })()).toThrow(
      "budget must answer at once here, got a promise",
    );
  });

  it("is not asked about an error that retryIf refuses", async () => {
    const { budget, log } = recordingBudget(async () => 3);

    await retry(flaky([busy]), { ...instant, budget, retryIf: retryIfErrorType(RangeError) })().catch(() => {});

    expect(log).toEqual([]);
  });
});
