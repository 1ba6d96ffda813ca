import fc from "fast-check";
import {
  awsRetryQuota,
  finagleRetryBudget,
  grpcRetryThrottle,
  type RetryBudget,
  retryBudget,
  retryBudgets,
  retryRateLimit,
} from "undaunted";
import { retryState, type VirtualClock, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

/** What happens to a budget. A retry that was granted later succeeds, or is given up before it is made. */
type Event =
  | { readonly kind: "retry" | "refund" | "fail" }
  | { readonly kind: "succeed"; readonly overload: boolean }
  | { readonly kind: "succeed at once"; readonly times: number }
  | { readonly kind: "pass"; readonly ms: number };

// Parts of a ms, a few seconds, and days.
const ms = fc.oneof(
  fc.nat({ max: 1_000 }).map((micro) => micro / 1_000),
  fc.integer({ max: 20_000, min: 0 }),
  fc.nat(),
);
const events = (passes: fc.Arbitrary<number>): fc.Arbitrary<Event> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant({ kind: "retry" as const }) },
    { weight: 2, arbitrary: fc.constantFrom({ kind: "refund" as const }, { kind: "fail" as const }) },
    fc.boolean().map((overload) => ({ kind: "succeed" as const, overload })),
    fc.nat({ max: 40 }).map((times) => ({ kind: "succeed at once" as const, times })),
    { weight: 2, arbitrary: passes.map((passed) => ({ kind: "pass" as const, ms: passed })) },
  );
const history = fc.array(events(ms), { maxLength: 80 });
// Dense enough that what is paid, taken and forgotten within seconds meets.
const busyHistory = fc.array(events(fc.nat({ max: 2_000 })), { minLength: 20, maxLength: 120 });

// No fc.double here: nearly all of its numbers below 1 are as good as 0.
const share = fc.nat({ max: 1_000 }).map((thousandths) => thousandths / 1_000);

const settings = fc
  .record({
    capacity: fc.oneof(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 100, max: 5_000 }).map((hundredths) => hundredths / 100),
    ),
    initialShare: share,
    perSuccess: share,
    fade: fc.oneof(
      fc.integer({ min: 1, max: 60_000 }),
      fc.double({ min: 1e-3, max: 1e7, noNaN: true }),
      fc.constant(Number.POSITIVE_INFINITY),
    ),
    every: fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.constant(Number.POSITIVE_INFINITY)),
    floorShare: share,
  })
  .map(({ capacity, initialShare, perSuccess, fade, every, floorShare }) => ({
    capacity,
    initial: capacity * initialShare,
    perSuccess,
    fade,
    trickle: { every, upTo: capacity * floorShare },
  }));

const failed = retryState({ args: ["eu"] });
const overloaded = retryState({ args: ["eu"], outcome: { ok: false, error: { status: 503 } } });

/** Plays a history, looks at the budget around each event, and adds up what went in and out. */
function play(
  budget: RetryBudget,
  clock: VirtualClock,
  events: readonly Event[],
  look: (before: number, taken: number | undefined, after: number) => void = () => {},
) {
  const totals = { granted: 0, successes: 0, returned: 0, elapsed: 0 };
  const taken: number[] = [];
  const act = (each: Event): number | undefined => {
    switch (each.kind) {
      case "retry": {
        const tokens = budget.acquire(failed) as number;
        if (tokens > 0) taken.push(tokens);
        totals.granted += tokens;
        return tokens;
      }
      case "refund": {
        const tokens = taken.pop() ?? 0;
        if (tokens > 0) budget.refund(tokens, failed);
        totals.returned += tokens;
        return undefined;
      }
      case "fail":
        budget.recordFailure?.(failed);
        return undefined;
      case "succeed": {
        const tokens = taken.pop() ?? 0;
        const after = each.overload ? overloaded : failed;
        budget.recordSuccess(tokens, tokens > 0 ? after : undefined, ["eu"]);
        totals.successes++;
        totals.returned += each.overload ? 0 : tokens;
        return undefined;
      }
      case "succeed at once":
        for (let time = 0; time < each.times; time++) budget.recordSuccess(0, undefined, ["eu"]);
        totals.successes += each.times;
        return undefined;
      default:
        clock.sleepSync(each.ms);
        totals.elapsed += each.ms;
        return undefined;
    }
  };
  for (const each of events) {
    const before = budget.balance;
    const tokens = act(each);
    look(before!, tokens, budget.balance!);
  }
  return totals;
}

describe("a retryBudget, over any history", () => {
  it("holds between nothing and its capacity", () => {
    fc.assert(
      fc.property(settings, history, (options, events) => {
        const clock = virtualClock();

        play(retryBudget({ ...options, clock }), clock, events, (_before, _taken, balance) => {
          expect(balance).toBeGreaterThanOrEqual(0);
          expect(balance).toBeLessThanOrEqual(options.capacity);
        });
      }),
    );
  });

  it("grants a retry exactly where there is a whole token, and takes one", () => {
    fc.assert(
      fc.property(settings, history, (options, events) => {
        const clock = virtualClock();

        play(retryBudget({ ...options, clock }), clock, events, (before, taken, balance) => {
          if (taken === undefined) return;
          expect(taken).toBe(before >= 1 ? 1 : 0);
          expect(balance).toBe(before - taken);
        });
      }),
    );
  });

  it("grants no more than was there, was paid, trickled in and was given back", () => {
    fc.assert(
      fc.property(settings, history, (options, events) => {
        const clock = virtualClock();

        const { granted, successes, returned, elapsed } = play(retryBudget({ ...options, clock }), clock, events);

        const income = options.perSuccess * successes + elapsed / options.trickle.every + returned;
        expect(granted).toBeLessThanOrEqual((options.initial + income) * (1 + 1e-9));
      }),
    );
  });

  it("grants the same, looked at or not, where no success is pending", () => {
    fc.assert(
      fc.property(settings, ms, ms, (options, first, second) => {
        const clock = virtualClock();
        const [whole, split] = [retryBudget({ ...options, clock }), retryBudget({ ...options, clock })];

        clock.sleepSync(first);
        void split.balance;
        clock.sleepSync(second);

        expect(split.balance).toBeCloseTo(whole.balance!, 9);
      }),
    );
  });

  it("comes to rest at the trickle's limit once all is quiet", () => {
    fc.assert(
      fc.property(settings, history, (options, events) => {
        const { every, upTo } = options.trickle;
        fc.pre(every < Number.POSITIVE_INFINITY && options.fade < Number.POSITIVE_INFINITY);
        const clock = virtualClock();
        const budget = retryBudget({ ...options, clock });
        play(budget, clock, events);

        clock.sleepSync(40 * options.fade + (options.capacity + 1) * every);

        expect(budget.balance).toBeCloseTo(upTo, 9);
      }),
    );
  });

  it("a retryBudget, over any history is worth no more for successes than what they pay, and no less than what they pay faded all the way", () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000 }), ms, fc.integer({ min: 1, max: 60_000 }), (paid, passed, fade) => {
        const clock = virtualClock();
        const budget = retryBudget({ capacity: 1e9, initial: 0, perSuccess: 1, fade, trickle: { upTo: 0 }, clock });

        for (let success = 0; success < paid; success++) budget.recordSuccess(0);
        clock.sleepSync(passed);

        const { balance } = budget;
        expect(balance).toBeLessThanOrEqual(paid * (1 + 1e-12));
        expect(balance).toBeGreaterThanOrEqual(paid * Math.exp(-passed / fade) * (1 - 1e-12));
      }),
    );
  });

  it("a retryBudget, over any history is the same budget behind the only key of a retryBudgets", () => {
    fc.assert(
      fc.property(settings, history, (options, events) => {
        const balancesOf = (make: (clock: VirtualClock) => RetryBudget) => {
          const clock = virtualClock();
          const balances: number[] = [];
          play(make(clock), clock, events, (_before, _taken, balance) => balances.push(balance));
          return balances;
        };

        const alone = balancesOf((clock) => retryBudget({ ...options, clock }));
        const keyed = balancesOf((clock) => {
          const budgets = retryBudgets({ ...options, key: (shard) => shard, clock });
          budgets.get("eu");
          return budgets;
        });

        expect(keyed).toEqual(alone);
      }),
    );
  });
});

describe.each<[string, number, (clock: VirtualClock) => RetryBudget]>([
  ["awsRetryQuota", 500, () => awsRetryQuota()],
  ["awsRetryQuota of few tokens", 20, () => awsRetryQuota({ capacity: 20, initial: 3 })],
  ["grpcRetryThrottle", 3, () => grpcRetryThrottle({ maxTokens: 3, tokenRatio: 0.123 })],
  [
    "finagleRetryBudget",
    Number.POSITIVE_INFINITY,
    (clock) => finagleRetryBudget({ minPerSecond: 0.2, ratio: 0.3, clock }),
  ],
  ["retryRateLimit", 5, (clock) => retryRateLimit({ perSecond: 0.1, burst: 5, clock })],
])("%s, over any history", (_name, capacity, make) => {
  it("holds between nothing and its capacity, and takes no more than is there", () => {
    fc.assert(
      fc.property(busyHistory, (events) => {
        const clock = virtualClock();

        play(make(clock), clock, events, (before, taken = 0, balance) => {
          expect(balance).toBeGreaterThanOrEqual(0);
          expect(balance).toBeLessThanOrEqual(capacity);
          expect(Number.isFinite(balance)).toBe(true);
          expect(taken).toBeLessThanOrEqual(before + 1e-9);
        });
      }),
    );
  });
});

describe("finagleRetryBudget, over any history", () => {
  it("grants no more than its reserve and what requests paid", () => {
    fc.assert(
      fc.property(busyHistory, (events) => {
        const clock = virtualClock();
        const budget = finagleRetryBudget({ minPerSecond: 0.2, ratio: 0.3, clock });
        // Few requests, many retries.
        const scarce = events.filter((each) => each.kind !== "refund" && each.kind !== "succeed at once");

        const { granted, successes, elapsed } = play(budget, clock, scarce);

        // What was taken expires as well: a reserve of two retries is there again with every ttl, a slot less exactly.
        const reserves = 2 * (1 + Math.floor(elapsed / 9_000));
        const requests = successes + scarce.filter((each) => each.kind === "fail").length;
        // A retry costs a whole number of a thousandth of a request: 3,333 of them.
        expect(granted).toBeLessThanOrEqual(reserves + (requests * 1_000) / 3_333);
      }),
    );
  });
});
