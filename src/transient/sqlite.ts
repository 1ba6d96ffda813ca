import { readField } from "../common/inspect.js";
import { lookThrough, lookUp, type Retryability, type Verdict } from "./retryability.js";

// sqlite.org/rescode.html. Drivers give the name as `code` (better-sqlite3, sqlite3, libsql) or the number as `errcode` (node:sqlite).

const BY_NAME: Readonly<Record<string, Retryability>> = {
  SQLITE_BUSY: "safe", // another connection writes; set busy_timeout first
  SQLITE_BUSY_RECOVERY: "safe", // another process recovers the log after a crash
  SQLITE_BUSY_TIMEOUT: "safe", // a blocking lock took too long
  // Somebody wrote since this transaction read: the same statement fails again, the whole transaction may not.
  SQLITE_BUSY_SNAPSHOT: "safe",
  SQLITE_LOCKED: "idempotent", // a conflict within the connection, or over a shared cache
  SQLITE_LOCKED_SHAREDCACHE: "idempotent",
  SQLITE_PROTOCOL: "safe", // a race for the log's locks
};

const BY_NUMBER: Readonly<Record<number, string>> = {
  5: "SQLITE_BUSY",
  261: "SQLITE_BUSY_RECOVERY",
  773: "SQLITE_BUSY_TIMEOUT",
  517: "SQLITE_BUSY_SNAPSHOT",
  6: "SQLITE_LOCKED",
  262: "SQLITE_LOCKED_SHAREDCACHE",
  15: "SQLITE_PROTOCOL",
};

// The machine may be out of something, or broken: nobody can tell from here. As primary code, without what extends it.
const UNKNOWN = /^SQLITE_(IOERR|NOMEM|FULL|CANTOPEN)/;
const UNKNOWN_NUMBERS: readonly number[] = [7, 10, 13, 14];

/** libsql's client, @libsql/core's LibsqlError and @libsql/hrana-client. */
const LIBSQL: Readonly<Record<string, Retryability>> = {
  HRANA_WEBSOCKET_ERROR: "idempotent",
  HRANA_CLOSED_ERROR: "idempotent", // the stream was lost before
  TRANSACTION_CLOSED: "idempotent", // likewise
  TRANSACTION_TIMEOUT: "safe", // rolled back by the server
  CLIENT_CLOSED: "permanent", // by the program
};

/** Cloudflare's D1: developers.cloudflare.com/d1/observability/debug-d1. */
const D1: readonly (readonly [RegExp, Retryability])[] = [
  [/D1 DB is overloaded|Cannot resolve D1 DB due to transient issue/, "safe"],
  [
    /(constraint failed|syntax error|no such (table|column)|SQLITE_(CONSTRAINT|ERROR|MISMATCH|TOOBIG|AUTH))/,
    "permanent",
  ],
  [/Network connection lost|to be reset|reset because|internal error|exceeded timeout/, "idempotent"],
];

export const sqliteVerdict: Verdict = (error) => {
  const number = readField(error, "errcode");
  const code = readField(error, "code");
  if (typeof number === "number" && code === "ERR_SQLITE_ERROR") {
    const name = BY_NUMBER[number];
    if (name) return BY_NAME[name];
    return UNKNOWN_NUMBERS.includes(number & 0xff) ? undefined : "permanent";
  }
  const message = String(readField(error, "message"));
  if (/^D1(_\w+)?( DB|:)/.test(message)) return D1.find(([pattern]) => pattern.test(message))?.[1];
  if (typeof code !== "string") return undefined;
  if (!code.startsWith("SQLITE_")) return lookUp(LIBSQL, code) ?? verdictOfServer(code, message);
  if (Object.hasOwn(BY_NAME, code)) return BY_NAME[code];
  return UNKNOWN.test(code) ? undefined : "permanent";
};

/** libsql's server, over HTTP. */
function verdictOfServer(code: string, message: string): Retryability | undefined {
  const status = code === "SERVER_ERROR" ? /^Server returned HTTP status (\d{3})/.exec(message)?.[1] : undefined;
  if (status === undefined) return undefined;
  return status === "429" ? "safe" : status.startsWith("5") ? "idempotent" : "permanent";
}

/**
 * Says whether a SQLite transaction may be run again: from the errors of `node:sqlite`, `better-sqlite3`, libsql, Cloudflare's D1 and whatever hands on their
 * `errcode` or `code`. `"safe"` means the whole transaction: BEGIN IMMEDIATE keeps it from meeting SQLITE_BUSY_SNAPSHOT.
 *
 * @example
 * classifySqliteError({ code: "SQLITE_BUSY" }); // => "safe"
 * classifySqliteError({ code: "ERR_SQLITE_ERROR", errcode: 1555 }); // => "permanent"
 */
export function classifySqliteError(error: unknown): Retryability {
  return lookThrough(error, sqliteVerdict);
}
