import type { AnyFn, AttemptContext, OptionsFor, Promised, RetryOptions, RetryStats } from "./attempt.js";
import { callHook, recordSuccess } from "./call-hook.js";
import { Attempt, enter, FIRST, leave } from "./current.js";
import { type Decision, decide } from "./decide.js";
import { beginNumber } from "./exhausted.js";
import { GuardedRun } from "./guarded-run.js";
import { ASYNC, compile, overlay, type Policy, type PolicySource, sourceOf } from "./policy.js";
import { Run } from "./run.js";
import { argsOf, type Call, NO_ARGS, startOf, stateOf } from "./state.js";
import { blockOf, dressAs, equip, type Target, targetOf } from "./target.js";

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
    return start(blockOf("runWithRetry", task), compile(ASYNC, options), undefined, undefined) as Promise<Awaited<T>>;
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
export function start(
  target: Target,
  policy: Policy,
  self: unknown,
  args: readonly unknown[] | undefined,
): Promise<unknown> {
  const { fn, stats } = target;
  const began = beginNumber();
  const startedAt = policy.needsClock ? policy.clock.now() : 0;
  stats.calls++;
  if (policy.guarded) return new GuardedRun({ target, policy, self, args }, began, startedAt).start();
  if (policy.onAttempt) {
    const call = { target, policy, self, args };
    const pending = callHook(policy, policy.onAttempt, startOf(call, 1));
    if (pending) {
      const run = new Run(call, began, startedAt);
      run.after(pending, 0, () => run.launch());
      return run.answer();
    }
  }
  const context = args ? undefined : new Attempt(1, undefined);
  const outer = enter(context ?? FIRST);
  let promise: Promise<unknown>;
  stats.attempts++;
  try {
    promise = Promise.resolve(args ? fn.apply(self, args as unknown[]) : fn(context));
  } catch (error) {
    const run = new Run({ target, policy, self, args }, began, startedAt, 1);
    run.threw(error);
    return run.answer();
  } finally {
    leave(outer);
  }
  const failed = (error: unknown) => {
    const run = new Run({ target, policy, self, args }, began, startedAt, 1);
    run.settled({ ok: false, error });
    return run.answer();
  };
  if (!policy.takesAnyValue) {
    return promise.then((value) => judgeFirst({ target, policy, self, args }, value, began, startedAt), failed);
  }
  if (!policy.budget) return promise.then(target.succeeded, failed);
  return promise.then(
    policy.budgetReadsArgs ? (value) => paid(target, policy, args ?? NO_ARGS, value) : payingFor(target, policy),
    failed,
  );
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
function judgeFirst(call: Call, value: unknown, began: number, startedAt: number): unknown {
  const { target, policy } = call;
  const run = () => new Run(call, began, startedAt, 1);
  const state = stateOf(call, 1, { ok: true, value }, startedAt, 0, 0);
  let decision: Decision | Promise<Decision>;
  try {
    decision = decide(policy, state, began);
  } catch (error) {
    target.stats.failures++;
    throw error;
  }
  if (decision !== "accept") return run().decided(state, decision).answer();
  if (policy.budget) paid(target, policy, argsOf(call), value);
  else target.succeeded(value);
  const pending = policy.onSuccess && callHook(policy, policy.onSuccess, state);
  return pending ? pending.then(() => value) : value;
}
