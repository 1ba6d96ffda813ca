import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

// github.com/grpc/grpc/blob/master/doc/statuscodes.md; gRFC A6 for what may be retried.

const CODES: Readonly<Record<number, Retryability>> = {
  1: "permanent", // CANCELLED
  2: "idempotent", // UNKNOWN
  3: "permanent", // INVALID_ARGUMENT
  4: "idempotent", // DEADLINE_EXCEEDED
  5: "permanent", // NOT_FOUND
  6: "permanent", // ALREADY_EXISTS
  7: "permanent", // PERMISSION_DENIED
  9: "permanent", // FAILED_PRECONDITION
  10: "idempotent", // ABORTED: run again what it was a part of, as a read-modify-write
  11: "permanent", // OUT_OF_RANGE
  12: "permanent", // UNIMPLEMENTED
  13: "idempotent", // INTERNAL
  15: "permanent", // DATA_LOSS
  16: "permanent", // UNAUTHENTICATED
};
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;

export const grpcVerdict: Verdict = (error) => {
  const code = readField(error, "code");
  const details = readField(error, "details");
  if (readField(error, "message") === CLOSED) return "permanent";
  if (typeof code !== "number" || typeof details !== "string") return undefined;
  const pushback = pushbackOf(error);
  // gRFC A6: a server that says when to come back says that it may be done, and a negative or unreadable one that it may not.
  if (pushback !== undefined) return /^\d+$/.test(pushback) ? "safe" : "permanent";
  if (code === RESOURCE_EXHAUSTED) return saysWhen(error) ? "safe" : "permanent";
  if (NOT_CONNECTED.test(details)) return "safe";
  // gRFC A6's own example of what to retry; but a connection that dropped may have carried the call.
  if (code === UNAVAILABLE) return LOST.test(details) ? "idempotent" : "safe";
  return details === SERVER_GONE ? "idempotent" : CODES[code];
};

// The words of grpc-js. The deadline of a call that still waits for a connection is told at its end.
const NOT_CONNECTED = /^No connection established|Waiting for LB pick$/;
/** A client that the program has closed. */
const CLOSED = "Channel has been shut down";
/** A server that ended under the call: CANCELLED, which is also what a caller's own cancelling is. */
const SERVER_GONE = "Call cancelled";

/** A connection that was lost with the call under way. */
const LOST = /Connection dropped|ECONNRESET|EPIPE|socket hang up|closed with error|GOAWAY/i;

function pushbackOf(error: unknown): string | undefined {
  return metadataOf(error, "grpc-retry-pushback-ms");
}

/** Whether the details of the status have a google.rpc.RetryInfo: as google-gax reads them, or in their bytes, where a type is named in plain. */
function saysWhen(error: unknown): boolean {
  const details = readField(error, "statusDetails");
  const read = Array.isArray(details)
    ? details.map((each) => `${readField(each, "@type")} ${readField(each, "type_url")}`)
    : [];
  const isRead = Array.isArray(details) && details.some((each) => readField(each, "retryDelay") !== undefined);
  return (
    isRead || [...read, metadataOf(error, "grpc-status-details-bin")].some((text) => RETRY_INFO.test(String(text)))
  );
}

const RETRY_INFO = /google\.rpc\.RetryInfo/;

function metadataOf(error: unknown, key: string): string | undefined {
  const metadata = readField(error, "metadata") as { get?(key: string): readonly unknown[] } | undefined;
  try {
    const [first] = metadata?.get?.(key) ?? [];
    return first === undefined ? undefined : String(first);
  } catch {
    return undefined;
  }
}

/**
 * Says whether a gRPC call may be made again: from the status of `@grpc/grpc-js`'s errors, and from the network's. UNAVAILABLE is `"safe"`,
 * except where the connection was lost under the call; RESOURCE_EXHAUSTED only where the server says when to come back,
 * by a pushback or a `RetryInfo` in its details.
 *
 * @example
 * classifyGrpcError({ code: 14, details: "No connection established" }); // => "safe"
 * classifyGrpcError({ code: 5, details: "no such user" }); // => "permanent"
 */
export function classifyGrpcError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => grpcVerdict(...asked) ?? networkVerdict(...asked));
}
