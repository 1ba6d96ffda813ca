import type { RetryState } from "../common/attempt.js";
import { chainOf, errorsOf, readField } from "../common/inspect.js";
import { isAbortError } from "../common/is-abort.js";
import { isErrorClass } from "../common/meant.js";
import { isThenable } from "../common/thenable.js";
import {
  HOLDS_VALUE_PREDICATE,
  JUDGES_ERRORS,
  JUDGES_VALUES,
  mark,
  READS_ELAPSED,
  type ValueJudge,
} from "../common/traits.js";
import { check, checkAll, FUNCTION, PREDICATE, STRING } from "../common/validate.js";

// A predicate of errors takes the error alone; one of values, the state too.
type OfError = (error: unknown) => boolean;
type OfErrorLater = (error: unknown) => boolean | Promise<boolean>;

/** A class whose instances can be thrown. */
export type ErrorClass<E = unknown> = abstract new (...args: any) => E;

/**
 * Never retries: for a policy whose attempts are steered by `TryAgainError` alone, or switched off.
 *
 * @example
 * retryNever(new Error("busy")); // => false
 */
export const retryNever: (error: unknown) => boolean = /* @__PURE__ */ mark((_error: unknown) => false, JUDGES_ERRORS);

/**
 * Retries an error that `test` wants, never a value. Without a test it is the default of `retryIf`: every error but the
 * caller's own abort (`isAbortError`).
 *
 * @example
 * retryIfError((error) => error instanceof RangeError)(new RangeError()); // => true
 * retryIfError()(new DOMException("the user left", "AbortError")); // => false
 */
export function retryIfError(test?: (error: unknown) => boolean): OfError;
export function retryIfError(test: (error: unknown) => boolean | Promise<boolean>): OfErrorLater;
export function retryIfError(test: OfErrorLater = (error) => !isAbortError(error)): OfErrorLater {
  check("retryIfError", "test", test, PREDICATE);
  return ofError(test);
}

/**
 * Retries an error of a class, or of one of a list of classes, that also passes `test`, which gets it as one of that
 * class.
 *
 * @example
 * retryIfErrorType([RangeError, URIError])(new TypeError()); // => false
 */
export function retryIfErrorType<C extends ErrorClass>(
  type: C | readonly C[],
  test?: (error: InstanceType<C>) => boolean,
): OfError;
export function retryIfErrorType<C extends ErrorClass>(
  type: C | readonly C[],
  test: (error: InstanceType<C>) => boolean | Promise<boolean>,
): OfErrorLater;
export function retryIfErrorType<C extends ErrorClass>(
  type: C | readonly C[],
  test: (error: InstanceType<C>) => boolean | Promise<boolean> = () => true,
): OfErrorLater {
  const isOfType = compileTypes("retryIfErrorType", type);
  check("retryIfErrorType", "test", test, FUNCTION);
  if (isErrorClass(test)) {
    throw new TypeError("retryIfErrorType: test must not be a class, several classes come in a list; got a class");
  }
  return ofError((error) => isOfType(error) && test(error as InstanceType<C>));
}

/**
 * Retries every error but those of a class, or of a list of classes.
 *
 * @example
 * retryIfNotErrorType(TypeError)(new RangeError()); // => true
 */
export function retryIfNotErrorType(type: ErrorClass | readonly ErrorClass[]): OfError {
  const isOfType = compileTypes("retryIfNotErrorType", type);
  return ofError((error) => !isOfType(error));
}

/**
 * Retries an error with one of `names` as its `name`: for errors that crossed a queue, a journal or a worker and lost
 * their class on the way.
 *
 * @example
 * retryIfErrorName("TimeoutError", "BusyError")({ name: "BusyError", message: "from a queue" }); // => true
 */
export function retryIfErrorName(...names: readonly string[]): OfError {
  const isNamed = compileNames("retryIfErrorName", names);
  return ofError(isNamed);
}

/**
 * Retries every error but those with one of `names` as their `name`.
 *
 * @example
 * retryIfNotErrorName("ValidationError")(new RangeError()); // => true
 */
export function retryIfNotErrorName(...names: readonly string[]): OfError {
  const isNamed = compileNames("retryIfNotErrorName", names);
  return ofError((error) => !isNamed(error));
}

/**
 * Retries an error whose message contains a string or matches a regular expression. A thrown string is its own message.
 *
 * @example
 * retryIfErrorMessage(/deadlock|try again/i)(new Error("Deadlock found")); // => true
 */
export function retryIfErrorMessage(pattern: string | RegExp): OfError {
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
 * retryIfErrorCode("ECONNRESET", 503)(new Error("fetch failed", { cause: { code: "ECONNRESET" } })); // => true
 */
export function retryIfErrorCode(...codes: readonly (string | number)[]): OfError {
  if (codes.length === 0) throw new TypeError("retryIfErrorCode: at least one code is needed, got none");
  for (const code of codes) if (typeof code !== "string") check("retryIfErrorCode", "a code", code, ERROR_CODE);
  const wanted = new Set<unknown>(codes);
  return ofError((error) => hasCode(error, wanted));
}

/**
 * Retries an error one of whose causes (not the error itself), to depth 10, passes `test`.
 *
 * @example
 * retryIfErrorCause((cause) => cause instanceof RangeError)(new Error("", { cause: new RangeError() })); // => true
 */
export function retryIfErrorCause(test: (cause: unknown) => boolean): OfError {
  check("retryIfErrorCause", "test", test, PREDICATE);
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
 * retryIfResult((job: { done: boolean }) => !job.done)(undefined, returned({ done: false })); // => true
 */
export function retryIfResult<T>(test: (value: T) => boolean): ValueJudge<T, boolean>;
export function retryIfResult<T>(
  test: (value: T) => boolean | Promise<boolean>,
): ValueJudge<T, boolean | Promise<boolean>>;
export function retryIfResult<T>(
  test: (value: T) => boolean | Promise<boolean>,
): ValueJudge<T, boolean | Promise<boolean>> {
  check("retryIfResult", "test", test, FUNCTION);
  return ofResult(test);
}

/**
 * Retries until `test` likes the value: `retryIfNotResult(ready)`; never an error.
 *
 * @example
 * retryIfNotResult((job: { done: boolean }) => job.done)(undefined, returned({ done: true })); // => false
 */
export function retryIfNotResult<T>(test: (value: T) => boolean): ValueJudge<T, boolean>;
export function retryIfNotResult<T>(
  test: (value: T) => boolean | Promise<boolean>,
): ValueJudge<T, boolean | Promise<boolean>>;
export function retryIfNotResult<T>(
  test: (value: T) => boolean | Promise<boolean>,
): ValueJudge<T, boolean | Promise<boolean>> {
  check("retryIfNotResult", "test", test, FUNCTION);
  return ofResult((value: T) => negate(test(value)));
}

/**
 * Retries an attempt whose state `test` wants, whether it failed or returned a value: for a condition on both, or on a
 * value and what else the state holds.
 *
 * @example
 * const retryIf = retryIfOutcome(({ outcome, attempt }) => !outcome.ok || (outcome.value === "stale" && attempt < 2));
 * retryIf(undefined, returned("stale")); // => true
 */
export function retryIfOutcome<T>(test: (state: RetryState<T>) => boolean): ValueJudge<T, boolean>;
export function retryIfOutcome<T>(
  test: (state: RetryState<T>) => boolean | Promise<boolean>,
): ValueJudge<T, boolean | Promise<boolean>>;
export function retryIfOutcome<T>(
  test: (state: RetryState<T>) => boolean | Promise<boolean>,
): ValueJudge<T, boolean | Promise<boolean>> {
  check("retryIfOutcome", "test", test, FUNCTION);
  const bits = READS_ELAPSED | JUDGES_ERRORS | JUDGES_VALUES | HOLDS_VALUE_PREDICATE;
  return mark((_error: unknown, state: RetryState<T>) => test(state), bits);
}

function ofError(test: OfError): OfError;
function ofError(test: OfErrorLater): OfErrorLater;
function ofError(test: OfErrorLater): OfErrorLater {
  return mark((error: unknown) => test(error), JUDGES_ERRORS);
}

function ofResult<T>(test: (value: T) => boolean | Promise<boolean>): ValueJudge<T, boolean | Promise<boolean>> {
  return mark(
    (_error: unknown, { outcome }: RetryState<T>) => outcome.ok && test(outcome.value),
    JUDGES_VALUES | HOLDS_VALUE_PREDICATE,
  );
}

/** The opposite of a verdict. */
export function negate(answer: boolean | Promise<boolean>): boolean | Promise<boolean> {
  return isThenable(answer) ? Promise.resolve(answer).then((yes) => !yes) : !answer;
}

function compileTypes(owner: string, type: ErrorClass | readonly ErrorClass[]): (error: unknown) => boolean {
  const types = Array.isArray(type) ? (type as readonly ErrorClass[]) : [type as ErrorClass];
  checkAll(owner, types, "class", ["a class", "function", (each) => typeof each.prototype === "object"]);
  return (error) => types.some((each) => isInstance(error, each));
}

function compileNames(owner: string, names: readonly string[]): OfError {
  checkAll(owner, names, "name", STRING);
  return (error) => names.includes(readField(error, "name") as string);
}

function isInstance(error: unknown, type: ErrorClass): boolean {
  try {
    return error instanceof type;
  } catch {
    // A proxy may throw.
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
