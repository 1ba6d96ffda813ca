import {
  classifyAwsError,
  classifyError,
  classifyMongoError,
  classifySqliteError,
  classifySqlServerError,
  type Retryability,
} from "undaunted/transient";
import { describe, expect, it } from "vitest";
import betterSqlite from "./fixtures/better-sqlite3.json" with { type: "json" };
import nodeSqlite from "./fixtures/node-sqlite.json" with { type: "json" };
import { revive } from "./fixtures/revive.js";

type Case = readonly [what: string, error: object, verdict: Retryability];

/** An error as a driver makes it: of a name, with fields. */
function thrown(name: string, fields: object): Error {
  return Object.assign(new Error(name), { name, ...fields });
}

const mongo = (code: number | undefined, ...errorLabels: string[]) =>
  thrown("MongoServerError", { ...(code !== undefined && { code }), errorLabels });
const aws = (name: string, httpStatusCode: number, fields: object = { $fault: "client" }) =>
  thrown(name, { $metadata: { httpStatusCode }, ...fields });
const sqlServer = (number: number) => thrown("RequestError", { code: "EREQUEST", number, class: 16, state: 1 });
const sqlite = (code: string) => thrown("SqliteError", { code });

const cases: readonly (readonly [string, (error: unknown) => Retryability, readonly Case[]])[] = [
  [
    "MongoDB",
    classifyMongoError,
    [
      ["a transaction to be run again", mongo(251, "TransientTransactionError"), "safe"],
      ["a write conflict outside of a transaction", mongo(112), "safe"],
      ["a write that was not done", mongo(91, "RetryableWriteError", "NoWritesPerformed"), "safe"],
      ["a server that refused because of its load", mongo(462, "SystemOverloadedError", "RetryableError"), "safe"],
      ["a commit whose end is unknown", mongo(50, "UnknownTransactionCommitResult"), "idempotent"],
      ["a write that may be tried again", mongo(64, "RetryableWriteError"), "idempotent"],
      ["no primary any more", mongo(10107), "idempotent"],
      ["a server that shuts down", mongo(11600), "idempotent"],
      ["a duplicate key", mongo(11000), "permanent"],
      ["a document that is not valid", mongo(121), "permanent"],
      ["an error without a code", mongo(undefined), "unknown"],
      ["no server to be had", thrown("MongoServerSelectionError", {}), "safe"],
      ["no connection to be had", thrown("MongoWaitQueueTimeoutError", {}), "safe"],
      ["a pool that was cleared", thrown("MongoPoolClearedError", {}), "safe"],
      ["a connection that was lost", thrown("MongoNetworkError", {}), "idempotent"],
      ["a connection that was silent", thrown("MongoNetworkTimeoutError", {}), "idempotent"],
      ["a use of the driver that makes no sense", thrown("MongoInvalidArgumentError", {}), "unknown"],
      ["another library's error", thrown("Error", { code: 112 }), "unknown"],
    ],
  ],
  [
    "AWS",
    classifyAwsError,
    [
      ["throttling by name", aws("ThrottlingException", 400), "safe"],
      ["throttling by status", aws("Busy", 429), "safe"],
      ["throttling by trait", aws("Busy", 400, { $fault: "client", $retryable: { throttling: true } }), "safe"],
      ["a table's throughput", aws("ProvisionedThroughputExceededException", 400), "safe"],
      ["a clock that was wrong", aws("RequestTimeTooSkewed", 403), "safe"],
      ["a signature that does not match", aws("SignatureDoesNotMatch", 403), "permanent"],
      ["an internal error", aws("InternalServerError", 500, { $fault: "server" }), "idempotent"],
      ["a service that is not there", aws("ServiceUnavailable", 503, { $fault: "server" }), "idempotent"],
      ["a request that took too long", aws("RequestTimeout", 400), "idempotent"],
      ["what the SDK calls retryable", aws("Odd", 418, { $fault: "client", $retryable: {} }), "idempotent"],
      ["a request that is not valid", aws("ValidationException", 400), "permanent"],
      ["a key that is not there", aws("NoSuchKey", 404), "permanent"],
      ["not implemented", aws("NotImplemented", 501, { $fault: "server" }), "unknown"],
      ["a lost connection", thrown("Error", { code: "ECONNRESET" }), "idempotent"],
      ["another library's throttling", thrown("ThrottlingException", {}), "unknown"],
    ],
  ],
  [
    "SQL Server",
    classifySqlServerError,
    [
      ["a deadlock", sqlServer(1205), "safe"],
      ["a lock timeout", sqlServer(1222), "safe"],
      ["a database that is not available", sqlServer(40613), "safe"],
      ["a snapshot that somebody else wrote to", sqlServer(3960), "safe"],
      ["a service that failed", sqlServer(40197), "idempotent"],
      ["a connection that was reset", sqlServer(10054), "idempotent"],
      ["a duplicate key", sqlServer(2627), "permanent"],
      ["a foreign key", sqlServer(547), "permanent"],
      ["a request that took too long", thrown("RequestError", { code: "ETIMEOUT" }), "idempotent"],
      ["a socket", thrown("ConnectionError", { code: "ESOCKET" }), "idempotent"],
      ["a log-in", thrown("ConnectionError", { code: "ELOGIN" }), "permanent"],
      ["a number that is no server's", thrown("Error", { number: 1205 }), "unknown"],
    ],
  ],
  [
    "SQLite",
    classifySqliteError,
    [
      ["busy", sqlite("SQLITE_BUSY"), "safe"],
      ["busy with the recovery", sqlite("SQLITE_BUSY_RECOVERY"), "safe"],
      ["busy: another snapshot", sqlite("SQLITE_BUSY_SNAPSHOT"), "safe"],
      ["busy for too long", sqlite("SQLITE_BUSY_TIMEOUT"), "safe"],
      ["a race for the log", sqlite("SQLITE_PROTOCOL"), "safe"],
      ["locked", sqlite("SQLITE_LOCKED"), "idempotent"],
      ["locked over a shared cache", sqlite("SQLITE_LOCKED_SHAREDCACHE"), "idempotent"],
      ["a duplicate key", sqlite("SQLITE_CONSTRAINT_PRIMARYKEY"), "permanent"],
      ["a read-only database", sqlite("SQLITE_READONLY"), "permanent"],
      ["input or output", sqlite("SQLITE_IOERR_WRITE"), "unknown"],
      ["a full disk", sqlite("SQLITE_FULL"), "unknown"],
      ["another library's code", thrown("Error", { code: "BUSY" }), "unknown"],
      ["a number without SQLite's code", thrown("Error", { errcode: 5 }), "unknown"],
      ["an error of input, extended", thrown("Error", { code: "ERR_SQLITE_ERROR", errcode: 778 }), "unknown"],
    ],
  ],
];

describe.each(cases)("%s", (_, classify, rows) => {
  it.each(rows)("%s", (__, error, verdict) => {
    expect(classify(error)).toBe(verdict);
  });

  it.each(rows)("%s, asked of all classifiers", (__, error, verdict) => {
    expect(classifyError(error)).toBe(verdict);
  });

  it.each(rows)("%s, behind another error", (__, cause, verdict) => {
    expect(classify(new Error("failed", { cause }))).toBe(verdict);
  });
});

describe.each([
  ["node:sqlite", nodeSqlite],
  ["better-sqlite3", betterSqlite],
])("%s, as recorded", (_, recorded) => {
  const verdicts: Record<string, Retryability> = {
    "another connection writes": "safe",
    "somebody wrote since this transaction read": "safe",
    "another connection still reads, at COMMIT": "safe",
    "a conflict over a shared cache": "idempotent",
    "a table that is being read is dropped": "idempotent",
    "a file that cannot be opened": "unknown",
    "a database that is full": "unknown",
  };

  it.each(recorded.map((each) => [each.failure, revive(each)] as const))("%s", (failure, error) => {
    expect(classifySqliteError(error)).toBe(verdicts[failure] ?? "permanent");
    expect(classifyError(error)).toBe(verdicts[failure] ?? "permanent");
  });
});
