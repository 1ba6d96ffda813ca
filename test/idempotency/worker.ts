import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { retry, retryIfErrorCode, stopNever, waitRandom } from "undaunted";
import {
  type IdempotencyStore,
  idempotent,
  postgresIdempotencyStore,
  redisIdempotencyStore,
} from "undaunted/idempotency";
import type { Answer, Order } from "./workers.js";

// A process of its own: it does one call for each order that it gets, and answers how that ended.

/** What a call does to the world, counted by whatever it is done to. */
interface World {
  readonly store: IdempotencyStore;
  count(what: string): Promise<number>;
  happen(what: string): Promise<void>;
}

const worlds = new Map<string, World>();

function worldOf({ server, connection }: Order): World {
  const known = worlds.get(server);
  if (known) return known;
  const made = server === "postgres" ? worldOfPostgres(connection) : worldOfRedis(connection);
  worlds.set(server, made);
  return made;
}

function worldOfPostgres(connection: Order["connection"]): World {
  const pool = new Pool({ ...connection, max: 1 });
  // The server ends before its clients do.
  pool.on("error", () => {});
  return {
    store: postgresIdempotencyStore(pool),
    async count(what) {
      const { rows } = await pool.query("select count(*)::int as count from effects where what = $1", [what]);
      return rows[0].count;
    },
    async happen(what) {
      await pool.query("insert into effects values ($1)", [what]);
    },
  };
}

function worldOfRedis(connection: Order["connection"]): World {
  const client = new Redis(connection);
  client.on("error", () => {});
  return {
    store: redisIdempotencyStore(client),
    count: async (what) => Number(await client.get(what)),
    async happen(what) {
      await client.incr(what);
    },
  };
}

async function carryOut(order: Order): Promise<unknown> {
  const { key, inFlight, lease, contenders } = order;
  const { store, count, happen } = worldOf(order);
  const effect = async () => {
    tell({ began: true });
    if (order.hangs) await new Promise(() => {});
    // All are under way before the first is done.
    while ((await count(`arrived:${key}`)) < contenders) await pause(1);
    await happen(key);
    return { by: process.pid, list: ["ü", null, 0.1] };
  };
  const once = idempotent(effect, { key: () => key, name: "test", store, lease, inFlight });
  const patient = retry(once, {
    stop: stopNever,
    wait: waitRandom(1, 50),
    retryIf: retryIfErrorCode("ERR_IDEMPOTENCY_IN_FLIGHT"),
  });
  await happen(`arrived:${key}`);
  return patient();
}

const tell = (answer: Answer) => process.send!(answer);

process.on("disconnect", () => process.exit());
process.on("message", (order: Order) => {
  carryOut(order).then(
    (value) => tell({ value }),
    (error) => tell({ failed: String(error) }),
  );
});
tell({ ready: true });
