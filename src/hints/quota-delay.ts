import { type HeaderSource, textsOf } from "./header-values.js";
import { decimalIn, firstHint, type Hints, hintOf } from "./hint-value.js";
import { isZero, quotasIn, resetOf } from "./rate-limit-field.js";

const RESETS: Hints = [
  ["x-ratelimit-reset", resetTime],
  ["ratelimit-reset", resetTime],
  ["x-rate-limit-reset", resetTime],
];

const REMAINDERS = ["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"];

/**
 * ms until a quota allows more, where a response says that one is used up: by a 429, or by a 403 and a remainder of 0.
 * Services send these headers on every response.
 */
export function quotaDelay(headers: HeaderSource, sent: number, status: number | undefined): number | undefined {
  if (status !== 429 && status !== 403) return undefined;
  // A list may stand on several lines: they are one field (RFC 9651, 4.2).
  const quotas = quotasIn(textsOf(headers, "ratelimit").join(", "));
  const isSpent = () =>
    quotas.some((quota) => quota.isSpent) || REMAINDERS.some((name) => textsOf(headers, name).some(isZero));
  if (status === 403 && !isSpent()) return undefined;
  return resetOf(quotas) ?? firstHint(headers, RESETS, sent);
}

/** No standard says in what unit a reset is. Epoch seconds passed 1e9 and epoch ms 1e12 in 2001; 1e9 s are 31 years. */
function resetTime(text: string, sent: number): number | undefined {
  const reset = decimalIn(text);
  if (reset === undefined) return undefined;
  if (reset < 1e9) return hintOf(reset * 1_000);
  return hintOf((reset < 1e12 ? reset * 1_000 : reset) - sent);
}
