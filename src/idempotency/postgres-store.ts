import { codeOf, readField } from "../common/inspect.js";
import { newIdempotencyKey } from "../common/new-key.js";
import { check, hasMethods, type Rule, readOptions } from "../common/validate.js";
import type { Claim, IdempotencyStore } from "./store.js";

/** What runs SQL: a `Pool` or a `Client` of `pg`, or anything that has its `query`. */
export interface Queryable {
  query(text: string, values?: any[]): Promise<{ rows: any[]; rowCount?: number | null }>;
}

export interface PostgresIdempotencyStoreOptions {
  /**
   * The table, with its schema where that is not the usual one: letters, digits and underscores.
   * @default "idempotency_keys"
   */
  table?: string | undefined;
}

export interface PostgresIdempotencyStore extends IdempotencyStore {
  /** Creates the table where it is not there. */
  setUp(): Promise<void>;
  /** Deletes what is over, and answers how many keys that was: for a job that runs now and then. */
  cleanUp(): Promise<number>;
}

/** Whether it comes of an earlier error in the caller's transaction: nothing but a rollback helps then. */
const isOfFailedTransaction = (error: unknown) => codeOf(error) === "25P02";

const CLIENT: Rule = ["an object with a method query", "object", /* @__PURE__ */ hasMethods("query")];
const TABLE: Rule = [
  'the name of a table, as "idempotency_keys" or "billing.keys"',
  "string",
  (name) => /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/i.test(name),
];

/**
 * Keeps keys and results in PostgreSQL. Given a pool, every step is a statement of its own. **Given a client that is in a
 * transaction, the key and the result are part of that transaction**: they commit together with what the call wrote, or not at
 * all, and another call with the key waits until that is decided. Time is the server's. Throws a `TypeError` for a bad option.
 *
 * ```ts no-run
 * const store = postgresIdempotencyStore(pool);
 * await store.setUp();
 * ```
 *
 * @example
 * const pool = { query: async () => ({ rows: [], rowCount: 0 }) }; // a Pool of pg
 * await postgresIdempotencyStore(pool).cleanUp(); // => 0
 */
export function postgresIdempotencyStore(
  client: Queryable,
  options: PostgresIdempotencyStoreOptions = {},
): PostgresIdempotencyStore {
  check("postgresIdempotencyStore", "client", client, CLIENT);
  const { table = "idempotency_keys" } = readOptions("postgresIdempotencyStore", options, { table: TABLE });
  const rowsOf = async (text: string, values: unknown[] = []) => (await client.query(text, values)).rows;
  // Not now(): that is when the transaction began.
  const fromNow = (parameter: string) => `clock_timestamp() + ${parameter} * interval '1 millisecond'`;
  // What this very transaction wrote nobody else can have taken, however long its statements keep a renewal waiting.
  const held =
    "key = $1 and token = $2 and (until > clock_timestamp() or pg_current_xact_id_if_assigned() is not null)";

  const win = (key: string, fingerprint: string, token: string, lease: number) =>
    rowsOf(
      `insert into ${table} as held (key, fingerprint, token, until) values ($1, $2, $3, ${fromNow("$4::float8")})
       on conflict (key) do update
       set fingerprint = excluded.fingerprint, token = excluded.token, record = null, until = excluded.until
       where held.until <= clock_timestamp()
       returning token`,
      [key, fingerprint, token, lease],
    );

  // Each of a pool's statements stands alone.
  const isPool = typeof readField(client, "totalCount") === "number";

  /** Whether the statement before this one, which wrote the key, was of a transaction that goes on. */
  const isInTransaction = async (): Promise<boolean> => {
    if (isPool) return false;
    // A statement that stands alone and only reads has none, also where a savepoint hides the row's own.
    const [row] = await rowsOf("select pg_current_xact_id_if_assigned() is not null as same");
    return row?.same === true;
  };

  return {
    async claim(key, fingerprint, lease): Promise<Claim> {
      for (;;) {
        const token = newIdempotencyKey();
        if ((await win(key, fingerprint, token, lease)).length > 0) {
          return { state: "won", token, ...((await isInTransaction()) && { inTransaction: true }) };
        }
        const [row] = await rowsOf(
          `select fingerprint, record, extract(epoch from until - clock_timestamp())::float8 * 1000 as left
           from ${table} where key = $1 and until > clock_timestamp()`,
          [key],
        );
        // It was freed between the two statements.
        if (!row) continue;
        if (row.record !== null) return { state: "done", fingerprint: row.fingerprint, record: row.record };
        return { state: "running", fingerprint: row.fingerprint, retryAfter: Math.max(0, row.left) };
      }
    },

    async renew(key, token, lease) {
      const renewed = await rowsOf(
        `update ${table} set until = ${fromNow("$3::float8")} where ${held} and record is null returning key`,
        [key, token, lease],
      );
      return renewed.length > 0;
    },

    async record(key, token, record, keep) {
      const recorded = await rowsOf(
        `update ${table} set record = $3, until = ${fromNow("$4::float8")}
         where ${held} and (record is null or record = $3) returning key`,
        [key, token, record, keep],
      );
      return recorded.length > 0;
    },

    async release(key, token) {
      await rowsOf(`delete from ${table} where key = $1 and token = $2 and record is null`, [key, token]).catch(
        (error) => {
          // The rollback frees the key.
          if (!isOfFailedTransaction(error)) throw error;
        },
      );
    },

    async setUp() {
      // Not "if not exists": that fails where two do it at once, and an error would end the caller's transaction.
      await rowsOf(
        `do $$ begin
           create table ${table} (
             key text primary key,
             fingerprint text not null,
             token text not null,
             record text,
             until timestamptz not null
           );
         exception when unique_violation or duplicate_table or duplicate_object then null;
         end $$`,
      );
    },

    async cleanUp() {
      const { rowCount } = await client.query(`delete from ${table} where until <= clock_timestamp()`);
      return rowCount ?? 0;
    },
  };
}
