import type { GiveUpState } from "../common/attempt.js";
import { RetryExhaustedError } from "../common/errors.js";

/**
 * A `fallback` that ends a call in a `RetryExhaustedError` instead of the last attempt's error, which is its `cause`.
 *
 * @example
 * const load = retry(flaky([new Error("busy")]), { stop: stopAfterAttempt(1), fallback: throwRetryExhausted });
 * await load().catch((error: RetryExhaustedError) => error.cause); // => new Error("busy")
 */
export function throwRetryExhausted(state: GiveUpState): never {
  throw new RetryExhaustedError(state);
}

/**
 * A `fallback` that returns the last attempt's value although `retryIf` did not want it; where the last attempt
 * failed, the error stays the error.
 *
 * @example
 * const poll = retry(() => "pending", {
 *   stop: stopAfterAttempt(1),
 *   retryIf: retryIfResult((job) => job === "pending"),
 *   fallback: returnLastResult,
 * });
 * await poll(); // => "pending"
 */
export function returnLastResult<T>(state: GiveUpState<T>): T {
  if (state.outcome.ok) return state.outcome.value;
  throw state.error;
}
