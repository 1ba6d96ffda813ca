import { Stats } from "./stats.js";
import { check, FUNCTION } from "./validate.js";

/** What is retried: a function whose parameters are the caller's own, or a block that gets the attempt's context. */
export interface Target {
  readonly fn: (...args: any[]) => unknown;
  /** The function's own name: a policy's `name` comes before it. */
  readonly name: string;
  readonly stats: Stats;
  /** Counts a call that succeeded at once, and hands its value on. */
  readonly succeeded: <T>(value: T) => T;
}

/** Checks that `fn` can be retried at all; `owner` is the function that was asked to. */
export function targetOf(owner: string, fn: unknown, name = "", stats = new Stats()): Target {
  check(owner, "fn", fn, FUNCTION);
  if (isKind(fn, "GeneratorFunction") || isKind(fn, "AsyncGeneratorFunction")) {
    throw new TypeError(
      `${owner}: fn must not be a generator function, since calling it only creates the generator; ` +
        "wrap a function that consumes it instead",
    );
  }
  const succeeded = <T>(value: T): T => {
    stats.successes++;
    return value;
  };
  // A class may have a static `name` that is anything.
  const own: unknown = (fn as Target["fn"]).name;
  return { fn: fn as Target["fn"], name: name || (typeof own === "string" && own) || "anonymous", stats, succeeded };
}

/** Whether `fn` was written as such: `"AsyncFunction"`, `"GeneratorFunction"`, … */
export function isKind(fn: unknown, kind: string): boolean {
  return Object.prototype.toString.call(fn) === `[object ${kind}]`;
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
