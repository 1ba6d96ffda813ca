import type { RetryState } from "../common/attempt.js";

/**
 * A state for testing one strategy alone: a first attempt that failed, with the fields you give in place of its own.
 *
 * @example
 * waitExponential({ base: 100 })(retryState({ attempt: 3 })); // => 400
 */
export function retryState<T = any>(fields: Partial<RetryState<T>> = {}): RetryState<T> {
  return {
    name: "test",
    args: [],
    attempt: 1,
    outcome: { ok: false, error: new Error("test") },
    elapsed: 0,
    delay: 0,
    previousDelay: 0,
    idle: 0,
    exhausted: false,
    random: Math.random,
    ...fields,
  };
}
