import type { AttemptContext } from "../common/attempt.js";
import { type Callable, checkCallable } from "../common/callable.js";
import { theAttempt } from "../common/current.js";
import { observed, type Watchable } from "../common/observed.js";
import type { CompiledPolicy } from "./policy.js";
import { Stats } from "./stats.js";

/** What is retried. */
export interface Target extends Watchable {
  readonly fn: Callable;
  /** `undefined` for blocks, each of which has its own. */
  readonly name: string | undefined;
  readonly stats: Stats;
  /** Counts a call that succeeded at once, and hands its value on. */
  readonly succeeded: <T>(value: T) => T;
}

export function ownName(fn: Callable): string {
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
  return { fn, name: name ?? ownName(fn), stats, succeeded, watch: undefined };
}

/** What a call that begins now calls and counts: where anybody observes, something that reports it. */
export function watched(target: Target, policy: CompiledPolicy, self: unknown, ordinal: number): Target {
  const { watcher } = observed;
  return watcher ? watcher.begin(target, policy, self, ordinal) : target;
}

/** The target of all blocks: a block is its call's `this`, and gets the attempt's context. */
export const TASK_TARGET: Target = {
  fn(this: (context: AttemptContext) => unknown) {
    return this(theAttempt()!.context);
  },
  name: undefined,
  stats: /* @__PURE__ */ new Stats(),
  succeeded: (value) => value,
  watch: undefined,
};

/** Adds `with` and `stats`. */
export function addWithAndStats<W extends object>(
  wrapped: W,
  stats: Stats,
  withOverrides: (overrides: object) => W,
): W {
  return Object.defineProperties(wrapped, {
    with: { value: withOverrides, configurable: true },
    stats: { value: stats, configurable: true },
  });
}
