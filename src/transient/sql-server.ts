import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

// Numbers from Microsoft's SqlClient (SqlConfigurableRetryFactory), and learn.microsoft.com on transient errors of Azure SQL.

const SAFE: readonly number[] = [
  1204, // no locks are left
  1205, // deadlock victim: rolled back; run the whole transaction again
  1222, // lock timeout
  3960, // snapshot isolation: somebody else wrote first
  4060, // the database cannot be opened
  4221, // log in to a secondary that is not ready
  10928, // a limit of the database
  10929, // the server is too busy for the database's minimum
  40501, // the service is busy
  40540, // moved to another node
  40613, // the database is not available
  42108, // a pool is being started
  42109, // a pool is being started
  49918, // too busy to handle the request
  49919, // too many creations or updates
  49920, // too many operations
];

const IDEMPOTENT: readonly number[] = [
  64, // connected, then failed while logging in
  121, // the semaphore timeout
  233, // no process at the other end
  997, // an overlapped operation is in progress
  10053, // aborted by the host
  10054, // reset by the peer
  10060, // timed out
  40143, // the service failed
  40197, // the service failed, as in an upgrade
];

const CODES: Readonly<Record<string, Retryability>> = {
  ETIMEOUT: "idempotent", // tedious: a request, or a connection, took too long
  ESOCKET: "idempotent", // tedious: the connection was lost, or never made
  ELOGIN: "permanent",
};

export const sqlServerVerdict: Verdict = (error) => {
  const number = readField(error, "number");
  const fromServer = typeof number === "number" && typeof readField(error, "class") === "number";
  if (fromServer) {
    if (SAFE.includes(number)) return "safe";
    return IDEMPOTENT.includes(number) ? "idempotent" : "permanent";
  }
  const code = readField(error, "code");
  return typeof code === "string" && Object.hasOwn(CODES, code) ? CODES[code] : undefined;
};

/**
 * Tells whether a SQL Server statement, or the transaction that it was in, may be run again: from the errors of `tedious` and `mssql`, and of
 * the network. `"safe"` means the whole transaction.
 *
 * @example
 * classifySqlServerError({ number: 1205, class: 13 }); // => "safe"
 * classifySqlServerError({ number: 2627, class: 14 }); // => "permanent"
 */
export function classifySqlServerError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => sqlServerVerdict(...asked) ?? networkVerdict(...asked));
}
