import type { RetryBudget, RetryOptions, SyncRetryOptions } from "./attempt.js";
import { type Clock, type SyncClock, systemClock } from "./clock.js";
import { stopAfterAttempt } from "./stop.js";
import { CLOCK, traitsOf, VALUES } from "./traits.js";
import { BOOLEAN, check, FUNCTION, hasMethods, OPTIONS, type Rule, readOptions, STRING, TIMEOUT } from "./validate.js";
import { waitFullJitter } from "./wait.js";

/** Options checked, filled with the defaults, and what the loops need to know about them worked out once. */
export interface Policy extends Omit<RetryOptions, "clock" | "signal" | "attemptTimeout" | "totalTimeout"> {
  /** As they were given. */
  readonly options: RetryOptions;
  readonly sync: boolean;
  readonly stop: NonNullable<RetryOptions["stop"]>;
  readonly wait: NonNullable<RetryOptions["wait"]>;
  readonly budget: RetryBudget | undefined;
  /** ms, Infinity for none. */
  readonly attemptTimeout: number;
  readonly totalTimeout: number;
  readonly clock: Clock & SyncClock;
  readonly random: () => number;
  /** More than one where `with` added its own. */
  readonly signals: readonly AbortSignal[];
  /** Somebody looks at `elapsed`. */
  readonly needsClock: boolean;
  /** `retryIf` may say yes to a value. */
  readonly readsValues: boolean;
  /** Something can end an attempt from outside. */
  readonly guarded: boolean;
  /** A value must pass the run before it goes to the caller. */
  readonly watched: boolean;
}

const COMMON: Record<string, Rule> = {
  stop: FUNCTION,
  wait: FUNCTION,
  retryIf: FUNCTION,
  retryExhausted: BOOLEAN,
  budget: ["a RetryBudget", "object", hasMethods("acquire", "recordSuccess", "refund")],
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

const ASYNC: Record<string, Rule> = {
  ...COMMON,
  attemptTimeout: TIMEOUT,
  signal: ["an AbortSignal", "object", (signal) => typeof signal.aborted === "boolean" && !!signal.addEventListener],
  onLateResult: FUNCTION,
  unref: BOOLEAN,
  clock: ["a Clock", "object", hasMethods("now", "setTimer")],
};

const SYNC: Record<string, Rule> = {
  ...COMMON,
  clock: ["a SyncClock", "object", hasMethods("now", "sleepSync")],
};

const systemRandom = () => Math.random();
const defaultStop = /* @__PURE__ */ stopAfterAttempt(4);
const defaultWait = /* @__PURE__ */ waitFullJitter({ base: 500, max: 20_000 });

const compiled = /* @__PURE__ */ new WeakMap<object, Policy>();
const compiledSync = /* @__PURE__ */ new WeakMap<object, Policy>();
const NO_OPTIONS = {};

/** The policy of an options object, which is read once and remembered. Throws on an option that makes no sense. */
export function compile(options: RetryOptions = NO_OPTIONS): Policy {
  return compiled.get(options) ?? remember(compiled, options, build(options, false));
}

/** The same for a sync policy. */
export function compileSync(options: SyncRetryOptions = NO_OPTIONS): Policy {
  return compiledSync.get(options) ?? remember(compiledSync, options, build(options as RetryOptions, true));
}

/** A policy, or a function that answers one for each call. */
export type PolicySource = Policy | ((self: unknown, args: unknown[]) => Policy);

/** What the options argument of a wrapper says: options, or a function that answers them. */
export function sourceOf<O extends object>(
  owner: string,
  options: O | ((...args: any) => O) | undefined,
  compileOptions: (options?: O) => Policy,
): PolicySource {
  if (typeof options !== "function") return compileOptions(options);
  return (self, args) => {
    const answered = options.apply(self, args);
    check(owner, "options", answered, OPTIONS);
    return compileOptions(answered);
  };
}

/** `source` with some options replaced; a signal joins those that are there. */
export function overlay(source: PolicySource, overrides: RetryOptions, sync: boolean): PolicySource {
  const given = readOptions("with", overrides, sync ? SYNC : ASYNC);
  if (typeof source !== "function") return extend(source, given);
  const extended = new WeakMap<Policy, Policy>();
  return (self, args) => {
    const base = source(self, args);
    return extended.get(base) ?? remember(extended, base, extend(base, given));
  };
}

function extend(base: Policy, given: RetryOptions): Policy {
  const { signal } = given;
  const added = signal && !base.signals.includes(signal) ? [signal] : [];
  return build({ ...base.options, ...given }, base.sync, [...base.signals, ...added]);
}

function remember<K extends object>(cache: WeakMap<K, Policy>, key: K, policy: Policy): Policy {
  cache.set(key, policy);
  return policy;
}

function build(source: RetryOptions, sync: boolean, inherited?: readonly AbortSignal[]): Policy {
  const options = readOptions(sync ? "retrySync" : "retry", source, sync ? SYNC : ASYNC);
  const { stop = defaultStop, wait = defaultWait, retryIf, budget, signal } = options;
  const { attemptTimeout = Infinity, totalTimeout = Infinity } = options;
  const { onRetry, onSuccess, onGiveUp, fallback } = options;
  const signals = inherited ?? (signal ? [signal] : []);
  const bits = traitsOf(stop) | traitsOf(wait) | (retryIf ? traitsOf(retryIf) : 0) | (budget ? traitsOf(budget) : 0);
  const readsValues = !!retryIf && (traitsOf(retryIf) & VALUES) > 0;
  const guarded = signals.length > 0 || attemptTimeout < Infinity || totalTimeout < Infinity;
  return {
    ...options,
    options,
    sync,
    stop,
    wait,
    budget,
    attemptTimeout,
    totalTimeout,
    clock: (options.clock as (Clock & SyncClock) | undefined) ?? systemClock,
    random: options.random ?? systemRandom,
    signals,
    needsClock:
      (bits & CLOCK) > 0 || readsValues || totalTimeout < Infinity || !!(onRetry || onSuccess || onGiveUp || fallback),
    readsValues,
    guarded,
    watched: guarded || readsValues || !!(onSuccess || fallback),
  };
}
