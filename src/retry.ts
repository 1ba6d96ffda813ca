import type { AnyFn, AttemptContext, OptionsFor, Promised, RetryOptions, RetryStats } from "./common/attempt.js";
import { checkCallable, NO_ARGS } from "./common/callable.js";
import { copyProperties } from "./common/copy-properties.js";
import { PlainAttempt } from "./common/current.js";
import { ASYNC, type CompiledPolicy, compile, overlay, type PolicySource, sourceOf } from "./loop/policy.js";
import { start, succeededUnder } from "./loop/start.js";
import { addWithAndStats, TASK_TARGET, type Target, targetOf } from "./loop/target.js";

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
  copyProperties(fn, wrapped);
  return wrapped as unknown as Retried<F>;
}

/**
 * Runs `task` now and retries it; it gets the context of each attempt: `attempt`, `signal`, `previousError`. Bad input
 * rejects.
 *
 * @example
 * await runWithRetry(({ attempt }) => attempt); // => 1
 */
// `any` stands in while a task that reads its context waits for its turn to determine `T`. The options never do: one shared
// `RetryOptions`, which is of `any`, would make every result `any`.
export function runWithRetry<T = any>(
  task: (context: AttemptContext) => T,
  options?: RetryOptions<NoInfer<Awaited<T>>>,
): Promise<Awaited<T>> {
  try {
    checkCallable("runWithRetry", task);
    const policy = compile(ASYNC, options);
    return start(TASK_TARGET, policy, task, NO_ARGS, undefined, new PlainAttempt(1, undefined, false)) as Promise<
      Awaited<T>
    >;
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The wrapper of an async policy, without the looks of what it wraps. */
export function wrap(target: Target, source: PolicySource): object {
  // Made once where there is one policy for all calls.
  const succeeded = typeof source === "function" ? undefined : succeededUnder(target, source);
  const retried = function (this: unknown, ...args: unknown[]) {
    let policy: CompiledPolicy;
    try {
      policy = typeof source === "function" ? source(this, args) : source;
    } catch (error) {
      target.stats.calls++;
      target.stats.failures++;
      return Promise.reject(error);
    }
    return start(target, policy, this, args, succeeded);
  };
  return addWithAndStats(retried, target.stats, (overrides) => wrap(target, overlay(ASYNC, source, overrides)));
}
