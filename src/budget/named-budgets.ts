// Budgets of other stacks, with their own published numbers, for people who move from them. Where nothing is to be
// matched, take `retryBudget`.

import type { RetryBudget, RetryState } from "../common/attempt.js";
import { AWS_THROTTLING } from "../common/aws-throttling.js";
import { type Clock, systemTime } from "../common/clock.js";
import { chainOf, readField } from "../common/inspect.js";
import { mark } from "../common/traits.js";
import {
  ABOVE_0,
  checkOrder,
  FUNCTION,
  RATIO,
  type Rule,
  readOptions,
  STRING,
  TIME_SOURCE,
} from "../common/validate.js";
import { namedBudget } from "./named-budget.js";
import { statusOf } from "./retry-budget.js";

/** The options of `awsRetryQuota`. */
export interface AwsRetryQuotaOptions {
  /**
   * What events call it.
   * @default "retry budget"
   */
  name?: string | undefined;
  /**
   * The most tokens there can be, finite and above 0.
   * @default 500
   */
  capacity?: number | undefined;
  /**
   * Tokens to begin with, from 0 to `capacity`.
   * @default capacity
   */
  initial?: number | undefined;
  /**
   * Tokens that a retry costs, above 0.
   * @default 14
   */
  cost?: number | undefined;
  /**
   * Tokens that a retry after throttling costs, above 0.
   * @default 5
   */
  throttlingCost?: number | undefined;
  /**
   * Whether the failure was throttling.
   * @default AWS's throttling codes as `name` or `code`, a status of 429, or `$retryable.throttling`
   */
  isThrottling?: ((state: RetryState) => boolean) | undefined;
}

/**
 * The retry quota of the AWS SDKs' standard mode, version 2.1 (2026): a success gives back what its last retry took,
 * else 1 token; it never refills by time. The SDKs before that are `{ cost: 5 }`; those for JavaScript took 10 for a
 * transient failure, `{ cost: 10 }`. One per client, as there. Bad input is a `RangeError` or `TypeError`.
 *
 * @example
 * const quota = awsRetryQuota();
 * quota.acquire(failed(new Error("reset"))); // => 14
 * quota.balance; // => 486
 */
export function awsRetryQuota(options: AwsRetryQuotaOptions = {}): RetryBudget {
  const {
    capacity = 500,
    initial = capacity,
    cost = 14,
    throttlingCost = 5,
    isThrottling = isThrottlingError,
    name,
  } = readOptions("awsRetryQuota", options, {
    capacity: ABOVE_0,
    initial: RATIO,
    cost: ABOVE_0,
    throttlingCost: ABOVE_0,
    isThrottling: FUNCTION,
    name: STRING,
  });
  checkOrder("awsRetryQuota", "initial", initial, "capacity", capacity);
  let tokens = initial;
  const add = (more: number) => {
    tokens = Math.min(capacity, tokens + more);
  };
  const quota: RetryBudget = {
    name,
    acquire(state) {
      const price = isThrottling(state) ? throttlingCost : cost;
      if (tokens < price) return 0;
      tokens -= price;
      return price;
    },
    recordSuccess: (taken) => add(taken || 1),
    refund: add,
    get balance() {
      return tokens;
    },
  };
  return namedBudget(mark(quota, 0));
}

function isThrottlingError({ outcome }: RetryState): boolean {
  return !outcome.ok && chainOf(outcome.error).some(showsThrottling);
}

function showsThrottling(error: unknown): boolean {
  return (
    AWS_THROTTLING.includes(readField(error, "name")) ||
    AWS_THROTTLING.includes(readField(error, "code")) ||
    statusOf(error) === 429 ||
    readField(readField(error, "$retryable"), "throttling") === true
  );
}

/** The options of `grpcRetryThrottle`, those of a gRPC service config's `retryThrottling`. */
export interface GrpcRetryThrottleOptions {
  /**
   * What events call it.
   * @default "retry budget"
   */
  name?: string | undefined;
  /** The most tokens there can be, and those to begin with: a whole number from 1 to 1,000. */
  maxTokens: number;
  /** Tokens that a success pays, finite and from 0.001; what lies past the third decimal is dropped. */
  tokenRatio: number;
}

const MAX_TOKENS: Rule = [
  "a whole number from 1 to 1000",
  "number",
  (n) => Number.isInteger(n) && n >= 1 && n <= 1_000,
];
const TOKEN_RATIO: Rule = ["a finite number from 0.001", "number", (ratio) => ratio >= 0.001 && ratio < Infinity];

/**
 * The retry throttling of gRPC (gRFC A6): every failure that deserves a retry costs a token, every success pays
 * `tokenRatio`, and retries are allowed while more than half of `maxTokens` is there. First attempts count as much as
 * retries. One per server name, as there. Bad input is a `RangeError` or `TypeError`.
 *
 * A retry itself takes nothing: `acquire` returns 1 for yes, and `refund` has nothing to give back.
 *
 * @example
 * const throttle = grpcRetryThrottle({ maxTokens: 10, tokenRatio: 0.1 });
 * throttle.recordFailure?.(failed(new Error("unavailable")));
 * throttle.balance; // => 9
 */
export function grpcRetryThrottle(options: GrpcRetryThrottleOptions): RetryBudget {
  const { maxTokens, tokenRatio, name } = readOptions(
    "grpcRetryThrottle",
    options,
    { maxTokens: MAX_TOKENS, tokenRatio: TOKEN_RATIO, name: STRING },
    ["maxTokens", "tokenRatio"],
  );
  // In thousandths, so that whole numbers stay whole. (1.001 · 1000 is a little less than 1001.)
  const max = maxTokens * 1_000;
  const perSuccess = Math.floor(tokenRatio * 1_000 + 1e-6);
  let tokens = max;
  const throttle: RetryBudget = {
    name,
    acquire: () => (tokens > max / 2 ? 1 : 0),
    recordSuccess() {
      tokens = Math.min(max, tokens + perSuccess);
    },
    recordFailure() {
      tokens = Math.max(0, tokens - 1_000);
    },
    refund() {},
    get balance() {
      return tokens / 1_000;
    },
  };
  return namedBudget(mark(throttle, 0));
}

/** The options of `finagleRetryBudget`. */
export interface FinagleRetryBudgetOptions {
  /**
   * What events call it.
   * @default "retry budget"
   */
  name?: string | undefined;
  /**
   * ms after which what a request paid, and what a retry took, is forgotten: from 1,000 to 60,000.
   * @default 10_000
   */
  ttl?: number | undefined;
  /**
   * Retries per second that are granted whatever happens, finite and from 0.
   * @default 10
   */
  minPerSecond?: number | undefined;
  /**
   * Retries that a request pays for, from 0 to 1,000.
   * @default 0.2
   */
  ratio?: number | undefined;
  /** Monotonic time in ms: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: Pick<Clock, "now"> | undefined;
}

const FINAGLE = {
  ttl: ["a number of ms from 1000 to 60000", "number", (ms) => ms >= 1_000 && ms <= 60_000],
  minPerSecond: RATIO,
  ratio: ["a number from 0 to 1000", "number", (ratio) => ratio >= 0 && ratio <= 1_000],
  clock: TIME_SOURCE,
  name: STRING,
} satisfies Record<string, Rule>;

const SLOTS = 10;
// Finagle's unit: a request pays so many, a retry costs that divided by the ratio, in whole numbers of 32 bits.
const PER_REQUEST = 1_000;
const LARGEST = 2_147_483_647;

/**
 * The retry budget of Finagle, which tower and linkerd share: every **request** pays for `ratio` retries, whether it
 * succeeds or not, and `minPerSecond` come on top. What was paid and what was taken expires after `ttl`, a tenth of it
 * at a time. Bad input is a `RangeError` or `TypeError`.
 *
 * A request is noticed when its first attempt succeeds, or fails in a way that deserves a retry; the clock is read for
 * each. A budget that is paid by requests pays on while nothing succeeds, which can keep an overloaded server down: prefer
 * `retryBudget`.
 *
 * @example
 * const budget = finagleRetryBudget({ minPerSecond: 0 });
 * for (let request = 1; request <= 5; request++) budget.recordSuccess(0);
 * budget.balance; // => 1
 */
export function finagleRetryBudget(options: FinagleRetryBudgetOptions = {}): RetryBudget {
  const {
    ttl = 10_000,
    minPerSecond = 10,
    ratio = 0.2,
    clock = systemTime,
    name,
  } = readOptions("finagleRetryBudget", options, FINAGLE);
  const deposit = ratio > 0 ? PER_REQUEST : 0;
  const cost = ratio > 0 ? Math.min(LARGEST, Math.floor(PER_REQUEST / ratio)) : 1;
  const reserve = minPerSecond * (ttl / 1_000) * cost;
  const window = slidingSum(ttl / SLOTS, clock);
  const budget: RetryBudget = {
    name,
    acquire() {
      if (window.sum() + reserve < cost) return 0;
      window.add(-cost);
      return 1;
    },
    recordSuccess(_taken, after) {
      if (!after) window.add(deposit);
    },
    recordFailure(state) {
      if (state.attempt === 1) window.add(deposit);
    },
    refund: (taken) => window.add(taken * cost),
    get balance() {
      return Math.max(0, (window.sum() + reserve) / cost);
    },
  };
  return namedBudget(mark(budget, 0));
}

/** A sum over the last ten slots of `width` ms, the one in progress included. */
function slidingSum(width: number, clock: Pick<Clock, "now">) {
  const slots = new Array<number>(SLOTS).fill(0);
  const start = clock.now();
  let latest = 0;
  const turn = () => {
    const current = Math.floor((clock.now() - start) / width);
    for (let left = Math.min(SLOTS, current - latest); left > 0; left--) slots[(current - left + 1) % SLOTS] = 0;
    if (current > latest) latest = current;
  };
  return {
    add(amount: number): void {
      turn();
      slots[latest % SLOTS]! += amount;
    },
    sum(): number {
      turn();
      return slots.reduce((sum, each) => sum + each, 0);
    },
  };
}
