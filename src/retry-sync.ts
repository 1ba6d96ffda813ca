import type { AttemptContext, GiveUpReason, Outcome, RetryStats, SyncRetryOptions } from "./attempt.js";
import { systemSyncClock } from "./clock.js";
import { Attempt, enter, FIRST, leave } from "./current.js";
import { type Decision, decide, exhausts, finalError, isNonRetryable } from "./decide.js";
import { StrategyError } from "./errors.js";
import { beginNumber, rememberExhausted } from "./exhausted.js";
import { bookInBudget, callHook } from "./hooks.js";
import { compile, kindOf, overlay, type Policy, type PolicySource, sourceOf } from "./policy.js";
import type { AnyFn, OptionsFor } from "./retry.js";
import { NO_ARGS, stateOf } from "./run.js";
import type { State } from "./state.js";
import { blockOf, dressAs, equip, isKind, nameOf, type Target, targetOf } from "./target.js";
import { isThenable } from "./thenable.js";
import { hasMethods } from "./validate.js";

/** What a function that returns a promise fails to be. */
interface SyncOnly {
  readonly "returns a promise": "use retry, runWithRetry or @Retry";
}

/** `any` may be anything, so it is let through and looked at when it comes. */
export type RefusePromise<R> = 0 extends 1 & R
  ? unknown
  : [Extract<R, PromiseLike<any>>] extends [never]
    ? unknown
    : SyncOnly;

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
  dressAs(fn, wrapped);
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
  refuseAsync("runWithRetrySync", task);
  return runSync(blockOf("runWithRetrySync", task), compile(SYNC, options), undefined, undefined) as T;
}

/** A sync policy takes the common options, and sleeps in its own way. */
export const SYNC = /* @__PURE__ */ kindOf("retrySync", true, systemSyncClock, {
  clock: ["a SyncClock", "object", /* @__PURE__ */ hasMethods("now", "sleepSync")],
});

/** `targetOf` that also refuses what is written as an async function. */
export function syncTargetOf(owner: string, fn: unknown, name?: string): Target {
  refuseAsync(owner, fn);
  return targetOf(owner, fn, name);
}

function refuseAsync(owner: string, fn: unknown): void {
  if (isKind(fn, "AsyncFunction")) {
    throw new TypeError(`${owner}: fn must not be an async function, use retry, runWithRetry or @Retry instead`);
  }
}

export function wrapSync(target: Target, source: PolicySource): object {
  const retried =
    typeof source === "function"
      ? function (this: unknown, ...args: unknown[]) {
          let policy: Policy;
          try {
            policy = source(this, args);
          } catch (error) {
            target.stats.calls++;
            target.stats.failures++;
            throw error;
          }
          return runSync(target, policy, this, args);
        }
      : function (this: unknown, ...args: unknown[]) {
          return runSync(target, source, this, args);
        };
  return equip(retried, target.stats, (overrides) => wrapSync(target, overlay(SYNC, source, overrides)));
}

function runSync(target: Target, policy: Policy, self: unknown, args: readonly unknown[] | undefined): unknown {
  target.stats.calls++;
  try {
    return attemptUntilDecided(target, policy, self, args);
  } catch (error) {
    target.stats.failures++;
    throw error;
  }
}

function attemptUntilDecided(
  target: Target,
  policy: Policy,
  self: unknown,
  args: readonly unknown[] | undefined,
): unknown {
  const { fn, stats } = target;
  const call = { target, policy, self, args };
  const began = beginNumber();
  const startedAt = policy.needsClock ? policy.clock.now() : 0;
  let attemptBegan = began;
  let context = args ? undefined : new Attempt(1, undefined);
  let previousDelay = 0;
  let idle = 0;
  let taken = 0;
  let paidFor: State | undefined;

  for (let attempt = 1; ; attempt++) {
    if (policy.onAttempt) {
      callHook(policy, policy.onAttempt, { name: nameOf(policy, target), args: args ?? NO_ARGS, attempt });
    }
    stats.attempts++;
    const outer = enter(context ?? FIRST);
    let outcome: Outcome | undefined;
    let value: unknown;
    try {
      value = args ? fn.apply(self, args as unknown[]) : fn(context);
    } catch (error) {
      outcome = { ok: false, error };
    } finally {
      leave(outer);
    }
    if (!outcome) {
      refusePromise("fn", value);
      if (!policy.readsValues && !policy.onSuccess) {
        stats.successes++;
        if (policy.budget) bookInBudget(policy, "recordSuccess", taken, paidFor);
        return value;
      }
      outcome = { ok: true, value };
    }

    const state = stateOf(call, attempt, outcome, startedAt, previousDelay, idle);
    // No promise can come back: a sync policy's strategies are refused one.
    const decision = decide(policy, state, attemptBegan) as Decision;
    if (decision === "accept") {
      stats.successes++;
      if (policy.budget) bookInBudget(policy, "recordSuccess", taken, paidFor);
      if (policy.onSuccess) callHook(policy, policy.onSuccess, state);
      return value;
    }
    if (typeof decision !== "number") return giveUp(target, policy, state, decision, began);

    // Read before the hook: a hook that writes to the state changes nothing.
    const { delay } = state;
    if (policy.onRetry) callHook(policy, policy.onRetry, state);
    // Strategies and the hook may have taken the time that the sleep needs.
    if (policy.totalTimeout < Infinity && policy.clock.now() - startedAt + delay >= policy.totalTimeout) {
      if (decision > 0) bookInBudget(policy, "refund", decision);
      return giveUp(target, policy, state, "deadline", began);
    }
    sleep(policy, outcome, delay, decision);
    taken = decision;
    paidFor = taken > 0 ? state : undefined;
    previousDelay = delay;
    idle += delay;
    stats.idle += delay;
    stats.retries++;
    attemptBegan = beginNumber();
    context = new Attempt(attempt + 1, outcome.ok ? undefined : outcome.error);
  }
}

function sleep(policy: Policy, outcome: Outcome, delay: number, taken: number): void {
  if (delay === 0) return;
  try {
    policy.clock.sleepSync(delay);
  } catch (cause) {
    if (taken > 0) bookInBudget(policy, "refund", taken);
    throw new StrategyError("wait", outcome, cause);
  }
}

function giveUp({ stats }: Target, policy: Policy, state: State, reason: GiveUpReason, began: number): unknown {
  const final = { ...state, reason, error: finalError(policy, state, reason) };
  let { error } = final;
  // A copy, so that a hook that writes to it changes nothing.
  if (policy.onGiveUp) callHook(policy, policy.onGiveUp, { ...final });
  if (policy.fallback) {
    try {
      const value = policy.fallback(final);
      refusePromise("fallback", value);
      stats.failures++;
      return value;
    } catch (thrown) {
      error = thrown;
    }
  }
  if (exhausts(final)) rememberExhausted(error, began, isNonRetryable(final));
  throw error;
}

function refusePromise(what: string, value: unknown): void {
  try {
    if (!isThenable(value)) return;
  } catch {
    // A `then` that cannot be read makes no promise.
    return;
  }
  // Its rejection is nobody's any more: the error says what went wrong.
  Promise.resolve(value).then(undefined, () => {});
  throw new TypeError(`retrySync: ${what} must not return a promise; use retry, runWithRetry or @Retry instead`);
}
