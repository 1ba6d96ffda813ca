import type { RetryBudget } from "../common/attempt.js";
import { type Clock, systemTime } from "../common/clock.js";
import { shareable } from "../common/shareable.js";
import { mark } from "../common/traits.js";
import { ABOVE_0, FACTOR, readOptions, STRING, TIME_SOURCE } from "../common/validate.js";
import { namedBudget } from "./named-budget.js";
import { stopwatch } from "./retry-budget.js";

/** The options of `retryRateLimit`. */
export interface RetryRateLimitOptions {
  /**
   * What events call it.
   * @default "retry budget"
   */
  name?: string | undefined;
  /** Retries per second in the long run, finite and above 0. */
  perSecond: number;
  /**
   * Retries that may come at once, finite and from 1; those to begin with.
   * @default perSecond, at least 1
   */
  burst?: number | undefined;
  /** Monotonic time in ms: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: Pick<Clock, "now"> | undefined;
}

/**
 * So many retries per second and no more, whatever succeeds or fails: a token bucket that time fills. It bounds what
 * retries add to a load of known size; where the load varies, `retryBudget` follows it. Bad input is a `RangeError` or
 * `TypeError`.
 *
 * @example
 * const limit = retryRateLimit({ perSecond: 0.5 });
 * limit.acquire(failed(new Error("busy"))); // => 1
 * limit.acquire(failed(new Error("busy"))); // => 0
 */
export function retryRateLimit(options: RetryRateLimitOptions): RetryBudget {
  const {
    name,
    perSecond,
    burst = Math.max(1, perSecond),
    clock = systemTime,
  } = readOptions("retryRateLimit", options, { perSecond: ABOVE_0, burst: FACTOR, clock: TIME_SOURCE, name: STRING }, [
    "perSecond",
  ]);
  const passed = stopwatch(clock);
  let tokens = burst;
  let share = 1;
  const add = (more: number) => {
    tokens = Math.min(burst, tokens + more);
  };
  const fill = () => add((passed() / 1_000) * perSecond * share);
  const limit: RetryBudget = {
    name,
    acquire() {
      fill();
      if (tokens < 1) return 0;
      tokens -= 1;
      return 1;
    },
    recordSuccess() {},
    refund: add,
    get balance() {
      fill();
      return tokens;
    },
  };
  const restrict = (most: number, of: number) => {
    fill();
    tokens = Math.min(tokens, most);
    share = of;
  };
  return namedBudget(shareable(mark(limit, 0), { perSecond, burst, restrict }));
}
