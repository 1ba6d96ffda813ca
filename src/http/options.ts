import type { RetryBudget, RetryOptions } from "../common/attempt.js";
import type { GuardWrap } from "../common/guard.js";
import { BOOLEAN, BOUND, FUNCTION, hasMethods, type Rule } from "../common/validate.js";
import { ASYNC } from "../loop/policy.js";
import { type IdempotencyKeyOption, KEY_OPTION } from "./idempotency-key.js";
import type { AttemptRequest, HttpResponse } from "./request.js";

/** A guard: what `circuitBreaker`, `circuitBreakers`, `bulkhead` and `bulkheads` answer. */
export interface Guard {
  readonly wrap: GuardWrap;
}

/** The policy of an HTTP client: the core's options, and what only HTTP has. */
export interface HttpOptions<R extends HttpResponse = any> extends Omit<RetryOptions<R>, "budget"> {
  /**
   * Methods whose requests may be sent again whatever became of the first; or a function that says so of a method. Others
   * are sent again only with an idempotency key, or where they never left.
   * @default GET, HEAD, OPTIONS, PUT, DELETE, TRACE, QUERY
   */
  methods?: readonly string[] | ((method: string) => boolean) | undefined;
  /**
   * Statuses that are failures worth another attempt; or a function that says so of a status and its response.
   * @default 408, 425, 429, 500, 502, 503, 504
   */
  statuses?: readonly number[] | ((status: number, response: R) => boolean) | undefined;
  /**
   * ms, from 0: a server that asks to wait for longer is not waited for, and its response is the call's. Infinity: any.
   * @default 60_000
   */
  maxRetryAfter?: number | undefined;
  /**
   * Gives requests that are not idempotent a key that makes them so: sent in a header, and the same in all attempts of a
   * call. One that the caller set stands.
   * @default false
   */
  idempotencyKey?: IdempotencyKeyOption | undefined;
  /** Called before each attempt: may change the request, as to sign it or to renew its token. What it throws fails the attempt. */
  prepare?: ((request: AttemptRequest) => unknown) | undefined;
  /**
   * Where retries are paid from; `false` for nowhere.
   * @default a retryBudget() for each origin
   */
  budget?: RetryBudget | false | undefined;
  /** Guards each attempt: `circuitBreakers({ key: originOf })`. What `statuses` lists counts as a failure. */
  breaker?: Guard | undefined;
  /** Guards each attempt, and stands around the breaker: `bulkheads({ key: originOf, limit: 20 })`. */
  bulkhead?: Guard | undefined;
  /**
   * Whether a 429 or 503 that says how long to wait holds back every other call of this client to that origin.
   * @default false
   */
  pauseOrigin?: boolean | undefined;
}

const isMethod = (method: unknown) => typeof method === "string" && method !== "";
const isStatus = (status: unknown) =>
  Number.isInteger(status) && (status as number) >= 100 && (status as number) < 1000;

const METHODS: Rule = [
  "a list of methods, or a function",
  "any",
  (methods) => typeof methods === "function" || (Array.isArray(methods) && methods.every(isMethod)),
];
const STATUSES: Rule = [
  "a list of statuses from 100 to 999, or a function",
  "any",
  (statuses) => typeof statuses === "function" || (Array.isArray(statuses) && statuses.every(isStatus)),
];
const isBudget = /* @__PURE__ */ hasMethods("acquire", "recordSuccess", "refund");
const BUDGET: Rule = [
  "a RetryBudget, or false",
  "any",
  (budget) => budget === false || (typeof budget === "object" && budget !== null && isBudget(budget)),
];
const GUARD: Rule = ["a guard, which has a method wrap", "object", /* @__PURE__ */ hasMethods("wrap")];

/** The options that only HTTP has, or has in its own way. */
export const HTTP: Record<string, Rule> = {
  methods: METHODS,
  statuses: STATUSES,
  maxRetryAfter: BOUND,
  idempotencyKey: KEY_OPTION,
  prepare: FUNCTION,
  budget: BUDGET,
  breaker: GUARD,
  bulkhead: GUARD,
  pauseOrigin: BOOLEAN,
};

/** Every option of an HTTP client. */
export const HTTP_TABLE: Record<string, Rule> = { ...ASYNC.table, ...HTTP };
