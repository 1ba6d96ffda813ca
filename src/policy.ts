import type { RetryBudget, RetryOptions } from "./attempt.js";
import { type Clock, type SyncClock, systemClock, systemSyncClock } from "./clock.js";
import { type Watch, watchOf } from "./interrupt.js";
import { afterAttempt } from "./stop.js";
import { ARGS, CLOCK, isMarked, traitsOf, VALUES } from "./traits.js";
import { BOOLEAN, check, FUNCTION, hasMethods, OPTIONS, type Rule, readOptions, STRING, TIMEOUT } from "./validate.js";
import { fullJitter } from "./wait.js";

/** Options checked, filled with the defaults, and what the loops need to know about them worked out once. */
export interface Policy extends Omit<RetryOptions, "clock" | "signal"> {
  readonly kind: Kind;
  /** As they were given. */
  readonly options: RetryOptions;
  readonly stop: NonNullable<RetryOptions["stop"]>;
  readonly wait: NonNullable<RetryOptions["wait"]>;
  readonly budget: RetryBudget | undefined;
  /** ms, Infinity for none. */
  readonly attemptTimeout: number;
  readonly totalTimeout: number;
  readonly clock: Clock & SyncClock;
  readonly random: () => number;
  /** Where a run hears of aborts: of more than one signal where `with` added its own. */
  readonly watches: readonly Watch[];
  /** Somebody looks at `elapsed`. */
  readonly needsClock: boolean;
  /** The budget looks at the arguments of calls that succeed at once. */
  readonly budgetReadsArgs: boolean;
  /** `retryIf` may say yes to a value. */
  readonly readsValues: boolean;
  /** A value is as good as returned: nobody is asked about it or told of it. */
  readonly takesAnyValue: boolean;
  /** Something can end an attempt from outside. */
  readonly guarded: boolean;
  /** A value must pass the run before it goes to the caller. */
  readonly watched: boolean;
}

/** What the policies of the async and the sync loop differ in. */
export interface Kind {
  /** Whom an error about an option names. */
  readonly owner: string;
  readonly sync: boolean;
  readonly table: Record<string, Rule>;
  readonly clock: Clock | SyncClock;
  readonly compiled: WeakMap<object, Policy>;
}

const COMMON: Record<string, Rule> = {
  stop: FUNCTION,
  wait: FUNCTION,
  retryIf: FUNCTION,
  retryExhausted: BOOLEAN,
  budget: ["a RetryBudget", "object", /* @__PURE__ */ hasMethods("acquire", "recordSuccess", "refund")],
  totalTimeout: TIMEOUT,
  fallback: FUNCTION,
  onAttempt: FUNCTION,
  onRetry: FUNCTION,
  onSuccess: FUNCTION,
  onGiveUp: FUNCTION,
  onHookError: FUNCTION,
  name: STRING,
  random: FUNCTION,
};

/** A kind whose policies take the common options and `more`. */
function kindOf(owner: string, sync: boolean, clock: Clock | SyncClock, more: Record<string, Rule>): Kind {
  return { owner, sync, clock, table: { ...COMMON, ...more }, compiled: new WeakMap() };
}

/** What an async policy takes beside the common options. */
export const ASYNC = /* @__PURE__ */ kindOf("retry", false, systemClock, {
  attemptTimeout: TIMEOUT,
  signal: ["an AbortSignal", "object", (signal) => typeof signal.aborted === "boolean" && !!signal.addEventListener],
  onLateResult: FUNCTION,
  unref: BOOLEAN,
  clock: ["a Clock", "object", /* @__PURE__ */ hasMethods("now", "setTimer")],
});

/** A sync policy takes the common options, and sleeps in its own way. */
export const SYNC = /* @__PURE__ */ kindOf("retrySync", true, systemSyncClock, {
  clock: ["a SyncClock", "object", /* @__PURE__ */ hasMethods("now", "sleepSync")],
});

const systemRandom = () => Math.random();
const defaultStop = /* @__PURE__ */ afterAttempt(4);
const defaultWait = /* @__PURE__ */ fullJitter({ base: 500, max: 20_000 });
const NO_OPTIONS = {};

/** The policy of an options object, which is read once and remembered. Throws on an option that makes no sense. */
export function compile(kind: Kind, options: object = NO_OPTIONS): Policy {
  const { owner, table, compiled } = kind;
  return compiled.get(options) ?? remember(compiled, options, build(kind, readOptions(owner, options, table)));
}

/** A policy, or a function that answers one for each call. */
export type PolicySource = Policy | ((self: unknown, args: unknown[]) => Policy);

/** What the options argument of a wrapper says: options, or a function that answers them. */
export function sourceOf(kind: Kind, options: object | undefined): PolicySource {
  if (typeof options !== "function") return compile(kind, options);
  if (isMarked(options))
    throw new TypeError(`${kind.owner}: options must be an object, got a strategy: give it a name`);
  return (self, args) => {
    const answered: object = options.apply(self, args);
    check(kind.owner, "what the options function returned", answered, OPTIONS);
    return compile(kind, answered);
  };
}

/** `source` with some options replaced; a signal joins those that are there. */
export function overlay(kind: Kind, source: PolicySource, overrides: object): PolicySource {
  const given: RetryOptions = readOptions("with", overrides, kind.table);
  if (typeof source !== "function") return extend(source, given);
  const extended = new WeakMap<Policy, Policy>();
  return (self, args) => {
    const base = source(self, args);
    return extended.get(base) ?? remember(extended, base, extend(base, given));
  };
}

function extend(base: Policy, given: RetryOptions): Policy {
  const { signal } = given;
  const watches = new Set(base.watches);
  if (signal) watches.add(watchOf(signal));
  return build(base.kind, { ...base.options, ...given }, [...watches]);
}

/** `policy` for one call: by its own name where the policy has none, and heeding signals of its own as well. */
export function forCall(
  policy: Policy,
  name: string,
  watches: readonly Watch[],
  budget: RetryBudget | undefined,
): Policy {
  const all = watches.length > 0 ? [...new Set([...policy.watches, ...watches])] : policy.watches;
  const guarded = policy.guarded || all.length > 0;
  return {
    ...policy,
    name: policy.name ?? name,
    watches: all,
    guarded,
    watched: policy.watched || guarded || !!budget,
    budget,
  };
}

function remember<K extends object>(cache: WeakMap<K, Policy>, key: K, policy: Policy): Policy {
  cache.set(key, policy);
  return policy;
}

function build(kind: Kind, options: RetryOptions, inherited?: readonly Watch[]): Policy {
  const { stop = defaultStop, wait = defaultWait, retryIf, budget, signal, fallback } = options;
  const { attemptTimeout = Infinity, totalTimeout = Infinity, random = systemRandom, clock = kind.clock } = options;
  const { onAttempt, onRetry, onSuccess, onGiveUp, onHookError, onLateResult, name, retryExhausted, unref } = options;
  const watches = inherited ?? (signal ? [watchOf(signal)] : []);
  const bits = traitsOf(stop) | traitsOf(wait) | (retryIf ? traitsOf(retryIf) : 0) | (budget ? traitsOf(budget) : 0);
  const readsValues = !!retryIf && (traitsOf(retryIf) & VALUES) > 0;
  const guarded = watches.length > 0 || attemptTimeout < Infinity || totalTimeout < Infinity;
  const watched = guarded || readsValues || !!(onSuccess || budget);
  // Written out, so that all policies have one shape.
  return {
    kind,
    options,
    stop,
    wait,
    retryIf,
    retryExhausted,
    budget,
    attemptTimeout,
    totalTimeout,
    fallback,
    onAttempt,
    onRetry,
    onSuccess,
    onGiveUp,
    onHookError,
    onLateResult,
    name,
    unref,
    clock: clock as Clock & SyncClock,
    random,
    watches,
    needsClock:
      (bits & CLOCK) > 0 || readsValues || totalTimeout < Infinity || !!(onRetry || onSuccess || onGiveUp || fallback),
    budgetReadsArgs: !!budget && (traitsOf(budget) & ARGS) > 0,
    readsValues,
    takesAnyValue: !readsValues && !onSuccess,
    guarded,
    watched,
  };
}
