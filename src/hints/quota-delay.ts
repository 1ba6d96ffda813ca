import { type HeaderSource, textsOf } from "./header-values.js";
import { decimalIn, decimalSecondsIn, firstHint, type Hints, hintOf } from "./hint-value.js";
import { isZero, quotasIn, resetOf } from "./rate-limit-field.js";

const RESETS: Hints = [
  // Discord: seconds, and nothing else.
  ["x-ratelimit-reset-after", decimalSecondsIn],
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
  if (reset === undefined) return isoTime(text, sent);
  if (reset < 1e9) return hintOf(reset * 1_000);
  return hintOf((reset < 1e12 ? reset * 1_000 : reset) - sent);
}

// RFC 3339, 5.6, as some vendors send it. `Date.parse` alone would take much else, and a 31st of June.
const ISO = /^(\d{4}-\d\d-(\d\d))[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;

function isoTime(text: string, sent: number): number | undefined {
  const [, date, day] = ISO.exec(text) ?? [];
  if (!date || new Date(`${date}T00:00:00Z`).getUTCDate() !== Number(day)) return undefined;
  const time = Date.parse(text.replace(" ", "T"));
  return Number.isNaN(time) ? undefined : hintOf(time - sent);
}
