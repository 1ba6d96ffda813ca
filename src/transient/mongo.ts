import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookThrough, lookUp, type Retryability, type Verdict } from "./retryability.js";

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
  MongoOperationTimeoutError: "idempotent", // timeoutMS
  MongooseServerSelectionError: "safe", // as the driver's
};

/** Mongoose, before it has a connection. */
const BUFFERED = /^Operation `.*` buffering timed out after \d+ms$/;

// The server's src/mongo/base/error_codes.yml: what its categories call retryable, and what was refused before it ran.
const CODES: Readonly<Record<number, Retryability>> = {
  24: "safe", // LockTimeout
  46: "safe", // LockBusy
  107: "safe", // LockFailed
  112: "safe", // WriteConflict
  117: "safe", // ConflictingOperationInProgress
  133: "safe", // FailedToSatisfyReadPreference: no such node at the moment
  150: "safe", // StaleEpoch: sent to a shard that has it no longer
  239: "safe", // SnapshotTooOld: run the whole transaction again
  246: "safe", // SnapshotUnavailable: likewise
  250: "safe", // StaleChunkHistory: likewise
  365: "safe", // TemporarilyUnavailable
  462: "safe", // IngressRequestRateLimitExceeded
  13388: "safe", // StaleConfig: sent to a shard that has it no longer
  16500: "safe", // Cosmos DB: too many requests (learn.microsoft.com/azure/cosmos-db/mongodb/error-codes-solutions)
  6: "idempotent", // HostUnreachable
  7: "idempotent", // HostNotFound
  43: "idempotent", // CursorNotFound: begin the read anew
  64: "idempotent", // WriteConcernTimeout: written, and not yet replicated
  89: "idempotent", // NetworkTimeout
  91: "idempotent", // ShutdownInProgress
  134: "idempotent", // ReadConcernMajorityNotAvailableYet
  145: "idempotent", // PooledConnectionsDropped
  175: "idempotent", // QueryPlanKilled: begin the read anew
  189: "idempotent", // PrimarySteppedDown
  202: "idempotent", // NetworkInterfaceExceededTimeLimit
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
  const verdict = verdictOf(error, name);
  return verdict === "safe" && mayBePartlyDone(error, name) ? "idempotent" : verdict;
};

function verdictOf(error: unknown, name: string): Retryability | undefined {
  for (const [label, verdict] of LABELS) if (hasLabel(error, label)) return verdict;
  const code = readField(error, "code") ?? readField(writeConcernError(error), "code");
  if (typeof code === "number") return CODES[code] ?? "permanent";
  return BUFFERED.test(String(readField(error, "message"))) ? "safe" : lookUp(NAMES, name);
}

const BULK: readonly string[] = ["MongoBulkWriteError", "MongoClientBulkWriteError"];
const COUNTS = ["insertedCount", "modifiedCount", "deletedCount", "upsertedCount"] as const;

/** A bulk write fails with its first operation that does: those before it, and in an unordered one those after it, were done. */
function mayBePartlyDone(error: unknown, name: string): boolean {
  if (!BULK.includes(name) || hasLabel(error, "TransientTransactionError")) return false;
  const counted = readField(error, "partialResult") ?? error;
  return !COUNTS.every((count) => readField(counted, count) === 0);
}

/** What a write that was done says of its replication. */
function writeConcernError(error: unknown): unknown {
  return readField(readField(error, "result"), "writeConcernError");
}

function hasLabel(error: unknown, label: string): boolean {
  const labels = readField(error, "errorLabels");
  return Array.isArray(labels) && labels.includes(label);
}

/**
 * Says whether a MongoDB operation may be run again: from the labels, names and codes of the errors of
 * `mongodb` and `mongoose`, and from the network's.
 *
 * @example
 * classifyMongoError({ name: "MongoServerError", code: 112, errorLabels: ["TransientTransactionError"] }); // => "safe"
 * classifyMongoError({ name: "MongoServerError", code: 11000 }); // => "permanent"
 */
export function classifyMongoError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => mongoVerdict(...asked) ?? networkVerdict(...asked));
}
