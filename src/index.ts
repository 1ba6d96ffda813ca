export {
  type AwsRetryQuotaOptions,
  awsRetryQuota,
  type FinagleRetryBudgetOptions,
  finagleRetryBudget,
  type GrpcRetryThrottleOptions,
  grpcRetryThrottle,
} from "./budget/named-budgets.js";
export { type RetryRateLimitOptions, retryRateLimit } from "./budget/rate-limit.js";
export {
  type RetryBudgetOptions,
  type RetryBudgets,
  type RetryBudgetsOptions,
  retryBudget,
  retryBudgets,
} from "./budget/retry-budget.js";
export { type Bulkhead, type BulkheadRun, type BulkheadRunOptions, bulkhead } from "./bulkhead/bulkhead.js";
export { type Bulkheads, type BulkheadsOptions, bulkheads } from "./bulkhead/bulkheads.js";
export type { BulkheadOptions } from "./bulkhead/options.js";
export { type CircuitBreaker, circuitBreaker } from "./circuit/breaker.js";
export { type CircuitBreakers, type CircuitBreakersOptions, circuitBreakers } from "./circuit/breakers.js";
export type {
  CircuitBreakerOptions,
  CircuitRefusal,
  CircuitState,
  CircuitStateChange,
  CircuitStats,
  CircuitVerdict,
  HalfOpenOptions,
} from "./circuit/options.js";
export type { SavedCircuit } from "./circuit/saved.js";
export type {
  AnyFn,
  AttemptContext,
  AttemptStart,
  GiveUpReason,
  GiveUpState,
  Hooks,
  OptionsFor,
  Outcome,
  RetryBudget,
  RetryIf,
  RetryOptions,
  RetryState,
  RetryStats,
  Stop,
  SyncRetryIf,
  SyncRetryOptions,
  Wait,
} from "./common/attempt.js";
export type { AttemptRecord, CallRecord } from "./common/call-record.js";
export type { Clock, SyncClock } from "./common/clock.js";
export { currentAttempt } from "./common/current.js";
export {
  AttemptTimeoutError,
  BulkheadFullError,
  CircuitOpenError,
  NonRetryableError,
  RetryExhaustedError,
  StrategyError,
  TotalTimeoutError,
  TryAgainError,
} from "./common/errors.js";
export type { GuardWrap, GuardWrapSync } from "./common/guard.js";
export { isAbortError } from "./common/is-abort.js";
export { observe } from "./common/observe.js";
export type { ObservedEvent } from "./common/observe-events.js";
export { Retry, type RetryDecorator, RetrySync, type RetrySyncDecorator } from "./decorators.js";
export { type PreviewRow, previewPolicy } from "./loop/preview.js";
export { type Retried, retry, runWithRetry } from "./retry.js";
export { type RetriedSync, retrySync, runWithRetrySync } from "./retry-sync.js";
export { returnLastResult, throwRetryExhausted } from "./strategies/fallback.js";
export { mergeHooks } from "./strategies/hooks.js";
export { type Logger, type RetryLogEntry, type RetryLoggerOptions, retryLogger } from "./strategies/logger.js";
export { redact } from "./strategies/redact.js";
export {
  type ErrorClass,
  retryIfError,
  retryIfErrorCause,
  retryIfErrorCode,
  retryIfErrorMessage,
  retryIfErrorName,
  retryIfErrorType,
  retryIfNotErrorName,
  retryIfNotErrorType,
  retryIfNotResult,
  retryIfOutcome,
  retryIfResult,
  retryNever,
} from "./strategies/retry-if.js";
export { retryIfAll, retryIfAny, retryIfNot } from "./strategies/retry-if-any.js";
export { stopAfterAttempt, stopAfterDelay, stopAll, stopAny, stopBeforeDelay, stopNever } from "./strategies/stop.js";
export { traceCalls } from "./strategies/trace.js";
export {
  type ExponentialOptions,
  waitChain,
  waitDecorrelatedJitter,
  waitEqualJitter,
  waitExponential,
  waitFibonacci,
  waitFixed,
  waitFromError,
  waitFromResult,
  waitFullJitter,
  waitIncrementing,
  waitJittered,
  waitMax,
  waitMin,
  waitNone,
  waitRandom,
  waitSum,
} from "./strategies/wait.js";
export { waitResetAfter } from "./strategies/wait-reset-after.js";
