import { statusOf } from "../budget/retry-budget.js";
import type { Outcome, RetryState } from "../common/attempt.js";
import { kindOf } from "../common/brand.js";
import { chainOf, readField } from "../common/inspect.js";
import { JUDGES_ERRORS, mark } from "../common/traits.js";
import { type HeaderSource, serverVerdict } from "../hints/server-delay.js";
import { classifyNetworkError } from "../transient/network.js";
import { answerOf } from "./answers.js";
import { isNetworkError } from "./network-error.js";
import { isRetryableStatus } from "./status.js";

// What deserves another attempt, as functions of what happened. Whether one may be made is another question: HttpCall's.

/**
 * Retries a response whose status the policy's `statuses` lists, network errors, and attempts that timed out: what is retried
 * where no `retryIf` is given. To retry more, join it with others; outside of an HTTP client it goes by the default statuses.
 *
 * @example
 * retryIfHttpFailure({ status: 503 }); // => true
 */
export const retryIfHttpFailure: (error: unknown, state?: RetryState) => boolean = /* @__PURE__ */ mark(
  (error: unknown) => answerOf(error)?.retryable ?? isFailure(error),
  JUDGES_ERRORS,
);

function isFailure(error: unknown): boolean {
  const status = statusOf(error);
  // One that is none of a failure: axios gives it also where the response broke off in its body.
  if (typeof status === "number" && status >= 400) return isRetryableStatus(status);
  return kindOf(error) === "ERR_ATTEMPT_TIMEOUT" || neverLeft(error) || isNetworkError(error);
}

/** Whether a request that failed with `error` was surely not executed. */
export function neverLeft(error: unknown): boolean {
  return kindOf(error) === "ERR_BULKHEAD_FULL" || classifyNetworkError(error) === "safe";
}

/**
 * Whether a response that may be a failure deserves another attempt. `listed`: the policy's `statuses` has it; `keyed`: the
 * request carries an idempotency key.
 */
export function deservesRetry(status: number, headers: HeaderSource, listed: boolean, keyed: boolean): boolean {
  // A key that was used with another payload stays so; one whose first call still runs will be free.
  if (keyed && status === 422) return false;
  return serverVerdict(headers) ?? (listed || (keyed && status === 409));
}

const SLOW_STATUSES: readonly unknown[] = [408, 429, 503, 504, 522, 524, 529];
const TIMEOUTS: readonly unknown[] = [
  "ETIMEDOUT",
  "ESOCKETTIMEDOUT",
  "ECONNABORTED",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
];

/** Whether what failed had too much to do, or too little time, so that the next attempt had better not follow soon. */
export function isSlowDown(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const status = answerOf(outcome.error)?.response.status;
  if (status !== undefined) return SLOW_STATUSES.includes(status);
  return chainOf(outcome.error).some(isTimeout);
}

function isTimeout(error: unknown): boolean {
  if (kindOf(error) === "ERR_ATTEMPT_TIMEOUT") return true;
  return TIMEOUTS.includes(readField(error, "code")) || readField(error, "name") === "TimeoutError";
}
