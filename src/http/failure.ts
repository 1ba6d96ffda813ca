import { statusOf } from "../budget/retry-budget.js";
import type { RetryState } from "../common/attempt.js";
import { chainOf, codeOf, readField } from "../common/inspect.js";
import { JUDGES_ERRORS, mark } from "../common/traits.js";
import { exchangeOf, neverLeft } from "./exchange.js";
import { isNetworkError } from "./network-error.js";
import { isRetryableStatus } from "./status.js";

/**
 * Retries a response whose status the policy's `statuses` lists, network errors, and attempts that timed out: what is retried
 * where no `retryIf` is given. To retry more, join it with others; outside of an HTTP client it goes by the default statuses.
 *
 * @example
 * retryIfHttpFailure({ status: 503 }); // => true
 */
export const retryIfHttpFailure: (error: unknown, state?: RetryState) => boolean = /* @__PURE__ */ mark(
  (error: unknown, state?: RetryState) =>
    (state && exchangeOf(state)?.answeredRetryably(state.outcome)) ?? isFailure(error),
  JUDGES_ERRORS,
);

function isFailure(error: unknown): boolean {
  const status = statusOf(error);
  // One that is none of a failure: axios tells it also where the response broke off in its body.
  if (typeof status === "number" && status >= 400) return isRetryableStatus(status);
  return codeOf(error) === "ERR_ATTEMPT_TIMEOUT" || neverLeft(error) || isNetworkError(error);
}

const SLOW_STATUSES: readonly unknown[] = [408, 429, 503, 504];
const TIMEOUTS: readonly unknown[] = [
  "ERR_ATTEMPT_TIMEOUT",
  "ETIMEDOUT",
  "ESOCKETTIMEDOUT",
  "ECONNABORTED",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
];

/** Whether what failed had too much to do, or too little time, so that the next attempt had better not follow soon. */
export function isSlowDown(state: RetryState): boolean {
  const { outcome } = state;
  if (outcome.ok) return false;
  const status = exchangeOf(state)?.statusOf(outcome);
  if (status !== undefined) return SLOW_STATUSES.includes(status);
  return chainOf(outcome.error).some(isTimeout);
}

function isTimeout(error: unknown): boolean {
  return TIMEOUTS.includes(readField(error, "code")) || readField(error, "name") === "TimeoutError";
}
