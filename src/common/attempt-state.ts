import type { Outcome, RetryState } from "./attempt.js";

/** A copy of a state with some fields changed. */
export function changed(state: RetryState, fields: Partial<RetryState>): AttemptState {
  return Object.assign(Object.create(AttemptState.prototype), state, fields);
}

/** The state of one attempt, filled until its fate is decided. */
export class AttemptState implements RetryState {
  delay = 0;
  exhausted = false;

  constructor(
    readonly call: object,
    readonly name: string,
    readonly args: readonly unknown[],
    readonly attempt: number,
    readonly outcome: Outcome,
    readonly elapsed: number,
    readonly attemptElapsed: number,
    readonly previousDelay: number,
    readonly idle: number,
    readonly random: () => number,
  ) {}

  /** `(attempt) => attempt > 3` gets a state: compared, it would say no for ever. */
  [Symbol.toPrimitive](): never {
    throw new TypeError("a strategy gets the state, not a number: did you mean state.attempt?");
  }
}
