import type { Outcome, RetryState } from "./attempt.js";
import type { Policy } from "./policy.js";

/** The state of one attempt, filled until its fate is decided. */
export class State implements RetryState {
  delay = 0;
  exhausted = false;
  readonly random: () => number;

  constructor(
    policy: Policy,
    readonly name: string,
    readonly args: readonly unknown[],
    readonly attempt: number,
    readonly outcome: Outcome,
    readonly elapsed: number,
    readonly previousDelay: number,
    readonly idle: number,
  ) {
    this.random = policy.random;
  }
}
