import { Redis } from "ioredis";
import { createPool as createMariadbPool } from "mariadb";
import { createPool } from "mysql2/promise";
import { Pool } from "pg";
import { createClient } from "redis";
import {
  type IdempotencyStore,
  memoryIdempotencyStore,
  mysqlIdempotencyStore,
  postgresIdempotencyStore,
  redisIdempotencyStore,
} from "undaunted/idempotency";
import { startMariadb, startPostgres, startRedis, whatIsMissing } from "../transient/servers/index.js";
import { missingSqlite, SqliteFolder } from "./sqlite/process.js";

type FullStore = Required<IdempotencyStore>;

/** Stores of one kind, on one server of the test's own. */
export interface Stores {
  readonly store: FullStore;
  /** One that keeps its keys beside those of `store`, under another name. */
  readonly other: FullStore;
  /** One that keeps its keys with those of `store`, over another connection; of the memory of a process there is but one. */
  readonly same: FullStore;
  close(): Promise<void>;
}

export interface KindOfStore {
  readonly name: string;
  /** The sentence that says what has to be installed, if anything. */
  readonly missing: string | undefined;
  open(): Promise<Stores>;
}

export const KINDS_OF_STORE: readonly KindOfStore[] = [
  { name: "memory", missing: undefined, open: openMemory },
  { name: "PostgreSQL", missing: whatIsMissing("postgres"), open: openPostgres },
  { name: "MariaDB, by mysql2", missing: whatIsMissing("mariadb"), open: openMysql2 },
  { name: "MariaDB, by mariadb", missing: whatIsMissing("mariadb"), open: openMariadb },
  { name: "SQLite, by node:sqlite", missing: missingSqlite, open: () => openSqlite() },
  { name: "SQLite, as better-sqlite3 shows it", missing: missingSqlite, open: () => openSqlite("better-sqlite3") },
  { name: "Redis, by ioredis", missing: whatIsMissing("redis"), open: openIoredis },
  { name: "Redis, by redis", missing: whatIsMissing("redis"), open: openNodeRedis },
];

/** For the name of a `describe.skipIf`: what it is about, and what has to be installed for it. */
export function named(what: string, missing: string | undefined): string {
  return missing ? `${what} (skipped: ${missing})` : what;
}

async function openMemory(): Promise<Stores> {
  const store = memoryIdempotencyStore() as FullStore;
  return { store, other: memoryIdempotencyStore() as FullStore, same: store, close: async () => {} };
}

async function openMysql2(): Promise<Stores> {
  const server = await startMariadb();
  const [pool, second] = [createPool(server.connection), createPool({ ...server.connection, charset: "latin1" })];
  const store = mysqlIdempotencyStore(pool);
  const other = mysqlIdempotencyStore(pool, { table: "`test`.`other keys`" });
  await store.setUp();
  await other.setUp();
  return {
    store: full(store),
    other: full(other),
    same: full(mysqlIdempotencyStore(second)),
    close: async () => {
      await Promise.all([pool.end(), second.end()]);
      await server.close();
    },
  };
}

async function openMariadb(): Promise<Stores> {
  const server = await startMariadb();
  const [pool, second] = [createMariadbPool(server.connection), createMariadbPool(server.connection)];
  const store = mysqlIdempotencyStore(pool);
  const other = mysqlIdempotencyStore(pool, { table: "other_keys" });
  await store.setUp();
  await other.setUp();
  return {
    store: full(store),
    other: full(other),
    same: full(mysqlIdempotencyStore(second)),
    close: async () => {
      await Promise.all([pool.end(), second.end()]);
      await server.close();
    },
  };
}

async function openSqlite(as?: "better-sqlite3"): Promise<Stores> {
  const folder = await SqliteFolder.make();
  const [first, other, second] = [
    await folder.open(undefined, as),
    await folder.open('"Other keys"', as),
    await folder.open(),
  ];
  await first.store.setUp();
  await other.store.setUp();
  return { store: first.store, other: other.store, same: second.store, close: () => folder.close() };
}

/** A store that has every method. */
const full = (store: IdempotencyStore) => store as FullStore;

async function openPostgres(): Promise<Stores> {
  const server = await startPostgres();
  const [pool, second] = [new Pool(server.connection), new Pool(server.connection)];
  const store = postgresIdempotencyStore(pool);
  const other = postgresIdempotencyStore(pool, { table: "public.other_keys" });
  await store.setUp();
  await other.setUp();
  return {
    store: full(store),
    other: full(other),
    same: full(postgresIdempotencyStore(second)),
    close: async () => {
      await Promise.all([pool.end(), second.end()]);
      await server.close();
    },
  };
}

async function openIoredis(): Promise<Stores> {
  const server = await startRedis();
  const [client, second] = [new Redis(server.connection), new Redis(server.connection)];
  return {
    store: full(redisIdempotencyStore(client)),
    other: full(redisIdempotencyStore(client, { prefix: "other:" })),
    same: full(redisIdempotencyStore(second)),
    close: async () => {
      client.disconnect();
      second.disconnect();
      await server.close();
    },
  };
}

async function openNodeRedis(): Promise<Stores> {
  const server = await startRedis();
  const client = await createClient({ socket: server.connection }).connect();
  const second = await createClient({ socket: server.connection, RESP: 3 }).connect();
  return {
    store: full(redisIdempotencyStore(client)),
    other: full(redisIdempotencyStore(client, { prefix: "other:" })),
    same: full(redisIdempotencyStore(second)),
    close: async () => {
      client.destroy();
      second.destroy();
      await server.close();
    },
  };
}
