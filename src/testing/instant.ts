import { waitNone } from "../strategies/wait.js";

/**
 * Options that remove every delay of a policy: `wrapped.with(instant)`, or spread last into the options. (What a
 * `TryAgainError` asks for by `after` is still waited for.)
 *
 * @example
 * const load = retry(flaky([new Error("busy"), "ok"])).with(instant);
 * await load(); // => "ok"
 */
export const instant = { wait: waitNone } as const;
