// What the policy knows of a built-in strategy, so that the loop can spare what no strategy looks at. A user's
// function carries no mark and is assumed to look at everything.

/** Reads `state.elapsed`. */
export const READS_ELAPSED = 1;
/** May say yes to a value. */
export const MAY_RETRY_VALUES = 2;
/** Is, or contains, a result predicate. */
export const IS_RESULT_PREDICATE = 4;
/** Looks at the arguments of a call that succeeded at once, as only a budget can. */
export const READS_ARGS = 8;

const traits: unique symbol = /* @__PURE__ */ Symbol.for("undaunted.traits");

/**
 * The mark of result predicates, so that `retryIfNot` can refuse them at compile time. For the compiler alone, and no
 * interface: the declarations of a predicate that a user exports spell it out, and need no name for it.
 */
export type OfResult = { readonly "~result"?: true };

/** A predicate that is no result predicate. */
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
  return (strategy as { [traits]?: number })[traits] ?? READS_ELAPSED | MAY_RETRY_VALUES | READS_ARGS;
}

/** What a combination of strategies looks at: all that its parts do. */
export function traitsOfAll(strategies: readonly object[]): number {
  return strategies.reduce((bits, each) => bits | traitsOf(each), 0);
}
