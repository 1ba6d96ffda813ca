import {
  AttemptTimeoutError,
  type RetryBudgetOptions,
  type RetryState,
  retry,
  retryBudget,
  retryBudgets,
  retrySync,
  runWithRetry,
  stopAfterAttempt,
} from "undaunted";
import { flaky, instant, retryState, virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { bothLoops } from "../loop/both-loops.js";

const busy = new Error("busy");
const failedBusy = failed(busy);

/** The state after an attempt that threw `error`. */
function failed(error: unknown, ...args: unknown[]): RetryState {
  return retryState({ outcome: { ok: false, error }, args });
}

/** A budget and its clock: nothing fades and nothing trickles unless asked for. */
function budgetWith(options: RetryBudgetOptions) {
  const clock = virtualClock();
  const budget = retryBudget({ fade: Number.POSITIVE_INFINITY, trickle: { upTo: 0 }, clock, ...options });
  const succeed = (times: number) => {
    for (let success = 0; success < times; success++) budget.recordSuccess(0);
  };
  return { budget, clock, succeed };
}

/** The tokens that `tries` retries in a row get. */
function acquire(budget: { acquire(state: RetryState): unknown }, tries: number): unknown[] {
  return Array.from({ length: tries }, () => budget.acquire(failedBusy));
}

afterEach(() => void vi.useRealTimers());

describe("retryBudget", () => {
  it("begins with 10 tokens", () => {
    expect(retryBudget({ clock: virtualClock() }).balance).toBe(10);
  });

  it("begins full, whatever the capacity", () => {
    expect(retryBudget({ capacity: 40, clock: virtualClock() }).balance).toBe(40);
  });

  it("begins with what `initial` says", () => {
    expect(retryBudget({ initial: 4, clock: virtualClock() }).balance).toBe(4);
  });

  it("grants one retry per token, and none for a part of one", () => {
    const { budget } = budgetWith({ initial: 2.9 });

    expect(acquire(budget, 3)).toEqual([1, 1, 0]);
    expect(budget.balance).toBeCloseTo(0.9);
  });

  it("grants a retry for the very last token", () => {
    const { budget } = budgetWith({ initial: 1 });

    expect(acquire(budget, 2)).toEqual([1, 0]);
  });

  it("retryBudget is paid a fifth of a token by a success", () => {
    const { budget, succeed } = budgetWith({ initial: 0 });

    succeed(4);
    expect(acquire(budget, 1)).toEqual([0]);
    succeed(1);

    expect(acquire(budget, 2)).toEqual([1, 0]);
  });

  it("retryBudget is paid what `perSuccess` says", () => {
    const { budget, succeed } = budgetWith({ initial: 0, perSuccess: 1 });

    succeed(7);

    expect(budget.balance).toBe(7);
  });

  it("retryBudget is paid once for each success, however often it is looked at", () => {
    const { budget, succeed } = budgetWith({ initial: 0 });

    succeed(5);

    expect([budget.balance, budget.balance]).toEqual([1, 1]);
  });

  it("retryBudget is not changed by being looked at", () => {
    const { budget } = budgetWith({ initial: 0.9, trickle: { upTo: 0.2 } });

    expect([budget.balance, budget.balance]).toEqual([0.9, 0.9]);
  });

  it("holds no more than its capacity, whoever gives", () => {
    const { budget, succeed } = budgetWith({ capacity: 10 });

    succeed(100);
    const afterSuccesses = budget.balance;
    budget.refund(5);
    const afterRefund = budget.balance;
    budget.recordSuccess(5, failedBusy);

    expect([afterSuccesses, afterRefund, budget.balance]).toEqual([10, 10, 10]);
  });

  it("counts what is given against its capacity before anything is taken", () => {
    const { budget } = budgetWith({ capacity: 2 });

    budget.refund(5);
    budget.recordSuccess(5, failedBusy);

    expect(acquire(budget, 3)).toEqual([1, 1, 0]);
  });

  it("retryBudget takes back what a retry that was never made had taken", () => {
    const { budget } = budgetWith({ initial: 1 });

    budget.acquire(failedBusy);
    budget.refund(1);

    expect(budget.balance).toBe(1);
  });
});

describe("what lies above the trickle's limit", () => {
  it("fades with a time constant of 15 s", () => {
    const clock = virtualClock();
    const budget = retryBudget({ clock });

    clock.sleepSync(15_000);

    expect(budget.balance).toBeCloseTo(3 + 7 / Math.E, 10);
  });

  it("fades as fast as `fade` says", () => {
    const { budget, clock } = budgetWith({ fade: 1_000 });

    clock.sleepSync(2_000);

    expect(budget.balance).toBeCloseTo(10 / Math.E ** 2, 10);
  });

  it("ends at that limit", () => {
    const clock = virtualClock();
    const budget = retryBudget({ clock });

    clock.sleepSync(86_400_000);

    expect(budget.balance).toBe(3);
  });

  it("what lies above the trickle's limit does not fade at all where `fade` is infinite", () => {
    const { budget, clock } = budgetWith({ fade: Number.POSITIVE_INFINITY });

    clock.sleepSync(86_400_000);

    expect(budget.balance).toBe(10);
  });
});

describe("successes", () => {
  it.each([1_000, 5_000, 20_000])("pay as if they had come evenly over %d ms, each faded since", (ms) => {
    const { budget, clock, succeed } = budgetWith({ initial: 0, fade: 10_000 });
    const lives = ms / 10_000;

    succeed(10);
    clock.sleepSync(ms);

    // The mean of e^(-t) over t from 0 to `lives`, times the 2 tokens that were paid.
    expect(budget.balance).toBeCloseTo((2 * (1 - Math.E ** -lives)) / lives, 10);
  });

  it("leave a fifth of the last 15 s of them, after any time at a steady rate", () => {
    const clock = virtualClock();
    const budget = retryBudget({ capacity: 1_000, trickle: { upTo: 0 }, clock });

    for (let success = 0; success < 36_000; success++) budget.recordSuccess(0);
    clock.sleepSync(3_600_000);

    expect(budget.balance).toBeCloseTo(0.2 * 10 * 15, 6);
  });

  it("pay in full where hardly any time has passed", () => {
    const { budget, clock, succeed } = budgetWith({ initial: 0, fade: 10_000 });

    succeed(5);
    clock.sleepSync(1e-9);

    expect(budget.balance).toBeCloseTo(1, 12);
  });

  it("pay on top of the trickle", () => {
    const { budget, succeed } = budgetWith({ initial: 3, trickle: { upTo: 3 } });

    succeed(5);

    expect(budget.balance).toBe(4);
  });

  it("pay in full where nothing fades", () => {
    const { budget, clock, succeed } = budgetWith({ initial: 0 });

    succeed(5);
    clock.sleepSync(86_400_000);

    expect(budget.balance).toBe(1);
  });
});

describe("the trickle", () => {
  it("gives a token a minute", () => {
    const clock = virtualClock();
    const budget = retryBudget({ initial: 0, clock });

    clock.sleepSync(90_000);

    expect(budget.balance).toBe(1.5);
  });

  it("gives no more than 3, so that all retries of one failed call can be made", () => {
    const clock = virtualClock();
    const budget = retryBudget({ initial: 0, clock });

    clock.sleepSync(86_400_000);

    expect(acquire(budget, 4)).toEqual([1, 1, 1, 0]);
  });

  it("gives at the pace of `every` up to `upTo`", () => {
    const { budget, clock } = budgetWith({ initial: 0, trickle: { every: 100, upTo: 5 } });

    clock.sleepSync(400);
    const before = budget.balance;
    clock.sleepSync(400);

    expect([before, budget.balance]).toEqual([4, 5]);
  });

  it("keeps the default of what is not given", () => {
    const { budget, clock } = budgetWith({ initial: 0, trickle: { every: 1 } });

    clock.sleepSync(1_000);

    expect(budget.balance).toBe(3);
  });

  it("goes no further than a smaller capacity", () => {
    const clock = virtualClock();
    const budget = retryBudget({ capacity: 2, initial: 0, clock });

    clock.sleepSync(86_400_000);

    expect(budget.balance).toBe(2);
  });

  it("the trickle is turned off by an `upTo` of 0", () => {
    const clock = virtualClock();
    const budget = retryBudget({ initial: 0.5, trickle: { upTo: 0 }, clock });

    clock.sleepSync(86_400_000);

    expect(budget.balance).toBe(0);
  });

  it("stands still where `every` is infinite, and what lies below `upTo` is kept", () => {
    const clock = virtualClock();
    const budget = retryBudget({ initial: 0.5, trickle: { every: Number.POSITIVE_INFINITY }, clock });

    clock.sleepSync(86_400_000);

    expect(budget.balance).toBe(0.5);
  });
});

describe("the clock of a budget", () => {
  it("the clock of a budget may go back or answer no number: as if no time had passed", () => {
    let time = 60_000;
    const budget = retryBudget({ initial: 1, clock: { now: () => time } });
    const balances: number[] = [];

    for (time of [0, Number.NaN, 60_000, 120_000]) balances.push(budget.balance!);

    expect(balances).toEqual([1, 1, 1, 2]);
  });

  it("the clock of a budget is followed from where it went back to", () => {
    let time = 3_600_000;
    const budget = retryBudget({ initial: 1, clock: { now: () => time } });
    const balances: number[] = [];

    for (time of [0, 60_000]) balances.push(budget.balance!);

    expect(balances).toEqual([1, 2]);
  });

  it("the clock of a budget is asked with its own `this`", () => {
    class Watch {
      time = 0;
      now() {
        return this.time;
      }
    }
    const clock = new Watch();
    const budget = retryBudget({ initial: 0, clock });

    clock.time = 60_000;

    expect(budget.balance).toBe(1);
  });

  it("the clock of a budget is the system's unless given, looked up at call time", () => {
    const budget = retryBudget({ initial: 0 });
    vi.useFakeTimers({ toFake: ["performance"] });
    const before = budget.balance;

    vi.advanceTimersByTime(60_000);

    expect(budget.balance! - before!).toBeCloseTo(1, 9);
  });
});

describe("a retry that succeeds", () => {
  /** What is left of one token after a retry that followed `error` succeeded. */
  function left(error: unknown, options: RetryBudgetOptions = {}): number {
    const { budget } = budgetWith({ initial: 1, perSuccess: 0, ...options });
    budget.acquire(failed(error));
    budget.recordSuccess(1, failed(error));
    return budget.balance!;
  }

  it.each<[string, unknown]>([
    ["AttemptTimeoutError", new AttemptTimeoutError(100, 1)],
    ["one of another copy of this package", { [Symbol.for("undaunted.error")]: "ERR_ATTEMPT_TIMEOUT" }],
    ["TimeoutError", new DOMException("too slow", "TimeoutError")],
    ["status of 429", { status: 429 }],
    ["status of 503", { status: 503 }],
    ["statusCode of 429", { statusCode: 429 }],
    ["statusCode of 503", { statusCode: 503 }],
    ["response with a status of 503", { response: { status: 503 } }],
    ["$metadata with a status of 429", { $metadata: { httpStatusCode: 429 } }],
    ["gRPC code of 8", { code: 8 }],
    ["code of RESOURCE_EXHAUSTED", { code: "RESOURCE_EXHAUSTED" }],
    ["status of RESOURCE_EXHAUSTED", { status: "RESOURCE_EXHAUSTED" }],
    ["cause that is overload", new Error("load failed", { cause: { status: 503 } })],
  ])("a retry that succeeds does not get its token back after a failure by overload: a %s", (_what, error) => {
    expect(left(error)).toBe(0);
  });

  it.each<[string, unknown]>([
    ["an ordinary error", busy],
    ["a status of 500", { status: 500 }],
    ["a gRPC code of 14", { code: 14 }],
    ["a status of 8", { status: 8 }],
    ["a code of 429", { code: 429 }],
    ["another name", { name: "AbortError" }],
    ["undefined", undefined],
    ["null", null],
    ["a string", "503"],
    [
      "an error that cannot be read",
      new Proxy(
        {},
        {
          get() {
            throw busy;
          },
        },
      ),
    ],
  ])("gets its token back after %s", (_what, error) => {
    expect(left(error)).toBe(1);
  });

  it("gets its token back after a value, which is no overload", () => {
    const { budget } = budgetWith({ initial: 0, perSuccess: 0 });

    budget.recordSuccess(1, retryState({ outcome: { ok: true, value: { status: 503 } } }));

    expect(budget.balance).toBe(1);
  });

  it("gets its token back where nobody says what it followed", () => {
    const { budget } = budgetWith({ initial: 0, perSuccess: 0 });

    budget.recordSuccess(1);

    expect(budget.balance).toBe(1);
  });

  it("a retry that succeeds is judged by `isOverload`, which sees the state that was paid for", () => {
    const seen: RetryState[] = [];
    const isOverload = (state: RetryState) => seen.push(state) > 0;

    expect(left(busy, { isOverload })).toBe(0);
    expect(left({ status: 503 }, { isOverload: () => false })).toBe(1);
    expect(seen).toEqual([failedBusy]);
  });

  it("pays as any success does", () => {
    expect(left({ status: 503 }, { perSuccess: 0.2 })).toBe(0.2);
    expect(left(busy, { capacity: 2, perSuccess: 0.2 })).toBe(1.2);
  });

  it("pays also where `isOverload` throws, and takes nothing back", () => {
    const { budget } = budgetWith({
      initial: 0,
      isOverload: () => {
        throw busy;
      },
    });

    expect(() => budget.recordSuccess(1, failedBusy)).toThrow(busy);
    expect(budget.balance).toBe(0.2);
  });

  it("a retry that succeeds does not ask `isOverload` where nothing was taken", () => {
    const isOverload = vi.fn(() => true);
    const { budget } = budgetWith({ isOverload });

    budget.recordSuccess(0, failedBusy);

    expect(isOverload).not.toHaveBeenCalled();
  });
});

describe.each(bothLoops)("%s with a retryBudget", (_name, wrap) => {
  it("gives up for the reason budget once the tokens are gone", async () => {
    const { budget } = budgetWith({ initial: 2 });
    const reasons: string[] = [];
    const load = flaky([busy, busy, busy, "too late"]);

    const call = wrap(load, { ...instant, budget, onGiveUp: ({ reason }) => reasons.push(reason) })();

    await expect(call).rejects.toBe(busy);
    expect(reasons).toEqual(["budget"]);
    expect(load.calls).toHaveLength(3);
  });

  it("gets the token of a successful retry back, but not after overload", async () => {
    const { budget } = budgetWith({ initial: 2, perSuccess: 0 });

    await wrap(flaky([busy, "ok"]), { ...instant, budget })();
    const afterOrdinary = budget.balance;
    await wrap(flaky([{ ok: false, error: { status: 503 } }, "ok"]), { ...instant, budget })();

    expect([afterOrdinary, budget.balance]).toEqual([2, 1]);
  });

  it("gets the last token back and leaves those of the retries before it", async () => {
    const { budget } = budgetWith({ initial: 3, perSuccess: 0 });

    await wrap(flaky([busy, busy, busy, "ok"]), { ...instant, budget })();

    expect(budget.balance).toBe(1);
  });

  it("reports an isOverload that throws to onHookError, and the value stands", async () => {
    const reported: unknown[] = [];
    const { budget } = budgetWith({
      isOverload: () => {
        throw busy;
      },
    });
    const options = { ...instant, budget, onHookError: (error: unknown) => reported.push(error) };

    expect(await wrap(flaky([new Error("first"), "ok"]), options)()).toBe("ok");
    expect(reported).toEqual([busy]);
  });

  it("keeps the shards of a retryBudgets apart", async () => {
    const budget = retryBudgets({ key: (shard) => shard, capacity: 1, perSuccess: 0, clock: virtualClock() });
    const load = wrap(
      (shard: string, attempts: unknown[]) => {
        if (attempts.push(shard) < 3) throw busy;
        return shard;
      },
      { ...instant, budget },
    );

    await load("dead", []).catch(() => {});
    const attempts: unknown[] = [];
    await load("healthy", attempts).catch(() => {});

    expect(attempts).toEqual(["healthy", "healthy"]);
    expect(budget.get("dead").balance).toBe(0);
    expect(budget.size).toBe(2);
  });

  it("pays the shard that a call names, when it succeeds at once and when a retry does", async () => {
    const clock = virtualClock();
    const budget = retryBudgets({ key: (shard) => shard, initial: 1, trickle: { upTo: 0 }, clock });

    await wrap(flaky(["ok"]), { ...instant, budget })("at once");
    await wrap(flaky([busy, "ok"]), { ...instant, budget })("retried");
    await wrap(flaky(["ok"]), { ...instant, budget, onSuccess: () => {} })("watched");

    expect(["at once", "retried", "watched", "never called"].map((shard) => budget.get(shard).balance)).toEqual([
      1.2, 1.2, 1.2, 1,
    ]);
  });

  it("fails as a strategy where `key` throws for a retry, and is only reported where it throws for a success", async () => {
    const budget = retryBudgets({
      key: () => {
        throw busy;
      },
    });
    const reported: unknown[] = [];
    const options = { ...instant, budget, onHookError: (error: unknown) => reported.push(error) };

    expect(await wrap(flaky(["ok"]), options)()).toBe("ok");
    await expect(wrap(flaky([new Error("first")]), options)()).rejects.toMatchObject({
      strategy: "budget",
      cause: busy,
    });
    expect(reported).toEqual([busy]);
  });
});

describe("a budget that is shared", () => {
  it("a budget that is shared is paid and drawn on by async and sync policies alike", async () => {
    const { budget, succeed } = budgetWith({ initial: 0 });
    const wrapped = retry(flaky(["ok"]), { ...instant, budget });
    const wrappedSync = retrySync(flaky(["ok", "ok", "ok", busy, "ok"]), { ...instant, budget });

    succeed(1);
    await wrapped();
    wrappedSync();
    wrappedSync();
    wrappedSync();

    expect(wrappedSync()).toBe("ok");
  });
});

describe("an abort", () => {
  it("while a call sleeps gives its token back, to its own shard", async () => {
    const clock = virtualClock();
    const trickle = { every: Number.POSITIVE_INFINITY, upTo: 5 };
    const budget = retryBudgets({ key: (shard) => shard, capacity: 5, trickle, clock });
    const caller = new AbortController();
    const call = retry(flaky([busy]), { wait: () => 1_000, clock, budget, signal: caller.signal })("eu");
    const ended = call.catch((error: unknown) => error);

    await clock.advance(500);
    const asleep = budget.get("eu").balance;
    caller.abort("enough");

    expect(await ended).toBe("enough");
    expect(asleep).toBe(4);
    expect(budget.get("eu").balance).toBe(5);
    expect(budget.size).toBe(1);
  });
});

describe("a call that succeeds at once", () => {
  it("reads no clock, neither the policy's nor the budget's", async () => {
    let reads = 0;
    const now = () => reads++;
    const clock = { ...virtualClock(), now };
    const budget = retryBudget({ clock });
    const budgets = retryBudgets({ key: (shard) => shard, clock });
    const wrapped = [budget, budgets].map((each) => retry(async (shard: string) => shard, { budget: each, clock }));
    const wrappedSync = retrySync((shard: string) => shard, { budget, clock });
    for (const each of wrapped) await each("eu");
    reads = 0;

    for (const each of wrapped) await each("eu");
    wrappedSync("eu");

    expect(reads).toBe(0);
  });
});

describe("retryBudgets", () => {
  const key = (shard: string) => shard;

  it("makes a budget for each key when it is first asked for, with the options given", () => {
    const budgets = retryBudgets({ key, capacity: 7, initial: 4, clock: virtualClock() });

    const [eu, us] = [budgets.get("eu"), budgets.get("us")];

    expect(eu).not.toBe(us);
    expect(budgets.get("eu")).toBe(eu);
    expect(eu.balance).toBe(4);
    expect(budgets.size).toBe(2);
  });

  it("retryBudgets has no budget before it is asked for one", () => {
    const budgets = retryBudgets({ key });

    expect([budgets.size, budgets.balance]).toEqual([0, 0]);
  });

  it("retryBudgets has the sum of its budgets for a balance", () => {
    const budgets = retryBudgets({ key, clock: virtualClock() });

    budgets.acquire(failed(busy, "eu"));
    budgets.get("us");

    expect(budgets.balance).toBe(19);
  });

  it("asks `key` with all of a call's arguments", () => {
    const asked = vi.fn(() => "one");
    const budgets = retryBudgets({ key: asked });

    budgets.acquire(failed(busy, "eu", 42));
    budgets.recordSuccess(0, undefined, ["us", 43]);
    budgets.refund(1, failed(busy, "asia", 44));

    expect(asked.mock.calls).toEqual([
      ["eu", 42],
      ["us", 43],
      ["asia", 44],
    ]);
  });

  it("goes by the state that was paid for where the arguments are not told", () => {
    const budgets = retryBudgets({ key, initial: 0, perSuccess: 1, trickle: { upTo: 0 }, clock: virtualClock() });

    budgets.recordSuccess(1, failed(busy, "eu"));

    expect(budgets.get("eu").balance).toBe(2);
  });

  it("gives `key` no argument where a call has none", async () => {
    const asked = vi.fn(() => "block");
    const budgets = retryBudgets({ key: asked });

    await runWithRetry(() => "ok", { budget: budgets });
    budgets.recordSuccess(0);
    budgets.refund(1);

    expect(asked.mock.calls).toEqual([[], [], []]);
  });

  it("refuses what the key's own budget refuses, and tells it what the retry was for", () => {
    const seen: unknown[] = [];
    const budgets = retryBudgets({
      key,
      capacity: 1,
      clock: virtualClock(),
      isOverload: (state) => seen.push(state.args[0]) > 0,
    });

    const granted = [budgets.acquire(failed(busy, "eu")), budgets.acquire(failed(busy, "eu"))];
    budgets.recordSuccess(1, failed(busy, "eu"), ["eu"]);

    expect(granted).toEqual([1, 0]);
    expect(seen).toEqual(["eu"]);
  });

  it("keeps at most `max` and lets the least recently used go", () => {
    const budgets = retryBudgets({ key, max: 2 });
    const eu = budgets.get("eu");

    budgets.get("us");
    budgets.recordSuccess(0, undefined, ["eu"]);
    budgets.get("asia");

    expect(budgets.size).toBe(2);
    expect(budgets.get("eu")).toBe(eu);
  });

  it("keeps 1,000 unless told otherwise", () => {
    const budgets = retryBudgets({ key });

    for (let shard = 0; shard < 1_500; shard++) budgets.get(shard);

    expect(budgets.size).toBe(1_000);
  });
});

describe.each([
  ["retryBudget", (options: object) => retryBudget(options)],
  ["retryBudgets", (options: object) => retryBudgets({ key: () => 1, ...options })],
])("%s refuses", (owner, make) => {
  it.each<[string, object, string]>([
    ["capacity", { capacity: 0.9 }, "capacity must be a finite number from 1, got 0.9"],
    ["capacity", { capacity: -1 }, "capacity must be a finite number from 1, got -1"],
    ["capacity", { capacity: Number.NaN }, "capacity must be a finite number from 1, got NaN"],
    ["capacity", { capacity: Number.POSITIVE_INFINITY }, "capacity must be a finite number from 1, got Infinity"],
    ["initial", { initial: -1 }, "initial must be a finite number from 0, got -1"],
    ["initial", { initial: 11 }, "initial must not be above capacity (10), got 11"],
    ["perSuccess", { perSuccess: 1.1 }, "perSuccess must be a number from 0 to 1, got 1.1"],
    ["perSuccess", { perSuccess: 1.001 }, "perSuccess must be a number from 0 to 1, got 1.001"],
    ["perSuccess", { perSuccess: -0.1 }, "perSuccess must be a number from 0 to 1, got -0.1"],
    ["perSuccess", { perSuccess: Number.NaN }, "perSuccess must be a number from 0 to 1, got NaN"],
    ["fade", { fade: 0 }, "fade must be a number of ms above 0, got 0"],
    ["trickle.upTo", { capacity: 2, trickle: { upTo: 3 } }, "trickle.upTo must not be above capacity (2), got 3"],
  ])("a bad %s: %j", (_option, options, message) => {
    expect(() => make(options)).toThrow(new RangeError(`${owner}: ${message}`));
  });

  it.each<[string, object, string]>([
    ["every", { every: 0 }, "every must be a number of ms above 0, got 0"],
    ["upTo", { upTo: -1 }, "upTo must be a finite number from 0, got -1"],
    ["upTo", { upTo: Number.POSITIVE_INFINITY }, "upTo must be a finite number from 0, got Infinity"],
  ])("a trickle with a bad %s: %j", (_option, trickle, message) => {
    expect(() => make({ trickle })).toThrow(new RangeError(`${owner}.trickle: ${message}`));
  });

  it.each<[string, object, string]>([
    ["capacity", { capacity: "10" }, ': capacity must be a finite number from 1, got "10"'],
    ["trickle", { trickle: false }, ": trickle must be an object, got false"],
    ["trickle", { trickle: null }, ": trickle must be an object, got null"],
    [
      "trickle",
      { trickle: { upto: 3 } },
      '.trickle: there is no option "upto"; allowed are every, upTo; did you mean upTo?',
    ],
    ["isOverload", { isOverload: true }, ": isOverload must be a function, got true"],
    ["clock", { clock: {} }, ": clock must be an object with a method now, got [object Object]"],
  ])("a %s of the wrong kind: %j", (_option, options, message) => {
    expect(() => make(options)).toThrow(new TypeError(owner + message));
  });

  it("an option that there is not", () => {
    expect(() => make({ rate: 1 })).toThrow(/there is no option "rate"; allowed are capacity, initial, perSuccess/);
  });
});

describe("retryBudgets refuses", () => {
  it("retryBudgets refuses to be made without a key", () => {
    expect(() => retryBudgets({} as never)).toThrow(
      new TypeError("retryBudgets: key must be a function, got undefined"),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])("a max of %d", (max) => {
    expect(() => retryBudgets({ key: () => 1, max })).toThrow(
      new RangeError(`retryBudgets: max must be a whole number from 1, got ${max}`),
    );
  });
});

describe("the limits of a retryBudget's options", () => {
  it.each<[string, RetryBudgetOptions]>([
    ["initial of 0", { initial: 0 }],
    ["initial of the capacity", { capacity: 4, initial: 4 }],
    ["perSuccess of 0", { perSuccess: 0 }],
    ["perSuccess of 1", { perSuccess: 1 }],
    ["trickle up to the capacity", { capacity: 4, trickle: { upTo: 4 } }],
    ["trickle without an option", { trickle: {} }],
    ["option that is undefined", { capacity: undefined, trickle: { every: undefined, upTo: undefined } }],
  ])("allow an %s", (_what, options) => {
    expect(() => retryBudget(options)).not.toThrow();
  });
});

describe("a budget of the defaults", () => {
  it("makes every retry of the default policy for a call a day, whatever happened the day before", async () => {
    const clock = virtualClock();
    const load = flaky([busy, busy, busy, busy, busy, busy, busy, "ok"]);
    const daily = retry(load, { budget: retryBudget({ clock }), clock });

    const first = daily().catch((error: unknown) => error);
    await clock.runAll();
    await clock.advance(86_400_000);
    const second = daily();
    await clock.runAll();

    expect(await first).toBe(busy);
    expect(await second).toBe("ok");
  });

  it("a budget of the defaults is drawn on in the order in which calls fail, none of them twice", async () => {
    const clock = virtualClock();
    const budget = retryBudget({ capacity: 3, clock });
    const options = { budget, clock, stop: stopAfterAttempt(2), wait: () => 10 };
    const calls = Array.from({ length: 5 }, () => retry(flaky([busy, "ok"]), options)());
    const settled = Promise.allSettled(calls);

    await clock.runAll();

    expect((await settled).map((each) => each.status)).toEqual([
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "rejected",
      "rejected",
    ]);
  });
});
