import { check, FUNCTION } from "./validate.js";

/** Any function, called with whatever there is. */
export type Callable = (...args: any[]) => unknown;

/** The arguments of a block of code, which has none. */
export const NO_ARGS: readonly unknown[] = [];

/** Throws a `TypeError` for what is no function, or one that returns a generator. */
export function checkCallable(owner: string, fn: unknown): asserts fn is Callable {
  // Blocks come here with every call.
  if (typeof fn !== "function") check(owner, "fn", fn, FUNCTION);
  const tag = tagOf(fn);
  if (tag === "GeneratorFunction" || tag === "AsyncGeneratorFunction") {
    throw new TypeError(`${owner}: fn must not be a generator function: wrap a function that consumes it`);
  }
}

/** What `fn` was written as: `"AsyncFunction"`, `"GeneratorFunction"`, …; a plain function has no tag. */
export function tagOf(fn: unknown): unknown {
  return (fn as { [Symbol.toStringTag]?: unknown } | undefined)?.[Symbol.toStringTag];
}
