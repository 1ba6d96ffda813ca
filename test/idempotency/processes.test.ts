import { Redis as Ioredis } from "ioredis";
import { Pool } from "pg";
import {
  type IdempotencyStore,
  idempotent,
  newIdempotencyKey,
  postgresIdempotencyStore,
  redisIdempotencyStore,
} from "undaunted/idempotency";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPostgres, startRedis, whatIsMissing } from "../transient/servers/index.js";
import { named } from "./kinds-of-store.js";
import { type Order, Worker, workerProgram } from "./workers.js";

const CONTENDERS = 50;
// A minute, for a machine that is busy: none of these lasts for long.
const LIMIT = 60_000;

interface Place {
  readonly connection: Order["connection"];
  readonly store: IdempotencyStore;
  /** How often it happened. */
  count(what: string): Promise<number>;
  close(): Promise<void>;
}

const PLACES = [
  { server: "postgres", missing: whatIsMissing("postgres"), open: openPostgres },
  { server: "redis", missing: whatIsMissing("redis"), open: openRedis },
] as const;

let program: Awaited<ReturnType<typeof workerProgram>>;
let workers: Worker[] = [];

beforeAll(async () => {
  if (PLACES.every(({ missing }) => missing)) return;
  program = await workerProgram();
  // A few at a time: all at once would take no less time, and leave none to anybody else.
  while (workers.length < CONTENDERS) {
    workers.push(...(await Promise.all(Array.from({ length: 5 }, () => Worker.start(program.file)))));
  }
}, 2 * LIMIT);

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
  workers = [];
  program?.delete();
}, LIMIT);

for (const { server, missing, open } of PLACES) {
  describe.skipIf(missing)(named(`processes that share a store in ${server}`, missing), () => {
    let place: Place;

    beforeAll(async () => {
      place = await open();
    }, 2 * LIMIT);

    afterAll(() => place?.close(), LIMIT);

    const orderOf = (more: Partial<Order>): Order => ({
      server,
      connection: place.connection,
      key: newIdempotencyKey(),
      inFlight: "wait",
      lease: 60_000,
      contenders: 1,
      ...more,
    });

    it.each(["wait", "refuse"] as const)(
      "and race for one key have one effect and all get its result, where calls in flight %s",
      async (inFlight) => {
        const order = orderOf({ inFlight, contenders: CONTENDERS });

        for (const worker of workers) worker.begin(order);
        const results = await Promise.all(workers.map((worker) => worker.result()));

        expect(await place.count(order.key)).toBe(1);
        expect(results[0]).toEqual({ by: expect.any(Number), list: ["ü", null, 0.1] });
        expect(results).toEqual(Array(CONTENDERS).fill(results[0]));
      },
      LIMIT,
    );

    it(
      "take over a key when one has been killed in its call, but not before its lease ends",
      async () => {
        const order = orderOf({ lease: 3_000, hangs: true });
        const { key } = order;
        const victim = await Worker.start(program.file);
        victim.begin(order);
        await victim.next("began");

        await victim.kill();

        const refused = idempotent(async () => "too early", { key: () => key, name: "test", store: place.store });
        await expect(refused()).rejects.toMatchObject({ code: "ERR_IDEMPOTENCY_IN_FLIGHT" });
        workers[0]!.begin({ ...order, hangs: false });
        expect(await workers[0]!.result()).toMatchObject({ by: expect.any(Number) });
        expect(await place.count(key)).toBe(1);
        expect(await refused()).toMatchObject({ by: expect.any(Number) });
      },
      LIMIT,
    );
  });
}

async function openPostgres(): Promise<Place> {
  const server = await startPostgres({ max_connections: CONTENDERS + 20 });
  const pool = new Pool({ ...server.connection, max: 2 });
  const store = postgresIdempotencyStore(pool);
  await store.setUp();
  await pool.query("create table effects (what text)");
  return {
    connection: server.connection,
    store,
    async count(what) {
      const { rows } = await pool.query("select count(*)::int as count from effects where what = $1", [what]);
      return rows[0].count;
    },
    async close() {
      await pool.end();
      await server.close();
    },
  };
}

async function openRedis(): Promise<Place> {
  const server = await startRedis();
  const client = new Ioredis(server.connection);
  return {
    connection: server.connection,
    store: redisIdempotencyStore(client),
    count: async (what) => Number(await client.get(what)),
    async close() {
      client.disconnect();
      await server.close();
    },
  };
}
