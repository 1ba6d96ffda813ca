export { type PlainError, reviveError, toPlainError } from "../common/plain-error.js";
export type { DurableGiveUpReason, NextAttempt } from "./decision.js";
export type { ErrorCounts, RetryMemo } from "./memo.js";
export { type EndedAttempt, nextAttempt } from "./next-attempt.js";
export type { DurableOptions } from "./options.js";
export { type DurableEngine, retryDurably } from "./retry-durably.js";
export { runAttempt } from "./run-attempt.js";
export { stopAfterErrors } from "./stop-after-errors.js";
