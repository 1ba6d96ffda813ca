import { headersOf, type RequestLike } from "./headers.js";

/** Where proxies and clients say which attempt a request is, and how. */
const READERS: readonly (readonly [header: string, read: (text: string) => number])[] = [
  // envoyproxy.io: x-envoy-attempt-count, from 1.
  ["x-envoy-attempt-count", (text) => (/^\d+$/.test(text) ? Number(text) : Number.NaN)],
  // gRFC A6: how many came before, none where there is no header.
  ["grpc-previous-rpc-attempts", (text) => (/^\d+$/.test(text) ? Number(text) + 1 : Number.NaN)],
  // AWS' SDKs: "attempt=2; max=3".
  ["amz-sdk-request", (text) => Number(/(?:^|;)\s*attempt=(\d+)\s*(?:;|$)/.exec(text)?.[1] ?? Number.NaN)],
];

/**
 * Which attempt a request is, from 1 to 1,000, where a proxy or a client says so: `x-envoy-attempt-count`,
 * `grpc-previous-rpc-attempts`, `amz-sdk-request`. Else, and where it is garbage, `undefined`. For logs: anybody can send it.
 *
 * @example
 * attemptOf(new Request("http://localhost", { headers: { "x-envoy-attempt-count": "2" } })); // => 2
 */
export function attemptOf(request: RequestLike): number | undefined {
  for (const [header, read] of READERS) {
    const found = headersOf(request, header)
      .map(read)
      .find((attempt) => attempt >= 1 && attempt <= 1_000);
    if (found !== undefined) return found;
  }
  return undefined;
}
