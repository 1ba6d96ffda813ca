import {
  BulkheadFullError,
  type RetryBudget,
  type RetryState,
  retry,
  retryIfErrorType,
  retryIfNotResult,
  retryNever,
  retrySync,
  runWithRetry,
  runWithRetrySync,
  stopAfterAttempt,
  TryAgainError,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { mark } from "../../src/common/traits.js";
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

  it("shows the budget which call succeeded, at once or after a retry", async () => {
    const told: unknown[] = [];
    const budget: RetryBudget = {
      acquire: () => 1,
      recordSuccess: (_taken, _after, args) => told.push(args),
      refund: () => {},
      balance: 1,
    };
    const load = wrap(flaky(["at once", busy, "later", "seen"]), { ...instant, budget });

    await load("a", 1);
    await load("b");
    await load.call(undefined);

    expect(told).toEqual([["a", 1], ["b"], []]);
  });

  it("gives up with the last error where the budget refuses", async () => {
    const { budget } = recordingBudget(() => 0);
    const reasons: string[] = [];
    const load = flaky([busy, "too late"]);

    await expect(wrap(load, { ...instant, budget, onGiveUp: (state) => reasons.push(state.reason) })()).rejects.toBe(
      busy,
    );
    expect(reasons).toEqual(["budget"]);
    expect(load.calls).toHaveLength(1);
  });

  it("draws nothing for a value that retryIf rejects, as in polling", async () => {
    const { budget, log } = recordingBudget(() => 0);
    const retryIf = retryIfNotResult((job) => job === "done");

    expect(await wrap(flaky(["pending", "done"]), { ...instant, budget, retryIf })()).toBe("done");
    expect(log).toEqual([["success", 0, undefined]]);
  });

  it("draws nothing for a full bulkhead, which called nothing", async () => {
    const { budget, log } = recordingBudget(() => 0);

    expect(await wrap(flaky([new BulkheadFullError("full"), "ok"]), { ...instant, budget })()).toBe("ok");
    expect(log).toEqual([["success", 0, undefined]]);
  });

  it("draws nothing for a full bulkhead's error where retryIf asks for it either", async () => {
    const { budget, log } = recordingBudget(() => 0);
    const retryIf = retryIfErrorType(BulkheadFullError);

    expect(await wrap(flaky([new BulkheadFullError("full"), "ok"]), { ...instant, budget, retryIf })()).toBe("ok");
    expect(log).toEqual([["success", 0, undefined]]);
  });

  it("draws nothing for a TryAgainError", async () => {
    const { budget, log } = recordingBudget(() => 0);

    expect(await wrap(flaky([new TryAgainError(), "ok"]), { ...instant, budget })()).toBe("ok");
    expect(log).toEqual([["success", 0, undefined]]);
  });

  it("reports failures that deserve a retry, the last one too, and no others", async () => {
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

  it("asks the budget after stop and the deadline", async () => {
    const { budget, log } = recordingBudget();
    const clock = virtualClock();

    await wrap(flaky([busy]), { clock, budget, stop: () => true })().catch(() => {});
    await wrap(flaky([busy]), { clock, budget, wait: () => 10, totalTimeout: 10 })().catch(() => {});

    expect(log).toEqual([
      ["failure", 1],
      ["failure", 1],
    ]);
  });

  it("turns what acquire throws into a StrategyError", async () => {
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
  ])("throws a StrategyError where a budget takes %s", async (_what, taken) => {
    const { budget } = recordingBudget(() => taken as number);

    const error = await wrap(flaky([busy, "too late"]), { ...instant, budget })().catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: "ERR_RETRY_STRATEGY", strategy: "budget" });
    expect(error.message).toContain(String(taken));
  });

  it("changes nothing where recordSuccess throws: the error goes to onHookError", async () => {
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

  it("shares the budget with what with() returns", async () => {
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
  it("waits for the tokens of an async budget", async () => {
    const { budget, log } = recordingBudget(async () => 3);

    expect(await retry(flaky([busy, "ok"]), { ...instant, budget })()).toBe("ok");
    expect(log.at(-1)).toEqual(["success", 3, 1]);
  });

  it("ends the call for that reason where an async budget grants nothing", async () => {
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

  it("throws a StrategyError where an async budget rejects, or grants what it may not", async () => {
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

  it("the sync loop refuses an async budget", async () => {
    const { budget } = recordingBudget(async () => 3);

    expect(() => retrySync(flaky([busy]), { ...instant, budget })()).toThrow(
      "budget must be synchronous; it returned a promise",
    );
  });

  it("asks no async budget about an error that retryIf refuses", async () => {
    const { budget, log } = recordingBudget(async () => 3);

    await retry(flaky([busy]), { ...instant, budget, retryIf: retryIfErrorType(RangeError) })().catch(() => {});

    expect(log).toEqual([]);
  });
});

it("a budget sees for which retry it gets tokens back", async () => {
  const clock = virtualClock();
  const controller = new AbortController();
  const told: unknown[] = [];
  const budget: RetryBudget = {
    acquire: () => 2,
    recordSuccess: () => {},
    refund: (taken, state) => told.push([taken, state?.args, state?.outcome]),
    balance: 1,
  };
  const load = retry(flaky([busy]), { clock, budget, signal: controller.signal });

  const result = load("a");
  await clock.advance(0);
  controller.abort(new Error("enough"));

  await expect(result).rejects.toThrow("enough");
  expect(told).toEqual([[2, ["a"], { ok: false, error: busy }]]);
});

it("a budget that grants tokens after an abort sees for which retry it gets them back", async () => {
  const controller = new AbortController();
  const told: unknown[] = [];
  let grant = (_tokens: number) => {};
  const budget: RetryBudget = {
    acquire: () => new Promise((resolve) => (grant = resolve)),
    recordSuccess: () => {},
    refund: (taken, state) => told.push([taken, state?.args]),
    balance: 1,
  };
  const clock = virtualClock();
  const result = retry(flaky([busy]), { clock, budget, signal: controller.signal })("a");
  await clock.advance(0);

  controller.abort(new Error("enough"));
  grant(3);

  await expect(result).rejects.toThrow("enough");
  await clock.advance(0);
  expect(told).toEqual([[3, ["a"]]]);
});

it("a call that runs a block has no arguments to show its budget", async () => {
  const told: unknown[] = [];
  const budget: RetryBudget = {
    acquire: () => 1,
    recordSuccess: (_taken, _after, args) => told.push(args),
    refund: () => {},
    balance: 1,
  };

  await runWithRetry(() => "ok", { budget });
  runWithRetrySync(() => "ok", { budget });

  expect(told).toEqual([[], []]);
});

describe("what was taken for a retry that is not made goes back with the state it was for", () => {
  function budgetThat(acquire: (state: RetryState) => number | Promise<number>) {
    const told: unknown[] = [];
    const budget: RetryBudget = {
      acquire,
      recordSuccess: () => {},
      refund: (taken, state) => told.push([taken, state?.args]),
      balance: 1,
    };
    return { budget, told };
  }

  it("refunds what was taken where the budget itself aborts the call", async () => {
    const controller = new AbortController();
    const { budget, told } = budgetThat(() => {
      controller.abort(new Error("enough"));
      return 2;
    });

    await expect(retry(flaky([busy]), { ...instant, budget, signal: controller.signal })("a")).rejects.toThrow(
      "enough",
    );
    expect(told).toEqual([[2, ["a"]]]);
  });

  it("refunds what was taken where onRetry takes all the time that a sync call has", () => {
    const clock = virtualClock();
    const { budget, told } = budgetThat(() => 2);
    const onRetry = () => clock.sleepSync(1_000);
    const load = retrySync(flaky([busy]), { wait: () => 10, totalTimeout: 1_000, clock, budget, onRetry });

    expect(() => load("a")).toThrow("total timeout");
    expect(told).toEqual([[2, ["a"]]]);
  });

  it("refunds what was taken where a thread may not sleep", () => {
    const { budget, told } = budgetThat(() => 2);
    const clock = {
      now: () => 0,
      sleepSync: () => {
        throw new Error("this thread may not sleep");
      },
    };

    expect(() => retrySync(flaky([busy]), { wait: () => 10, clock, budget })("a")).toThrow("may not sleep");
    expect(told).toEqual([[2, ["a"]]]);
  });

  it("refunds what was taken where a sync policy gets a promise of tokens", async () => {
    const { budget, told } = budgetThat(async () => 2);

    expect(() => retrySync(flaky([busy]), { ...instant, budget })("a")).toThrow("returned a promise");
    await Promise.resolve();
    expect(told).toEqual([[2, ["a"]]]);
  });
});

it("with() pays the budget that it was given, and leaves the other alone", async () => {
  const paid: string[] = [];
  const budgetOf = (name: string) =>
    retryBudgetLike((taken) => {
      paid.push(`${name} ${taken}`);
    });
  const load = retry(async () => "ok", { budget: budgetOf("first") });
  const other = load.with({ budget: budgetOf("second") });

  await load();
  await other();
  await load();

  expect(paid).toEqual(["first 0", "second 0", "first 0"]);
});

/** A budget that, as ours, says that it looks at nothing. */
function retryBudgetLike(recordSuccess: RetryBudget["recordSuccess"]): RetryBudget {
  return mark({ acquire: () => 1, recordSuccess, refund: () => {}, balance: 1 }, 0);
}
