import type { Stop } from "../common/attempt.js";
import { mark } from "../common/traits.js";
import { check, checkAll, type Rule, WHOLE } from "../common/validate.js";
import { countsOf } from "./counts.js";
import { keyOf } from "./memo.js";

const CODE_OR_NAME: Rule = [
  "a code or a name of up to 40 letters, digits, _ . : $ or -",
  "any",
  (each) =>
    (typeof each === "number" && !Number.isNaN(each)) || (typeof each === "string" && /^[\w.:$-]{1,40}$/.test(each)),
];

/**
 * Stops once `n` attempts of the call (a whole number from 1) have failed with the same one of these: the error's name, or its `code`,
 * `errno`, `status` or `statusCode`, found as `retryIfErrorCode` finds it. A limit for each kind of error: combine several with `stopAny`.
 * It is right in a process and, by the counts in the memo, over several. It must be asked after each attempt: in `stopAll` it stands first.
 *
 * @example
 * const stop = stopAny(stopAfterAttempt(10), stopAfterErrors(2, 429));
 * stop(retryState({ outcome: { ok: false, error: { status: 429 } } })); // => false
 */
export function stopAfterErrors(n: number, ...codesOrNames: readonly (string | number)[]): Stop {
  check("stopAfterErrors", "n", n, WHOLE);
  checkAll("stopAfterErrors", codesOrNames, "code or name", CODE_OR_NAME);
  const keys = codesOrNames.map(keyOf);
  return mark<Stop>((state) => {
    const counts = countsOf(state);
    return keys.some((key) => (counts[key]?.[0] ?? 0) >= n);
  }, 0);
}
