import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

// Numbers from dev.mysql.com/doc/mysql-errors and mariadb.com/kb/en/mariadb-error-codes; what may be done about them from Rails'
// Mysql2Adapter, where a row does not say otherwise.

const SAFE: readonly number[] = [
  1213, // ER_LOCK_DEADLOCK: rolled back; run the whole transaction again
  1205, // ER_LOCK_WAIT_TIMEOUT: only the statement was rolled back: roll back, and run the whole transaction again
  1614, // ER_XA_RBDEADLOCK: rolled back
  1020, // ER_CHECKREAD, under MariaDB's innodb_snapshot_isolation: somebody else wrote first
  1040, // ER_CON_COUNT_ERROR: too many connections
  1203, // ER_TOO_MANY_USER_CONNECTIONS
  1226, // ER_USER_LIMIT_REACHED
  2002, // CR_CONNECTION_ERROR: not connected
  2003, // CR_CONN_HOST_ERROR: not connected
  2005, // CR_UNKNOWN_HOST: not connected
  3058, // ER_USER_LOCK_DEADLOCK
  3101, // ER_TRANSACTION_ROLLBACK_DURING_COMMIT: by group replication
  3572, // ER_LOCK_NOWAIT
];

const IDEMPOTENT: readonly number[] = [
  1053, // ER_SERVER_SHUTDOWN: in the midst of a statement
  1927, // ER_CONNECTION_KILLED (MariaDB)
  2006, // CR_SERVER_GONE_ERROR
  2013, // CR_SERVER_LOST
  4031, // ER_CLIENT_INTERACTION_TIMEOUT
  45009, // mariadb's connector: socket closed unexpectedly
];

/** What drivers say by a code of their own, and without a number of the server's. */
const CODES: Readonly<Record<string, Retryability>> = {
  PROTOCOL_CONNECTION_LOST: "idempotent", // mysql2: lost in mid-query
  PROTOCOL_SEQUENCE_TIMEOUT: "idempotent", // mysql2: the query took too long
  ER_SOCKET_UNEXPECTED_CLOSE: "idempotent", // mariadb: lost in mid-query
  ER_SOCKET_TIMEOUT: "idempotent", // mariadb: socketTimeout
  ER_CMD_CONNECTION_CLOSED: "idempotent", // mariadb: lost before
  ER_CONNECTION_TIMEOUT: "safe", // mariadb: not connected
  ER_GET_CONNECTION_TIMEOUT: "safe", // mariadb's pool
  ER_POOL_NO_VALID_CONNECTION: "safe", // mariadb's pool cluster
};

/** What `mysql2` says without any code. */
const MESSAGES: Readonly<Record<string, Retryability>> = {
  "Can't add new command when connection is in closed state": "idempotent", // lost before
  "No connections available.": "safe", // the pool
  "Queue limit reached.": "safe", // the pool
  "Pool is closed.": "permanent", // by the program
};

export const mysqlVerdict: Verdict = (error) => {
  const message = readField(error, "message");
  if (typeof message === "string" && Object.hasOwn(MESSAGES, message)) return MESSAGES[message];
  const code = readField(error, "code");
  if (typeof code === "string" && Object.hasOwn(CODES, code)) return CODES[code];
  const errno = readField(error, "errno");
  // Of the server, unlike the negative ones of the operating system.
  if (typeof errno !== "number" || errno < 1000) return undefined;
  if (SAFE.includes(errno)) return "safe";
  if (IDEMPOTENT.includes(errno)) return "idempotent";
  // The rest of what servers say is about the statement.
  return typeof readField(error, "sqlState") === "string" ? "permanent" : undefined;
};

/**
 * Tells whether a MySQL or MariaDB statement, or the transaction that it was in, may be run again: from the errors of `mysql2` and
 * `mariadb`, of whatever hands on their `errno`, and of the network. `"safe"` means the whole transaction, after a ROLLBACK. A connection
 * lost while COMMIT ran is `"idempotent"`: it may have been committed.
 *
 * @example
 * classifyMysqlError({ errno: 1213, sqlState: "40001" }); // => "safe"
 * classifyMysqlError({ errno: 1062, sqlState: "23000" }); // => "permanent"
 */
export function classifyMysqlError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => mysqlVerdict(...asked) ?? networkVerdict(...asked));
}

/** Whether a foreign key's parent row is not there: ER_NO_REFERENCED_ROW and ER_NO_REFERENCED_ROW_2. */
export function lacksMysqlParent(error: unknown): boolean {
  return [1216, 1452].includes(readField(error, "errno") as number);
}
