import type { AttemptStart, Outcome, RetryState } from "./attempt.js";
import type { Policy } from "./policy.js";
import { nameOf, type Target } from "./target.js";

/** One call: `args` is `undefined` for a block, which gets the attempt's context instead. */
export interface Call {
  readonly target: Target;
  readonly policy: Policy;
  readonly self: unknown;
  readonly args: readonly unknown[] | undefined;
}

const NO_ARGS: readonly unknown[] = [];

/** The state of one attempt, filled until its fate is decided. */
export interface State extends RetryState {
  delay: number;
  exhausted: boolean;
}

/** The state of a call's attempt that has just ended. */
export function stateOf(
  { policy, target, args }: Call,
  attempt: number,
  outcome: Outcome,
  startedAt: number,
  previousDelay: number,
  idle: number,
): State {
  const elapsed = policy.needsClock ? policy.clock.now() - startedAt : 0;
  return {
    name: nameOf(policy, target),
    args: args ?? NO_ARGS,
    attempt,
    outcome,
    elapsed,
    delay: 0,
    previousDelay,
    idle,
    exhausted: false,
    random: policy.random,
  };
}

/** What `onAttempt` is told. */
export function startOf({ policy, target, args }: Call, attempt: number): AttemptStart {
  return { name: nameOf(policy, target), args: args ?? NO_ARGS, attempt };
}
