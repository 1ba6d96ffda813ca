export type { Pause, PauseLeft, SharedPauses } from "../common/pause.js";
export { type HeaderSource, parseRetryAfter, serverDelay } from "../hints/server-delay.js";
export { attemptsOf } from "./attempts-of.js";
export type { Authorize } from "./authorize.js";
export type { DeadlineHeader } from "./deadline-header.js";
export { retryIfHttpFailure } from "./failure.js";
export { HttpStatusError } from "./http-status-error.js";
export type { IdempotencyKeyOption } from "./idempotency-key.js";
export { isNetworkError } from "./network-error.js";
export type { Guard, HttpOptions } from "./options.js";
export type { RetryPerCall } from "./per-call.js";
export {
  type AttemptRequest,
  type HttpHeaders,
  type HttpRequest,
  type HttpResponse,
  type HttpTarget,
  originOf,
} from "./request.js";
export {
  type FetchRequestView,
  type RetryFetchOptions,
  type RetryInit,
  type RetryingFetch,
  retryFetch,
} from "./retry-fetch.js";
export { peekText, retryIfResponse } from "./retry-if-response.js";
export { isIdempotentMethod, isRetryableStatus } from "./status.js";
export type { AnyFetch } from "./which-fetch.js";
