import type { Outcome, RetryState } from "./attempt.js";

/** A copy of a state with some fields changed. */
export function changed<S extends RetryState, F extends object>(state: S, fields: F): AttemptState & S & F {
  return Object.assign(Object.create(AttemptState.prototype), state, fields);
}

/** What strategies and hooks get, and what is no number: `(attempt) => attempt > 3`, compared, would say no for ever. */
export class NoNumber {
  [Symbol.toPrimitive](): never {
    throw new TypeError("strategies and hooks get the state, not a number: did you mean state.attempt?");
  }
}

/** The state of one attempt, filled until its fate is decided. */
export class AttemptState extends NoNumber implements RetryState {
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
  ) {
    super();
  }
}
