import { toBase64 } from "../common/base64.js";
import { readField } from "../common/inspect.js";
import { newIdempotencyKey } from "../common/new-key.js";
import { isThenable } from "../common/thenable.js";
import { check, hasMethods, type Rule, readOptions } from "../common/validate.js";
import { BATCH, heldBy, inBatches, refuseOthers, type TableStore, tableRule } from "./sql.js";
import type { Claim, Held, IdempotencyStore } from "./store.js";

/** What runs SQL on MySQL or MariaDB: a pool or a connection of `mysql2/promise` or of `mariadb`. */
export interface MysqlQueryable {
  query(sql: string, values?: any): Promise<any>;
}

/** The options of `mysqlIdempotencyStore`. */
export interface MysqlIdempotencyStoreOptions {
  /**
   * The table, with its database where that is not the usual one, as SQL has it: `keys_2`, `billing.keys_2`, `` `billing`.`keys` ``.
   * @default "idempotency_keys"
   */
  table?: string | undefined;
}

/** A store in MySQL or MariaDB. */
export interface MysqlIdempotencyStore extends Required<IdempotencyStore>, TableStore {
  /** The same table through another client, such as a connection that is in a transaction. */
  within(client: MysqlQueryable): MysqlIdempotencyStore;
}

const OWNER = "mysqlIdempotencyStore";
const CLIENT: Rule = ["a pool or connection with a method query", "object", /* @__PURE__ */ hasMethods("query")];
const TABLE = /* @__PURE__ */ tableRule("`", '"idempotency_keys", "billing.keys_2" or "`billing`.`keys`"');

// InnoDB has no longer keys in an index.
const LONGEST_KEY = 3_072;

// Of the statement's begin, and of no time zone. One that had to wait for a lock works with an earlier time: it takes a lease for
// one that still lasts, or makes its own end early.
const NOW = "timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000";
// As bytes, in base64: a comparison of texts takes "a1", "A1" and "a1 " for one, and a connection may have another character set.
const KEY = "`key` = from_base64(?)";

const encode = (text: string) => toBase64(new TextEncoder().encode(text));
const isOfTransaction = (error: unknown) => readField(error, "errno") === 1568;
const isDeadlock = (error: unknown) => readField(error, "errno") === 1213;

/**
 * Keeps keys and results in MySQL 5.7 or later, or in MariaDB 10.2 or later (InnoDB), for `mysql2/promise` and `mariadb`. Given a pool,
 * every step is a statement of its own. **Given a connection that is in a transaction, the key and the result are part of that
 * transaction.** A key has at most 3,072 bytes, else `RangeError`. Time is the server's. Throws a `TypeError` for a bad option.
 *
 * ```ts no-run
 * const store = mysqlIdempotencyStore(pool);
 * await store.setUp();
 * ```
 *
 * @example
 * const pool = { query: async () => [{ affectedRows: 0 }, undefined], getConnection() {} }; // a pool of mysql2/promise
 * await mysqlIdempotencyStore(pool).cleanUp(); // => 0
 */
export function mysqlIdempotencyStore(
  client: MysqlQueryable,
  options: MysqlIdempotencyStoreOptions = {},
): MysqlIdempotencyStore {
  refuseOthers(OWNER, client);
  refuseCallbacks(client);
  check(OWNER, "client", client, CLIENT);
  const { table = "idempotency_keys" } = readOptions(OWNER, options, { table: TABLE });
  // Each of a pool's statements stands alone.
  const isPool = hasMethods("getConnection")(client as unknown as Record<string, unknown>);
  // What this very transaction wrote nobody else can have taken, however long its statements keep a renewal waiting.
  const inTransaction = new Set<string>();
  const live = (token: string) => (inTransaction.has(token) ? "true" : `until > ${NOW}`);

  const ask = async (sql: string, values: readonly unknown[] = []): Promise<any> => {
    const asked = client.query(sql, values);
    if (!isThenable(asked))
      throw new TypeError(`${OWNER}: client.query must return a promise: use mysql2/promise or mariadb`);
    return resultOf(await asked);
  };
  const affected = async (sql: string, values: readonly unknown[]): Promise<number> =>
    Number((await ask(sql, values)).affectedRows);
  const exists = async (where: string, values: readonly unknown[]): Promise<boolean> =>
    (await ask(`select 1 from ${table} where ${where} for update`, values)).length > 0;

  const win = async (key: string, fingerprint: string, token: string, lease: number): Promise<void> => {
    // "until" comes last: each assignment sees those before it.
    const set = ["fingerprint", "token", "record", "until"].map(
      (c) => `${c} = if(until <= ${NOW}, values(${c}), ${c})`,
    );
    try {
      await ask(
        `insert into ${table} (\`key\`, fingerprint, token, record, until)
         values (from_base64(?), ?, ?, null, ${NOW} + ?) on duplicate key update ${set.join(", ")}`,
        [encode(key), fingerprint, token, lease],
      );
    } catch (error) {
      // It has undone a transaction; where there is none, the others go on and this one comes after them.
      if (!isPool || !isDeadlock(error)) throw error;
      return win(key, fingerprint, token, lease);
    }
  };

  // It locks: in a transaction, a read that does not sees what was there when that began.
  const look = async (key: string): Promise<(Held & { token: string; left: number }) | undefined> => {
    const [row] = await ask(
      `select fingerprint, token, record, until - ${NOW} as remaining
       from ${table} where ${KEY} and until > ${NOW} for update`,
      [encode(key)],
    );
    if (!row) return undefined;
    const record = row.record === null ? null : new TextDecoder().decode(row.record);
    const left = Number(row.remaining);
    return { ...heldBy({ fingerprint: String(row.fingerprint), record, left }), token: String(row.token), left };
  };

  /** Whether the statement before this one, which wrote the key, was of a transaction that goes on. */
  const isInTransaction = async (): Promise<boolean> => {
    if (isPool) return false;
    try {
      // What transactions are by default; within one it is refused, and changes nothing.
      await ask("set transaction read write");
      return false;
    } catch (error) {
      if (isOfTransaction(error)) return true;
      throw error;
    }
  };

  const renew = async (key: string, token: string, lease: number): Promise<boolean> => {
    const where = `${KEY} and token = ? and record is null and ${live(token)}`;
    const values = [encode(key), token];
    const set = `update ${table} set until = ${NOW} + ? where ${where}`;
    // A connection may count only rows that are changed, and within a ms nothing is.
    return (await affected(set, [Math.ceil(lease), ...values])) > 0 || exists(where, values);
  };

  return {
    async claim(key, fingerprint, lease): Promise<Claim> {
      const ms = Math.ceil(lease);
      if (new TextEncoder().encode(key).length > LONGEST_KEY) {
        throw new RangeError(`${OWNER}: a key must have at most ${LONGEST_KEY} bytes`);
      }
      for (;;) {
        const token = newIdempotencyKey();
        await win(key, fingerprint, token, ms);
        const found = await look(key);
        // It was freed between the two statements, or its time is over.
        if (!found) continue;
        const { token: holder, left, ...held } = found;
        if (holder !== token) return held;
        if (await isInTransaction()) {
          inTransaction.add(token);
          return { state: "won", token, inTransaction: true };
        }
        // The insertion had to wait, and the lease began when that did.
        if (left < ms / 2 && !(await renew(key, token, ms))) continue;
        return { state: "won", token };
      }
    },

    renew,

    async record(key, token, record, keep) {
      const [bytes, id] = [encode(record), [encode(key), token]];
      const set = `update ${table} set record = from_base64(?), until = ${NOW} + ?
                   where ${KEY} and token = ? and ${live(token)} and record is null`;
      if ((await affected(set, [bytes, Math.ceil(keep), ...id])) > 0) return true;
      // Not in one statement: a record may be large, and a packet is bounded.
      return exists(`${KEY} and token = ? and ${live(token)} and record = from_base64(?)`, [...id, bytes]);
    },

    async release(key, token) {
      inTransaction.delete(token);
      await ask(`delete from ${table} where ${KEY} and token = ? and record is null`, [encode(key), token]);
    },

    async peek(key) {
      const found = await look(key);
      if (!found) return undefined;
      const { token, left, ...held } = found;
      return held;
    },

    async swap(key, from, to, keep) {
      const where = `${KEY} and until > ${NOW} and record = from_base64(?)`;
      const values = [encode(key), encode(from)];
      if (to === undefined) return (await affected(`delete from ${table} where ${where}`, values)) > 0;
      const set = `update ${table} set record = from_base64(?), until = ${NOW} + ? where ${where}`;
      return (await affected(set, [encode(to), Math.ceil(keep), ...values])) > 0;
    },

    within: (other) => mysqlIdempotencyStore(other, options),

    async setUp() {
      await ask(`create table if not exists ${table} (
  \`key\` varbinary(${LONGEST_KEY}) primary key,
  fingerprint varchar(255) character set ascii not null,
  token varchar(64) character set ascii not null,
  record longblob,
  until bigint not null,
  index (until)
) engine = InnoDB`);
    },

    async cleanUp() {
      return inBatches(() => affected(`delete from ${table} where until <= ${NOW} limit ${BATCH}`, []));
    },
  };
}

/** mysql2 returns the result and its fields, mariadb the result; a result is rows, or what a statement did. */
function resultOf(answer: unknown): unknown {
  if (!Array.isArray(answer) || answer.length !== 2) return answer;
  const [result, fields] = answer;
  return Array.isArray(result) || (fields === undefined && readField(result, "affectedRows") !== undefined)
    ? result
    : answer;
}

function refuseCallbacks(client: unknown): void {
  if (typeof readField(client, "promise") !== "function") return;
  throw new TypeError(`${OWNER}: client must return promises: give client.promise(), or use mysql2/promise`);
}
