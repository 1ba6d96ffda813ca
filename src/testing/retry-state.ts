import type { RetryState } from "../common/attempt.js";
import { AttemptState } from "../common/attempt-state.js";

/**
 * A state for testing one strategy alone: a first attempt that failed, with the fields you give in place of its own.
 *
 * @example
 * waitExponential({ base: 100 })(retryState({ attempt: 3 })); // => 400
 */
export function retryState<T = any>(fields: Partial<RetryState<T>> = {}): RetryState<T> {
  const outcome = { ok: false, error: new Error("test") } as const;
  return Object.assign(new AttemptState({}, "test", [], 1, outcome, 0, 0, 0, 0, Math.random), fields);
}
