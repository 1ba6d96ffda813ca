import { readField } from "../common/inspect.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

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

export const sqliteVerdict: Verdict = (error) => {
  const number = readField(error, "errcode");
  if (typeof number === "number" && readField(error, "code") === "ERR_SQLITE_ERROR") {
    const name = BY_NUMBER[number];
    if (name) return BY_NAME[name];
    return UNKNOWN_NUMBERS.includes(number & 0xff) ? undefined : "permanent";
  }
  const code = readField(error, "code");
  if (typeof code !== "string" || !code.startsWith("SQLITE_")) return undefined;
  if (Object.hasOwn(BY_NAME, code)) return BY_NAME[code];
  return UNKNOWN.test(code) ? undefined : "permanent";
};

/**
 * Tells whether a SQLite transaction may be run again: from the errors of `node:sqlite`, `better-sqlite3` and whatever hands on their
 * `errcode` or `code`. `"safe"` means the whole transaction: BEGIN IMMEDIATE keeps it from meeting SQLITE_BUSY_SNAPSHOT.
 *
 * @example
 * classifySqliteError({ code: "SQLITE_BUSY" }); // => "safe"
 * classifySqliteError({ code: "ERR_SQLITE_ERROR", errcode: 1555 }); // => "permanent"
 */
export function classifySqliteError(error: unknown): Retryability {
  return lookThrough(error, sqliteVerdict);
}
