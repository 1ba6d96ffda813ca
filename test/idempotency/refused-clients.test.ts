import mysql from "mysql2";
import {
  idempotent,
  mysqlIdempotencyStore,
  postgresIdempotencyStore,
  redisIdempotencyStore,
  sqliteIdempotencyStore,
} from "undaunted/idempotency";
import { describe, expect, it } from "vitest";

const query = async () => [];
const callable = (more: object) => Object.assign(() => {}, more);

// What other libraries hand out, by the methods that tell them.
const LIBRARIES: readonly (readonly [library: string, client: unknown, instead: string])[] = [
  ["TypeORM's DataSource", { query, createQueryRunner() {} }, "the pool of its driver"],
  ["Sequelize", { query, getQueryInterface() {} }, "a pool of the driver"],
  ["Kysely", { selectFrom() {}, executeQuery() {} }, "the pool that its dialect is made of"],
  ["Prisma", { $queryRawUnsafe() {}, $queryRaw() {} }, "a pool of the driver"],
  ["postgres.js", callable({ unsafe() {}, begin() {} }), "a Pool of pg"],
  ["Knex", callable({ raw() {} }), "a pool of the driver"],
  ["Drizzle", { $with() {}, query: {} }, "the pool that it was made of"],
];

const SQL_STORES = [
  ["postgresIdempotencyStore", postgresIdempotencyStore],
  ["mysqlIdempotencyStore", mysqlIdempotencyStore],
  ["sqliteIdempotencyStore", sqliteIdempotencyStore],
] as const;

describe.each(SQL_STORES)("%s", (owner, make) => {
  it.each(LIBRARIES)("refuses %s at once, and says what to give instead", (library, client, instead) => {
    expect(() => make(client as never)).toThrow(
      new TypeError(`${owner}: client must be one of the driver's own; for ${library} give ${instead}`),
    );
  });

  it.each([
    ["nothing", undefined],
    ["a connection string", "postgres://localhost"],
    ["an object without methods", {}],
  ])("refuses %s", (_what, client) => {
    expect(() => make(client as never)).toThrow(TypeError);
  });

  it("refuses a table that is more than a name", () => {
    const client = { query, exec() {}, prepare() {} };
    for (const table of ["a b", "a;", "a.b.c", "", 'a"', '"a"b', '""', "`a", "a\n", "1a"]) {
      expect(() => make(client as never, { table }), table).toThrow(`${owner}: table must be the name of a table`);
    }
  });
});

it.each([
  [postgresIdempotencyStore, ['"Keys"', '"Billing"."My ""own"" keys"', 'billing."Keys"', "a$1"]],
  [sqliteIdempotencyStore, ['"Keys"', "other.keys"]],
  [mysqlIdempotencyStore, ["`keys`", "`a b`.`k``eys`"]],
])("a table's name may be quoted as its database quotes: %o", (make, tables) => {
  const client = { query, exec() {}, prepare() {} };

  for (const table of tables) expect(() => make(client as never, { table })).not.toThrow();
});

describe("a store of another client", () => {
  it("is refused by PostgreSQL's at its first statement, where that returns no rows", async () => {
    await expect(postgresIdempotencyStore({ query } as never).claim("k", "f", 1)).rejects.toThrow(
      new TypeError(
        "postgresIdempotencyStore: client must be a Pool or Client of pg; its query returned something without rows",
      ),
    );
  });

  it("is refused by MySQL's where it calls back", async () => {
    const pool = mysql.createPool({});

    expect(() => mysqlIdempotencyStore(pool as never)).toThrow(
      "mysqlIdempotencyStore: client must return promises: give client.promise(), or use mysql2/promise",
    );
    expect(() => mysqlIdempotencyStore(pool.promise())).not.toThrow();
    await expect(mysqlIdempotencyStore({ query: () => ({}) } as never).setUp()).rejects.toThrow(
      "mysqlIdempotencyStore: client.query must return a promise",
    );
    pool.end();
  });

  it("is refused by SQLite's where it calls back, or prepares later", async () => {
    const database = { exec() {}, prepare: () => Promise.resolve({}) };

    expect(() => sqliteIdempotencyStore({ ...database, parallelize() {} } as never)).toThrow("sqlite3 calls back");
    await expect(sqliteIdempotencyStore(database as never).claim("k", "f", 1)).rejects.toThrow(
      "sqliteIdempotencyStore: database must be a database of node:sqlite or better-sqlite3",
    );
  });

  it("is refused by Redis' where it is that of @upstash/redis", () => {
    expect(() => redisIdempotencyStore({ eval: query, createScript() {} } as never)).toThrow(
      "redisIdempotencyStore: client must be one of ioredis or redis; that of @upstash/redis has an eval of another kind",
    );
  });

  it.each([null, "won", {}, [], ["lost"]])("is refused by Redis' where a script returns %j", async (reply) => {
    const store = redisIdempotencyStore({ eval: async () => reply });

    await expect(store.claim("k", "f", 1)).rejects.toThrow(
      "redisIdempotencyStore: client must be one of ioredis or redis; its eval returned",
    );
  });

  it("is refused with the call, before the function runs", async () => {
    const store = redisIdempotencyStore({ eval: async () => null });
    let runs = 0;

    await expect(idempotent(async () => ++runs, { key: () => "k", name: "test", store })()).rejects.toThrow(TypeError);
    expect(runs).toBe(0);
  });
});
