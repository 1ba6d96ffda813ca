import type { RetryOptions } from "../common/attempt.js";
import { JUDGES_ERRORS, JUDGES_VALUES, traitsOfPredicate } from "../common/traits.js";
import { BOOLEAN, BOUND, FUNCTION, hasMethods, type Rule } from "../common/validate.js";
import { ASYNC, type CompiledPolicy, type LoopKind, type PolicySource } from "../loop/policy.js";

/** What is about to be opened again. */
export interface Reopening<T = any> {
  /** The last item that got through, `undefined` before the first. */
  readonly last: T | undefined;
  /** Items that got through so far. */
  readonly count: number;
  /** ms slept before this opening. */
  readonly delay: number;
}

/** Something that lets a task run under it, as a bulkhead or a breaker does. */
export interface StreamGuard {
  run(task: () => Promise<any>): Promise<any>;
}

/** The policy of a stream: one of `retry`, without `fallback`, and what only a stream needs. */
export interface RetryIterableOptions<T = any> extends Omit<RetryOptions<T>, "fallback"> {
  /** Before each opening but the first, after its sleep. */
  onReopen?: ((reopening: Reopening<T>) => unknown) | undefined;
  /**
   * An item that gets through begins attempts, `elapsed` and backoff anew: `stopAfterAttempt(4)` is four in a row
   * without an item. `false` counts them over the whole stream. `totalTimeout` is the whole stream's in any case.
   * @default true
   */
  resetOnItem?: boolean | undefined;
  /**
   * ms that a source may take to close (its `return`) before it is no longer waited for, from 0.
   * @default 1_000
   */
  closeTimeout?: number | undefined;
  /**
   * Guards that each source is held under from its opening to its end, the outermost first: a bulkhead's slot is taken as
   * long as the stream flows, and a breaker's verdict is that of its end. One that is wrapped around `open` instead is
   * done when `open` has returned.
   */
  guards?: readonly StreamGuard[] | undefined;
}

/** A policy of streams, checked and filled with defaults. */
export interface StreamPolicy extends CompiledPolicy {
  readonly onReopen: RetryIterableOptions["onReopen"];
  readonly resetOnItem: boolean;
  readonly closeTimeout: number;
  readonly guards: readonly StreamGuard[];
}

const isGuard = /* @__PURE__ */ hasMethods("run");

const OWN: Record<string, Rule> = {
  onReopen: FUNCTION,
  resetOnItem: BOOLEAN,
  closeTimeout: BOUND,
  guards: [
    "an array of bulkheads or breakers",
    "object",
    (guards: unknown) => Array.isArray(guards) && guards.every((guard) => guard && isGuard(guard)),
  ],
};

const { fallback: _, ...taken } = ASYNC.table;
const { fallback: __, ...defaults } = ASYNC.defaults as { fallback: undefined };

/** What the policies of streams are made by. */
export const STREAM: LoopKind = {
  ...ASYNC,
  owner: "retryIterable",
  table: { ...taken, retryIf: ["a predicate that is asked about errors", "function", judgesErrors], ...OWN },
  defaults: { ...defaults, onReopen: undefined, resetOnItem: true, closeTimeout: 1_000, guards: [] },
  compiled: new WeakMap(),
};

/** A stream's items are never judged: a predicate that looks at nothing else would say no for ever. */
function judgesErrors(predicate: (...asked: never) => unknown): boolean {
  const bits = traitsOfPredicate(predicate);
  return !(bits & JUDGES_VALUES) || (bits & JUDGES_ERRORS) > 0;
}

/** The policy of one stream. */
export function policyOf(source: PolicySource, self: unknown, args: unknown[]): StreamPolicy {
  return (typeof source === "function" ? source(self, args) : source) as StreamPolicy;
}
