import type { Rule } from "../common/validate.js";

/** A header by which a caller says how long it is going to wait. */
export type DeadlineHeader = keyof typeof FORMATS;

const ms = (left: number) => `${Math.floor(left)}`;

/** How each writes a number of ms. Rounded down, so that the callee never believes in more time than there is. */
const FORMATS = {
  // gRPC over HTTP/2: at most 8 digits, and a unit.
  "grpc-timeout": (left: number) => (left < 1e8 ? `${ms(left)}m` : `${ms(Math.min(left / 1_000, 99_999_999))}S`),
  "x-envoy-expected-rq-timeout-ms": ms,
  "x-envoy-upstream-rq-timeout-ms": ms,
  // Connect's protocol: at most 10 digits.
  "connect-timeout-ms": (left: number) => ms(Math.min(left, 9_999_999_999)),
};

export const DEADLINE_HEADER: Rule = /* @__PURE__ */ (() => [
  `one of ${Object.keys(FORMATS).join(", ")}`,
  "string",
  (name: string) => Object.hasOwn(FORMATS, name),
])();

/** What `header` says of `left` ms; `undefined` for no deadline. */
export function deadlineIn(header: DeadlineHeader, left: number): string | undefined {
  return left < Infinity ? FORMATS[header](Math.max(0, left)) : undefined;
}
