import { readField } from "../common/inspect.js";
import { lookThroughOrm } from "./orms.js";
import { lookUp, type Retryability, type Verdict } from "./retryability.js";

// Numbers from Microsoft's SqlClient (SqlConfigurableRetryFactory), EF Core's SqlServerTransientExceptionDetector, and
// learn.microsoft.com on transient errors of Azure SQL.

const SAFE: readonly number[] = [
  669, // a row was moved while it was read (NOLOCK)
  921, // the database has not been recovered yet
  983, // an availability group's database that is changing its role
  1203, // another has the lock
  1204, // no locks are left
  1205, // deadlock victim: rolled back; run the whole transaction again
  1221, // the lock was given up
  1222, // lock timeout
  1807, // another has the model database locked
  3906, // read-only: a primary that became a secondary; connect anew
  3960, // snapshot isolation: somebody else wrote first
  3966, // snapshot isolation: the version was not there any more
  4060, // the database cannot be opened
  4221, // log in to a secondary that is not ready
  8628, // no resources for a plan in time
  8645, // no memory for a plan in time
  8651, // no memory for a plan
  10922, // try again
  10928, // a limit of the database
  10929, // the server is too busy for the database's minimum
  10936, // a limit of the elastic pool
  17197, // the login took too long
  18401, // the server is starting up
  40501, // the service is busy
  40540, // moved to another node
  40613, // the database is not available
  // In-memory tables: a conflict of transactions, each rolled back
  ...[41301, 41302, 41305, 41325, 41839],
  42108, // a pool is being started
  42109, // a pool is being started
  49918, // too busy to handle the request
  49919, // too many creations or updates
  49920, // too many operations
];

const IDEMPOTENT: readonly number[] = [
  -2, // the client's timeout: it may have been done (EF Core)
  20, // no encryption at the other end, mostly as it is failing over
  64, // connected, then failed while logging in
  121, // the semaphore timeout
  233, // no process at the other end
  601, // a row was moved while it was read (NOLOCK)
  615, // the database's number has changed
  617, // likewise
  701, // no memory is left
  926, // the database is suspect
  997, // an overlapped operation is in progress
  10053, // aborted by the host
  10054, // reset by the peer
  10060, // timed out
  14355, // the service is busy
  20041, // a transaction was rolled back: run it again, not the statement
  35201, // no connection to the primary replica in time
  35202, // an availability group has lost its connection
  40143, // the service failed
  40197, // the service failed, as in an upgrade
];

const CODES: Readonly<Record<string, Retryability>> = {
  ETIMEOUT: "idempotent", // tedious: a request, or a connection, took too long
  ESOCKET: "idempotent", // tedious: the connection was lost, or never made
  ECONNCLOSED: "idempotent", // mssql: lost before
  ECANCEL: "permanent", // tedious: by the caller
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
  // tedious says ESOCKET of both.
  if (code === "ESOCKET" && NOT_CONNECTED.test(String(readField(error, "message")))) return "safe";
  return lookUp(CODES, code);
};

const NOT_CONNECTED = /^(Failed to connect to|Could not connect)/;

/**
 * Says whether a SQL Server statement, or the transaction that it was in, may be run again: from the errors of `tedious` and `mssql`, and of
 * the network. `"safe"` means the whole transaction.
 *
 * @example
 * classifySqlServerError({ number: 1205, class: 13 }); // => "safe"
 * classifySqlServerError({ number: 2627, class: 14 }); // => "permanent"
 */
export function classifySqlServerError(error: unknown): Retryability {
  return lookThroughOrm(error, sqlServerVerdict);
}
