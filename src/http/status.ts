import { check, FINITE, STRING } from "../common/validate.js";

// RFC 9110, 15.5.9, 15.5.20 (421) and 15.6; RFC 8470, 5.2 (425); RFC 6585, 4 (429). From 520 on: Cloudflare's, and of 529 the
// services' that are overloaded; it sends no 525 or 526 (a bad certificate) that another attempt would get past.
const STATUSES: readonly number[] = [408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 527, 529, 530];

// RFC 9110, 9.2.2, and QUERY, which its own specification calls safe and idempotent. Without the flag u, i adds no
// letter outside ASCII.
const METHODS = /^(GET|HEAD|OPTIONS|PUT|DELETE|TRACE|QUERY)$/i;

/**
 * Whether a response with this status is worth another attempt: 408, 421, 425, 429, 500, 502, 503, 504, 520 to 524, 527,
 * 529 or 530. Another attempt may only be made where the method is idempotent too. Throws a `TypeError` where `status` is
 * no number, a `RangeError` where it is not finite.
 *
 * @example
 * isRetryableStatus(503); // => true
 * isRetryableStatus(501); // => false
 */
export function isRetryableStatus(status: number): boolean {
  check("isRetryableStatus", "status", status, FINITE);
  return STATUSES.includes(status);
}

/** Statuses by which a server says that it has not done what it was asked to (RFC 9110, 15.5.20; RFC 8470; RFC 6585). */
const UNEXECUTED: readonly number[] = [421, 425, 429];

export function isUnexecutedStatus(status: number): boolean {
  return UNEXECUTED.includes(status);
}

/** Failures that say nothing about a server's health: the request came the wrong way, too early, or is too large. */
const OF_THE_REQUEST: readonly number[] = [413, 421, 425];

export function blamesTheServer(status: number): boolean {
  return !OF_THE_REQUEST.includes(status);
}

/**
 * Whether a request with this method may be made twice: GET, HEAD, OPTIONS, PUT, DELETE, TRACE (RFC 9110, 9.2.2)
 * or QUERY, in any case of letters. Throws a `TypeError` where `method` is no string.
 *
 * @example
 * isIdempotentMethod("put"); // => true
 * isIdempotentMethod("POST"); // => false
 */
export function isIdempotentMethod(method: string): boolean {
  check("isIdempotentMethod", "method", method, STRING);
  return METHODS.test(method);
}
