import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

// postgresql.org/docs/current/errcodes-appendix.html names the codes. What may be done about them is from there, from
// npgsql's PostgresException.IsTransient, graphile-worker and pgx, where a row names them.

const SAFE: readonly string[] = [
  "40001", // serialization_failure: rolled back; run the whole transaction again (npgsql, the manual's 13.5)
  "40P01", // deadlock_detected: likewise
  "55P03", // lock_not_available: NOWAIT or lock_timeout (npgsql)
  "57P03", // cannot_connect_now: starting up or shutting down (npgsql, graphile-worker)
  "53300", // too_many_connections (npgsql)
  "08001", // sqlclient_unable_to_establish_sqlconnection (npgsql)
  "08004", // sqlserver_rejected_establishment_of_sqlconnection (npgsql)
];

const IDEMPOTENT: readonly string[] = [
  "08000", // connection_exception (npgsql)
  "08003", // connection_does_not_exist (npgsql)
  "08006", // connection_failure (npgsql)
  "08007", // transaction_resolution_unknown: it may have been committed (npgsql)
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

/** Classes whose other codes say that the statement itself is wrong. */
const PERMANENT_CLASSES = /^(0[239A-Z]|2[0-9A-F]|3[0-9B-F]|4[24]|5[467]|F0|HV)/;

/** A SQLSTATE has a digit, unlike EPIPE and its kin. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** What `pg` says without a code of its own, and when. */
const MESSAGES: readonly (readonly [RegExp, Retryability])[] = [
  [/^Connection terminated( unexpectedly)?$/, "idempotent"], // pg, lib/client.js: lost in mid-query
  [/^timeout exceeded when trying to connect$/, "safe"], // pg-pool, index.js
  [/^timeout expired$/, "safe"], // pg, lib/client.js: connectionTimeoutMillis
  [/^Client has encountered a connection error and is not queryable$/, "idempotent"], // pg, lib/client.js: lost before
  [/^Client was closed and is not queryable$/, "permanent"], // pg, lib/client.js: closed by the program
  [/^Cannot use a pool after calling end on the pool$/, "permanent"], // pg-pool, index.js
  [/^Query read timeout$/, "idempotent"], // pg, lib/client.js: query_timeout
];

export const postgresVerdict: Verdict = (error) => {
  const code = readField(error, "code");
  if (typeof code === "string" && SQLSTATE.test(code)) return verdictOfCode(code);
  const message = readField(error, "message");
  return typeof message === "string" ? MESSAGES.find(([pattern]) => pattern.test(message))?.[1] : undefined;
};

function verdictOfCode(code: string): Retryability | undefined {
  if (SAFE.includes(code)) return "safe";
  if (IDEMPOTENT.includes(code)) return "idempotent";
  return PERMANENT_CLASSES.test(code) ? "permanent" : undefined;
}

/**
 * Tells whether a PostgreSQL statement, or the transaction that it was in, may be run again: from the errors of `pg`, of whatever
 * hands on its `code` (a SQLSTATE), and of the network. `"safe"` means the whole transaction, from BEGIN. A connection lost while COMMIT ran is
 * `"idempotent"`: it may have been committed.
 *
 * @example
 * classifyPostgresError({ code: "40001", severity: "ERROR" }); // => "safe"
 * classifyPostgresError({ code: "23505", severity: "ERROR" }); // => "permanent"
 */
export function classifyPostgresError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => postgresVerdict(...asked) ?? networkVerdict(...asked));
}

/** Whether a foreign key's parent row is not there: it may have been written elsewhere, and arrive later. */
export function lacksPostgresParent(error: unknown): boolean {
  // The same code stands for a parent that cannot be deleted; the detail tells them apart.
  return readField(error, "code") === "23503" && /is not present in table/.test(String(readField(error, "detail")));
}
