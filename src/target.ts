import type { Policy } from "./policy.js";
import { Stats } from "./stats.js";
import { check, FUNCTION } from "./validate.js";

/** What is retried: a function whose parameters are the caller's own, or a block that gets the attempt's context. */
export interface Target {
  readonly fn: (...args: any[]) => unknown;
  /** `undefined` where it is not worth looking up before somebody asks for it: in a block that runs once. */
  readonly name: string | undefined;
  readonly stats: Stats;
  /** Counts a call that succeeded at once, and hands its value on. */
  readonly succeeded: <T>(value: T) => T;
  /** What does so under the budget of the policy that was last asked for. */
  paying: { readonly policy: Policy; readonly succeeded: (value: unknown) => unknown } | undefined;
}

/** What strategies, hooks and errors call a call's function. */
export function nameOf(policy: Policy, { name, fn }: Target): string {
  return policy.name ?? name ?? ownName(fn);
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

const UNCOUNTED = /* @__PURE__ */ new Stats();
const asIs = <T>(value: T): T => value;

/** The target of a block that runs once. */
export function blockOf(owner: string, fn: unknown): Target {
  checkCallable(owner, fn);
  return { fn, name: undefined, stats: UNCOUNTED, succeeded: asIs, paying: undefined };
}

export function checkCallable(owner: string, fn: unknown): asserts fn is Target["fn"] {
  check(owner, "fn", fn, FUNCTION);
  const tag = tagOf(fn);
  if (tag === "GeneratorFunction" || tag === "AsyncGeneratorFunction") {
    throw new TypeError(
      `${owner}: fn must not be a generator function, since calling it only creates the generator; ` +
        "wrap a function that consumes it instead",
    );
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
