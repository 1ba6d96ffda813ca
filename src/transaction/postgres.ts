import { readField } from "../common/inspect.js";
import { classifyPostgresError } from "../transient/postgres.js";
import type { PgTransactionClient } from "./clients.js";
import { checkConnection, held } from "./connection.js";
import { type Ask, type Connection, type Dialect, type Trace, unknownFate } from "./dialect.js";

/** Pools whose servers can be asked for a transaction's fate, from PostgreSQL 13. */
const traceable = new WeakMap<object, boolean>();

export function postgresDialect(pool: { connect(): Promise<PgTransactionClient> }): Dialect {
  return {
    async connect() {
      const connection = connectionOf(await pool.connect());
      if (!traceable.has(pool)) await findOut(pool, connection.ask);
      return connection;
    },

    begin({ isolation, readOnly }) {
      const level = isolation ? ` isolation level ${isolation}` : "";
      return [`begin${level}${readOnly ? " read only" : ""}`];
    },

    classify: classifyPostgresError,

    // Any error of a statement does, unless a savepoint is rolled back to: the server knows, and says 25P02. This is about connections.
    ends: (error) => isOfConnection(error),

    isAftermath: (error) => readField(error, "code") === "25P02",

    rolledBack: (result) => readField(result, "command") === "ROLLBACK",

    isReadOnly: (error) => readField(error, "code") === "25006",

    async trace(ask) {
      if (!traceable.get(pool)) return unknownFate;
      const { rows } = await ask("select pg_current_xact_id_if_assigned()::text as id");
      return rows[0].id === null ? undefined : traceOf(rows[0].id);
    },
  };
}

const traceOf =
  (id: string): Trace =>
  async ({ ask }) =>
    // NULL where it was too long ago.
    (await ask("select pg_xact_status($1::xid8) as status", [id])).rows[0].status ?? "unknown";

/** Before BEGIN: within a transaction a function that is missing would end it. */
async function findOut(pool: object, ask: Ask): Promise<void> {
  try {
    const { rows } = await ask("select 1 from pg_catalog.pg_proc where proname = 'pg_current_xact_id_if_assigned'");
    traceable.set(pool, rows.length > 0);
  } catch {
    // The connection is lost, as BEGIN will find.
  }
}

function isOfConnection(error: unknown): boolean {
  const isServers = typeof readField(error, "severity") === "string";
  return isServers
    ? /^(FATAL|PANIC)$|^(08|57P)/.test(`${readField(error, "code")}`)
    : classifyPostgresError(error) === "idempotent";
}

function connectionOf(client: PgTransactionClient): Connection {
  checkConnection(client, "connect");
  return {
    client,
    ask: async (text, values) => client.query(text, values),
    release: held(client, (destroy) => client.release(destroy)),
  };
}
