import type { RetryIf, RetryState, SyncRetryIf } from "../common/attempt.js";
import { chainOf, errorsOf, readField } from "../common/inspect.js";
import { isThenable } from "../common/thenable.js";
import {
  IS_RESULT_PREDICATE,
  MAY_RETRY_VALUES,
  mark,
  type NotOfResult,
  type OfResult,
  READS_ELAPSED,
  traitsOf,
  traitsOfAll,
} from "../common/traits.js";
import { check, checkAll, FUNCTION } from "../common/validate.js";

/** A class whose instances can be thrown. */
export type ErrorClass<E = unknown> = abstract new (...args: any) => E;

/**
 * Never retries: for a policy whose attempts are steered by `TryAgainError` alone, or switched off.
 *
 * @example
 * retryNever(failed(new Error("busy"))); // => false
 */
export const retryNever: SyncRetryIf = /* @__PURE__ */ mark(() => false, 0);

/**
 * Retries an error, of any kind or one that `test` wants; never a value.
 *
 * @example
 * retryIfError((error) => error instanceof RangeError)(failed(new RangeError())); // => true
 */
export function retryIfError(test?: (error: unknown) => boolean): SyncRetryIf;
export function retryIfError(test: (error: unknown) => boolean | Promise<boolean>): RetryIf;
export function retryIfError(test: (error: unknown) => boolean | Promise<boolean> = () => true): RetryIf {
  check("retryIfError", "test", test, FUNCTION);
  return ofError(test);
}

/**
 * Retries an error of a class, or of one of a list of classes, that also passes `test`.
 *
 * @example
 * retryIfErrorType([RangeError, URIError])(failed(new TypeError())); // => false
 */
export function retryIfErrorType<C extends ErrorClass>(
  type: C | readonly C[],
  test?: (error: InstanceType<C>) => boolean,
): SyncRetryIf;
export function retryIfErrorType<C extends ErrorClass>(
  type: C | readonly C[],
  test: (error: InstanceType<C>) => boolean | Promise<boolean>,
): RetryIf;
export function retryIfErrorType<C extends ErrorClass>(
  type: C | readonly C[],
  test: (error: InstanceType<C>) => boolean | Promise<boolean> = () => true,
): RetryIf {
  const isOfType = compileTypes("retryIfErrorType", type);
  check("retryIfErrorType", "test", test, FUNCTION);
  if ((test as unknown as ErrorClass).prototype instanceof Error) {
    throw new TypeError("retryIfErrorType: test must not be a class, several classes come in a list; got a class");
  }
  return ofError((error) => isOfType(error) && test(error as InstanceType<C>));
}

/**
 * Retries every error but those of a class, or of a list of classes.
 *
 * @example
 * retryIfNotErrorType(TypeError)(failed(new RangeError())); // => true
 */
export function retryIfNotErrorType(type: ErrorClass | readonly ErrorClass[]): SyncRetryIf {
  const isOfType = compileTypes("retryIfNotErrorType", type);
  return ofError((error) => !isOfType(error));
}

/**
 * Retries an error whose message contains a string or matches a regular expression. A thrown string is its own message.
 *
 * @example
 * retryIfErrorMessage(/deadlock|try again/i)(failed(new Error("Deadlock found"))); // => true
 */
export function retryIfErrorMessage(pattern: string | RegExp): SyncRetryIf {
  if (typeof pattern !== "string") check("retryIfErrorMessage", "pattern", pattern, STRING_OR_REGEXP);
  // A global or sticky expression remembers where it stopped: the same message would match only every other time.
  const matches =
    typeof pattern === "string"
      ? (message: string) => message.includes(pattern)
      : (
          (stateless) => (message: string) =>
            stateless.test(message)
        )(new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")));
  return ofError((error) => {
    const message = typeof error === "string" ? error : readField(error, "message");
    return typeof message === "string" && matches(message);
  });
}

const STRING_OR_REGEXP = ["a string or a RegExp", "object", (pattern: unknown) => pattern instanceof RegExp] as const;
const ERROR_CODE = ["a string or a number", "number", (code: number) => !Number.isNaN(code)] as const;

/**
 * Retries an error with one of `codes` as its `code`, `errno`, `status` or `statusCode` (a string is no number: `503`
 * is not `"503"`). The outermost error in the
 * chain of causes that has any of these decides; of an `AggregateError` all errors must match.
 *
 * @example
 * retryIfErrorCode("ECONNRESET", 503)(failed(new Error("fetch failed", { cause: { code: "ECONNRESET" } }))); // => true
 */
export function retryIfErrorCode(...codes: readonly (string | number)[]): SyncRetryIf {
  if (codes.length === 0) throw new TypeError("retryIfErrorCode: at least one code is needed, got none");
  for (const code of codes) if (typeof code !== "string") check("retryIfErrorCode", "a code", code, ERROR_CODE);
  const wanted = new Set<unknown>(codes);
  return ofError((error) => hasCode(error, wanted));
}

/**
 * Retries an error one of whose causes (not the error itself), to depth 10, passes `test`.
 *
 * @example
 * retryIfErrorCause((cause) => cause instanceof RangeError)(failed(new Error("", { cause: new RangeError() }))); // => true
 */
export function retryIfErrorCause(test: (cause: unknown) => boolean): SyncRetryIf {
  check("retryIfErrorCause", "test", test, FUNCTION);
  return ofError((error) =>
    chainOf(error)
      .slice(1)
      .some((cause) => test(cause)),
  );
}

/**
 * Retries a value that `test` does not like, as in polling; never an error.
 *
 * @example
 * retryIfResult((job: { done: boolean }) => !job.done)(returned({ done: false })); // => true
 */
export function retryIfResult<T>(test: (value: T) => boolean): SyncRetryIf<T> & OfResult;
export function retryIfResult<T>(test: (value: T) => boolean | Promise<boolean>): RetryIf<T> & OfResult;
export function retryIfResult<T>(test: (value: T) => boolean | Promise<boolean>): RetryIf<T> & OfResult {
  check("retryIfResult", "test", test, FUNCTION);
  return ofResult(test);
}

/**
 * Retries until `test` likes the value: `retryIfNotResult(ready)`; never an error.
 *
 * @example
 * retryIfNotResult((job: { done: boolean }) => job.done)(returned({ done: true })); // => false
 */
export function retryIfNotResult<T>(test: (value: T) => boolean): SyncRetryIf<T> & OfResult;
export function retryIfNotResult<T>(test: (value: T) => boolean | Promise<boolean>): RetryIf<T> & OfResult;
export function retryIfNotResult<T>(test: (value: T) => boolean | Promise<boolean>): RetryIf<T> & OfResult {
  check("retryIfNotResult", "test", test, FUNCTION);
  return ofResult((value: T) => negate(test(value)));
}

/**
 * Retries when any of `predicates` says so; asks them in turn and stops at the first yes. Polling that also survives
 * errors is `retryIfAny(retryIfError(), retryIfNotResult(ready))`.
 *
 * @example
 * retryIfAny(retryIfErrorCode(503), retryIfErrorMessage("busy"))(failed(new Error("busy"))); // => true
 */
export function retryIfAny<T>(...predicates: readonly SyncRetryIf<T>[]): SyncRetryIf<T>;
export function retryIfAny<T>(...predicates: readonly RetryIf<T>[]): RetryIf<T>;
export function retryIfAny<T>(...predicates: readonly RetryIf<T>[]): RetryIf<T> {
  checkAll("retryIfAny", predicates);
  return mark<RetryIf<T>>((state) => firstThatSays(true, predicates, state), traitsOfAll(predicates));
}

/**
 * Retries when all of `predicates` say so; asks them in turn and stops at the first no.
 *
 * @example
 * retryIfAll(retryIfErrorCode(503), retryIfErrorMessage("busy"))(failed(new Error("busy"))); // => false
 */
export function retryIfAll<T>(...predicates: readonly SyncRetryIf<T>[]): SyncRetryIf<T>;
export function retryIfAll<T>(...predicates: readonly RetryIf<T>[]): RetryIf<T>;
export function retryIfAll<T>(...predicates: readonly RetryIf<T>[]): RetryIf<T> {
  checkAll("retryIfAll", predicates);
  return mark<RetryIf<T>>((state) => firstThatSays(false, predicates, state), traitsOfAll(predicates));
}

/**
 * Retries a **failed** attempt that `predicate` would not; a value is never retried. A result predicate is refused
 * (`TypeError`, and a compile error): its negation would turn successes into retries; that is what `retryIfNotResult`
 * says.
 *
 * @example
 * retryIfNot(retryIfErrorCode(400, 404))(failed(Object.assign(new Error(), { status: 503 }))); // => true
 */
export function retryIfNot(predicate: SyncRetryIf & NotOfResult): SyncRetryIf;
export function retryIfNot(predicate: RetryIf & NotOfResult): RetryIf;
export function retryIfNot(predicate: RetryIf): RetryIf {
  check("retryIfNot", "predicate", predicate, FUNCTION);
  const bits = traitsOf(predicate);
  if (bits & IS_RESULT_PREDICATE) {
    throw new TypeError(
      "retryIfNot: predicate must not be about results, use retryIfNotResult; got a result predicate",
    );
  }
  return mark<RetryIf>((state) => !state.outcome.ok && negate(predicate(state)), bits & READS_ELAPSED);
}

function ofError(test: (error: unknown) => boolean): SyncRetryIf;
function ofError(test: (error: unknown) => boolean | Promise<boolean>): RetryIf;
function ofError(test: (error: unknown) => boolean | Promise<boolean>): RetryIf {
  return mark<RetryIf>((state) => !state.outcome.ok && test(state.outcome.error), 0);
}

function ofResult<T>(test: (value: T) => boolean | Promise<boolean>): RetryIf<T> & OfResult {
  const predicate: RetryIf<T> = (state) => state.outcome.ok && test(state.outcome.value);
  return mark(predicate, MAY_RETRY_VALUES | IS_RESULT_PREDICATE) as RetryIf<T> & OfResult;
}

function negate(answer: boolean | Promise<boolean>): boolean | Promise<boolean> {
  return isThenable(answer) ? Promise.resolve(answer).then((yes) => !yes) : !answer;
}

function firstThatSays<T>(
  verdict: boolean,
  predicates: readonly RetryIf<T>[],
  state: RetryState<T>,
  from = 0,
): boolean | Promise<boolean> {
  for (let index = from; index < predicates.length; index++) {
    const answer = predicates[index]!(state);
    if (isThenable(answer)) {
      return Promise.resolve(answer).then((yes) =>
        !!yes === verdict ? verdict : firstThatSays(verdict, predicates, state, index + 1),
      );
    }
    if (!!answer === verdict) return verdict;
  }
  return !verdict;
}

function compileTypes(owner: string, type: ErrorClass | readonly ErrorClass[]): (error: unknown) => boolean {
  const types = Array.isArray(type) ? (type as readonly ErrorClass[]) : [type as ErrorClass];
  checkAll(owner, types, "class", ["a class", "function", (each) => typeof each.prototype === "object"]);
  return (error) => types.some((each) => isInstance(error, each));
}

function isInstance(error: unknown, type: ErrorClass): boolean {
  try {
    return error instanceof type;
  } catch {
    // A proxy may refuse to tell.
    return false;
  }
}

const CODE_FIELDS = ["code", "errno", "status", "statusCode"];

function hasCode(error: unknown, wanted: ReadonlySet<unknown>, nesting = 0): boolean {
  for (const each of chainOf(error)) {
    const errors = nesting < 3 && errorsOf(each);
    if (errors) return errors.every((one) => hasCode(one, wanted, nesting + 1));
    const codes = CODE_FIELDS.map((field) => readField(each, field)).filter(
      (code) => typeof code === "string" || typeof code === "number",
    );
    if (codes.length > 0) return codes.some((code) => wanted.has(code));
  }
  return false;
}
