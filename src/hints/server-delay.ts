import { check, FINITE, hasMethods, type Rule } from "../common/validate.js";
import { firstUsable, type HeaderSource, trimmed } from "./header-values.js";
import { decimalIn, decimalSecondsIn, firstHint, type Hints, hintOf } from "./hint-value.js";
import { parseHttpDate } from "./http-date.js";
import { quotaDelay } from "./quota-delay.js";

export type { HeaderSource } from "./header-values.js";

const HEADERS: Rule = ["a Headers, or an object with a method get", "object", /* @__PURE__ */ hasMethods("get")];

/** Hints that say when to come back, whatever the response's status. */
const HINTS: Hints = [
  ["retry-after-ms", milliseconds],
  ["x-ms-retry-after-ms", milliseconds],
  ["retry-after", retryAfter],
  ["x-amz-retry-after", milliseconds],
  ["x-ratelimit-retry-after", decimalSecondsIn],
];

/**
 * The ms that a `Retry-After` value asks for, or `undefined` where it is none. It is seconds from 0, or an HTTP-date in
 * one of its three forms (RFC 9110, 10.2.3 and 5.6.7), spaces and tabs around it left out, and nothing else: no sign, no
 * exponent, no other form of date. The standard has whole seconds; decimals are read too, since services send them. A
 * date that is past asks for 0 ms. The result is never above `Number.MAX_SAFE_INTEGER`, however many digits there are.
 *
 * `now` is in epoch ms, a finite number, else `RangeError` (`TypeError` where it is no number).
 *
 * @example
 * const now = Date.UTC(2026, 0, 1);
 * parseRetryAfter("120", now); // => 120000
 * parseRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now); // => 60000
 * parseRetryAfter("in a minute", now); // => undefined
 */
export function parseRetryAfter(value: string | null | undefined, now: number): number | undefined {
  check("parseRetryAfter", "now", now, FINITE);
  return typeof value === "string" ? retryAfter(trimmed(value), now) : undefined;
}

/**
 * The ms for which a response's headers ask a client to stay away, or `undefined` where none of them is usable. The
 * first usable one counts, a malformed one as if it were not there:
 *
 * 1. `retry-after-ms`, then `x-ms-retry-after-ms`: ms, decimals allowed.
 * 2. `Retry-After`, as `parseRetryAfter` reads it.
 * 3. `x-amz-retry-after`: ms, decimals allowed; `x-ratelimit-retry-after`: seconds, decimals allowed.
 * 4. Where `status` is 429, or 403 with nothing remaining: the `RateLimit` field's `t`, then `x-ratelimit-reset-after`
 *    (seconds), `x-ratelimit-reset`, `ratelimit-reset`, `x-rate-limit-reset`. These stand on successful responses too and
 *    then ask for nothing. A reset below 1e9 is a delay in seconds, below 1e12 a time in epoch seconds, from there on one
 *    in epoch ms; it may be an RFC 3339 time too.
 *
 * A time is measured against the response's own `Date`, where that is an HTTP-date, so that the client's clock may be
 * wrong; else against `now` (epoch ms). A time that is past asks for 0 ms, and the result is never above
 * `Number.MAX_SAFE_INTEGER`.
 *
 * `headers` is a `Headers`, an `AxiosHeaders`, a `Map` of lower-case names: anything whose `get` returns a string, a number, an
 * array of them (each is tried in turn), or nothing. Throws a `TypeError` where it has no method `get`; `now` and
 * `status` must be finite numbers, else `RangeError` (`TypeError` where they are no numbers).
 *
 * @example
 * const headers = new Headers({ "x-ratelimit-reset": "30" });
 * serverDelay(headers, Date.now(), 429); // => 30000
 * serverDelay(headers, Date.now(), 200); // => undefined
 */
export function serverDelay(headers: HeaderSource, now: number, status?: number): number | undefined {
  check("serverDelay", "headers", headers, HEADERS);
  check("serverDelay", "now", now, FINITE);
  if (status !== undefined) check("serverDelay", "status", status, FINITE);
  const sent = firstUsable(headers, "date", (text) => parseHttpDate(text, now)) ?? now;
  return firstHint(headers, HINTS, sent) ?? quotaDelay(headers, sent, status);
}

/** What `x-should-retry` says. */
export function serverVerdict(headers: HeaderSource): boolean | undefined {
  return firstUsable(headers, "x-should-retry", (text) => {
    const word = text.toLowerCase();
    return word === "true" || word === "false" ? word === "true" : undefined;
  });
}

function milliseconds(text: string): number | undefined {
  const ms = decimalIn(text);
  return ms === undefined ? undefined : hintOf(ms);
}

function retryAfter(text: string, sent: number): number | undefined {
  const seconds = decimalSecondsIn(text);
  if (seconds !== undefined) return seconds;
  const time = parseHttpDate(text, sent);
  return time === undefined ? undefined : hintOf(time - sent);
}
