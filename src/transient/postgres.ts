import { readField } from "../common/inspect.js";
import { driverMessage } from "./originals.js";
import { lookThroughOrm } from "./orms.js";
import { lookUp, type Retryability, type Verdict } from "./retryability.js";

// postgresql.org/docs/current/errcodes-appendix.html names the codes. What may be done about them is from there, from
// npgsql's PostgresException.IsTransient, graphile-worker and pgx, where a row names them.

const SAFE: readonly string[] = [
  "40000", // transaction_rollback
  "40001", // serialization_failure: rolled back; run the whole transaction again (npgsql, the manual's 13.5)
  "40P01", // deadlock_detected: likewise
  "55P03", // lock_not_available: NOWAIT or lock_timeout (npgsql)
  "57P03", // cannot_connect_now: starting up or shutting down (npgsql, graphile-worker)
  "53300", // too_many_connections (npgsql)
  "08001", // sqlclient_unable_to_establish_sqlconnection (npgsql)
  "08004", // sqlserver_rejected_establishment_of_sqlconnection (npgsql)
  // read_only_sql_transaction: a primary that became a replica, unless the transaction was asked to be read-only. Connect anew.
  "25006",
];

const IDEMPOTENT: readonly string[] = [
  "08000", // connection_exception (npgsql)
  "08003", // connection_does_not_exist (npgsql)
  "08006", // connection_failure (npgsql)
  "08007", // transaction_resolution_unknown: it may have been committed (npgsql)
  "40003", // statement_completion_unknown: cockroachlabs.com/docs/stable/common-errors, "result is ambiguous"
  "57P01", // admin_shutdown: also pg_terminate_backend, in the midst of a statement or of a COMMIT (npgsql)
  "57P02", // crash_shutdown (npgsql)
  "57P05", // idle_session_timeout (npgsql)
  "53000", // insufficient_resources (npgsql)
  "53100", // disk_full (npgsql)
  "53200", // out_of_memory (npgsql)
  "53400", // configuration_limit_exceeded (npgsql)
  "55000", // object_not_in_prerequisite_state (npgsql)
  "55006", // object_in_use (npgsql)
  "58000", // system_error (npgsql)
  "58030", // io_error (npgsql)
];

/** Classes whose other codes say that the statement itself is wrong, and a transaction that broke a deferred constraint. */
const PERMANENT = /^(0[239A-Z]|2[0-9A-F]|3[0-9B-F]|40002|4[24]|5[467]|F0|HV)/;

/** A SQLSTATE has a digit, unlike EPIPE and its kin. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** What postgres.js says of its connections, src/connection.js. */
const CODES: Readonly<Record<string, Retryability>> = {
  CONNECT_TIMEOUT: "safe",
  CONNECTION_CLOSED: "idempotent", // lost in mid-query, or before
  CONNECTION_DESTROYED: "idempotent", // by the program, in mid-query
  CONNECTION_ENDED: "permanent", // by the program
};

/** What is said without a code that says it, and by whom. */
const MESSAGES: readonly (readonly [RegExp, Retryability])[] = [
  [/^Connection terminated( unexpectedly)?$/, "idempotent"], // pg, lib/client.js: lost in mid-query
  [/^timeout exceeded when trying to connect$/, "safe"], // pg-pool, index.js
  [/^timeout expired$/, "safe"], // pg, lib/client.js: connectionTimeoutMillis
  [/^Client has encountered a connection error and is not queryable$/, "idempotent"], // pg, lib/client.js: lost before
  [/^Client was closed and is not queryable$/, "permanent"], // pg, lib/client.js: closed by the program
  [/^Cannot use a pool after calling end on the pool$/, "permanent"], // pg-pool, index.js
  [/^Query read timeout$/, "idempotent"], // pg, lib/client.js: query_timeout
];

/** What pgbouncer says, all under 08P01: its src/client.c, src/janitor.c and src/objects.c. */
const POOLER: readonly (readonly [RegExp, Retryability])[] = [
  [/^(query_wait_timeout|client_login_timeout|no more connections allowed|server login has been failing)/, "safe"],
  [
    /^(the database system is|pgbouncer is shutting down|server (DNS lookup failed|login failed: connect failed))/,
    "safe",
  ],
  [/^(connect failed|connect timeout|login timeout|server dns lookup failed)/, "safe"],
  [/^(query|idle[ _]transaction|transaction|client_idle)[ _]timeout/, "idempotent"],
  [
    /^(server conn crashed\?|server closed the connection|server_lifetime|database (removed|configuration changed))/,
    "idempotent",
  ],
  [/^(no such (database|user)|database .* does not exist|bouncer config error|unsupported|auth|password)/, "permanent"],
];

export const postgresVerdict: Verdict = (error) => {
  // The cause that Prisma's adapter gives its errors has the code under a name of its own.
  const code = readField(error, "code") ?? readField(error, "originalCode");
  const message = driverMessage(error);
  if (typeof code !== "string") return find(MESSAGES, message);
  if (code === "08P01") return find(POOLER, message);
  return SQLSTATE.test(code) ? verdictOfState(code) : (lookUp(CODES, code) ?? find(MESSAGES, message));
};

function find(rows: readonly (readonly [RegExp, Retryability])[], message: string): Retryability | undefined {
  return rows.find(([pattern]) => pattern.test(message))?.[1];
}

function verdictOfState(code: string): Retryability | undefined {
  if (SAFE.includes(code)) return "safe";
  if (IDEMPOTENT.includes(code)) return "idempotent";
  return PERMANENT.test(code) ? "permanent" : undefined;
}

/**
 * Says whether a PostgreSQL statement, or the transaction that it was in, may be run again: from the errors of `pg` and `postgres`, of pgbouncer,
 * of the ORMs above them, of whatever hands on a `code` (a SQLSTATE), and of the network. `"safe"` means the whole transaction, from BEGIN, on
 * another connection. A connection lost while COMMIT ran is `"idempotent"`, and so is one that was lost before: it may have been committed.
 *
 * @example
 * classifyPostgresError({ code: "40001", severity: "ERROR" }); // => "safe"
 * classifyPostgresError({ code: "23505", severity: "ERROR" }); // => "permanent"
 */
export function classifyPostgresError(error: unknown): Retryability {
  return lookThroughOrm(error, postgresVerdict);
}

/** Whether a foreign key's parent row is not there: it may have been written elsewhere, and arrive later. */
export function lacksPostgresParent(error: unknown): boolean {
  // The same code stands for a parent that cannot be deleted; the detail tells them apart.
  return readField(error, "code") === "23503" && /is not present in table/.test(String(readField(error, "detail")));
}
