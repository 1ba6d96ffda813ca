import { codeOf, readField } from "../common/inspect.js";
import { newIdempotencyKey } from "../common/new-key.js";
import { check, hasMethods, type Rule, readOptions } from "../common/validate.js";
import { BATCH, heldBy, inBatches, refuseOthers, type TableStore, tableRule } from "./sql.js";
import type { Claim, Held, IdempotencyStore } from "./store.js";

/** What runs SQL: a `Pool` or a `Client` of `pg`, or anything that has its `query`. */
export interface Queryable {
  query(text: string, values?: any[]): Promise<{ rows: any[]; rowCount?: number | null }>;
}

export interface PostgresIdempotencyStoreOptions {
  /**
   * The table, with its schema where that is not the usual one, as SQL has it: `keys`, `billing.keys`, `"Billing"."Keys"`.
   * @default "idempotency_keys"
   */
  table?: string | undefined;
}

/** A store in PostgreSQL. */
export interface PostgresIdempotencyStore extends Required<IdempotencyStore>, TableStore {
  /** The same table through another client, such as one that is in a transaction. */
  within(client: Queryable): PostgresIdempotencyStore;
}

/** Whether it comes of an earlier error in the caller's transaction: nothing but a rollback helps then. */
const isOfFailedTransaction = (error: unknown) => codeOf(error) === "25P02";

const CLIENT: Rule = ["an object with a method query", "object", /* @__PURE__ */ hasMethods("query")];
const TABLE = /* @__PURE__ */ tableRule('"', '"idempotency_keys", "billing.keys" or "\\"Billing\\".\\"Keys\\""');

// Not now(): that is when the transaction began.
const fromNow = (parameter: string) => `clock_timestamp() + ${parameter} * interval '1 millisecond'`;
// What this very transaction wrote nobody else can have taken, however long its statements keep a renewal waiting.
const HELD = "key = $1 and token = $2 and (until > clock_timestamp() or pg_current_xact_id_if_assigned() is not null)";
const LIVE = "key = $1 and until > clock_timestamp()";

/**
 * Keeps keys and results in PostgreSQL 13 or later. Given a pool, every step is a statement of its own. **Given a client that is in a
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
  refuseOthers(OWNER, client);
  check(OWNER, "client", client, CLIENT);
  const { table = "idempotency_keys" } = readOptions(OWNER, options, { table: TABLE });

  const ask = async (text: string, values?: unknown[]) => {
    const result = await client.query(text, values);
    if (Array.isArray(result?.rows)) return result;
    throw new TypeError(`${OWNER}: client must be a Pool or Client of pg; its query returned something without rows`);
  };
  const rowsOf = async (text: string, values?: unknown[]) => (await ask(text, values)).rows;
  const changes = async (text: string, values: unknown[]) => (await rowsOf(text, values)).length > 0;

  const win = (key: string, fingerprint: string, token: string, lease: number) =>
    changes(
      `insert into ${table} as held (key, fingerprint, token, until) values ($1, $2, $3, ${fromNow("$4::float8")})
       on conflict (key) do update
       set fingerprint = excluded.fingerprint, token = excluded.token, record = null, until = excluded.until
       where held.until <= clock_timestamp()
       returning token`,
      [key, fingerprint, token, lease],
    );

  const look = async (key: string): Promise<Held | undefined> => {
    const [row] = await rowsOf(
      `select fingerprint, record, extract(epoch from until - clock_timestamp())::float8 * 1000 as left
       from ${table} where ${LIVE}`,
      [key],
    );
    return row && heldBy(row);
  };

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
        if (await win(key, fingerprint, token, lease)) {
          return { state: "won", token, ...((await isInTransaction()) && { inTransaction: true }) };
        }
        const held = await look(key);
        // Else it was freed between the two statements.
        if (held) return held;
      }
    },

    async renew(key, token, lease) {
      return changes(
        `update ${table} set until = ${fromNow("$3::float8")} where ${HELD} and record is null returning key`,
        [key, token, lease],
      );
    },

    async record(key, token, record, keep) {
      return changes(
        `update ${table} set record = $3, until = ${fromNow("$4::float8")}
         where ${HELD} and (record is null or record = $3) returning key`,
        [key, token, record, keep],
      );
    },

    async release(key, token) {
      await rowsOf(`delete from ${table} where key = $1 and token = $2 and record is null`, [key, token]).catch(
        (error) => {
          // The rollback frees the key.
          if (!isOfFailedTransaction(error)) throw error;
        },
      );
    },

    peek: look,

    async swap(key, from, to, keep) {
      if (to === undefined) {
        return changes(`delete from ${table} where ${LIVE} and record = $2 returning key`, [key, from]);
      }
      return changes(
        `update ${table} set record = $3, until = ${fromNow("$4::float8")} where ${LIVE} and record = $2 returning key`,
        [key, from, to, keep],
      );
    },

    within: (other) => postgresIdempotencyStore(other, options),

    async setUp() {
      // Not "if not exists": that fails where two do it at once, and an error would end the caller's transaction.
      await rowsOf(`do $$ begin
  create table ${table} (
    key text primary key,
    fingerprint text not null,
    token text not null,
    record text,
    until timestamptz not null
  );
  create index on ${table} (until);
exception when unique_violation or duplicate_table or duplicate_object then null;
end $$`);
    },

    async cleanUp() {
      return inBatches(async () => {
        const { rowCount } = await ask(
          `delete from ${table} where key in
           (select key from ${table} where until <= clock_timestamp() limit ${BATCH} for update skip locked)`,
        );
        return rowCount ?? 0;
      });
    },
  };
}

const OWNER = "postgresIdempotencyStore";
