import type { AttemptStart, Outcome, RetryState } from "../common/attempt.js";
import type { CompiledPolicy } from "./policy.js";
import { ownName, type Target } from "./target.js";

/** One call. */
export interface Call {
  readonly target: Target;
  readonly policy: CompiledPolicy;
  readonly self: unknown;
  readonly args: readonly unknown[];
  /** Its number. */
  readonly ordinal: number;
  /** By the policy's clock, if that is asked. */
  readonly startedAt: number;
}

/** A call, of its parts: written out where each is needed, they would make the success path too long to be inlined. */
export function callOf(
  target: Target,
  policy: CompiledPolicy,
  self: unknown,
  args: readonly unknown[],
  ordinal: number,
  startedAt: number,
): Call {
  return { target, policy, self, args, ordinal, startedAt };
}

/** What strategies, hooks and errors call a call's function. */
function nameOf({ policy, target, self }: Call): string {
  return policy.name ?? target.name ?? ownName(self as Target["fn"]);
}

/** The state of one attempt, filled until its fate is decided. */
export interface State extends RetryState {
  delay: number;
  exhausted: boolean;
}

/** The state of a call's attempt that has just ended. */
export function stateOf(call: Call, attempt: number, outcome: Outcome, previousDelay: number, idle: number): State {
  const { policy, args, startedAt } = call;
  const elapsed = policy.needsClock ? policy.clock.now() - startedAt : 0;
  return {
    name: nameOf(call),
    args,
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

/** What `onAttempt` gets. */
export function startOf(call: Call, attempt: number): AttemptStart {
  return { name: nameOf(call), args: call.args, attempt };
}
