import { DatabaseSync } from "node:sqlite";
import { type SqliteDatabase, sqliteIdempotencyStore } from "../../../src/idempotency/sqlite-store.js";
import type { Asked, Opened } from "./process.js";

// A process that has node:sqlite: it carries out what the tests ask of a store, a statement after the other.

/** The same database as better-sqlite3 shows one: it says otherwise whether it is in a transaction. */
function asBetterSqlite3(database: DatabaseSync): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql);
      return { get: (...values) => statement.get(...values), run: (...values) => statement.run(...values) };
    },
    get inTransaction() {
      return database.isTransaction;
    },
  } as SqliteDatabase;
}

function open({ file, table, as }: Opened) {
  const database = new DatabaseSync(file, { timeout: 20_000 });
  const store = sqliteIdempotencyStore(
    as === "better-sqlite3" ? asBetterSqlite3(database) : database,
    table ? { table } : {},
  );
  return { database, store };
}

let opened: ReturnType<typeof open>;

async function carryOut({ ask, facts }: Asked): Promise<unknown> {
  if (ask === "open") {
    opened = open(facts[0] as Opened);
    // Readers and the one that writes do not wait for each other.
    opened.database.exec("pragma journal_mode = wal");
    return undefined;
  }
  if (ask === "exec") return opened.database.exec(facts[0] as string);
  if (ask === "rows") return opened.database.prepare(facts[0] as string).all();
  const method = opened.store[ask] as (...facts: readonly unknown[]) => Promise<unknown>;
  return method(...facts);
}

process.on("disconnect", () => process.exit());
process.on("message", (asked: Asked) => {
  carryOut(asked).then(
    (value) => process.send!({ id: asked.id, value }),
    (error: Error) => process.send!({ id: asked.id, failed: { ...error, message: error.message } }),
  );
});
