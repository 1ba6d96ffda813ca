import type { RetryOptions, SyncRetryOptions } from "./attempt.js";
import { decide } from "./decide.js";
import { compile, type Policy } from "./policy.js";
import { State } from "./state.js";
import { COUNT, check } from "./validate.js";

/** What a policy does after one attempt; times are ms. */
export interface PreviewRow {
  /** From 1. */
  readonly attempt: number;
  /** The sleep after this attempt with the luckiest random numbers; 0 where the policy surely stops. */
  readonly minDelay: number;
  /** The same with the unluckiest. */
  readonly maxDelay: number;
  /** From the call's start to this attempt's end, where attempts take no time. */
  readonly minElapsed: number;
  /** The same with the unluckiest, where every attempt takes its `attemptTimeout`, if there is one. */
  readonly maxElapsed: number;
  /** The policy may stop after this attempt. */
  readonly mayStop: boolean;
}

/**
 * Shows what a policy will do and how long it can take, without a call: a row per attempt, up to the one after which it
 * surely stops, or to `attempts` (default 20). The strategies see failed attempts; `retryIf` and `budget` are not asked.
 *
 * @example
 * previewPolicy({ stop: stopAfterAttempt(3), wait: waitFixed(100) }).map((row) => row.maxElapsed); // => [0, 100, 200]
 */
export function previewPolicy(options: RetryOptions | SyncRetryOptions = {}, attempts = 20): PreviewRow[] {
  check("previewPolicy", "attempts", attempts, COUNT);
  const { clock: _, ...rest } = options as RetryOptions;
  const policy = { ...compile(rest), retryIf: undefined, budget: undefined };
  const lucky = chain({ ...policy, random: () => 0 }, 0);
  // The largest number below 1.
  const unlucky = chain(
    { ...policy, random: () => 1 - 2 ** -53 },
    Math.min(policy.attemptTimeout, policy.totalTimeout),
  );

  const rows: PreviewRow[] = [];
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const [low, high] = [lucky(attempt), unlucky(attempt)];
    const over = low.stops && high.stops;
    rows.push({
      attempt,
      minDelay: over ? 0 : Math.min(low.delay, high.delay),
      maxDelay: over ? 0 : Math.max(low.delay, high.delay),
      minElapsed: Math.min(low.elapsed, high.elapsed),
      maxElapsed: Math.max(low.elapsed, high.elapsed),
      mayStop: low.stops || high.stops,
    });
    if (over) break;
  }
  return rows;
}

/** Follows the policy through failed attempts of `length` ms (Infinity, an unknown length, counts as none). */
function chain(policy: Policy, length: number) {
  const error = new Error("previewPolicy: a failed attempt");
  const step = length < Infinity ? length : 0;
  let elapsed = 0;
  let previousDelay = 0;
  let idle = 0;
  return (attempt: number) => {
    elapsed = Math.min(elapsed + step, policy.totalTimeout);
    const state = new State(policy, "preview", [], attempt, { ok: false, error }, elapsed, previousDelay, idle);
    const stops = typeof decide(policy, state, 0) !== "number";
    const row = { delay: state.delay, elapsed, stops };
    previousDelay = state.delay;
    idle += state.delay;
    elapsed += state.delay;
    return row;
  };
}
