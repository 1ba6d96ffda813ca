import type { RetryBudget, RetryOptions, RetryState, Stop, Wait } from "../common/attempt.js";
import { type Clock, hasSystemTime, isShort, type SyncClock, systemClock, systemSyncClock } from "../common/clock.js";
import { type AbortSource, abortSourceOf } from "../common/interrupt.js";
import { capped } from "../common/observed.js";
import {
  BOUNDS_THE_NEXT_START,
  isMarked,
  JUDGES_VALUES,
  mark,
  READS_ARGS,
  READS_ELAPSED,
  traitsOf,
  traitsOfPredicate,
} from "../common/traits.js";
import {
  BOOLEAN,
  check,
  FUNCTION,
  hasMethods,
  OPTIONS,
  PREDICATE,
  type Rule,
  readOptions,
  SIGNAL,
  STRING,
  TIMEOUT,
} from "../common/validate.js";
import { DeadlineQueue } from "./deadline-queue.js";

// `stopAfterAttempt(4)` and `waitFullJitter({ base: 500, max: 20_000 })`, written out: few programs need the rest of those.
export const usualStop = /* @__PURE__ */ mark<Stop>(({ attempt }) => attempt >= 4, 0);
export const usualWait = /* @__PURE__ */ mark<Wait>(
  (state) => state.random() * capped(state, 500 * 2 ** (state.attempt - 1), 20_000),
  0,
);
const usualRandom = () => Math.random();

/** Options checked, filled with the defaults, and what the loops need to know about them worked out once. */
export class CompiledPolicy implements Omit<RetryOptions, "clock"> {
  // Assigned all at once, in the order of the table, so that all policies of a kind have one shape.
  declare readonly stop: Stop;
  declare readonly wait: Wait;
  declare readonly retryIf: RetryOptions["retryIf"];
  declare readonly retryExhausted: RetryOptions["retryExhausted"];
  declare readonly budget: RetryBudget | undefined;
  /** ms, Infinity for none. */
  declare readonly attemptTimeout: number | ((attempt: number) => number);
  /** ms, Infinity for none; 0 or less is a deadline that has passed. */
  declare readonly totalTimeout: number;
  declare readonly fallback: RetryOptions["fallback"];
  declare readonly onAttempt: RetryOptions["onAttempt"];
  declare readonly onRetry: RetryOptions["onRetry"];
  declare readonly onSuccess: RetryOptions["onSuccess"];
  declare readonly onGiveUp: RetryOptions["onGiveUp"];
  declare readonly onHookError: RetryOptions["onHookError"];
  declare readonly onLateResult: RetryOptions["onLateResult"];
  declare readonly name: RetryOptions["name"];
  declare readonly signal: RetryOptions["signal"];
  declare readonly unref: RetryOptions["unref"];
  declare readonly detached: RetryOptions["detached"];
  declare readonly clock: Clock & SyncClock;
  declare readonly random: () => number;
  /** Whether a retry of what the state says is paid from nowhere. */
  readonly isFree: ((state: RetryState) => boolean) | undefined = undefined;
  /** Some strategy, hook or timeout looks at `elapsed`. */
  readonly needsClock: boolean;
  /** The budget looks at the arguments of calls that succeed at once. */
  readonly budgetReadsArgs: boolean;
  /** `retryIf` is asked about values. */
  readonly readsValues: boolean;
  /** A value is as good as returned: no predicate and no hook looks at it. */
  readonly takesAnyValue: boolean;
  /** Something can end an attempt from outside. */
  readonly cancellable: boolean;
  /** `stop` is, or holds, a limit on when the next attempt may begin. */
  readonly stopsBeforeDelay: boolean;
  /** The timeouts of its first attempts; from its second call on, since an options object may be used but once: null until then. */
  timeouts: DeadlineQueue | null | undefined = undefined;
  /** A value must pass the run before it goes to the caller. */
  readonly mustInspectValue: boolean;

  constructor(
    readonly kind: LoopKind,
    /** As they were given. */
    readonly options: RetryOptions,
    /** The signals that abort a run: more than one where `with` added its own. */
    readonly abortSources: readonly AbortSource[],
  ) {
    Object.assign(this, kind.defaults, options);
    const { stop, wait, retryIf, budget, totalTimeout, onSuccess } = this;
    const ofPredicate = retryIf ? traitsOfPredicate(retryIf) : 0;
    const ofBudget = budget ? traitsOf(budget) : 0;
    const bits = traitsOf(stop) | traitsOf(wait) | ofPredicate | ofBudget;
    this.budgetReadsArgs = (ofBudget & READS_ARGS) > 0;
    this.readsValues = (ofPredicate & JUDGES_VALUES) > 0;
    this.stopsBeforeDelay = (traitsOf(stop) & BOUNDS_THE_NEXT_START) > 0;
    this.takesAnyValue = !this.readsValues && !onSuccess;
    this.cancellable = abortSources.length > 0 || this.attemptTimeout !== Infinity || totalTimeout < Infinity;
    this.mustInspectValue = this.cancellable || !this.takesAnyValue || !!budget;
    this.needsClock =
      (bits & READS_ELAPSED) > 0 ||
      !this.takesAnyValue ||
      totalTimeout < Infinity ||
      this.attemptTimeout !== Infinity ||
      !!(this.onRetry || this.onGiveUp || this.fallback);
  }
}

/** The queue for timeouts of `ms`, the only ones that first attempts under `policy` have; none at its first call. */
export function queueOf(policy: CompiledPolicy, ms: number): DeadlineQueue | undefined {
  if (policy.timeouts === undefined || !isShort(ms)) {
    policy.timeouts = null;
    return undefined;
  }
  policy.timeouts ??= new DeadlineQueue(ms, !!policy.unref);
  return policy.timeouts;
}

/** What the policies of the async and the sync loop differ in. */
export interface LoopKind {
  /** The name that an error about an option begins with. */
  readonly owner: string;
  /** What is wrong with a hook that returns a promise; empty where the loop waits for it. */
  readonly sync: string;
  readonly table: Record<string, Rule>;
  /** A value, or `undefined`, for each name in the table. */
  readonly defaults: object;
  readonly compiled: WeakMap<object, CompiledPolicy>;
  /** What listens to a signal, where there may be one. */
  readonly sourceOf?: ((signal: AbortSignal) => AbortSource) | undefined;
}

const COMMON: Record<string, Rule> = {
  stop: FUNCTION,
  wait: FUNCTION,
  retryIf: PREDICATE,
  retryExhausted: BOOLEAN,
  budget: ["a RetryBudget", "object", /* @__PURE__ */ hasMethods("acquire", "recordSuccess", "refund")],
  // A deadline that is worked out for a call may have passed.
  totalTimeout: ["a number of ms above 0", "number", (ms) => !Number.isNaN(ms)],
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
function kindOf(
  owner: string,
  sync: string,
  clock: Clock | SyncClock,
  more: Record<string, Rule>,
  sourceOf?: LoopKind["sourceOf"],
): LoopKind {
  const table = { ...COMMON, ...more };
  const defaults = {
    ...Object.fromEntries(Object.keys(table).map((name) => [name, undefined])),
    ...{
      stop: usualStop,
      wait: usualWait,
      attemptTimeout: Infinity,
      totalTimeout: Infinity,
      random: usualRandom,
      clock,
    },
  };
  return { owner, sync, table, defaults, compiled: new WeakMap(), sourceOf };
}

/** What an async policy takes beside the common options. */
export const ASYNC = /* @__PURE__ */ kindOf(
  "retry",
  "",
  systemClock,
  {
    attemptTimeout: ["a number of ms above 0, or a function", "any", (ms) => ms > 0 || typeof ms === "function"],
    signal: SIGNAL,
    onLateResult: FUNCTION,
    unref: BOOLEAN,
    detached: BOOLEAN,
    clock: ["a Clock", "object", /* @__PURE__ */ hasMethods("now", "setTimer")],
  },
  abortSourceOf,
);

const NO_PROMISE = "a hook of a sync policy must not return a promise";

/** A sync policy takes the common options, and sleeps in its own way. */
export const SYNC = /* @__PURE__ */ kindOf("retrySync", NO_PROMISE, systemSyncClock, {
  clock: ["a SyncClock", "object", /* @__PURE__ */ hasMethods("now", "sleepSync")],
});

const NO_OPTIONS = {};

/** The policy of an options object, which is read once and remembered. Throws on an option that makes no sense. */
export function compile(kind: LoopKind, options: object = NO_OPTIONS): CompiledPolicy {
  const { owner, table, compiled } = kind;
  return compiled.get(options) ?? remember(compiled, options, policyOf(kind, readOptions(owner, options, table)));
}

/** A policy, or a function that returns one for each call. */
export type PolicySource = CompiledPolicy | ((self: unknown, args: unknown[]) => CompiledPolicy);

/** What the options argument of a wrapper says: options, or a function that returns them. */
export function sourceOf(kind: LoopKind, options: object | undefined): PolicySource {
  if (typeof options !== "function") return refusePassed(compile(kind, options));
  if (isMarked(options))
    throw new TypeError(`${kind.owner}: options must be an object, got a strategy: give it a name`);
  return (self, args) => {
    const answered: object = options.apply(self, args);
    check(kind.owner, "what the options function returned", answered, OPTIONS);
    return compile(kind, answered);
  };
}

/** Refuses a deadline that has passed where all calls would have it. */
export function refusePassed(policy: CompiledPolicy, owner = policy.kind.owner): CompiledPolicy {
  check(owner, "totalTimeout", policy.totalTimeout, TIMEOUT);
  return policy;
}

/** `source` with some options replaced; a signal joins those that are there. */
export function overlay(kind: LoopKind, source: PolicySource, overrides: object): PolicySource {
  const given: RetryOptions = readOptions("with", overrides, kind.table);
  if (typeof source !== "function") return extend(source, given);
  const extended = new WeakMap<CompiledPolicy, CompiledPolicy>();
  return (self, args) => {
    const base = source(self, args);
    return extended.get(base) ?? remember(extended, base, extend(base, given));
  };
}

function extend({ kind, options, abortSources }: CompiledPolicy, given: RetryOptions): CompiledPolicy {
  return policyOf(kind, { __proto__: null, ...options, ...given } as RetryOptions, abortSources);
}

function policyOf(kind: LoopKind, options: RetryOptions, inherited: readonly AbortSource[] = []): CompiledPolicy {
  const { signal } = options;
  return new CompiledPolicy(kind, options, [...new Set(signal ? [...inherited, kind.sourceOf!(signal)] : inherited)]);
}

/** What differs from call to call under one policy: what an HTTP client knows of each. */
export interface OfCall
  extends Pick<
    CompiledPolicy,
    "stop" | "wait" | "retryIf" | "fallback" | "isFree" | "onAttempt" | "onRetry" | "onGiveUp"
  > {}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * `policy` for one call, whose own signals join the policy's. What it looks at stays as it was compiled: strategies given here
 * must look at no more.
 */
export function forCall(
  policy: CompiledPolicy,
  own: OfCall,
  name: string,
  budget: RetryBudget | undefined,
  abortSources: readonly AbortSource[],
): CompiledPolicy {
  const { attemptTimeout, totalTimeout } = policy;
  // Those that a function gives have timers of their own.
  const timeout = typeof attemptTimeout === "number" ? Math.min(attemptTimeout, totalTimeout) : Infinity;
  const timeouts = timeout < Infinity && policy.clock === systemClock && hasSystemTime() && queueOf(policy, timeout);
  // Written one by one: Node 20 takes 2 µs for each key that follows a spread.
  const made: Mutable<CompiledPolicy> = { ...policy };
  made.timeouts = timeouts || undefined;
  made.name = name;
  made.stop = own.stop;
  made.wait = own.wait;
  made.retryIf = own.retryIf;
  made.budget = budget;
  made.isFree = own.isFree;
  made.fallback = own.fallback;
  made.onAttempt = own.onAttempt;
  made.onRetry = own.onRetry;
  made.onGiveUp = own.onGiveUp;
  if (abortSources.length > 0) {
    made.abortSources = [...new Set([...policy.abortSources, ...abortSources])];
    made.cancellable = true;
  }
  made.mustInspectValue = policy.mustInspectValue || made.cancellable || !!made.budget;
  return made;
}

function remember<K extends object>(cache: WeakMap<K, CompiledPolicy>, key: K, policy: CompiledPolicy): CompiledPolicy {
  cache.set(key, policy);
  return policy;
}
