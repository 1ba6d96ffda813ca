import { check, FINITE, STRING } from "../common/validate.js";

// RFC 9110, 15.5.9 and 15.6; RFC 8470, 5.2 (425); RFC 6585, 4 (429).
const STATUSES: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

// RFC 9110, 9.2.2, and QUERY, which its own specification calls safe and idempotent. Without the flag u, i adds no
// letter outside ASCII.
const METHODS = /^(GET|HEAD|OPTIONS|PUT|DELETE|TRACE|QUERY)$/i;

/**
 * Tells whether a response with this status is worth another attempt: 408, 425, 429, 500, 502, 503 or 504. Another
 * attempt may only be made where the method is idempotent too. Throws a `TypeError` where `status` is no number, a
 * `RangeError` where it is not finite.
 *
 * @example
 * isRetryableStatus(503); // => true
 * isRetryableStatus(501); // => false
 */
export function isRetryableStatus(status: number): boolean {
  check("isRetryableStatus", "status", status, FINITE);
  return STATUSES.includes(status);
}

/**
 * Tells whether a request with this method may be made twice: GET, HEAD, OPTIONS, PUT, DELETE, TRACE (RFC 9110, 9.2.2)
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
