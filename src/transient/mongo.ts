import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

// Labels and codes from the driver specifications of MongoDB: retryable reads, retryable writes, transactions, client backpressure.

/** In the order in which they decide. */
const LABELS: readonly (readonly [label: string, verdict: Retryability])[] = [
  ["TransientTransactionError", "safe"], // run the whole transaction again
  ["NoWritesPerformed", "safe"],
  ["RetryableError", "safe"], // rejected before it ran, whatever the command
  ["UnknownTransactionCommitResult", "idempotent"], // run the commit again, nothing else
  ["RetryableWriteError", "idempotent"],
];

const NAMES: Readonly<Record<string, Retryability>> = {
  MongoServerSelectionError: "safe", // no server to send it to
  MongoWaitQueueTimeoutError: "safe", // no connection to send it over
  MongoPoolClearedError: "safe", // likewise
  MongoNetworkError: "idempotent",
  MongoNetworkTimeoutError: "idempotent",
};

const CODES: Readonly<Record<number, Retryability>> = {
  112: "safe", // WriteConflict
  6: "idempotent", // HostUnreachable
  7: "idempotent", // HostNotFound
  89: "idempotent", // NetworkTimeout
  91: "idempotent", // ShutdownInProgress
  134: "idempotent", // ReadConcernMajorityNotAvailableYet
  189: "idempotent", // PrimarySteppedDown
  262: "idempotent", // ExceededTimeLimit
  9001: "idempotent", // SocketException
  10107: "idempotent", // NotWritablePrimary
  11600: "idempotent", // InterruptedAtShutdown
  11602: "idempotent", // InterruptedDueToReplStateChange
  13435: "idempotent", // NotPrimaryNoSecondaryOk
  13436: "idempotent", // NotPrimaryOrSecondary
};

export const mongoVerdict: Verdict = (error) => {
  const name = readField(error, "name");
  if (typeof name !== "string" || !name.startsWith("Mongo")) return undefined;
  for (const [label, verdict] of LABELS) if (hasLabel(error, label)) return verdict;
  const code = readField(error, "code");
  if (typeof code === "number") return CODES[code] ?? "permanent";
  return NAMES[name];
};

function hasLabel(error: unknown, label: string): boolean {
  const labels = readField(error, "errorLabels");
  return Array.isArray(labels) && labels.includes(label);
}

/**
 * Tells whether a MongoDB operation may be run again: from the labels, names and codes of `mongodb`'s errors, and from the network's.
 *
 * @example
 * classifyMongoError({ name: "MongoServerError", code: 112, errorLabels: ["TransientTransactionError"] }); // => "safe"
 * classifyMongoError({ name: "MongoServerError", code: 11000 }); // => "permanent"
 */
export function classifyMongoError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => mongoVerdict(...asked) ?? networkVerdict(...asked));
}
