import type { Wait } from "../common/attempt.js";
import { changed } from "../common/attempt-state.js";
import { mark, READS_ELAPSED, traitsOf } from "../common/traits.js";
import { check, FUNCTION, TIMEOUT } from "../common/validate.js";

/**
 * Waits what `wait` says, which begins anew after an attempt that lived longer than `ms` (above 0, else `RangeError`): it
 * sees `attempt` counted from there, and a `previousDelay` of 0. For what is reconnected for ever: a connection that held
 * for an hour was no failure to be patient about. `stop` counts on; give it time, or `stopNever`.
 *
 * @example
 * const wait = waitResetAfter(waitExponential({ base: 100 }), 60_000);
 * wait(retryState({ attempt: 9, attemptElapsed: 3_600_000 })); // => 100
 */
export function waitResetAfter(wait: Wait, ms: number): Wait {
  check("waitResetAfter", "wait", wait, FUNCTION);
  check("waitResetAfter", "ms", ms, TIMEOUT);
  // The attempts that are not counted any more, for each call.
  const forgotten = new WeakMap<object, number>();
  return mark<Wait>((state) => {
    const { call, attempt, attemptElapsed } = state;
    const isLong = attemptElapsed > ms;
    if (isLong) forgotten.set(call, attempt - 1);
    const before = forgotten.get(call) ?? 0;
    if (before === 0 && !isLong) return wait(state);
    return wait(changed(state, { attempt: attempt - before, ...(isLong ? { previousDelay: 0 } : {}) }));
  }, traitsOf(wait) | READS_ELAPSED);
}
