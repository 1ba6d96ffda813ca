import { NonRetryableError } from "../common/errors.js";
import { play } from "./play.js";

/**
 * A function that plays a script, and remembers how it was called. Vitest and Jest take it for a spy:
 * `expect(load).toHaveBeenCalledTimes(3)`.
 */
export interface Flaky<T> {
  (...args: any[]): T;
  /** The arguments of each call so far. */
  readonly calls: readonly (readonly unknown[])[];
}

/**
 * Makes a function that plays a script, one entry per call: an `Error` is thrown, an outcome
 * (`{ ok: false, error }`, `{ ok: true, value }`) is played, a function is called with the arguments and what it returns
 * is returned, and so is anything else. A call past the end throws a `NonRetryableError` that says so.
 *
 * @example
 * const load = flaky([new Error("busy"), "ok"]);
 * await retry(load, { wait: waitNone })("42"); // => "ok"
 * load.calls; // => [["42"], ["42"]]
 */
export function flaky<T = any>(outcomes: readonly unknown[]): Flaky<T> {
  if (!Array.isArray(outcomes)) throw new TypeError(`flaky: outcomes must be an array, got ${typeof outcomes}`);
  const calls: unknown[][] = [];
  const played = (...args: unknown[]): T => {
    const entry = outcomes[calls.length];
    if (calls.push(args) > outcomes.length) {
      throw new NonRetryableError(`flaky: the script has ${outcomes.length} outcomes, this is call ${calls.length}`);
    }
    return play(entry, args) as T;
  };
  // What the matchers of Vitest and Jest look for.
  const spy = { _isMockFunction: true, mock: { calls }, getMockName: () => "flaky" };
  for (const [key, value] of Object.entries(spy)) Object.defineProperty(played, key, { value });
  return Object.assign(played, { calls });
}
