import { readField } from "../common/inspect.js";
import { classifyMysqlError } from "../transient/mysql.js";
import type { MysqlTransactionConnection } from "./clients.js";
import { checkConnection, held } from "./connection.js";
import { type Ask, type Connection, type Dialect, type Trace, unknownFate } from "./dialect.js";

/** Errors after which the transaction is rolled back; what follows would be written at once, and alone. */
const ENDING: readonly unknown[] = [
  1020, // ER_CHECKREAD, under innodb_snapshot_isolation
  1206, // ER_LOCK_TABLE_FULL
  1213, // ER_LOCK_DEADLOCK
  3101, // ER_TRANSACTION_ROLLBACK_DURING_COMMIT
  ...[8002, 8005, 8022, 8028, 9007], // TiDB's conflicts
];
const LOCK_WAIT_TIMEOUT = 1205;
const READ_ONLY: readonly unknown[] = [1290, 1792, 1836, 1874];

export type WasDone = (connection: any) => boolean | Promise<boolean>;

export function mysqlDialect(
  pool: { getConnection(): Promise<MysqlTransactionConnection> },
  wasDone: WasDone | undefined,
): Dialect {
  return {
    connect: async () => connectionOf(await pool.getConnection()),

    begin({ isolation, readOnly }) {
      const start = readOnly ? "start transaction read only" : "start transaction";
      return isolation ? [`set transaction isolation level ${isolation}`, start] : [start];
    },

    classify: classifyMysqlError,

    ends(error, ask) {
      const errno = readField(error, "errno");
      if (errno === LOCK_WAIT_TIMEOUT) return rollsBackOnTimeout(ask);
      if (ENDING.includes(errno) || /^(40|XA1)/.test(String(readField(error, "sqlState")))) return true;
      return readField(error, "fatal") === true || classifyMysqlError(error) === "idempotent";
    },

    isAftermath: () => false,

    rolledBack: () => false,

    isReadOnly: (error) => READ_ONLY.includes(readField(error, "errno")),

    trace: async (ask) => (wasDone ? traceOf(ask, wasDone) : unknownFate),
  };
}

async function rollsBackOnTimeout(ask: Ask): Promise<boolean> {
  try {
    const row = firstOf(await ask("select @@innodb_rollback_on_timeout as does"));
    return row?.does !== 0;
  } catch {
    return true;
  }
}

/** The old session must be gone first: it may be at work on its COMMIT still. After a restart its number may be another's, its port is not. */
async function traceOf(ask: Ask, wasDone: WasDone): Promise<Trace> {
  const session = firstOf(await ask("select id, host from information_schema.processlist where id = connection_id()"));
  if (!session) return unknownFate;
  return async (other) => {
    const text = "select 1 from information_schema.processlist where id = ? and host = ?";
    if (firstOf(await other.ask(text, [session.id, session.host]))) return "in progress";
    return (await wasDone(other.client)) ? "committed" : "aborted";
  };
}

/** `mysql2` returns rows and fields, `mariadb` rows. */
function firstOf(result: any): any {
  return Array.isArray(result[0]) ? result[0][0] : result[0];
}

function connectionOf(client: MysqlTransactionConnection): Connection {
  checkConnection(client, "getConnection");
  return {
    client,
    ask: async (text, values) => client.query(text, values),
    release: held(client, (destroy) => {
      if (destroy) client.destroy();
      // mariadb says something to the server first.
      else Promise.resolve(client.release()).catch(() => {});
    }),
  };
}
