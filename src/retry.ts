import type { AnyFn, AttemptContext, OptionsFor, Promised, RetryOptions, RetryStats } from "./attempt.js";
import { callHook, recordSuccess } from "./call-hook.js";
import { enter, FIRST, leave } from "./current.js";
import { type Decision, decide } from "./decide.js";
import { beginNumber } from "./exhausted.js";
import { GuardedRun } from "./guarded-run.js";
import { ASYNC, compile, overlay, type Policy, type PolicySource, sourceOf } from "./policy.js";
import { Run, SOON } from "./run.js";
import { type Call, NO_ARGS, startOf, stateOf } from "./state.js";
import { BLOCK, checkCallable, dressAs, equip, type Target, targetOf } from "./target.js";

/** `F`, retried. */
export type Retried<F extends AnyFn> = Promised<F> & {
  /** A new wrapped function with some options replaced. It shares stats and budget; a `signal` joins the policy's own. */
  with(overrides: RetryOptions<Awaited<ReturnType<F>>>): Retried<F>;
  readonly stats: RetryStats;
};

/**
 * Wraps `fn` so that it is retried. The wrapped function takes the same arguments, `this` and types, and rejects with
 * the last attempt's own error. By default: 4 attempts, every error, full jitter from 500 ms to 20 s. Throws a
 * `TypeError` or `RangeError` at once for an option that makes no sense.
 *
 * @example
 * const load = retry(flaky([new Error("busy"), "done"]), { wait: waitNone });
 * await load(); // => "done"
 */
export function retry<F extends AnyFn>(
  fn: F,
  options?: OptionsFor<F, RetryOptions<Awaited<ReturnType<F>>>>,
): Retried<F> {
  const wrapped = wrap(targetOf("retry", fn), sourceOf(ASYNC, options));
  dressAs(fn, wrapped);
  return wrapped as unknown as Retried<F>;
}

/**
 * Runs `task` now and retries it; it gets the context of each attempt: `attempt`, `signal`, `previousError`. Bad input
 * rejects.
 *
 * @example
 * await runWithRetry(({ attempt }) => attempt); // => 1
 */
// `any` stands in while a task that reads its context waits for its turn to tell `T`. The options never do: one shared
// `RetryOptions`, which is of `any`, would make every result `any`.
export function runWithRetry<T = any>(
  task: (context: AttemptContext) => T,
  options?: RetryOptions<NoInfer<Awaited<T>>>,
): Promise<Awaited<T>> {
  try {
    checkCallable("runWithRetry", task);
    return start(BLOCK, compile(ASYNC, options), task, NO_ARGS) as Promise<Awaited<T>>;
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The wrapper of an async policy, without the looks of what it wraps. */
export function wrap(target: Target, source: PolicySource): object {
  const retried = function (this: unknown, ...args: unknown[]) {
    let policy: Policy;
    try {
      policy = typeof source === "function" ? source(this, args) : source;
    } catch (error) {
      target.stats.calls++;
      target.stats.failures++;
      return Promise.reject(error);
    }
    return start(target, policy, this, args);
  };
  return equip(retried, target.stats, (overrides) => wrap(target, overlay(ASYNC, source, overrides)));
}

/** Starts a call. Its success path ends here; a run is made when the first attempt fails, or when more is asked for. */
export function start(target: Target, policy: Policy, self: unknown, args: readonly unknown[]): Promise<unknown> {
  const { fn, stats } = target;
  const began = beginNumber();
  const startedAt = policy.needsClock ? policy.clock.now() : 0;
  stats.calls++;
  if (policy.guarded) {
    let run!: GuardedRun;
    const promise = new Promise((resolve, reject) => {
      run = new GuardedRun({ target, policy, self, args, began, startedAt }, 0, resolve, reject);
    });
    // Here, and not in there: of the ten lines of a stack, few may be ours.
    run.start();
    return promise;
  }
  if (policy.onAttempt) {
    const call = { target, policy, self, args, began, startedAt };
    const pending = callHook(policy, policy.onAttempt, startOf(call, 1));
    if (pending) return pending.then(() => runOf(call, 0, (run) => run.launch()));
  }
  const outer = enter(FIRST);
  let promise: Promise<unknown>;
  stats.attempts++;
  try {
    promise = Promise.resolve(fn.apply(self, args as unknown[]));
  } catch (error) {
    const call = { target, policy, self, args, began, startedAt };
    return SOON.then(() => runOf(call, 1, (run) => run.settled({ ok: false, error })));
  } finally {
    leave(outer);
  }
  const failed = (error: unknown) =>
    runOf({ target, policy, self, args, began, startedAt }, 1, (run) => run.settled({ ok: false, error }));
  if (!policy.takesAnyValue) {
    return promise.then((value) => judgeFirst({ target, policy, self, args, began, startedAt }, value), failed);
  }
  if (!policy.budget) return promise.then(target.succeeded, failed);
  return promise.then(
    policy.budgetReadsArgs ? (value) => paid(target, policy, args, value) : payingFor(target, policy),
    failed,
  );
}

/**
 * What a promise is resolved with when its call goes on as a run: it hands over its own native `resolve` and `reject`, so
 * that a call has no promise but the one that its caller has.
 */
function runOf(call: Call, attempt: number, begin: (run: Run) => void): PromiseLike<unknown> {
  const then = (resolve: (value: unknown) => void, reject: (error: unknown) => void) =>
    begin(new Run(call, attempt, resolve, reject));
  return { then } as PromiseLike<unknown>;
}

/** Counts a call that succeeded at once, pays its budget, and hands the value on. */
function paid(target: Target, policy: Policy, args: readonly unknown[], value: unknown): unknown {
  recordSuccess(policy, 0, undefined, args);
  return target.succeeded(value);
}

/** The same for a budget that does not look at the arguments: one closure for all calls under one policy. */
function payingFor(target: Target, policy: Policy): (value: unknown) => unknown {
  if (target.paying?.policy !== policy) target.paying = { policy, succeeded: makePaying(target, policy) };
  return target.paying.succeeded;
}

// On its own: a function that makes a closure allocates what it captures each time it is entered.
function makePaying(target: Target, policy: Policy): (value: unknown) => unknown {
  return (value) => paid(target, policy, NO_ARGS, value);
}

/** A first value that somebody looks at: what is accepted at once needs no run. */
function judgeFirst(call: Call, value: unknown): unknown {
  const { target, policy } = call;
  const { onSuccess } = policy;
  const state = stateOf(call, 1, { ok: true, value }, 0, 0);
  let decision: Decision | Promise<Decision>;
  try {
    decision = decide(policy, state, call.began);
  } catch (error) {
    target.stats.failures++;
    throw error;
  }
  if (decision !== "accept") return runOf(call, 1, (run) => run.decided(state, decision));
  if (policy.budget) paid(target, policy, call.args, value);
  else target.succeeded(value);
  const pending = onSuccess && callHook(policy, onSuccess, state);
  return pending ? pending.then(() => value) : value;
}
