import type { RetryOptions, SyncRetryOptions } from "../common/attempt.js";
import { AttemptState } from "../common/attempt-state.js";
import { setTestSwitch } from "../common/test-switch.js";
import { check, OPTIONS } from "../common/validate.js";
import { stopNever } from "../strategies/stop.js";
import { attemptTimeoutOf, decide } from "./decide.js";
import { ASYNC, type CompiledPolicy, compile } from "./policy.js";
import type { State } from "./state.js";

/** What a policy does after one attempt; times are ms, to the µs. */
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
 * surely stops, or to `attempts` (default 20, a whole number from 1). The strategies see failed attempts; `retryIf` and
 * `budget` are not asked. Two calls are followed, one with the lowest random numbers and one with the highest; where `stop`
 * goes by time, a call of middling luck may last longer than both, up to what `stop` allows.
 *
 * @example
 * previewPolicy({ stop: stopAfterAttempt(3), wait: waitFixed(100) }).map((row) => row.maxElapsed); // => [0, 100, 200]
 */
export function previewPolicy(options: RetryOptions | SyncRetryOptions = {}, attempts = 20): PreviewRow[] {
  check("previewPolicy", "attempts", attempts, [
    "a whole number from 1",
    "number",
    (n) => Number.isInteger(n) && n >= 1,
  ]);
  check("previewPolicy", "options", options, OPTIONS);
  const { clock: _, ...rest } = options as RetryOptions;
  const policy = { ...compile(ASYNC, rest), retryIf: undefined, budget: undefined };
  const chains = [
    failingChain({ ...policy, random: () => 0 }, () => 0),
    // The largest number below 1; an attempt of unknown length counts as none.
    failingChain({ ...policy, random: () => 1 - 2 ** -53 }, (attempt) => {
      const length = Math.min(attemptTimeoutOf(policy, attempt), policy.totalTimeout);
      return length < Infinity ? length : 0;
    }),
  ];

  const rows: PreviewRow[] = [];
  let [minElapsed, maxElapsed, mayStop] = [0, 0, false];
  for (let attempt = 1; attempt <= attempts && chains.some((chain) => !chain.stopped); attempt++) {
    // A chain that has stopped says nothing about the time of later attempts, but still how long they may wait.
    const going = chains.filter((chain) => !chain.stopped);
    for (const chain of chains) chain.next();
    const over = chains.every((chain) => chain.stopped);
    const delays = over ? [0] : chains.map((chain) => chain.delay);
    minElapsed = Math.max(minElapsed, Math.min(...going.map((chain) => chain.elapsed)));
    maxElapsed = Math.max(maxElapsed, ...going.map((chain) => chain.elapsed));
    mayStop ||= chains.some((chain) => chain.stopped);
    rows.push({
      attempt,
      minDelay: toMicros(Math.min(...delays)),
      maxDelay: toMicros(Math.max(...delays)),
      minElapsed: toMicros(minElapsed),
      maxElapsed: toMicros(maxElapsed),
      mayStop,
    });
  }
  return rows;
}

/** So that 100 times the unluckiest number below 1 reads as 100, not as 99.99999999999999. */
function toMicros(ms: number): number {
  return Number(ms.toFixed(3));
}

/** Follows the policy through failed attempts of as many ms as `lengthOf` says. */
function failingChain(policy: CompiledPolicy, lengthOf: (attempt: number) => number) {
  const outcome = { ok: false, error: new Error("previewPolicy: a failed attempt") } as const;
  let attempt = 0;
  let slept = 0;
  let worked = 0;
  const chain = {
    elapsed: 0,
    delay: 0,
    stopped: false,
    next() {
      const length = lengthOf(++attempt);
      worked += length;
      const elapsed = Math.min(worked + slept, policy.totalTimeout);
      const state = new AttemptState(
        chain,
        "preview",
        [],
        attempt,
        outcome,
        elapsed,
        length,
        chain.delay,
        slept,
        policy.random,
      );
      chain.stopped = stops(policy, state) || chain.stopped;
      chain.elapsed = elapsed;
      chain.delay = state.delay;
      slept += state.delay;
    },
  };
  return chain;
}

/** Whether the policy gives up, as it was written: a test run that switched its waits off may look at it, too. */
function stops(policy: CompiledPolicy, state: State): boolean {
  const test = setTestSwitch(undefined);
  try {
    // A `stop` that is asked first keeps `wait` from being asked: how long it would be is of interest all the same.
    const next = decide({ ...policy, stop: stopNever }, state, 0);
    const delay = state.delay;
    const stopped = typeof next !== "number" || typeof decide(policy, state, 0) !== "number";
    state.delay = delay;
    return stopped;
  } finally {
    setTestSwitch(test);
  }
}
