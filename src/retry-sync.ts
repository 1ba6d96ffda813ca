import type {
  AnyFn,
  AttemptContext,
  GiveUpReason,
  OptionsFor,
  Outcome,
  RetryStats,
  SyncRetryOptions,
} from "./common/attempt.js";
import { changed } from "./common/attempt-state.js";
import { callHook } from "./common/call-hook.js";
import { checkCallable, NO_ARGS } from "./common/callable.js";
import { copyProperties } from "./common/copy-properties.js";
import { type Attempt, enter, FIRST, leave, PlainAttempt } from "./common/current.js";
import { StrategyError, TotalTimeoutError } from "./common/errors.js";
import { nextOrdinal, rememberExhausted } from "./common/exhausted.js";
import { askSync } from "./common/sync-ask.js";
import { isPromise, type RefusePromise, refuseAsync, refusePromise } from "./common/sync-only.js";
import { bookInBudget, recordSuccess } from "./loop/book.js";
import {
  type Decision,
  decide,
  exhausts,
  finalError,
  finalState,
  isNonRetryable,
  reachesDeadline,
} from "./loop/decide.js";
import { type CompiledPolicy, compile, overlay, type PolicySource, SYNC, sourceOf } from "./loop/policy.js";
import { type Call, callOf, type State, startOf, stateOf } from "./loop/state.js";
import { addWithAndStats, TASK_TARGET, type Target, targetOf, watched } from "./loop/target.js";

const RETRY_INSTEAD = "retry, runWithRetry or @Retry";

type ResultOf<F> = F extends (...args: any) => infer R ? R : never;

/** `F`, retried. */
export type RetriedSync<F extends AnyFn> = F & {
  /** A new wrapped function with some options replaced. It shares stats and budget. */
  with(overrides: SyncRetryOptions<ReturnType<F>>): RetriedSync<F>;
  readonly stats: RetryStats;
};

/**
 * Wraps a sync `fn` so that it is retried. **The whole thread sleeps between attempts** (`Atomics.wait`): for scripts,
 * workers and start-up code, not for a server's event loop. Where a thread may not block, as on a browser's main
 * thread, a delay above 0 is an error. A function that returns a promise is a compile error and a `TypeError`.
 *
 * @example
 * const read = retrySync(flaky([new Error("locked"), "data"]), { wait: waitNone });
 * read(); // => "data"
 */
export function retrySync<F extends AnyFn & RefusePromise<ResultOf<F>>>(
  fn: F,
  options?: OptionsFor<F, SyncRetryOptions<ReturnType<F>>>,
): RetriedSync<F> {
  const wrapped = wrapSync(syncTargetOf("retrySync", fn), sourceOf(SYNC, options));
  copyProperties(fn, wrapped);
  return wrapped as unknown as RetriedSync<F>;
}

/**
 * Runs a sync `task` now and retries it. **The whole thread sleeps between attempts.**
 *
 * @example
 * runWithRetrySync(({ attempt }) => attempt); // => 1
 */
export function runWithRetrySync<T = any>(
  task: ((context: AttemptContext) => T) & RefusePromise<T>,
  options?: SyncRetryOptions<NoInfer<T>>,
): T {
  refuseAsync("runWithRetrySync", task, RETRY_INSTEAD);
  checkCallable("runWithRetrySync", task);
  const policy = compile(SYNC, options);
  const ordinal = nextOrdinal();
  const startedAt = policy.needsClock ? policy.clock.now() : 0;
  const call = callOf(watched(TASK_TARGET, policy, task, ordinal), policy, task, NO_ARGS, ordinal, startedAt);
  if (policy.totalTimeout <= 0) return expired(call) as T;
  tellAttempt(call, 1);
  return goOn(call, attemptAs(FIRST, call)) as T;
}

/** `targetOf` that also refuses what is written as an async function. */
export function syncTargetOf(owner: string, fn: unknown, name?: string): Target {
  refuseAsync(owner, fn, RETRY_INSTEAD);
  return targetOf(owner, fn, name);
}

/** The wrapper of a sync policy, without the looks of what it wraps. */
export function wrapSync(given: Target, source: PolicySource): object {
  const { stats } = given;
  // The first attempt is made here, where the engine need not put the arguments into an array. It does so only in a
  // function of at most 460 bytes of its code: what is rare is elsewhere.
  const retried = function (this: unknown, ...args: unknown[]) {
    stats.calls++;
    const policy = typeof source === "function" ? policyFor(source, this, args, stats) : source;
    const ordinal = nextOrdinal();
    const target = watched(given, policy, this, ordinal);
    const startedAt = policy.needsClock ? policy.clock.now() : 0;
    if (policy.totalTimeout <= 0) return expired(callOf(target, policy, this, args, ordinal, startedAt));
    if (policy.onAttempt) tellAttempt(callOf(target, policy, this, args, ordinal, startedAt), 1);
    stats.attempts++;
    const outer = enter(FIRST);
    let outcome: Outcome | undefined;
    let value: unknown;
    try {
      value = target.fn.apply(this, args);
      if (!policy.takesAnyValue || isPromise(value)) outcome = { ok: true, value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    leave(outer);
    if (outcome) return goOn(callOf(target, policy, this, args, ordinal, startedAt), outcome);
    if (policy.budget) recordSuccess(policy, 0, undefined, args);
    return target.succeeded(value);
  };
  return addWithAndStats(retried, stats, (overrides) => wrapSync(given, overlay(SYNC, source, overrides)));
}

/** What an options function says of a call. */
function policyFor(
  source: Exclude<PolicySource, CompiledPolicy>,
  self: unknown,
  args: unknown[],
  stats: Target["stats"],
): CompiledPolicy {
  try {
    return source(self, args);
  } catch (error) {
    stats.failures++;
    throw error;
  }
}

function tellAttempt(call: Call, attempt: number): void {
  const { policy } = call;
  if (policy.onAttempt) callHook(policy, policy.onAttempt, startOf(call, attempt));
}

/** Gives up a call whose deadline had passed when it began. */
function expired(call: Call): unknown {
  const { policy, target, ordinal } = call;
  const error = new TotalTimeoutError(policy.totalTimeout, 0);
  return giveUp(target, policy, stateOf(call, 0, error.outcome, 0, 0), "deadline", ordinal, error);
}

/** Goes on from the outcome of the first attempt to the end of the call. */
function goOn(call: Call, first: Outcome): unknown {
  const { policy, target, ordinal, startedAt } = call;
  const { stats } = target;
  let outcome = first;
  let attemptOrdinal = ordinal;
  let begunAt = startedAt;
  let previousDelay = 0;
  let idle = 0;
  let taken = 0;
  let takenFor: State | undefined;

  for (let attempt = 1; ; attempt++) {
    if (attempt > 1) {
      attemptOrdinal = nextOrdinal();
      if (policy.needsClock) begunAt = policy.clock.now();
      tellAttempt(call, attempt);
      stats.attempts++;
      stats.retries++;
      outcome = attemptAs(new PlainAttempt(attempt, outcome.ok ? undefined : outcome.error, false), call);
    }
    if (outcome.ok && isPromise(outcome.value)) {
      try {
        refusePromise("retrySync", "fn", RETRY_INSTEAD, outcome.value);
      } catch (error) {
        throw broken(target, error);
      }
    }
    const state = stateOf(call, attempt, outcome, previousDelay, idle, begunAt);
    const decision = decideSync(target, policy, state, attemptOrdinal);
    if (decision === "accept") {
      const { value } = outcome as { value: unknown };
      target.succeeded(value);
      if (policy.budget) recordSuccess(policy, taken, takenFor, state.args);
      if (policy.onSuccess) callHook(policy, policy.onSuccess, state);
      return value;
    }
    if (typeof decision !== "number") return giveUp(target, policy, state, decision, ordinal);

    // Read before the hook: a hook that writes to the state changes nothing.
    const { delay } = state;
    target.watch?.retry(state);
    if (policy.onRetry) callHook(policy, policy.onRetry, state);
    if (reachesDeadline(policy, startedAt, delay)) {
      if (decision > 0) bookInBudget(policy, "refund", decision, state);
      return giveUp(target, policy, state, "deadline", ordinal);
    }
    if (delay > 0) sleep(target, policy, state, delay, decision);
    taken = decision;
    takenFor = taken > 0 ? state : undefined;
    previousDelay = delay;
    idle += delay;
    stats.idle += delay;
  }
}

/** Makes `attempt`. */
function attemptAs(attempt: Attempt, { target, self, args }: Call): Outcome {
  const outer = enter(attempt);
  try {
    return { ok: true, value: target.fn.apply(self, args as unknown[]) };
  } catch (error) {
    return { ok: false, error };
  } finally {
    leave(outer);
  }
}

/** A strategy that fails ends the call. (No promise can come back: a sync policy's strategies are refused one.) */
function decideSync(target: Target, policy: CompiledPolicy, state: State, ordinal: number): Decision {
  try {
    return askSync(() => decide(policy, state, ordinal)) as Decision;
  } catch (error) {
    throw broken(target, error);
  }
}

/** Counts a call that something of the user's which failed has ended. */
function broken({ stats, watch }: Target, error: unknown): unknown {
  stats.failures++;
  watch?.giveUp("broken", error);
  return error;
}

function sleep(target: Target, policy: CompiledPolicy, state: State, delay: number, taken: number): void {
  try {
    policy.clock.sleepSync(delay);
  } catch (cause) {
    if (taken > 0) bookInBudget(policy, "refund", taken, state);
    throw broken(target, new StrategyError("wait", state.outcome, cause));
  }
}

function giveUp(
  { stats, watch }: Target,
  policy: CompiledPolicy,
  state: State,
  reason: GiveUpReason,
  ordinal: number,
  last = finalError(policy, state, reason),
): unknown {
  const final = finalState(state, reason, last);
  let { error } = final;
  stats.failures++;
  watch?.giveUp(reason, error, state);
  // A copy, so that a hook that writes to it changes nothing.
  if (policy.onGiveUp) callHook(policy, policy.onGiveUp, changed(final, {}));
  if (policy.fallback) {
    try {
      const value = policy.fallback(final);
      if (isPromise(value)) refusePromise("retrySync", "fallback", RETRY_INSTEAD, value);
      return value;
    } catch (thrown) {
      error = thrown;
    }
  }
  if (exhausts(final)) rememberExhausted(error, ordinal, isNonRetryable(final));
  throw error;
}
