import { readField } from "../common/inspect.js";
import { newIdempotencyKey } from "../common/new-key.js";
import { check, hasMethods, type Rule, readOptions } from "../common/validate.js";
import { BATCH, heldBy, inBatches, refuseOthers, type TableStore, tableRule } from "./sql.js";
import type { Claim, IdempotencyStore } from "./store.js";

/** A statement of SQLite. */
export interface SqliteStatement {
  get(...values: any[]): unknown;
  run(...values: any[]): { changes: number | bigint };
}

/** A database of `node:sqlite` or of `better-sqlite3`. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

/** The options of `sqliteIdempotencyStore`. */
export interface SqliteIdempotencyStoreOptions {
  /**
   * The table, with its schema where that is not `main`, as SQL has it: `keys`, `other.keys`, `"Keys"`.
   * @default "idempotency_keys"
   */
  table?: string | undefined;
}

/** A store in SQLite. */
export interface SqliteIdempotencyStore extends Required<IdempotencyStore>, TableStore {
  /** The same table through another connection. */
  within(database: SqliteDatabase): SqliteIdempotencyStore;
}

const OWNER = "sqliteIdempotencyStore";
const DATABASE: Rule = [
  "a database of node:sqlite or better-sqlite3",
  "object",
  /* @__PURE__ */ hasMethods("exec", "prepare"),
];
const TABLE = /* @__PURE__ */ tableRule('"', '"idempotency_keys", "other.keys" or "\\"Keys\\""');

/**
 * Keeps keys and results in a file of SQLite 3.35 or later, for `node:sqlite` and `better-sqlite3`: for processes on one machine. **In a
 * transaction of the connection the key and the result are part of that.** Give the connection a `busy_timeout`. Time is the
 * machine's. Throws a `TypeError` for a bad option.
 *
 * ```ts no-run
 * const store = sqliteIdempotencyStore(new DatabaseSync("keys.db", { timeout: 5_000 }));
 * await store.setUp();
 * ```
 *
 * @example
 * const database = { exec() {}, prepare: () => ({ get() {}, run: () => ({ changes: 0 }) }) }; // a DatabaseSync of node:sqlite
 * await sqliteIdempotencyStore(database).cleanUp(); // => 0
 */
export function sqliteIdempotencyStore(
  database: SqliteDatabase,
  options: SqliteIdempotencyStoreOptions = {},
): SqliteIdempotencyStore {
  refuseOthers(OWNER, database);
  refuseCallbacks(database);
  check(OWNER, "database", database, DATABASE);
  const { table = "idempotency_keys" } = readOptions(OWNER, options, { table: TABLE });
  const statements = new Map<string, SqliteStatement>();

  const statement = (sql: string): SqliteStatement => {
    let made = statements.get(sql);
    if (!made) {
      made = database.prepare(sql);
      if (typeof readField(made, "get") !== "function")
        throw new TypeError(`${OWNER}: database must be ${DATABASE[0]}`);
      statements.set(sql, made);
    }
    return made;
  };
  const get = (sql: string, ...values: unknown[]): unknown => statement(sql).get(...values);
  const changes = (sql: string, ...values: unknown[]): number => Number(statement(sql).run(...values).changes);

  const isInTransaction = (): boolean =>
    readField(database, "isTransaction") === true || readField(database, "inTransaction") === true;
  // What this very transaction wrote nobody else can have taken, however long it lasts.
  const liveFrom = (): number => (isInTransaction() ? 0 : Date.now());

  const look = (key: string) => {
    const now = Date.now();
    const row = get(
      `select fingerprint, record, until - ? as left from ${table} where key = ? and until > ?`,
      now,
      key,
      now,
    );
    return row ? heldBy(row as { fingerprint: string; record: string | null; left: number }) : undefined;
  };

  return {
    async claim(key, fingerprint, lease): Promise<Claim> {
      for (;;) {
        const token = newIdempotencyKey();
        const now = Date.now();
        const won = get(
          `insert into ${table} (key, fingerprint, token, until) values (?, ?, ?, ?)
           on conflict (key) do update
           set fingerprint = excluded.fingerprint, token = excluded.token, record = null, until = excluded.until
           where until <= ? returning token`,
          ...[key, fingerprint, token, now + lease, now],
        );
        if (won) return { state: "won", token, ...(isInTransaction() && { inTransaction: true }) };
        const held = look(key);
        // Else another process freed it between the two statements.
        if (held) return held;
      }
    },

    async renew(key, token, lease) {
      return (
        changes(
          `update ${table} set until = ? where key = ? and token = ? and until > ? and record is null`,
          ...[Date.now() + lease, key, token, liveFrom()],
        ) > 0
      );
    },

    async record(key, token, record, keep) {
      return (
        changes(
          `update ${table} set record = ?, until = ?
           where key = ? and token = ? and until > ? and (record is null or record = ?)`,
          ...[record, Date.now() + keep, key, token, liveFrom(), record],
        ) > 0
      );
    },

    async release(key, token) {
      changes(`delete from ${table} where key = ? and token = ? and record is null`, key, token);
    },

    async peek(key) {
      return look(key);
    },

    async swap(key, from, to, keep) {
      const now = Date.now();
      if (to === undefined) {
        return changes(`delete from ${table} where key = ? and record = ? and until > ?`, key, from, now) > 0;
      }
      const sql = `update ${table} set record = ?, until = ? where key = ? and record = ? and until > ?`;
      return changes(sql, to, now + keep, key, from, now) > 0;
    },

    within: (other) => sqliteIdempotencyStore(other, options),

    async setUp() {
      // The index is the table's own: a name for it could be another's. A key's end is found by it.
      database.exec(`create table if not exists ${table} (
  key text not null,
  fingerprint text not null,
  token text not null,
  record text,
  until real not null,
  primary key (key),
  unique (until, key)
)`);
    },

    async cleanUp() {
      return inBatches(async () =>
        changes(
          `delete from ${table} where key in (select key from ${table} where until <= ? limit ${BATCH})`,
          Date.now(),
        ),
      );
    },
  };
}

/** `sqlite3` calls back, `bun:sqlite` does not. */
function refuseCallbacks(database: unknown): void {
  if (typeof readField(database, "parallelize") !== "function") return;
  throw new TypeError(`${OWNER}: database must be ${DATABASE[0]}; sqlite3 calls back`);
}
