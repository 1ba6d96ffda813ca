import type { RetryBudget, RetryOptions } from "../common/attempt.js";
import type { GuardWrap } from "../common/guard.js";
import type { SharedPauses } from "../common/pause.js";
import { BOUND, FUNCTION, hasMethods, type Rule, WHOLE } from "../common/validate.js";
import { ASYNC } from "../loop/policy.js";
import type { Authorize } from "./authorize.js";
import { DEADLINE_HEADER, type DeadlineHeader } from "./deadline-header.js";
import { type IdempotencyKeyOption, KEY_OPTION } from "./idempotency-key.js";
import type { AttemptRequest, HttpRequest, HttpResponse } from "./request.js";

/** A guard: what `circuitBreaker`, `circuitBreakers`, `bulkhead` and `bulkheads` return. */
export interface Guard {
  readonly wrap: GuardWrap;
}

/** The policy of an HTTP client: the core's options, and what only HTTP has. */
export interface HttpOptions<R extends HttpResponse = any> extends Omit<RetryOptions<R>, "budget"> {
  /**
   * Methods whose requests may be sent again whatever became of the first; or a function that says so of a method. Others
   * are sent again only with an idempotency key, where they never left, or where `unexecuted` lists the answer.
   * @default GET, HEAD, OPTIONS, PUT, DELETE, TRACE, QUERY
   */
  methods?: readonly string[] | ((method: string) => boolean) | undefined;
  /**
   * Statuses that are failures worth another attempt; or a function that says so of a status and its response.
   * @default 408, 421, 425, 429, 500, 502, 503, 504, 520 to 524, 527, 529, 530, and 413 with a `Retry-After`
   */
  statuses?: readonly number[] | ((status: number, response: R) => boolean) | undefined;
  /**
   * Statuses by which a server says that it did nothing; or a function that says so of a status and its response. They lift
   * the rule of methods: a POST that was refused so is sent again, where `statuses` or `retryIf` wants it. They count only as
   * an answer to the request itself, not after a redirect.
   * @default 421, 425, 429
   */
  unexecuted?: readonly number[] | ((status: number, response: R) => boolean) | undefined;
  /**
   * ms, from 0: a server that asks to wait for longer is not waited for, and its response is the call's. Infinity: any.
   * @default 60_000
   */
  maxRetryAfter?: number | undefined;
  /**
   * The ms that a response asks to wait, where that stands neither in a standard header nor in one that is known, as in the
   * body or in a vendor's own header. Asked first; for `undefined` the headers count. It gets a copy, whose body ends after
   * 64 KiB. Asked about responses from status 400, and about those below that `retryIf` wants another attempt after. What it
   * throws, NaN and negative numbers end the call in a `StrategyError`.
   */
  hint?: ((response: R) => number | undefined | Promise<number | undefined>) | undefined;
  /**
   * Gives requests that are not idempotent a key that makes them so: sent in a header, and the same in all attempts of a
   * call. One that the caller set stands.
   * @default false
   */
  idempotencyKey?: IdempotencyKeyOption | undefined;
  /**
   * Returns the headers that authorise a request, set before `prepare` is called. After a 401 it is asked once more, with
   * `renew: true`, and the request is sent a second time within the same attempt: calls that meet a 401 together share one
   * renewal, for each `authorizeKey`. What it throws fails the attempt.
   */
  authorize?: Authorize | undefined;
  /**
   * Which requests share a renewal. Needed where tokens differ by user: a renewal's headers are set on all its requests.
   * @default the request's origin
   */
  authorizeKey?: ((request: HttpRequest) => string) | undefined;
  /** Called before each attempt: may change the request, as to sign it. What it throws fails the attempt. */
  prepare?: ((request: AttemptRequest) => unknown) | undefined;
  /**
   * Where retries are paid from; `false` for nowhere. The first 429 of a call that says how long to wait is free of it.
   * @default a retryBudget() for each origin
   */
  budget?: RetryBudget | false | undefined;
  /** Guards each attempt: `circuitBreakers({ key: originOf })`. What `statuses` lists counts as a failure, but for 413, 421, 425. */
  breaker?: Guard | undefined;
  /** Guards each attempt, and stands around the breaker: `bulkheads({ key: originOf, limit: 20 })`. */
  bulkhead?: Guard | undefined;
  /**
   * Whether a 429, 503 or 529 that says how long to wait holds back every other call of this client to that origin; or, as
   * `fleet.pauses` returns them, the pauses that other clients and processes share, and that are told apart by their own key.
   * One that lasts for longer than `maxRetryAfter` holds back nobody.
   * @default false
   */
  pauseOrigin?: boolean | SharedPauses<HttpRequest> | undefined;
  /**
   * Whether an attempt lasts until the body is there: `attemptTimeout`, `totalTimeout`, the bulkhead's slot and the breaker's
   * verdict then hold to the last byte, and a body that breaks off is a failed attempt. Up to `maxBytes` (1 MiB by default)
   * are kept; what is longer, or a stream of events, flows on under `signal` and `totalTimeout` only, its slot free, and is not
   * retried.
   * @default false
   */
  throughBody?: boolean | { readonly maxBytes?: number | undefined } | undefined;
  /**
   * Sends with each attempt how long it will be waited for, the smaller of what is left of `totalTimeout` and of
   * `attemptTimeout`, in this header's own format. One that the caller set stands.
   */
  deadlineHeader?: DeadlineHeader | undefined;
}

const isMethod = (method: unknown) => typeof method === "string" && method !== "";
const isStatus = (status: unknown) =>
  Number.isInteger(status) && (status as number) >= 100 && (status as number) < 1000;

const METHODS: Rule = [
  "a list of methods, or a function",
  "object|function",
  (methods) => typeof methods === "function" || (Array.isArray(methods) && methods.every(isMethod)),
];
const STATUSES: Rule = [
  "a list of statuses from 100 to 999, or a function",
  "object|function",
  (statuses) => typeof statuses === "function" || (Array.isArray(statuses) && statuses.every(isStatus)),
];
const isBudget = /* @__PURE__ */ hasMethods("acquire", "recordSuccess", "refund");
const BUDGET: Rule = ["a RetryBudget, or false", "boolean|object", (budget) => budget === false || isBudget(budget)];
const GUARD: Rule = ["a guard, which has a method wrap", "object", /* @__PURE__ */ hasMethods("wrap")];
const isShared = /* @__PURE__ */ hasMethods("pauseOf");
const PAUSE_ORIGIN: Rule = [
  "true, false or what fleet.pauses returns",
  "boolean|object",
  (value) => typeof value === "boolean" || isShared(value),
];
const THROUGH_BODY: Rule = ["true, false or { maxBytes }", "boolean|object"];
export const MAX_BYTES: Record<string, Rule> = { maxBytes: WHOLE };

/** The options that only HTTP has, or has in its own way. */
export const HTTP: Record<string, Rule> = {
  methods: METHODS,
  statuses: STATUSES,
  unexecuted: STATUSES,
  maxRetryAfter: BOUND,
  hint: FUNCTION,
  idempotencyKey: KEY_OPTION,
  authorize: FUNCTION,
  authorizeKey: FUNCTION,
  prepare: FUNCTION,
  budget: BUDGET,
  breaker: GUARD,
  bulkhead: GUARD,
  pauseOrigin: PAUSE_ORIGIN,
  throughBody: THROUGH_BODY,
  deadlineHeader: DEADLINE_HEADER,
};

/** Every option of an HTTP client. */
export const HTTP_TABLE: Record<string, Rule> = /* @__PURE__ */ (() => ({ ...ASYNC.table, ...HTTP }))();
