import type { RetryIf, RetryState } from "../common/attempt.js";
import { isThenable } from "../common/thenable.js";
import {
  askPredicate,
  HOLDS_VALUE_PREDICATE,
  JUDGES_ERRORS,
  JUDGES_VALUES,
  type Judge,
  mark,
  type NotOfResult,
  traitsOfPredicate,
} from "../common/traits.js";
import { check, checkAll, PREDICATE } from "../common/validate.js";
import { negate } from "./retry-if.js";

// What a predicate is not asked about, it says no to: a plain function is asked about errors only, `retryIfResult` and
// `retryIfNotResult` about values only, `retryIfOutcome` about both.

/**
 * Retries when any of `predicates` says so; asks them in turn, each about what it looks at, and stops at the first yes.
 * Polling that also survives errors is `retryIfAny(retryIfError(), retryIfNotResult(ready))`.
 *
 * @example
 * const busy = new Error("busy");
 * retryIfAny(retryIfErrorCode(503), retryIfErrorMessage("busy"))(busy, failed(busy)); // => true
 */
export function retryIfAny<T, B extends true = never>(
  ...predicates: readonly Judge<T, boolean, B>[]
): Judge<T, boolean, B>;
export function retryIfAny<T, B extends true = never>(
  ...predicates: readonly Judge<T, boolean | Promise<boolean>, B>[]
): Judge<T, boolean | Promise<boolean>, B>;
export function retryIfAny<T>(...predicates: readonly RetryIf<T>[]): RetryIf<T> {
  checkAll("retryIfAny", predicates, "strategy", PREDICATE);
  return combine(true, predicates, bitsOf(predicates));
}

/**
 * Retries when all of `predicates` say so; asks them in turn and stops at the first no. Throws a `TypeError` where no
 * kind of outcome is looked at by all: a predicate of errors and one of values never agree.
 *
 * @example
 * const busy = new Error("busy");
 * retryIfAll(retryIfErrorCode(503), retryIfErrorMessage("busy"))(busy, failed(busy)); // => false
 */
export function retryIfAll<T, B extends true = never>(
  ...predicates: readonly Judge<T, boolean, B>[]
): Judge<T, boolean, B>;
export function retryIfAll<T, B extends true = never>(
  ...predicates: readonly Judge<T, boolean | Promise<boolean>, B>[]
): Judge<T, boolean | Promise<boolean>, B>;
export function retryIfAll<T>(...predicates: readonly RetryIf<T>[]): RetryIf<T> {
  checkAll("retryIfAll", predicates, "strategy", PREDICATE);
  const kinds = predicates.reduce((common, each) => common & traitsOfPredicate(each), KINDS);
  if (kinds === 0) {
    throw new TypeError(
      "retryIfAll: some of its predicates look at errors only and some at values only, so it can never say yes; " +
        "join them with retryIfAny, or write one retryIfOutcome",
    );
  }
  return combine(false, predicates, (bitsOf(predicates) & ~KINDS) | kinds);
}

/**
 * Retries an **error** that `predicate` would not; a value is never retried. A predicate that looks at values
 * (`retryIfResult`, `retryIfNotResult`, `retryIfOutcome`, or a combination that holds one) is refused with a `TypeError`,
 * and a compile error: its negation would turn successes into retries; that is what `retryIfNotResult` says.
 *
 * @example
 * retryIfNot(retryIfErrorCode(400, 404))(Object.assign(new Error(), { status: 503 })); // => true
 */
export function retryIfNot<P extends RetryIf & NotOfResult>(predicate: P): Negated<P> {
  check("retryIfNot", "predicate", predicate, PREDICATE);
  const bits = traitsOfPredicate(predicate);
  if (bits & HOLDS_VALUE_PREDICATE) {
    throw new TypeError(
      "retryIfNot: predicate must not look at values, use retryIfNotResult; got one that does, or holds one that does",
    );
  }
  const negated: RetryIf = (error, state) => !state?.outcome.ok && negate(askPredicate(predicate, error, state));
  return mark(negated, bits) as Negated<P>;
}

type Verdict<P extends RetryIf> = ReturnType<P> extends boolean ? boolean : boolean | Promise<boolean>;

/** It takes the error alone where `P` does. */
type Negated<P extends RetryIf> = P extends (error: unknown) => unknown
  ? (error: unknown) => Verdict<P>
  : (error: unknown, state: RetryState) => Verdict<P>;

const KINDS = /* @__PURE__ */ (() => JUDGES_ERRORS | JUDGES_VALUES)();

function bitsOf(predicates: readonly RetryIf[]): number {
  return predicates.reduce((bits, each) => bits | traitsOfPredicate(each), 0);
}

function combine<T>(verdict: boolean, predicates: readonly RetryIf<T>[], bits: number): RetryIf<T> {
  return mark<RetryIf<T>>((error, state) => firstThatSays(verdict, predicates, error, state), bits);
}

function firstThatSays<T>(
  verdict: boolean,
  predicates: readonly RetryIf<T>[],
  error: unknown,
  state: RetryState<T>,
  from = 0,
): boolean | Promise<boolean> {
  // Outside a policy a combination may be asked about an error alone.
  const kind = state?.outcome.ok ? JUDGES_VALUES : JUDGES_ERRORS;
  for (let index = from; index < predicates.length; index++) {
    const predicate = predicates[index]!;
    const answer = (traitsOfPredicate(predicate) & kind) > 0 && askPredicate(predicate, error, state);
    if (isThenable(answer)) {
      return Promise.resolve(answer).then((yes) =>
        !!yes === verdict ? verdict : firstThatSays(verdict, predicates, error, state, index + 1),
      );
    }
    if (!!answer === verdict) return verdict;
  }
  return !verdict;
}
