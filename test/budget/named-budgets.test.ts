import {
  awsRetryQuota,
  finagleRetryBudget,
  grpcRetryThrottle,
  type RetryBudget,
  type RetryState,
  retry,
  retryRateLimit,
  retrySync,
  TryAgainError,
} from "undaunted";
import { flaky, instant, retryState, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { bothLoops } from "../loop/both-loops.js";

const busy = new Error("busy");
const failed = failedWith(busy);

/** The state after an attempt that threw `error`. */
function failedWith(error: unknown): RetryState {
  return retryState({ outcome: { ok: false, error } });
}

/** The tokens that `tries` retries in a row get. */
function acquire(budget: RetryBudget, tries: number): unknown[] {
  return Array.from({ length: tries }, () => budget.acquire(failed));
}

function times(count: number, act: () => void): void {
  for (let time = 0; time < count; time++) act();
}

describe("awsRetryQuota", () => {
  it("begins with 500 tokens, and a retry costs 14", () => {
    const quota = awsRetryQuota();

    expect(quota.balance).toBe(500);
    expect(quota.acquire(failed)).toBe(14);
    expect(quota.balance).toBe(486);
  });

  it("grants 35 retries and no more where nothing succeeds", () => {
    expect(acquire(awsRetryQuota(), 36)).toEqual([...Array(35).fill(14), 0]);
  });

  it("grants a retry for its very last tokens, and takes none where they do not suffice", () => {
    const quota = awsRetryQuota({ capacity: 28, initial: 27 });

    expect(acquire(quota, 2)).toEqual([14, 0]);
    expect(quota.balance).toBe(13);
    quota.recordSuccess(0);
    expect(acquire(quota, 1)).toEqual([14]);
  });

  it("awsRetryQuota takes its costs from the options", () => {
    const quota = awsRetryQuota({ cost: 10, throttlingCost: 2 });

    expect(quota.acquire(failed)).toBe(10);
    expect(quota.acquire(failedWith({ name: "SlowDown" }))).toBe(2);
  });

  it("gets back what the last retry took, or 1 for a success at once", () => {
    const quota = awsRetryQuota({ initial: 100 });

    quota.recordSuccess(14);
    const afterRetry = quota.balance;
    quota.recordSuccess(0);

    expect([afterRetry, quota.balance]).toEqual([114, 115]);
  });

  it("holds no more than its capacity", () => {
    const quota = awsRetryQuota({ capacity: 20 });

    quota.recordSuccess(14);
    quota.refund(14);

    expect(quota.balance).toBe(20);
  });

  it("awsRetryQuota takes back what a retry that was never made had taken", () => {
    const quota = awsRetryQuota();

    quota.acquire(failed);
    quota.refund(14);

    expect(quota.balance).toBe(500);
  });

  it.each<[string, unknown]>([
    ...[
      "BandwidthLimitExceeded",
      "EC2ThrottledException",
      "LimitExceededException",
      "PriorRequestNotComplete",
      "ProvisionedThroughputExceededException",
      "RequestLimitExceeded",
      "RequestThrottled",
      "RequestThrottledException",
      "SlowDown",
      "ThrottledException",
      "Throttling",
      "ThrottlingException",
      "TooManyRequestsException",
      "TransactionInProgressException",
    ].map((name): [string, unknown] => [name, { name }]),
    ["a throttling code", { name: "Error", code: "SlowDown" }],
    ["a status of 429", { $metadata: { httpStatusCode: 429 } }],
    ["a plain status of 429", { status: 429 }],
    ["$retryable.throttling", { $retryable: { throttling: true } }],
    ["a cause that is throttling", new Error("failed", { cause: { name: "SlowDown" } })],
  ])("awsRetryQuota takes %s for throttling, which costs 5", (_what, error) => {
    expect(awsRetryQuota().acquire(failedWith(error))).toBe(5);
  });

  it.each<[string, unknown]>([
    ["an ordinary error", busy],
    ["a status of 503", { $metadata: { httpStatusCode: 503 } }],
    ["what is retryable and no throttling", { $retryable: { throttling: false } }],
    ["null", null],
  ])("awsRetryQuota takes %s for no throttling", (_what, error) => {
    expect(awsRetryQuota().acquire(failedWith(error))).toBe(14);
  });

  it("awsRetryQuota takes a value for no throttling", () => {
    const state = retryState({ outcome: { ok: true, value: { name: "SlowDown" } } });

    expect(awsRetryQuota().acquire(state)).toBe(14);
  });

  it("asks `isThrottling` with the state", () => {
    const isThrottling = vi.fn((state: RetryState) => state.attempt === 2);
    const quota = awsRetryQuota({ isThrottling });

    expect([quota.acquire(failed), quota.acquire({ ...failed, attempt: 2 })]).toEqual([14, 5]);
    expect(isThrottling).toHaveBeenCalledWith(failed);
  });
});

describe("grpcRetryThrottle", () => {
  it("begins full", () => {
    expect(grpcRetryThrottle({ maxTokens: 10, tokenRatio: 0.1 }).balance).toBe(10);
  });

  it("allows retries while more than half of its tokens are there", () => {
    const throttle = grpcRetryThrottle({ maxTokens: 10, tokenRatio: 0.1 });

    times(4, () => throttle.recordFailure!(failed));
    const above = throttle.acquire(failed);
    throttle.recordFailure!(failed);

    expect([above, throttle.acquire(failed), throttle.balance]).toEqual([1, 0, 5]);
  });

  it("grpcRetryThrottle takes nothing for a retry, and has nothing to give back", () => {
    const throttle = grpcRetryThrottle({ maxTokens: 10, tokenRatio: 0.1 });
    throttle.recordFailure!(failed);

    times(20, () => void throttle.acquire(failed));
    throttle.refund(1);

    expect(throttle.balance).toBe(9);
  });

  it("grpcRetryThrottle is paid by every success, whether a retry or not", () => {
    const throttle = grpcRetryThrottle({ maxTokens: 10, tokenRatio: 0.25 });
    times(3, () => throttle.recordFailure!(failed));

    throttle.recordSuccess(0);
    throttle.recordSuccess(1, failed);

    expect(throttle.balance).toBe(7.5);
  });

  it("holds between 0 and maxTokens", () => {
    const throttle = grpcRetryThrottle({ maxTokens: 2, tokenRatio: 0.7 });

    times(5, () => throttle.recordFailure!(failed));
    const empty = throttle.balance;
    times(5, () => throttle.recordSuccess(0));

    expect([empty, throttle.balance]).toEqual([0, 2]);
  });

  it.each([
    [0.5466, 0.546],
    [1.001, 1.001],
    [0.29, 0.29],
    [0.001, 0.001],
  ])("reads a tokenRatio of %d as %d", (tokenRatio, perSuccess) => {
    const throttle = grpcRetryThrottle({ maxTokens: 2, tokenRatio });
    times(2, () => throttle.recordFailure!(failed));

    throttle.recordSuccess(0);

    expect(throttle.balance).toBe(perSuccess);
  });

  it("counts in thousandths, so that many small payments make a whole", () => {
    const throttle = grpcRetryThrottle({ maxTokens: 2, tokenRatio: 0.1 });
    times(2, () => throttle.recordFailure!(failed));

    times(10, () => throttle.recordSuccess(0));

    expect(throttle.balance).toBe(1);
    expect(throttle.acquire(failed)).toBe(0);
  });
});

describe("finagleRetryBudget", () => {
  it("grants 10 retries a second from the start, over 10 s", () => {
    const budget = finagleRetryBudget({ clock: virtualClock() });

    expect(acquire(budget, 101).filter((taken) => taken === 1)).toHaveLength(100);
    expect(budget.balance).toBe(0);
  });

  it("grants what minPerSecond and ttl say", () => {
    const budget = finagleRetryBudget({ ttl: 3_000, minPerSecond: 1, clock: virtualClock() });

    expect(budget.balance).toBe(3);
  });

  it("finagleRetryBudget is paid a fifth of a retry by every request", () => {
    const budget = finagleRetryBudget({ minPerSecond: 0, clock: virtualClock() });

    times(9, () => budget.recordSuccess(0));

    expect(acquire(budget, 2)).toEqual([1, 0]);
    expect(budget.balance).toBeCloseTo(0.8);
  });

  it("finagleRetryBudget is paid by a request that fails at first, and not once more by what becomes of it", () => {
    const budget = finagleRetryBudget({ minPerSecond: 0, ratio: 1, clock: virtualClock() });

    budget.recordFailure!(retryState({ attempt: 1 }));
    budget.recordFailure!(retryState({ attempt: 2 }));
    budget.recordSuccess(1, retryState({ attempt: 2 }));

    expect(budget.balance).toBe(1);
  });

  it("forgets a payment after ttl", () => {
    const clock = virtualClock();
    const budget = finagleRetryBudget({ ttl: 1_000, minPerSecond: 0, ratio: 1, clock });
    budget.recordSuccess(0);

    clock.sleepSync(999);
    const before = budget.balance;
    clock.sleepSync(1);

    expect([before, budget.balance]).toEqual([1, 0]);
  });

  it("forgets a tenth of ttl at a time", () => {
    const clock = virtualClock();
    const budget = finagleRetryBudget({ ttl: 1_000, minPerSecond: 0, ratio: 1, clock });
    const balances: number[] = [];
    times(10, () => {
      budget.recordSuccess(0);
      clock.sleepSync(100);
    });

    times(10, () => {
      balances.push(budget.balance!);
      clock.sleepSync(100);
    });

    expect(balances).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  });

  it("forgets all that was paid in one tenth at once, when the first of it is ttl old", () => {
    const clock = virtualClock();
    const budget = finagleRetryBudget({ ttl: 1_000, minPerSecond: 0, ratio: 1, clock });

    clock.sleepSync(99);
    budget.recordSuccess(0);
    clock.sleepSync(900);
    const before = budget.balance;
    clock.sleepSync(1);

    expect([before, budget.balance]).toEqual([1, 0]);
  });

  it("forgets what was taken after ttl as well", () => {
    const clock = virtualClock();
    const budget = finagleRetryBudget({ ttl: 1_000, minPerSecond: 2, clock });
    acquire(budget, 2);

    clock.sleepSync(1_000);

    expect(acquire(budget, 3)).toEqual([1, 1, 0]);
  });

  it("shows no debt where what paid for a retry is forgotten before what it took", () => {
    const clock = virtualClock();
    const budget = finagleRetryBudget({ ttl: 1_000, minPerSecond: 0, ratio: 1, clock });
    budget.recordSuccess(0);
    clock.sleepSync(900);
    budget.acquire(failed);

    clock.sleepSync(100);

    expect([budget.balance, budget.acquire(failed)]).toEqual([0, 0]);
  });

  it("lives through any time of silence", () => {
    const clock = virtualClock();
    const budget = finagleRetryBudget({ ttl: 1_000, minPerSecond: 0, ratio: 1, clock });
    budget.recordSuccess(0);

    clock.sleepSync(40 * 86_400_000 + 150);
    budget.recordSuccess(0);

    expect(budget.balance).toBe(1);
  });

  it("forgets nothing for a clock that goes back and comes again", () => {
    let time = 5_000;
    const clock = { now: () => time };
    const budget = finagleRetryBudget({ ttl: 1_000, minPerSecond: 0, ratio: 1, clock });

    for (time of [5_900, 5_400, 5_900]) budget.recordSuccess(0);

    expect(budget.balance).toBe(3);
  });

  it("counts its slots from when it was made", () => {
    const clock = virtualClock();
    clock.sleepSync(12_345);
    const budget = finagleRetryBudget({ ttl: 1_000, minPerSecond: 0, ratio: 1, clock });
    budget.recordSuccess(0);

    clock.sleepSync(999);

    expect(budget.balance).toBe(1);
  });

  it("finagleRetryBudget takes back what a retry that was never made had taken", () => {
    const budget = finagleRetryBudget({ minPerSecond: 1, clock: virtualClock() });

    budget.acquire(failed);
    budget.refund(1);

    expect(budget.balance).toBe(10);
  });

  it("gives a successful retry nothing back", () => {
    const budget = finagleRetryBudget({ minPerSecond: 1, clock: virtualClock() });

    budget.acquire(failed);
    budget.recordSuccess(1, failed);

    expect(budget.balance).toBe(9);
  });

  it.each([0, -0])("finagleRetryBudget is paid nothing at a ratio of %d, and still grants its reserve", (ratio) => {
    const budget = finagleRetryBudget({ minPerSecond: 0.1, ratio, clock: virtualClock() });

    times(100, () => budget.recordSuccess(0));

    expect(acquire(budget, 2)).toEqual([1, 0]);
  });

  it("finagleRetryBudget is paid 1,000 retries by a request at most", () => {
    const budget = finagleRetryBudget({ minPerSecond: 0, ratio: 1_000, clock: virtualClock() });

    budget.recordSuccess(0);

    expect(budget.balance).toBe(1_000);
  });

  it("makes a retry cost no more than a whole number of 32 bits, so that it stays a number", () => {
    const budget = finagleRetryBudget({ minPerSecond: 0, ratio: Number.MIN_VALUE, clock: virtualClock() });

    budget.recordSuccess(0);

    expect(budget.balance).toBe(1_000 / (2 ** 31 - 1));
    expect(budget.acquire(failed)).toBe(0);
  });
});

describe("retryRateLimit", () => {
  it("grants what comes at once up to its burst", () => {
    const limit = retryRateLimit({ perSecond: 5, burst: 3, clock: virtualClock() });

    expect(acquire(limit, 4)).toEqual([1, 1, 1, 0]);
  });

  it.each([
    [5, 5],
    [0.1, 1],
  ])("retryRateLimit has for %d a second a burst of %d unless told otherwise", (perSecond, burst) => {
    expect(retryRateLimit({ perSecond, clock: virtualClock() }).balance).toBe(burst);
  });

  it("retryRateLimit is filled by time, at its pace and no further than its burst", () => {
    const clock = virtualClock();
    const limit = retryRateLimit({ perSecond: 2, burst: 3, clock });
    acquire(limit, 3);

    clock.sleepSync(750);
    const soon = limit.balance;
    clock.sleepSync(86_400_000);

    expect([soon, limit.balance]).toEqual([1.5, 3]);
  });

  it("retryRateLimit is not moved by what succeeds or fails", () => {
    const limit = retryRateLimit({ perSecond: 5, clock: virtualClock() });
    limit.acquire(failed);

    limit.recordSuccess(1, failed);
    limit.recordFailure?.(failed);

    expect(limit.balance).toBe(4);
  });

  it("retryRateLimit takes back what a retry that was never made had taken, up to its burst", () => {
    const limit = retryRateLimit({ perSecond: 5, clock: virtualClock() });
    limit.acquire(failed);

    limit.refund(1);
    limit.refund(1);

    expect(acquire(limit, 6)).toEqual([1, 1, 1, 1, 1, 0]);
  });

  it("retryRateLimit takes a clock that goes back for one that stands still", () => {
    let time = 1_000;
    const limit = retryRateLimit({ perSecond: 1, burst: 2, clock: { now: () => time } });
    limit.acquire(failed);

    time = 0;

    expect(limit.balance).toBe(1);
  });
});

describe.each<[string, (now: () => number) => RetryBudget]>([
  ["awsRetryQuota", () => awsRetryQuota()],
  ["grpcRetryThrottle", () => grpcRetryThrottle({ maxTokens: 10, tokenRatio: 0.1 })],
  ["finagleRetryBudget", (now) => finagleRetryBudget({ clock: { now } })],
  ["retryRateLimit", (now) => retryRateLimit({ perSecond: 1, clock: { now } })],
])("a call that succeeds at once under %s", (name, make) => {
  it("reads no clock for the policy", () => {
    const policyNow = vi.fn(() => 0);
    const call = retrySync(() => "ok", { budget: make(() => 0), clock: { ...virtualClock(), now: policyNow } });

    call();

    expect(policyNow).not.toHaveBeenCalled();
  });

  it("reads the budget's own clock only where Finagle's deposits need it", () => {
    const now = vi.fn(() => 0);
    const call = retrySync(() => "ok", { budget: make(now) });
    now.mockClear();

    call();

    expect(now).toHaveBeenCalledTimes(name === "finagleRetryBudget" ? 1 : 0);
  });

  it("is told of by the same function as the next", async () => {
    const handed: unknown[] = [];
    const watched = (): Promise<string> => {
      const promise = Promise.resolve("ok");
      const { then } = promise;
      return Object.assign(promise, {
        then(...reactions: Parameters<typeof then>) {
          handed.push(reactions[0]);
          return then.apply(promise, reactions);
        },
      });
    };
    const call = retry(watched, { budget: make(() => 0) });

    await call();
    await call();

    expect(handed[1]).toBe(handed[0]);
  });
});

describe.each(bothLoops)("%s", (_name, wrap) => {
  it("pays AWS's costs for its retries and gets the last one back", async () => {
    const budget = awsRetryQuota();

    await wrap(flaky([busy, busy, "ok"]), { ...instant, budget })();

    expect(budget.balance).toBe(486);
  });

  it("is throttled as by gRPC from the failure on that leaves half of the tokens", async () => {
    const budget = grpcRetryThrottle({ maxTokens: 4, tokenRatio: 0.5 });
    const load = flaky([busy, busy, "too late"]);

    await wrap(load, { ...instant, budget })().catch(() => {});

    expect(load.calls).toHaveLength(2);
    expect(budget.balance).toBe(2);
  });

  it("deposits once for a request under Finagle's budget, whatever becomes of it", async () => {
    const balances: number[] = [];
    for (const script of [["ok"], [busy, "ok"], [new TryAgainError(), "ok"]]) {
      const budget = finagleRetryBudget({ minPerSecond: 0, ratio: 1, clock: virtualClock() });
      await wrap(flaky(script), { ...instant, budget })();
      balances.push(budget.balance!);
    }

    // The second one paid for its own retry.
    expect(balances).toEqual([1, 0, 1]);
  });

  it("stays within the rate of a retryRateLimit", async () => {
    const budget = retryRateLimit({ perSecond: 1, burst: 2, clock: virtualClock() });
    const load = flaky([busy, busy, busy, "too late"]);

    await expect(wrap(load, { ...instant, budget })()).rejects.toBe(busy);
    expect(load.calls).toHaveLength(3);
  });
});

describe("bad input", () => {
  const aboveZero = "must be a finite number above 0";

  it.each<[string, (options: any) => unknown, object, string]>([
    ["awsRetryQuota", awsRetryQuota, { capacity: 0 }, `capacity ${aboveZero}, got 0`],
    ["awsRetryQuota", awsRetryQuota, { capacity: Number.POSITIVE_INFINITY }, `capacity ${aboveZero}, got Infinity`],
    ["awsRetryQuota", awsRetryQuota, { initial: -1 }, "initial must be a finite number from 0, got -1"],
    ["awsRetryQuota", awsRetryQuota, { initial: 501 }, "initial must not be above capacity (500), got 501"],
    ["awsRetryQuota", awsRetryQuota, { cost: 0 }, `cost ${aboveZero}, got 0`],
    ["awsRetryQuota", awsRetryQuota, { cost: Number.NaN }, `cost ${aboveZero}, got NaN`],
    ["awsRetryQuota", awsRetryQuota, { throttlingCost: 0 }, `throttlingCost ${aboveZero}, got 0`],
    [
      "grpcRetryThrottle",
      grpcRetryThrottle,
      { maxTokens: 0, tokenRatio: 1 },
      "maxTokens must be a whole number from 1 to 1000, got 0",
    ],
    [
      "grpcRetryThrottle",
      grpcRetryThrottle,
      { maxTokens: 1_001, tokenRatio: 1 },
      "maxTokens must be a whole number from 1 to 1000, got 1001",
    ],
    [
      "grpcRetryThrottle",
      grpcRetryThrottle,
      { maxTokens: 1.5, tokenRatio: 1 },
      "maxTokens must be a whole number from 1 to 1000, got 1.5",
    ],
    [
      "grpcRetryThrottle",
      grpcRetryThrottle,
      { maxTokens: 10, tokenRatio: 0.0009 },
      "tokenRatio must be a finite number from 0.001, got 0.0009",
    ],
    [
      "grpcRetryThrottle",
      grpcRetryThrottle,
      { maxTokens: 10, tokenRatio: Number.POSITIVE_INFINITY },
      "tokenRatio must be a finite number from 0.001, got Infinity",
    ],
    ["finagleRetryBudget", finagleRetryBudget, { ttl: 999 }, "ttl must be a number of ms from 1000 to 60000, got 999"],
    [
      "finagleRetryBudget",
      finagleRetryBudget,
      { ttl: 60_001 },
      "ttl must be a number of ms from 1000 to 60000, got 60001",
    ],
    [
      "finagleRetryBudget",
      finagleRetryBudget,
      { minPerSecond: -1 },
      "minPerSecond must be a finite number from 0, got -1",
    ],
    ["finagleRetryBudget", finagleRetryBudget, { ratio: -1 }, "ratio must be a number from 0 to 1000, got -1"],
    ["finagleRetryBudget", finagleRetryBudget, { ratio: 1_001 }, "ratio must be a number from 0 to 1000, got 1001"],
    ["retryRateLimit", retryRateLimit, { perSecond: 0 }, `perSecond ${aboveZero}, got 0`],
    ["retryRateLimit", retryRateLimit, { perSecond: Number.POSITIVE_INFINITY }, `perSecond ${aboveZero}, got Infinity`],
    ["retryRateLimit", retryRateLimit, { perSecond: 1, burst: 0.5 }, "burst must be a finite number from 1, got 0.5"],
  ])("bad input is refused by %s", (owner, make, options, message) => {
    expect(() => make(options)).toThrow(new RangeError(`${owner}: ${message}`));
  });

  it.each<[string, (options: any) => unknown, object, string]>([
    ["awsRetryQuota", awsRetryQuota, { isThrottling: true }, "isThrottling must be a function, got true"],
    [
      "grpcRetryThrottle",
      grpcRetryThrottle,
      { tokenRatio: 1 },
      "maxTokens must be a whole number from 1 to 1000, got undefined",
    ],
    [
      "grpcRetryThrottle",
      grpcRetryThrottle,
      { maxTokens: 1 },
      "tokenRatio must be a finite number from 0.001, got undefined",
    ],
    [
      "finagleRetryBudget",
      finagleRetryBudget,
      { clock: {} },
      "clock must be an object with a method now, got [object Object]",
    ],
    ["retryRateLimit", retryRateLimit, {}, `perSecond ${aboveZero}, got undefined`],
    ["retryRateLimit", retryRateLimit, { perSecond: 1, clock: 5 }, "clock must be an object with a method now, got 5"],
  ])("bad input of the wrong kind is refused by %s", (owner, make, options, message) => {
    expect(() => make(options)).toThrow(new TypeError(`${owner}: ${message}`));
  });

  it.each<[string, (options: any) => unknown, object]>([
    ["awsRetryQuota", awsRetryQuota, { capacity: 0.5, cost: 0.01, throttlingCost: 0.01 }],
    ["grpcRetryThrottle", grpcRetryThrottle, { maxTokens: 1_000, tokenRatio: 0.001 }],
    ["finagleRetryBudget", finagleRetryBudget, { ttl: 1_000, minPerSecond: 0, ratio: 0 }],
    ["finagleRetryBudget", finagleRetryBudget, { ttl: 60_000, ratio: 1_000 }],
    ["retryRateLimit", retryRateLimit, { perSecond: 0.01, burst: 1 }],
  ])("bad input is not what lies at the limits of %s", (_owner, make, options) => {
    expect(() => make(options)).not.toThrow();
  });

  it.each<[string, (options: any) => unknown, object]>([
    ["awsRetryQuota", awsRetryQuota, {}],
    ["grpcRetryThrottle", grpcRetryThrottle, { maxTokens: 10, tokenRatio: 0.1 }],
    ["finagleRetryBudget", finagleRetryBudget, {}],
    ["retryRateLimit", retryRateLimit, { perSecond: 1 }],
  ])("bad input is an option that %s does not have", (owner, make, options) => {
    expect(() => make({ ...options, rate: 1 })).toThrow(`${owner}: there is no option "rate"`);
  });
});
