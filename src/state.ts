import type { RetryState } from "./attempt.js";

/** The state of one attempt, filled until its fate is decided. */
export interface State extends RetryState {
  delay: number;
  exhausted: boolean;
}
