import type { AttemptStart, Outcome } from "../common/attempt.js";
import { AttemptState, NoNumber } from "../common/attempt-state.js";
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
  /** What its states know it by: made when the first of them is. */
  identity?: object | undefined;
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

export type State = AttemptState;

// An object literal would have room for properties.
class Identity {}

const NOBODYS = /* @__PURE__ */ new Identity();

/** What the states of a call know it by, where some code of the user's sees them: it sees the time then, too. */
function identityOf(call: Call): object {
  if (!call.policy.needsClock) return NOBODYS;
  call.identity ??= new Identity();
  return call.identity;
}

/** The state of a call's attempt that has just ended; it began at `begunAt`. */
export function stateOf(
  call: Call,
  attempt: number,
  outcome: Outcome,
  previousDelay: number,
  idle: number,
  begunAt = call.startedAt,
): State {
  const { policy, args, startedAt } = call;
  call.target.watch?.ended();
  const now = policy.needsClock ? policy.clock.now() : begunAt;
  return new AttemptState(
    identityOf(call),
    nameOf(call),
    args,
    attempt,
    outcome,
    now - startedAt,
    now - begunAt,
    previousDelay,
    idle,
    policy.random,
  );
}

/** What `onAttempt` gets. */
export function startOf(call: Call, attempt: number): AttemptStart {
  return Object.assign(new NoNumber(), { name: nameOf(call), args: call.args, attempt });
}
