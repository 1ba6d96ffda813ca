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

export const NO_ARGS: readonly unknown[] = [];

/** The arguments that strategies, hooks and budgets see. */
export function argsOf({ args }: Call): readonly unknown[] {
  return args ?? NO_ARGS;
}

/** The state of one attempt, filled until its fate is decided. */
export interface State extends RetryState {
  delay: number;
  exhausted: boolean;
}

/** The state of a call's attempt that has just ended. */
export function stateOf(
  call: Call,
  attempt: number,
  outcome: Outcome,
  startedAt: number,
  previousDelay: number,
  idle: number,
): State {
  const { policy, target } = call;
  const elapsed = policy.needsClock ? policy.clock.now() - startedAt : 0;
  return {
    name: nameOf(policy, target),
    args: argsOf(call),
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
export function startOf(call: Call, attempt: number): AttemptStart {
  return { name: nameOf(call.policy, call.target), args: argsOf(call), attempt };
}
