import type { RetryState } from "./attempt.js";

// What the policy knows of a built-in strategy, so that the loop can spare what no strategy looks at. A user's function
// carries no mark and is assumed to look at everything that its role is shown.

/** Reads `state.elapsed`. */
export const READS_ELAPSED = 1;
/** Is asked about values. */
export const JUDGES_VALUES = 2;
/** Is, or holds, a predicate that is asked about values. */
export const HOLDS_VALUE_PREDICATE = 4;
/** Looks at the arguments of a call that succeeded at once, as only a budget can. */
export const READS_ARGS = 8;
/** Is asked about errors. */
export const JUDGES_ERRORS = 16;
/** Reads `state.delay`. */
export const READS_DELAY = 32;
/** Is, or holds, a `stopBeforeDelay`: what took time after it was asked may have changed its verdict. */
export const BOUNDS_THE_NEXT_START = 64;

const OF_A_USER = /* @__PURE__ */ (() => READS_ELAPSED | READS_ARGS | JUDGES_ERRORS | READS_DELAY)();

const traits: unique symbol = /* @__PURE__ */ Symbol.for("undaunted.traits");

/**
 * A predicate that is asked about values (`B` is true), or about errors only (`B` is never), so that `retryIfNot` can
 * refuse the former at compile time. For the compiler alone: `~result` is never there. No interface, so that the
 * declarations of a predicate that a user exports spell it out and need no name for it; and no intersection with
 * `RetryIf`, through which the compiler would not infer `T` from where the predicate is used.
 */
export type Judge<T, Verdict, B extends true> = {
  (error: unknown, state: RetryState<T>): Verdict;
  readonly "~result"?: B;
};

/** A predicate that is asked about values. */
export type ValueJudge<T, Verdict> = Judge<T, Verdict, true>;

/** What `retryIfNot` takes. */
export type NotOfResult = { readonly "~result"?: never };

/** Marks a built-in strategy. */
export function mark<F extends object>(strategy: F, bits: number): F {
  return Object.defineProperty(strategy, traits, { value: bits });
}

/** Whether `value` is a built-in strategy. */
export function isMarked(value: object): boolean {
  return traits in value;
}

/** What a strategy looks at; of a user's own, everything. */
export function traitsOf(strategy: object): number {
  return (strategy as { [traits]?: number })[traits] ?? OF_A_USER;
}

/** The same of a predicate: a user's own that takes the error alone cannot look at the state. */
export function traitsOfPredicate(predicate: (...asked: never) => unknown): number {
  return isMarked(predicate) || !takesErrorAlone(predicate) ? traitsOf(predicate) : JUDGES_ERRORS;
}

/** What a combination of strategies looks at: all that its parts do. */
export function traitsOfAll(strategies: readonly object[]): number {
  return strategies.reduce((bits, each) => bits | traitsOf(each), 0);
}

/**
 * Asks a predicate about the outcome that `state` holds. One that declares a single parameter is called with the error
 * alone: a default value for a second one stays its own.
 */
export function askPredicate<S, R>(predicate: (error: unknown, state: S) => R, error: unknown, state: S): R {
  return takesErrorAlone(predicate) ? (predicate as (error: unknown) => R)(error) : predicate(error, state);
}

function takesErrorAlone(predicate: (...asked: never) => unknown): boolean {
  return predicate.length === 1;
}
