import type { AnyFn, AttemptContext, OptionsFor, Promised, RetryOptions, RetryStats } from "./attempt.js";
import { callHook, recordSuccess } from "./call-hook.js";
import { Attempt, type AttemptSource, enter, FIRST, leave } from "./current.js";
import { type Decision, decide } from "./decide.js";
import { beginNumber } from "./exhausted.js";
import { GuardedRun } from "./guarded-run.js";
import { ASYNC, compile, overlay, type Policy, type PolicySource, sourceOf } from "./policy.js";
import { Run, SOON } from "./run.js";
import { type Call, callOf, NO_ARGS, type State, startOf, stateOf } from "./state.js";
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
    const policy = compile(ASYNC, options);
    return start(BLOCK, policy, task, NO_ARGS, new Attempt(FIRST)) as Promise<Awaited<T>>;
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

/** Starts a call. A success of its first attempt ends here; a run is made where that fails, or where more is asked for. */
export function start(
  target: Target,
  policy: Policy,
  self: unknown,
  args: readonly unknown[],
  context: AttemptSource | Attempt = FIRST,
): Promise<unknown> {
  const { fn, stats } = target;
  const began = beginNumber();
  const call = callOf(target, policy, self, args, began, policy.needsClock ? policy.clock.now() : 0);
  stats.calls++;
  if (policy.guarded) {
    const run = new GuardedRun(call);
    run.start();
    return run.promise;
  }
  if (policy.onAttempt) {
    const pending = callHook(policy, policy.onAttempt, startOf(call, 1));
    if (pending) return pending.then(() => runOf(call, 0, (run) => run.launch()));
  }
  const outer = enter(context);
  let promise: Promise<unknown>;
  stats.attempts++;
  try {
    // A block, which is its call's `this`, has its context already: that is quicker.
    promise = Promise.resolve(
      context === FIRST ? fn.apply(self, args as unknown[]) : (self as (context: unknown) => unknown)(context),
    );
  } catch (error) {
    return SOON.then(() => failed(call, error));
  } finally {
    leave(outer);
  }
  let returned: (value: unknown) => unknown = target.succeeded;
  if (policy.watched) {
    returned =
      policy.takesAnyValue && !policy.budgetReadsArgs ? payingFor(target, policy) : (value) => judged(call, value);
  }
  return promise.then(returned, (error) => failed(call, error));
}

/**
 * What the caller's promise is resolved with where a call goes on as a run: it hands over its own native `resolve` and
 * `reject`, so that the run needs no promise of its own.
 */
function runOf(call: Call, attempt: number, begin: (run: Run) => void): PromiseLike<unknown> {
  const then = (resolve: (value: unknown) => void, reject: (error: unknown) => void) =>
    begin(new Run(call, attempt, resolve, reject));
  return { then } as PromiseLike<unknown>;
}

function failed(call: Call, error: unknown): PromiseLike<unknown> {
  return runOf(call, 1, (run) => run.settled({ ok: false, error }));
}

/** A first value that somebody looks at: what is accepted at once needs no run. */
function judged(call: Call, value: unknown): unknown {
  const { policy } = call;
  if (policy.takesAnyValue) return paid(call, value);
  const state = stateOf(call, 1, { ok: true, value }, 0, 0);
  if (policy.readsValues) {
    const decision = decisionOn(call, state);
    if (decision !== "accept") return runOf(call, 1, (run) => run.decided(state, decision));
  }
  paid(call, value);
  const { onSuccess } = policy;
  const pending = onSuccess && callHook(policy, onSuccess, state);
  return pending ? pending.then(() => value) : value;
}

function decisionOn({ target, policy, began }: Call, state: State): Decision | Promise<Decision> {
  try {
    return decide(policy, state, began);
  } catch (error) {
    target.stats.failures++;
    throw error;
  }
}

/** Counts a call that succeeded at once, pays its budget, and hands the value on. */
function paid({ target, policy, args }: Call, value: unknown): unknown {
  if (policy.budget) recordSuccess(policy, 0, undefined, args);
  return target.succeeded(value);
}

/** `paid` for a budget that does not look at the arguments: one closure for all calls under one policy. */
function payingFor(target: Target, policy: Policy): (value: unknown) => unknown {
  if (target.paying?.policy !== policy) {
    const call = callOf(target, policy, undefined, NO_ARGS, 0, 0);
    target.paying = { policy, succeeded: (value) => paid(call, value) };
  }
  return target.paying.succeeded;
}
