import type { AttemptContext } from "./attempt.js";
import { theAttempt } from "./current.js";
import type { Policy } from "./policy.js";
import type { Call } from "./state.js";
import { Stats } from "./stats.js";
import { check, FUNCTION } from "./validate.js";

/** What is retried. */
export interface Target {
  readonly fn: (...args: any[]) => unknown;
  /** `undefined` for blocks, each of which has its own. */
  readonly name: string | undefined;
  readonly stats: Stats;
  /** Counts a call that succeeded at once, and hands its value on. */
  readonly succeeded: <T>(value: T) => T;
  /** What does so under the budget of the policy that was last asked for. */
  paying: { readonly policy: Policy; readonly succeeded: (value: unknown) => unknown } | undefined;
}

/** What strategies, hooks and errors call a call's function. */
export function nameOf({ policy, target, self }: Call): string {
  return policy.name ?? target.name ?? ownName(self as Target["fn"]);
}

function ownName(fn: Target["fn"]): string {
  // A class may have a static `name` that is anything.
  const name: unknown = fn.name;
  return (typeof name === "string" && name) || "anonymous";
}

/** The target of a wrapper: `fn`, with counters of its own. */
export function targetOf(owner: string, fn: unknown, name?: string): Target {
  checkCallable(owner, fn);
  const stats = new Stats();
  const succeeded = <T>(value: T): T => {
    stats.successes++;
    return value;
  };
  return { fn, name: name ?? ownName(fn), stats, succeeded, paying: undefined };
}

/** The target of all blocks: a block is its call's `this`, and gets the attempt's context. */
export const BLOCK: Target = {
  fn(this: (context: AttemptContext) => unknown) {
    return this(theAttempt()!);
  },
  name: undefined,
  stats: /* @__PURE__ */ new Stats(),
  succeeded: (value) => value,
  paying: undefined,
};

export function checkCallable(owner: string, fn: unknown): asserts fn is Target["fn"] {
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

// What the wrapper has of its own: so it is no constructor, and another wrapper's `with` and `stats` are not its.
const OWN = ["prototype", "caller", "arguments", "with", "stats"];

/** Gives `wrapped` the name, the length and whatever else `fn` carries. */
export function dressAs(fn: object, wrapped: object): void {
  for (const key of Reflect.ownKeys(fn)) {
    if (!OWN.includes(key as string)) {
      Object.defineProperty(wrapped, key, { ...Object.getOwnPropertyDescriptor(fn, key), configurable: true });
    }
  }
}

/** Adds `with` and `stats`. */
export function equip<W extends object>(wrapped: W, stats: Stats, withOverrides: (overrides: object) => W): W {
  return Object.defineProperties(wrapped, {
    with: { value: withOverrides, configurable: true },
    stats: { value: stats, configurable: true },
  });
}
