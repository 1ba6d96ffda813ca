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
} from "./attempt.js";
export {
  type RetryBudgetOptions,
  type RetryBudgets,
  type RetryBudgetsOptions,
  retryBudget,
  retryBudgets,
} from "./budget.js";
export { type Bulkhead, type BulkheadOptions, bulkhead } from "./bulkhead.js";
export { type Bulkheads, type BulkheadsOptions, bulkheads } from "./bulkheads.js";
export { type CircuitBreaker, circuitBreaker } from "./circuit-breaker.js";
export { type CircuitBreakers, type CircuitBreakersOptions, circuitBreakers } from "./circuit-breakers.js";
export type {
  CircuitBreakerOptions,
  CircuitRefusal,
  CircuitState,
  CircuitStateChange,
  CircuitStats,
  CircuitVerdict,
  SavedCircuit,
} from "./circuit-options.js";
export type { Clock, SyncClock } from "./clock.js";
export { currentAttempt } from "./current.js";
export { Retry, type RetryDecorator, RetrySync, type RetrySyncDecorator } from "./decorators.js";
export {
  AttemptTimeoutError,
  BulkheadFullError,
  CircuitOpenError,
  NonRetryableError,
  RetryExhaustedError,
  StrategyError,
  TotalTimeoutError,
  TryAgainError,
} from "./errors.js";
export { returnLastResult, throwRetryExhausted } from "./fallback.js";
export type { GuardWrap, GuardWrapSync } from "./guard.js";
export { type Logger, mergeHooks, type RetryLogEntry, retryLogger } from "./hooks.js";
export {
  type AwsRetryQuotaOptions,
  awsRetryQuota,
  type FinagleRetryBudgetOptions,
  finagleRetryBudget,
  type GrpcRetryThrottleOptions,
  grpcRetryThrottle,
} from "./named-budgets.js";
export { type PreviewRow, previewPolicy } from "./preview.js";
export { type Retried, retry, runWithRetry } from "./retry.js";
export {
  type ErrorClass,
  retryIfAll,
  retryIfAny,
  retryIfError,
  retryIfErrorCause,
  retryIfErrorCode,
  retryIfErrorMessage,
  retryIfErrorType,
  retryIfNot,
  retryIfNotErrorType,
  retryIfNotResult,
  retryIfResult,
  retryNever,
} from "./retry-if.js";
export { type RetryRateLimitOptions, retryRateLimit } from "./retry-rate-limit.js";
export { type RetriedSync, retrySync, runWithRetrySync } from "./retry-sync.js";
export { stopAfterAttempt, stopAfterDelay, stopAll, stopAny, stopBeforeDelay, stopNever } from "./stop.js";
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
} from "./wait.js";
