import { type Rule, readOptions } from "../common/validate.js";
import { headersOf, type RequestLike } from "./headers.js";

// ms of the units of gRPC's TimeoutValue.
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

const READERS: readonly (readonly [header: string, read: (text: string) => number | undefined])[] = [
  // grpc.github.io: PROTOCOL-HTTP2, Timeout: at most 8 digits and a unit.
  [
    "grpc-timeout",
    (text) => {
      const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
      return digits === undefined ? undefined : Number(digits) * UNITS[unit!]!;
    },
  ],
  // envoyproxy.io: whole ms.
  ["x-envoy-expected-rq-timeout-ms", (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined)],
];

const MAX: Rule = ["a number of ms from 0", "number", (ms) => ms >= 0];

/**
 * The ms that a request's sender still waits: from `grpc-timeout` or `x-envoy-expected-rq-timeout-ms`, the shorter where there are both, and
 * never more than `max`, the handler's own bound in ms, from 0. A header only shortens: garbage is ignored, and without one it is
 * `max`, or `undefined` where that is not given. `0` means that nothing is left. Throws a `TypeError` or `RangeError` for a bad `max`.
 *
 * @example
 * const request = new Request("http://localhost", { headers: { "grpc-timeout": "250m" } });
 * deadlineOf(request, { max: 5_000 }); // => 250
 * deadlineOf(new Request("http://localhost"), { max: 5_000 }); // => 5000
 */
export function deadlineOf(request: RequestLike, options: { max: number }): number;
export function deadlineOf(request: RequestLike, options?: { max?: number | undefined }): number | undefined;
export function deadlineOf(request: RequestLike, options: { max?: number | undefined } = {}): number | undefined {
  const { max } = readOptions("deadlineOf", options, { max: MAX });
  let left = max;
  for (const [header, read] of READERS) {
    for (const text of headersOf(request, header)) {
      const ms = read(text);
      if (ms !== undefined && !(ms >= left!)) left = ms;
    }
  }
  return left;
}
