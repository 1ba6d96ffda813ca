import type { Outcome, RetryState } from "../common/attempt.js";
import { AttemptState, changed } from "../common/attempt-state.js";
import type { StreamPolicy } from "./options.js";

/** How far a stream has come, and what strategies and hooks see of that. */
export class Progress<T> {
  readonly #identity = {};
  /** The last item, and how many there were. */
  last: T | undefined = undefined;
  count = 0;
  /** Sources opened. */
  opened = 0;
  /** ms of the last sleep, and of all. */
  delay = 0;
  idle = 0;
  /** When the stream was begun, and the item asked for that is waited for. */
  startedAt = 0;
  pulledAt = 0;

  constructor(private readonly policy: StreamPolicy) {}

  /** What is seen of a pull's state: the part of the stream that the policy counts. */
  seen<S extends RetryState>(state: S): S {
    const { policy } = this;
    const before = this.pulledAt - this.startedAt;
    const isWhole = policy.totalTimeout < Infinity;
    if (policy.resetOnItem) return isWhole ? as(state, { elapsed: state.elapsed - before }) : state;
    return as(state, {
      call: this.#identity,
      attempt: this.opened,
      elapsed: isWhole ? state.elapsed : state.elapsed + before,
      previousDelay: state.attempt === 1 ? this.delay : state.previousDelay,
      idle: this.idle,
    });
  }

  /** The state in which the stream has ended. */
  ended(name: string, args: readonly unknown[], outcome: Outcome): AttemptState {
    const { policy, opened, delay, idle } = this;
    const elapsed = policy.clock.now() - this.startedAt;
    return new AttemptState(this.#identity, name, args, opened, outcome, elapsed, elapsed, delay, idle, policy.random);
  }
}

/** A copy of a state with some fields changed. */
function as<S extends RetryState>(state: S, fields: Partial<RetryState>): S {
  return changed(state, fields) as RetryState as S;
}
