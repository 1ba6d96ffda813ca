import {
  classifyAwsError,
  classifyError,
  classifyGrpcError,
  classifyMongoError,
  classifyMysqlError,
  classifyPostgresError,
  classifyRedisError,
  classifySqliteError,
  classifySqlServerError,
  type Retryability,
} from "undaunted/transient";
import { describe, expect, it } from "vitest";

// Rows for servers and services that no test runs: errors made after their documentation, of no class that says anything.

type Rows = readonly (readonly [what: string, fields: object, verdict: Retryability])[];

const mysql = (errno: number, message: string, sqlState = "HY000") => ({ errno, sqlState, message });
const pg = (code: string, message = "m") => ({ code, severity: "ERROR", message });
const mongo = (code: number, fields: object = {}) => ({ name: "MongoServerError", code, ...fields });
const counts = (n: number) => ({ insertedCount: n, modifiedCount: n, deletedCount: n, upsertedCount: n });
const sqlServer = (number: number) => ({ name: "RequestError", code: "EREQUEST", number, class: 16 });
const aws = (name: string, fields: object = {}) => ({
  name,
  $fault: "client",
  $metadata: { httpStatusCode: 400 },
  ...fields,
});
const cancelled = (...codes: string[]) =>
  aws("TransactionCanceledException", { CancellationReasons: codes.map((Code) => ({ Code })) });
const vitess = (desc: string) => mysql(1105, `target: shop.-.primary: vttablet: rpc error: ${desc}`);

const TABLES: readonly (readonly [string, (error: unknown) => Retryability, Rows])[] = [
  [
    "PostgreSQL",
    classifyPostgresError,
    [
      ["CockroachDB, an ambiguous result", pg("40003"), "idempotent"],
      ["a transaction that was rolled back", pg("40000"), "safe"],
      ["a deferred constraint", pg("40002"), "permanent"],
      ["a primary that became a replica", pg("25006", "cannot execute INSERT in a read-only transaction"), "safe"],
      ["a transaction that failed before", pg("25P02"), "permanent"],
      ["pgbouncer, no connection in time", pg("08P01", "query_wait_timeout"), "safe"],
      ["pgbouncer, a server that is down", pg("08P01", "server login has been failing, try again later"), "safe"],
      ["pgbouncer, a server that is gone", pg("08P01", "server conn crashed?"), "idempotent"],
      ["pgbouncer, a transaction that idled", pg("08P01", "idle transaction timeout"), "idempotent"],
      ["pgbouncer, a database that is not there", pg("08P01", "no such database: x"), "permanent"],
      ["another violation of the protocol", pg("08P01", "invalid message format"), "unknown"],
      ["Neon over HTTP", { message: "m", sourceError: { message: "fetch failed", code: "ECONNREFUSED" } }, "safe"],
      ["Knex, a lost connection", { message: "select 1 - Connection terminated unexpectedly" }, "idempotent"],
      ["Knex, a pool", { message: "Knex: Timeout acquiring a connection. The pool is probably full." }, "safe"],
      ["an application's words that end like a driver's", { message: "payment - timeout expired" }, "unknown"],
      ["Prisma, a pool", { code: "P2024", message: "m" }, "safe"],
      ["Prisma, a conflict without the adapter's word", { code: "P2034", message: "m" }, "safe"],
      ["Prisma, a raw query without the adapter's word", { code: "P2010", message: "m" }, "unknown"],
      ["Prisma, a unique constraint", { code: "P2002", message: "m", meta: { target: ["id"] } }, "permanent"],
      ["PostgreSQL's own P0001", pg("P0001"), "unknown"],
      [
        "a wrapper that calls itself something else than its original",
        { name: "SequelizeConnectionError", message: "m", code: "23505", parent: { message: "m", code: "40001" } },
        "safe",
      ],
    ],
  ],
  [
    "MySQL",
    classifyMysqlError,
    [
      ["an unlisted lost connection, by its class", mysql(1158, "Got an error reading", "08S01"), "idempotent"],
      ["an unlisted refusal, by its class", mysql(9999, "m", "08004"), "safe"],
      ["an unlisted rollback, by its class", mysql(9999, "m", "40000"), "safe"],
      ["XA, rolled back", mysql(9999, "m", "XA100"), "safe"],
      ["a demoted primary", mysql(1290, "running with the --super-read-only option"), "safe"],
      ["another option that forbids", mysql(1290, "running with the --secure-file-priv option"), "permanent"],
      ["Aurora, a demoted primary", mysql(1836, "Running in read-only mode"), "safe"],
      ["a transaction that was asked to be read-only", mysql(1792, "m", "25006"), "permanent"],
      ["Galera, not yet ready", mysql(1047, "WSREP has not yet prepared node for application use", "08S01"), "safe"],
      ["a command that is not known", mysql(1047, "Unknown command", "08S01"), "idempotent"],
      ["TiDB, a write conflict", mysql(9007, "Write conflict"), "safe"],
      ["TiDB, an undetermined result", mysql(8501, "execution result undetermined"), "idempotent"],
      ["TiDB, PD took too long", mysql(9001, "PD Server Timeout"), "idempotent"],
      [
        "ProxySQL, no backend",
        mysql(9001, "Max connect timeout reached while reaching hostgroup 1 after 10000ms"),
        "safe",
      ],
      ["Vitess, a transaction that was aborted", vitess("code = Aborted desc = transaction 1: ended"), "safe"],
      ["Vitess, a pool that is full", vitess("code = ResourceExhausted desc = pool limit"), "safe"],
      ["Vitess, no tablet", mysql(1105, "no healthy tablet available for 'keyspace:\"shop\"'"), "safe"],
      ["Vitess, unavailable", vitess("code = Unavailable desc = transport is closing"), "idempotent"],
      ["Vitess, a bad query", vitess("code = InvalidArgument desc = syntax"), "permanent"],
      ["another unknown error", mysql(1105, "something"), "unknown"],
      ["mysql, after a fatal error", { code: "PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR", message: "m" }, "idempotent"],
    ],
  ],
  [
    "Redis",
    classifyRedisError,
    [
      [
        "ioredis, no sentinel",
        { message: "All sentinels are unreachable and retry is disabled. Last error: x" },
        "safe",
      ],
      ["redis, no sentinel", { message: "None of the sentinels are available" }, "safe"],
      ["too many redirections", { message: "Too many Cluster redirections. Last error: x" }, "safe"],
      [
        "ioredis, its class renamed",
        { message: "Reached the max retries per request limit (which is 0). Refer" },
        "idempotent",
      ],
      ["a reply, its class renamed", { name: "a", message: "WRONGTYPE Operation against a key" }, "permanent"],
      [
        "a transaction that was discarded on a replica",
        { message: "EXECABORT Transaction discarded", previousErrors: [{ message: "READONLY You can't write" }] },
        "safe",
      ],
      [
        "a transaction that was discarded for a mistake",
        {
          message: "EXECABORT Transaction discarded",
          previousErrors: [{ message: "READONLY x" }, { name: "ReplyError", message: "ERR x" }],
        },
        "permanent",
      ],
    ],
  ],
  [
    "MongoDB",
    classifyMongoError,
    [
      [
        "a bulk write that was done in part",
        { name: "MongoBulkWriteError", code: 16500, ...counts(0), modifiedCount: 3 },
        "idempotent",
      ],
      ["a bulk write of which nobody knows", { name: "MongoBulkWriteError", code: 112 }, "idempotent"],
      ["a bulk write of which nothing was done", { name: "MongoBulkWriteError", code: 112, ...counts(0) }, "safe"],
      [
        "a bulk write that was done in part, in a transaction",
        { name: "MongoBulkWriteError", code: 112, ...counts(1), errorLabels: ["TransientTransactionError"] },
        "safe",
      ],
      [
        "a client's bulk write that was done in part",
        { name: "MongoClientBulkWriteError", code: 16500, partialResult: counts(1) },
        "idempotent",
      ],
      ["a write that is not replicated yet", mongo(64), "idempotent"],
      ["its result", { name: "MongoWriteConcernError", result: { writeConcernError: { code: 64 } } }, "idempotent"],
      ["Cosmos DB, too many requests", mongo(16500), "safe"],
      ["a snapshot that is gone", mongo(246), "safe"],
      [
        "mongoose, no connection",
        { name: "MongooseError", message: "Operation `a.find()` buffering timed out after 10ms" },
        "safe",
      ],
    ],
  ],
  [
    "SQL Server",
    classifySqlServerError,
    [
      ["a conflict of in-memory tables", sqlServer(41302), "safe"],
      ["the client's timeout", sqlServer(-2), "idempotent"],
      ["a secondary", sqlServer(3906), "safe"],
      ["not connected", { code: "ESOCKET", message: "Failed to connect to localhost:1433 - ECONNREFUSED" }, "safe"],
      ["a lost connection", { code: "ESOCKET", message: "Connection lost - read ECONNRESET" }, "idempotent"],
      ["mssql's pool", { name: "TimeoutError", message: "operation timed out for an unknown reason" }, "safe"],
      ["cancelled", { code: "ECANCEL", message: "Canceled." }, "permanent"],
    ],
  ],
  [
    "DynamoDB",
    classifyAwsError,
    [
      [
        "a throttled attempt after others of the SDK's own",
        aws("ThrottlingException", { $metadata: { httpStatusCode: 400, attempts: 3 } }),
        "idempotent",
      ],
      [
        "no connection at the SDK's last attempt",
        { code: "ECONNREFUSED", syscall: "connect", message: "m", $metadata: { attempts: 3 } },
        "idempotent",
      ],
      [
        "no connection at the only attempt",
        { code: "ECONNREFUSED", syscall: "connect", message: "m", $metadata: { attempts: 1 } },
        "safe",
      ],
      ["a conflict", aws("TransactionConflictException"), "safe"],
      ["conflicts and throttles", cancelled("TransactionConflict", "None", "ThrottlingError"), "safe"],
      ["a condition beside a conflict", cancelled("TransactionConflict", "ConditionalCheckFailed"), "permanent"],
      [
        "reasons in the message",
        aws("TransactionCanceledException", { message: "specific reasons [None, TransactionConflict]" }),
        "safe",
      ],
      ["no reason at all", aws("TransactionCanceledException", { message: "m" }), "permanent"],
      ["the same token at work", aws("TransactionInProgressException"), "safe"],
    ],
  ],
  [
    "gRPC",
    classifyGrpcError,
    [
      [
        "a RetryInfo, as google-gax reads it",
        { code: 8, details: "d", statusDetails: [{ retryDelay: { seconds: 2 } }] },
        "safe",
      ],
      [
        "a RetryInfo in the status' bytes",
        {
          code: 8,
          details: "d",
          metadata: {
            get: (key: string) =>
              key === "grpc-status-details-bin" ? ["type.googleapis.com/google.rpc.RetryInfo"] : [],
          },
        },
        "safe",
      ],
      [
        "other details",
        { code: 8, details: "d", statusDetails: [{ "@type": "google.rpc.QuotaFailure" }] },
        "permanent",
      ],
    ],
  ],
  [
    "SQLite",
    classifySqliteError,
    [
      ["D1, overloaded", { message: "D1_ERROR: D1 DB is overloaded. Requests queued for too long." }, "safe"],
      [
        "D1, reset",
        { message: "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset." },
        "idempotent",
      ],
      ["D1, a constraint", { message: "D1_ERROR: UNIQUE constraint failed: a.id: SQLITE_CONSTRAINT" }, "permanent"],
      ["libsql, a broken stream", { code: "HRANA_CLOSED_ERROR", message: "m" }, "idempotent"],
      ["libsql, a busy server", { code: "SERVER_ERROR", message: "Server returned HTTP status 429" }, "safe"],
      [
        "libsql, a server that failed",
        { code: "SERVER_ERROR", message: "Server returned HTTP status 502" },
        "idempotent",
      ],
      ["libsql, closed", { code: "CLIENT_CLOSED", message: "m" }, "permanent"],
    ],
  ],
  [
    "services",
    classifyError,
    [
      ["Kafka, retriable", { name: "KafkaJSProtocolError", message: "m", retriable: true }, "idempotent"],
      ["Kafka, not retriable", { name: "KafkaJSProtocolError", message: "m", retriable: false }, "permanent"],
      [
        "Kafka, no broker in the end",
        { retriable: false, message: "m", cause: { code: "ECONNREFUSED", message: "m", retriable: true } },
        "idempotent",
      ],
      ["Kafka, no broker at an attempt", { retriable: true, code: "ECONNREFUSED", message: "m" }, "safe"],
      [
        "Kafka, a bad certificate behind its own",
        { retriable: false, message: "m", cause: { code: "CERT_HAS_EXPIRED", message: "m" } },
        "permanent",
      ],
      [
        "Kafka, no broker any more, after a retry of its own",
        {
          retriable: false,
          message: "m",
          retryCount: 2,
          cause: { code: "ECONNREFUSED", message: "m", retriable: true },
        },
        "idempotent",
      ],
      [
        "Elasticsearch, refused after a retry of its own",
        { name: "ConnectionError", message: "connect ECONNREFUSED 127.0.0.1:9200", meta: { meta: { attempts: 1 } } },
        "idempotent",
      ],
      [
        "gaxios, refused after a retry of its own",
        { code: "ECONNREFUSED", message: "m", config: { retryConfig: { currentRetryAttempt: 1 } } },
        "idempotent",
      ],
      [
        "axios-retry, refused after a retry of its own",
        { code: "ECONNREFUSED", message: "m", config: { "axios-retry": { retryCount: 1 } } },
        "idempotent",
      ],
      [
        "axios-retry, refused at once",
        { code: "ECONNREFUSED", message: "m", config: { "axios-retry": { retryCount: 0 } } },
        "safe",
      ],
      ["p-retry, refused after a retry", { code: "ECONNREFUSED", message: "m", attemptNumber: 2 }, "idempotent"],
      ["an application's words that begin like Redis'", { message: "BUSY signal on the line" }, "unknown"],
      ["… like another of its replies", { message: "MOVED Permanently" }, "unknown"],
      ["Prisma, no server when it begins", { name: "PrismaClientInitializationError", errorCode: "P1001" }, "safe"],
      ["NATS, nobody listens", { name: "NatsError", code: "503", message: "m" }, "safe"],
      ["NATS 3, nobody listens", { name: "NoRespondersError", message: "m" }, "safe"],
      ["AMQP, forced", { message: "Connection closed: 320 (CONNECTION-FORCED) with message" }, "idempotent"],
      ["AMQP, no queue", { message: 'Operation failed: QueueDeclare; 404 (NOT-FOUND) with message "x"' }, "permanent"],
      [
        "Elasticsearch, rejected",
        { name: "ResponseError", meta: { statusCode: 429, headers: {} }, message: "m" },
        "safe",
      ],
      [
        "Elasticsearch, a conflict",
        { name: "ResponseError", meta: { statusCode: 409, headers: {} }, message: "m" },
        "permanent",
      ],
      ["Elasticsearch, refused", { name: "ConnectionError", message: "connect ECONNREFUSED 127.0.0.1:9200" }, "safe"],
      ["Elasticsearch, cut", { name: "ConnectionError", message: "other side closed" }, "idempotent"],
      ["ClickHouse, too many queries", { code: "202", type: "TOO_MANY_SIMULTANEOUS_QUERIES", message: "m" }, "safe"],
      ["ClickHouse, syntax", { code: "62", type: "SYNTAX_ERROR", message: "m" }, "permanent"],
      ["Google, a rate", { code: 403, errors: [{ reason: "rateLimitExceeded" }], message: "m" }, "safe"],
      ["Google, a backend", { code: 503, errors: [{ reason: "backendError" }], message: "m" }, "idempotent"],
      ["Google, a quota", { code: 403, errors: [{ reason: "quotaExceeded" }], message: "m" }, "permanent"],
      ["Firebase, unavailable", { name: "FirebaseError", code: "unavailable", message: "m" }, "idempotent"],
      ["Firebase, no rights", { name: "FirebaseError", code: "permission-denied", message: "m" }, "permanent"],
      ["a field that is not the driver's", { message: "m", parent: { id: 1 }, original: "x" }, "unknown"],
    ],
  ],
];

describe.each(TABLES)("%s", (_, classify, rows) => {
  it.each(rows)("%s", (_, fields, verdict) => {
    expect(classify(Object.assign(new Error(), fields))).toBe(verdict);
  });

  it.each(rows)("%s, asked of all classifiers", (_, fields, verdict) => {
    expect(classifyError(Object.assign(new Error(), fields))).toBe(verdict);
  });
});

it.each([
  ["a list whose elements cannot be read", Object.defineProperty([1], 0, { get: () => raise() })],
  ["a list that cannot be read", new Proxy([], { get: () => raise() })],
  ["a list that is revoked", revoked([])],
])("what holds %s is classified all the same", (_, errors) => {
  expect(classifyError({ errors })).toBe("unknown");
});

function raise(): never {
  throw new Error("a trap");
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}
