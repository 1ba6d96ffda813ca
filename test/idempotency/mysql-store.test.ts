import { createConnection, createPool } from "mariadb";
import {
  type Connection,
  createConnection as createMysql2Connection,
  createPool as createMysql2Pool,
} from "mysql2/promise";
import {
  idempotent,
  type MysqlIdempotencyStore,
  type MysqlQueryable,
  mysqlIdempotencyStore,
  newIdempotencyKey,
} from "undaunted/idempotency";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Mariadb, startMariadb, whatIsMissing } from "../transient/servers/index.js";
import { named } from "./kinds-of-store.js";

const HOUR = 3_600_000;
const PATIENCE = { timeout: 20_000, interval: 5 };
const missing = whatIsMissing("mariadb");

let server: Mariadb;
let pool: ReturnType<typeof createMysql2Pool>;
let store: MysqlIdempotencyStore;
let key: string;
const opened: { end(): unknown }[] = [];

beforeAll(async () => {
  if (missing) return;
  server = await startMariadb();
  pool = createMysql2Pool(server.connection);
  store = mysqlIdempotencyStore(pool);
  await store.setUp();
  await pool.query("create table effects (id varchar(64)) engine = InnoDB");
});

afterAll(async () => {
  await Promise.all(opened.map((each) => each.end()));
  await pool?.end();
  await server?.close();
});

beforeEach(() => {
  key = newIdempotencyKey();
});

async function effects(): Promise<number> {
  const [rows] = await pool.query("select count(*) as count from effects where id = ?", [key]);
  return (rows as { count: number }[])[0]!.count;
}

const DRIVERS = [
  ["mysql2", () => createMysql2Connection(server.connection)],
  ["mariadb", () => createConnection(server.connection)],
] as const;

/** Of a store that stands on a connection: a call that writes what it does over that. */
const once = (client: MysqlQueryable, result: unknown = "done") =>
  idempotent(
    async () => {
      await client.query("insert into effects values (?)", [key]);
      return result;
    },
    { key: () => key, name: "test", store: store.within(client) },
  )();

describe.skipIf(missing)(named("mysqlIdempotencyStore", missing), () => {
  describe.each(DRIVERS)("of a connection of %s that is in a transaction", (_driver, connect) => {
    const open = async (): Promise<Connection> => {
      const client = (await connect()) as Connection;
      opened.push(client);
      return client;
    };

    it("commits effect and record together", async () => {
      const client = await open();
      await client.query("start transaction");
      await once(client);
      expect(await effects()).toBe(0);
      await client.query("commit");

      expect(await effects()).toBe(1);
      expect(await store.peek(`test:${key}`)).toMatchObject({ state: "done" });
    });

    it("leaves neither effect nor key after a rollback", async () => {
      const client = await open();
      await client.query("start transaction");
      await once(client);
      await client.query("rollback");

      expect(await effects()).toBe(0);
      expect(await store.peek(`test:${key}`)).toBeUndefined();
    });

    it("says so in its claim, and a connection that is in none does not", async () => {
      const client = await open();
      const inside = store.within(client);

      expect(await inside.claim(`${key} before`, "f", HOUR)).toEqual({ state: "won", token: expect.any(String) });
      await client.query("start transaction");
      expect(await inside.claim(key, "f", HOUR)).toEqual({
        state: "won",
        token: expect.any(String),
        inTransaction: true,
      });
      await client.query("rollback");
      expect(await inside.claim(`${key} after`, "f", HOUR)).toEqual({ state: "won", token: expect.any(String) });
    });

    it("takes a connection without autocommit for one in a transaction", async () => {
      const client = await open();
      await client.query("set autocommit = 0");

      expect(await store.within(client).claim(key, "f", HOUR)).toMatchObject({ inTransaction: true });
    });

    it.each([
      ["commit", "first"],
      ["rollback", "second"],
    ])(
      "lets a second transaction with the key wait, which sees the %s though it began before",
      async (end, expected) => {
        const [first, second] = [await open(), await open()];
        await first.query("start transaction");
        await once(first, "first");
        await second.query("start transaction with consistent snapshot");
        const result = once(second, "second");
        await vi.waitFor(async () => {
          const [rows] = await pool.query("select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT'");
          expect(rows).toHaveLength(1);
        }, PATIENCE);

        await first.query(end);

        expect(await result).toBe(expected);
        await second.query("commit");
        expect(await effects()).toBe(1);
      },
    );

    it("records there after its lease: nobody else can have had the key", async () => {
      const client = await open();
      await client.query("start transaction");
      const inside = store.within(client);
      const { token } = (await inside.claim(key, "f", 1)) as { token: string };
      await vi.waitFor(async () => expect(await inside.peek(key)).toBeUndefined(), PATIENCE);

      expect(await inside.renew(key, token, 1)).toBe(true);
      await vi.waitFor(async () => expect(await inside.peek(key)).toBeUndefined(), PATIENCE);
      expect(await inside.record(key, token, "done", HOUR)).toBe(true);
      await client.query("commit");
      expect(await store.peek(key)).toMatchObject({ state: "done" });
    });
  });

  it("keeps a1, A1 and 'a1 ' apart, whatever the table's and the connection's collation", async () => {
    const latin = createMysql2Pool({ ...server.connection, charset: "latin1_swedish_ci" });
    opened.push(latin);
    const stores = [store, mysqlIdempotencyStore(latin)];
    const keys = ["a1", "A1", "a1 ", "á1", "🔑"].map((each) => `${key}${each}`);

    const claims = await Promise.all(keys.map((each, n) => stores[n % 2]!.claim(each, "f", HOUR)));

    expect(claims.map(({ state }) => state)).toEqual(keys.map(() => "won"));
    expect(await stores[1]!.claim(`${key}🔑`, "f", HOUR)).toMatchObject({ state: "running" });
  });

  it("refuses a key of more than 3,072 bytes, before anything happens", async () => {
    const fn = vi.fn();

    await expect(idempotent(fn, { key: () => "é".repeat(1_537), name: "test", store })()).rejects.toThrow(
      new RangeError("mysqlIdempotencyStore: a key must have at most 3072 bytes"),
    );
    expect(fn).not.toHaveBeenCalled();
  });

  it("sets a table up that is there, in many processes at once", async () => {
    await Promise.all(Array.from({ length: 10 }, () => mysqlIdempotencyStore(pool, { table: "race" }).setUp()));

    expect(await mysqlIdempotencyStore(pool, { table: "race" }).claim(key, "f", HOUR)).toMatchObject({ state: "won" });
  });

  it("deletes what is over in batches, and leaves the rest", async () => {
    const clean = mysqlIdempotencyStore(pool, { table: "clean" });
    await clean.setUp();
    const rows = Array.from({ length: 2_500 }, (_, n) => `('k${n}', 'f', 't', null, ${n % 2 ? 1 : 9e15})`);
    await pool.query(`insert into clean values ${rows.join()}`);

    expect(await clean.cleanUp()).toBe(1_250);

    const [left] = await pool.query("select count(*) as count from clean");
    expect(left).toEqual([{ count: 1_250 }]);
    const [plan] = await pool.query("explain select * from clean where until <= 1");
    expect(plan).toEqual([expect.objectContaining({ possible_keys: "until" })]);
  });

  it("rejects without its table", async () => {
    await expect(mysqlIdempotencyStore(pool, { table: "nowhere" }).claim(key, "f", 1)).rejects.toMatchObject({
      errno: 1146,
    });
  });
});

describe.skipIf(missing)(named("mysqlIdempotencyStore by mariadb's pool", missing), () => {
  it("counts what it deletes", async () => {
    const own = createPool(server.connection);
    opened.push(own);
    const clean = mysqlIdempotencyStore(own, { table: "clean2" });
    await clean.setUp();
    await own.query("insert into clean2 values ('a', 'f', 't', null, 1), ('b', 'f', 't', null, 1)");

    expect(await clean.cleanUp()).toBe(2);
  });
});
