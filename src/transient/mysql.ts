import { readField } from "../common/inspect.js";
import { driverMessage } from "./originals.js";
import { lookThroughOrm } from "./orms.js";
import { lookUp, type Retryability, type Verdict } from "./retryability.js";

// Numbers from dev.mysql.com/doc/mysql-errors and mariadb.com/kb/en/mariadb-error-codes; what may be done about them from Rails'
// Mysql2Adapter, where a row does not say otherwise.

const SAFE: readonly number[] = [
  1213, // ER_LOCK_DEADLOCK: rolled back; run the whole transaction again. Galera's conflicts come as this, too
  1205, // ER_LOCK_WAIT_TIMEOUT: only the statement was rolled back: roll back, and run the whole transaction again
  1613, // ER_XA_RBTIMEOUT: rolled back
  1614, // ER_XA_RBDEADLOCK: rolled back
  1020, // ER_CHECKREAD, under MariaDB's innodb_snapshot_isolation: somebody else wrote first
  1040, // ER_CON_COUNT_ERROR: too many connections
  1203, // ER_TOO_MANY_USER_CONNECTIONS
  1226, // ER_USER_LIMIT_REACHED
  1412, // ER_TABLE_DEF_CHANGED: "please retry transaction"
  1615, // ER_NEED_REPREPARE
  1637, // ER_TOO_MANY_CONCURRENT_TRXS
  1689, // ER_LOCK_ABORTED
  1836, // ER_READ_ONLY_MODE: a primary that became a replica, as in Aurora; connect anew
  1874, // ER_INNODB_READ_ONLY: likewise
  2002, // CR_CONNECTION_ERROR: not connected
  2003, // CR_CONN_HOST_ERROR: not connected
  2005, // CR_UNKNOWN_HOST: not connected
  3058, // ER_USER_LOCK_DEADLOCK
  3101, // ER_TRANSACTION_ROLLBACK_DURING_COMMIT: by group replication
  3572, // ER_LOCK_NOWAIT
  // docs.pingcap.com/tidb/stable/error-codes
  8002, // a conflict after SELECT FOR UPDATE: rolled back
  8005, // a write conflict
  8022, // a commit failed and was rolled back
  8028, // the schema was changed meanwhile
  9003, // TiKV is busy
  9004, // too many conflicts
  9007, // a write conflict
];

const IDEMPOTENT: readonly number[] = [
  1053, // ER_SERVER_SHUTDOWN: in the midst of a statement
  1180, // ER_ERROR_DURING_COMMIT
  1927, // ER_CONNECTION_KILLED (MariaDB)
  2006, // CR_SERVER_GONE_ERROR
  2013, // CR_SERVER_LOST
  2055, // CR_SERVER_LOST_EXTENDED
  4031, // ER_CLIENT_INTERACTION_TIMEOUT
  45009, // mariadb's connector: socket closed unexpectedly
  // docs.pingcap.com/tidb/stable/error-codes
  8501, // the result of a commit is not known
  9001, // PD took too long
  9002, // TiKV took too long
  9005, // a region is not available
  9010, // TiKV could not process it
  9012, // TiFlash took too long
  9013, // TiFlash is busy
];

/** What drivers say by a code of their own, and without a number of the server's. */
const CODES: Readonly<Record<string, Retryability>> = {
  PROTOCOL_CONNECTION_LOST: "idempotent", // mysql2: lost in mid-query
  PROTOCOL_SEQUENCE_TIMEOUT: "idempotent", // mysql2: the query took too long
  PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR: "idempotent", // mysql: lost before
  ER_SOCKET_UNEXPECTED_CLOSE: "idempotent", // mariadb: lost in mid-query
  ER_SOCKET_TIMEOUT: "idempotent", // mariadb: socketTimeout
  ER_CMD_CONNECTION_CLOSED: "idempotent", // mariadb: lost before
  ER_CMD_NOT_EXECUTED_DESTROYED: "idempotent", // mariadb: destroyed by the program, in mid-query
  ER_CONNECTION_TIMEOUT: "safe", // mariadb: not connected
  ER_POOL_NO_VALID_CONNECTION: "safe", // mariadb's pool cluster
  ER_POOL_ALREADY_CLOSED: "permanent", // by the program
};

/** What is said in words only, and by whom. */
const MESSAGES: readonly (readonly [RegExp, Retryability])[] = [
  [/^Can't add new command when connection is in closed state$/, "idempotent"], // mysql2: lost before
  [/^Can't write in closed state$/, "idempotent"], // mysql2: likewise
  [/^(No connections available|Queue limit reached)\.$/, "safe"], // mysql2's pool
  [/^Pool is closed\.$/, "permanent"], // mysql2: by the program
];

/** Numbers under which servers say many things, and what then decides. */
const OF_SERVERS: Readonly<Record<number, readonly (readonly [RegExp, Retryability])[]>> = {
  // ER_UNKNOWN_COM_ERROR: galeracluster.com, a node that is not synced takes no statement
  1047: [[/WSREP has not yet prepared node/, "safe"]],
  // ER_UNKNOWN_ERROR: Vitess and PlanetScale, by the gRPC code within (vitess.io, go/vt/vterrors)
  1105: [
    [
      /no healthy tablet|VT14002|reparent operation in progress|not allowed in state (NOT_SERVING|SHUTTING_DOWN)/,
      "safe",
    ],
    [/code = (Aborted|ResourceExhausted|Clustering event|ClusterEvent)\b|VT15001/i, "safe"],
    [/code = (Unavailable|DeadlineExceeded|Canceled|Internal)\b|undetermined/i, "idempotent"],
    [/code = (InvalidArgument|NotFound|AlreadyExists|PermissionDenied|Unimplemented|Unauthenticated)\b/i, "permanent"],
    [/^/, "unknown"],
  ],
  // ER_OPTION_PREVENTS_STATEMENT: a primary that became a replica; connect anew
  1290: [[/read[-_]only/i, "safe"]],
  // ProxySQL, not TiDB
  9001: [[/^Max connect timeout reached while reaching hostgroup/, "safe"]],
};

export const mysqlVerdict: Verdict = (error) => {
  const message = driverMessage(error);
  const said = MESSAGES.find(([pattern]) => pattern.test(message));
  if (said) return said[1];
  const ofDriver = lookUp(CODES, readField(error, "code"));
  if (ofDriver) return ofDriver;
  const errno = errnoOf(error);
  if (errno === undefined) return undefined;
  const told = OF_SERVERS[errno]?.find(([pattern]) => pattern.test(textOf(error)));
  if (told) return told[1];
  if (SAFE.includes(errno)) return "safe";
  if (IDEMPOTENT.includes(errno)) return "idempotent";
  return verdictOfState(readField(error, "sqlState") ?? readField(error, "state"));
};

/** The server's number, unlike the negative ones of the operating system; the cause that Prisma's adapter gives its errors has it as text. */
function errnoOf(error: unknown): number | undefined {
  const errno = readField(error, "errno");
  if (typeof errno === "number") return errno >= 1000 ? errno : undefined;
  const original = readField(error, "originalCode");
  return typeof original === "string" && /^(?:[1-9]\d{3}|45\d{3})$/.test(original) ? Number(original) : undefined;
}

/** The server's words alone: mariadb puts more before them. */
function textOf(error: unknown): string {
  return String(readField(error, "sqlMessage") ?? readField(error, "originalMessage") ?? driverMessage(error));
}

/** The class of what is not listed by its number: a lost connection, a transaction that was rolled back; the rest is about the statement. */
function verdictOfState(state: unknown): Retryability | undefined {
  if (typeof state !== "string") return undefined;
  if (/^(0800[14]|40|XA1)/.test(state)) return "safe";
  return state.startsWith("08") ? "idempotent" : "permanent";
}

/**
 * Says whether a MySQL or MariaDB statement, or the transaction that it was in, may be run again: from the errors of `mysql2` and
 * `mariadb`, of the ORMs above them, of whatever hands on their `errno`, and of the network. `"safe"` means the whole transaction, after a
 * ROLLBACK, on another connection. A connection lost while COMMIT ran is `"idempotent"`, and so is one that was lost before: it may have been
 * committed.
 *
 * @example
 * classifyMysqlError({ errno: 1213, sqlState: "40001" }); // => "safe"
 * classifyMysqlError({ errno: 1062, sqlState: "23000" }); // => "permanent"
 */
export function classifyMysqlError(error: unknown): Retryability {
  return lookThroughOrm(error, mysqlVerdict);
}

/** Whether a foreign key's parent row is not there: ER_NO_REFERENCED_ROW and ER_NO_REFERENCED_ROW_2. */
export function lacksMysqlParent(error: unknown): boolean {
  return [1216, 1452].includes(readField(error, "errno") as number);
}
