import type { Stop } from "../common/attempt.js";
import { BOUNDS_THE_NEXT_START, mark, READS_DELAY, READS_ELAPSED, traitsOfAll } from "../common/traits.js";
import { BOUND, COUNT, check, checkAll } from "../common/validate.js";

/**
 * Never stops: for what must be reconnected for ever.
 *
 * @example
 * stopNever(retryState({ attempt: 1_000_000 })); // => false
 */
export const stopNever: Stop = /* @__PURE__ */ mark(() => false, 0);

/**
 * Stops after `n` attempts, the first call included (a whole number from 1, else `RangeError`).
 *
 * @example
 * stopAfterAttempt(3)(retryState({ attempt: 3 })); // => true
 */
export function stopAfterAttempt(n: number): Stop {
  check("stopAfterAttempt", "n", n, COUNT);
  return mark<Stop>((state) => state.attempt >= n, 0);
}

/**
 * Stops once `ms` have passed since the call began (from 0, else `RangeError`). It is asked between attempts, so the
 * call may last longer by one sleep and one attempt: `stopBeforeDelay` and `totalTimeout` are stricter.
 *
 * @example
 * stopAfterDelay(1_000)(retryState({ elapsed: 999, delay: 500 })); // => false
 */
export function stopAfterDelay(ms: number): Stop {
  check("stopAfterDelay", "ms", ms, BOUND);
  return mark<Stop>((state) => state.elapsed >= ms, READS_ELAPSED);
}

/**
 * Stops when the coming sleep would end `ms` after the call began or later (from 0, else `RangeError`): never begins an
 * attempt past `ms`, and ends in the last attempt's own error.
 *
 * @example
 * stopBeforeDelay(1_000)(retryState({ elapsed: 600, delay: 500 })); // => true
 */
export function stopBeforeDelay(ms: number): Stop {
  check("stopBeforeDelay", "ms", ms, BOUND);
  return mark<Stop>((state) => state.elapsed + state.delay >= ms, READS_ELAPSED | READS_DELAY | BOUNDS_THE_NEXT_START);
}

/**
 * Stops when any of `stops` does. At least one, each a function, else `TypeError`.
 *
 * @example
 * stopAny(stopAfterAttempt(5), stopAfterDelay(100))(retryState({ attempt: 1, elapsed: 100 })); // => true
 */
export function stopAny(...stops: readonly Stop[]): Stop {
  checkAll("stopAny", stops);
  return mark<Stop>((state) => stops.some((stop) => stop(state)), traitsOfAll(stops));
}

/**
 * Stops when all of `stops` do. At least one, each a function, else `TypeError`.
 *
 * @example
 * stopAll(stopAfterAttempt(5), stopAfterDelay(100))(retryState({ attempt: 1, elapsed: 100 })); // => false
 */
export function stopAll(...stops: readonly Stop[]): Stop {
  checkAll("stopAll", stops);
  return mark<Stop>((state) => stops.every((stop) => stop(state)), traitsOfAll(stops));
}
