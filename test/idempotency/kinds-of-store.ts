import { Redis } from "ioredis";
import { Pool } from "pg";
import { createClient } from "redis";
import {
  type IdempotencyStore,
  memoryIdempotencyStore,
  postgresIdempotencyStore,
  redisIdempotencyStore,
} from "undaunted/idempotency";
import { startPostgres, startRedis, whatIsMissing } from "../transient/servers/index.js";

/** Stores of one kind, on one server of the test's own. */
export interface Stores {
  readonly store: IdempotencyStore;
  /** One that keeps its keys beside those of `store`, under another name. */
  readonly other: IdempotencyStore;
  /** One that keeps its keys with those of `store`, over another connection; of the memory of a process there is but one. */
  readonly same: IdempotencyStore;
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
  { name: "Redis, by ioredis", missing: whatIsMissing("redis"), open: openIoredis },
  { name: "Redis, by redis", missing: whatIsMissing("redis"), open: openNodeRedis },
];

/** For the name of a `describe.skipIf`: what it is about, and what has to be installed for it. */
export function named(what: string, missing: string | undefined): string {
  return missing ? `${what} (skipped: ${missing})` : what;
}

async function openMemory(): Promise<Stores> {
  const store = memoryIdempotencyStore();
  return { store, other: memoryIdempotencyStore(), same: store, close: async () => {} };
}

async function openPostgres(): Promise<Stores> {
  const server = await startPostgres();
  const [pool, second] = [new Pool(server.connection), new Pool(server.connection)];
  const store = postgresIdempotencyStore(pool);
  const other = postgresIdempotencyStore(pool, { table: "public.other_keys" });
  await store.setUp();
  await other.setUp();
  return {
    store,
    other,
    same: postgresIdempotencyStore(second),
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
    store: redisIdempotencyStore(client),
    other: redisIdempotencyStore(client, { prefix: "other:" }),
    same: redisIdempotencyStore(second),
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
    store: redisIdempotencyStore(client),
    other: redisIdempotencyStore(client, { prefix: "other:" }),
    same: redisIdempotencyStore(second),
    close: async () => {
      client.destroy();
      second.destroy();
      await server.close();
    },
  };
}
