import { Pool, type PoolClient } from "pg";
import { retry, retryIfErrorCode } from "undaunted";
import {
  idempotent,
  newIdempotencyKey,
  type PostgresIdempotencyStore,
  postgresIdempotencyStore,
} from "undaunted/idempotency";
import { instant } from "undaunted/testing";
import { retryIfTransient } from "undaunted/transient";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { PATIENCE } from "../limits.js";
import { type Postgres, proxy, startPostgres, whatIsMissing } from "../transient/servers/index.js";
import { named } from "./kinds-of-store.js";

const HOUR = 3_600_000;
const POLLING = { timeout: PATIENCE, interval: 2 };
const missing = whatIsMissing("postgres");

let server: Postgres;
let pool: Pool;
let store: PostgresIdempotencyStore;
let key: string;

beforeAll(async () => {
  if (missing) return;
  server = await startPostgres();
  pool = new Pool({ ...server.connection, max: 30 });
  store = postgresIdempotencyStore(pool);
  await store.setUp();
  await pool.query("create table effects (key text)");
});

afterAll(async () => {
  await pool?.end();
  await server?.close();
});

beforeEach(() => {
  key = newIdempotencyKey();
});

/** How often it happened. */
async function effects(of = key): Promise<number> {
  const { rows } = await pool.query("select count(*)::int as count from effects where key = $1", [of]);
  return rows[0].count;
}

const happen = (client: PoolClient) => client.query("insert into effects values ($1)", [key]);

/** Runs `work` in a transaction. */
async function inTransaction<T>(work: (client: PoolClient) => Promise<T>, begin = "begin", from = pool): Promise<T> {
  const client = await from.connect();
  client.on("error", () => {});
  let failed = true;
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query("commit");
    failed = false;
    return result;
  } finally {
    if (failed) await client.query("rollback").catch(() => {});
    client.release(failed);
  }
}

/** Until so many statements wait for a lock. */
function untilWaiting(count: number): Promise<void> {
  return vi.waitFor(async () => {
    const { rows } = await pool.query(
      "select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock'",
    );
    expect(rows[0].count).toBe(count);
  }, POLLING);
}

describe.skipIf(missing)(named("postgresIdempotencyStore", missing), () => {
  describe("setUp", () => {
    const tables = async (name: string) => {
      const { rows } = await pool.query("select count(*)::int as count from pg_tables where tablename = $1", [name]);
      return rows[0].count;
    };

    it("leaves a table that is there as it is", async () => {
      await store.claim(key, "f", HOUR);

      await store.setUp();

      expect(await store.claim(key, "f", HOUR)).toMatchObject({ state: "running" });
    });

    it("may run in many processes at once", async () => {
      // A connection each, made before.
      await Promise.all(Array.from({ length: 20 }, () => pool.query("select pg_backend_pid()")));

      for (let n = 0; n < 20; n++) {
        const table = `race_${n}`;
        await Promise.all(Array.from({ length: 20 }, () => postgresIdempotencyStore(pool, { table }).setUp()));
        expect(await tables(table)).toBe(1);
      }
    });

    it("is part of the caller's transaction", async () => {
      const rolledBack = inTransaction(async (client) => {
        await postgresIdempotencyStore(client, { table: "never" }).setUp();
        throw new Error("no");
      });

      await expect(rolledBack).rejects.toThrow("no");
      expect(await tables("never")).toBe(0);
    });

    it("leaves the caller's transaction in order where another sets the table up meanwhile", async () => {
      const table = "late";
      const first = await pool.connect();
      await first.query("begin");
      await postgresIdempotencyStore(first, { table }).setUp();
      const second = inTransaction(async (client) => {
        await postgresIdempotencyStore(client, { table }).setUp();
        return (await client.query("select 1 as one")).rows[0].one;
      });
      await untilWaiting(1);

      await first.query("commit");
      first.release();

      expect(await second).toBe(1);
    });

    it("takes a table of another schema", async () => {
      await pool.query("create schema billing");
      const billing = postgresIdempotencyStore(pool, { table: "billing.keys" });

      await billing.setUp();

      expect(await billing.claim(key, "f", HOUR)).toMatchObject({ state: "won" });
      expect(await store.claim(key, "f", HOUR)).toMatchObject({ state: "won" });
    });
  });

  describe("cleanUp", () => {
    it("deletes what is over, tells how much that was, and leaves the rest", async () => {
      const clean = postgresIdempotencyStore(pool, { table: "clean" });
      await clean.setUp();
      for (const each of ["a", "b"]) await clean.claim(`lease ${each}`, "f", 1);
      for (const each of ["a", "b", "c"]) {
        const { token } = (await clean.claim(`record ${each}`, "f", HOUR)) as { token: string };
        await clean.record(`record ${each}`, token, "done", each === "c" ? HOUR : 1);
      }
      await clean.claim("running", "f", HOUR);

      let deleted = 0;
      await vi.waitFor(async () => {
        deleted += await clean.cleanUp();
        expect(deleted).toBe(4);
      }, POLLING);

      expect(await clean.claim("running", "f", 1)).toMatchObject({ state: "running" });
      expect(await clean.claim("record c", "f", 1)).toMatchObject({ state: "done" });
      const { rows } = await pool.query("select count(*)::int as count from clean");
      expect(rows[0].count).toBe(2);
    });

    it("deletes in batches, and the table has an index on the end", async () => {
      const batches = postgresIdempotencyStore(pool, { table: '"Batches of ""keys"""' });
      await batches.setUp();
      await pool.query(
        `insert into "Batches of ""keys""" select 'k' || i, 'f', 't', null,
         clock_timestamp() + (i % 2 * 2 - 1) * interval '1 day' from generate_series(1, 50000) i`,
      );
      const query = vi.spyOn(pool, "query");

      expect(await batches.cleanUp()).toBe(25_000);

      expect(query).toHaveBeenCalledTimes(26);
      query.mockRestore();
      const { rows } = await pool.query("select indexdef from pg_indexes where tablename = $1", ['Batches of "keys"']);
      expect(JSON.stringify(rows)).toContain("(until)");
    });

    it("passes over what another one deletes", async () => {
      const shared = postgresIdempotencyStore(pool, { table: "shared" });
      await shared.setUp();
      await pool.query("insert into shared select 'k' || i, 'f', 't', null, now() from generate_series(1, 10) i");
      const deleted = await inTransaction(async (client) => {
        const first = await shared.within(client).cleanUp();
        return [first, await shared.cleanUp()];
      });

      expect(deleted).toEqual([10, 0]);
    });

    it("answers 0 where the client does not count", async () => {
      const client = { query: async () => ({ rows: [], rowCount: null }) };

      expect(await postgresIdempotencyStore(client).cleanUp()).toBe(0);
    });
  });

  describe("a claim", () => {
    it.each([
      ["is freed", (token: string) => store.release(key, token)],
      ["is over", () => pool.query("update idempotency_keys set until = clock_timestamp() where key = $1", [key])],
    ])("asks again where the key %s between its two statements", async (_what, happens) => {
      const { token } = (await store.claim(key, "f", HOUR)) as { token: string };
      const client = {
        async query(text: string, values?: unknown[]) {
          if (text.startsWith("select")) await happens(token);
          return pool.query(text, values);
        },
      };

      expect(await postgresIdempotencyStore(client).claim(key, "f", HOUR)).toMatchObject({ state: "won" });
    });

    it("takes one statement of a pool", async () => {
      const query = vi.spyOn(pool, "query");
      await store.claim(key, "f", HOUR);
      const { length } = query.mock.calls;
      query.mockRestore();

      expect(length).toBe(1);
    });

    it("has no time to wait for a lease that ends while it looks", async () => {
      const row = { fingerprint: "f", record: null, left: -0.001 };
      const client = { query: async (text: string) => ({ rows: text.startsWith("select") ? [row] : [] }) };

      expect(await postgresIdempotencyStore(client).claim(key, "f", HOUR)).toMatchObject({ retryAfter: 0 });
    });

    it("of a key that is too long for an index is refused by the server, before anything happens", async () => {
      const fn = vi.fn();
      const random = Array.from({ length: 200 }, () => newIdempotencyKey()).join();
      const once = idempotent(fn, { key: () => random, name: "test", store });

      await expect(once()).rejects.toMatchObject({ code: "54000" });
      expect(fn).not.toHaveBeenCalled();
    });
  });
});

describe.skipIf(missing)(named("postgresIdempotencyStore without its table", missing), () => {
  it.each(["claim", "renew", "record", "release", "cleanUp"] as const)("rejects: %s", async (step) => {
    const astray = postgresIdempotencyStore(pool, { table: "nowhere" });
    const ask = astray[step] as (...facts: unknown[]) => Promise<unknown>;

    await expect(ask(key, "t", "r", 1)).rejects.toMatchObject({ code: "42P01" });
  });
});

describe.skipIf(missing)(named("postgresIdempotencyStore of a client in a transaction", missing), () => {
  const errors: unknown[] = [];

  // Nothing goes wrong beside the calls of these tests.
  afterEach(() => {
    expect(errors.splice(0)).toEqual([]);
  });

  /** A call whose key, effect and result are part of the client's transaction. */
  const once = (client: PoolClient, fn: () => unknown = () => happen(client), result: unknown = "done") =>
    idempotent(
      async () => {
        await fn();
        return result;
      },
      {
        key: () => key,
        name: "test",
        store: postgresIdempotencyStore(client),
        onStoreError: (error) => errors.push(error),
      },
    )();

  it("commits effect and record together", async () => {
    const result = await inTransaction((client) => once(client));

    expect(result).toBe("done");
    expect(await effects()).toBe(1);
    expect(await store.claim(`test:${key}`, "f", 1)).toMatchObject({ state: "done" });
  });

  it("leaves neither effect nor key after a rollback", async () => {
    const rolledBack = inTransaction(async (client) => {
      await once(client);
      throw new Error("too late");
    });

    await expect(rolledBack).rejects.toThrow("too late");
    expect(await effects()).toBe(0);
    expect(await store.claim(`test:${key}`, "f", 1)).toMatchObject({ state: "won" });
  });

  it("gives a later transaction the result, and has no second effect", async () => {
    await inTransaction((client) => once(client));

    expect(await inTransaction((client) => once(client, () => happen(client), "second"))).toBe("done");
    expect(await effects()).toBe(1);
  });

  it("gives a later call over a pool the result", async () => {
    await inTransaction((client) => once(client));

    const later = idempotent(async () => "second", { key: () => key, name: "test", store });

    expect(await later()).toBe("done");
  });

  it("lets a second transaction with the key wait, and see the record", async () => {
    const first = await pool.connect();
    await first.query("begin");
    await once(first, () => happen(first), "first");
    const second = inTransaction((client) => once(client, () => happen(client), "second"));
    await untilWaiting(1);

    await first.query("commit");
    first.release();

    expect(await second).toBe("first");
    expect(await effects()).toBe(1);
  });

  it("lets a second transaction with the key wait, and run where the first is rolled back", async () => {
    const first = await pool.connect();
    await first.query("begin");
    await once(first, () => happen(first), "first");
    const second = inTransaction((client) => once(client, () => happen(client), "second"));
    await untilWaiting(1);

    await first.query("rollback");
    first.release();

    expect(await second).toBe("second");
    expect(await effects()).toBe(1);
  });

  it("frees the key within the transaction where the function fails without harm to it", async () => {
    const busy = new Error("busy");

    const result = await inTransaction(async (client) => {
      await expect(once(client, () => Promise.reject(busy))).rejects.toBe(busy);
      return once(client);
    });

    expect(result).toBe("done");
    expect(await effects()).toBe(1);
  });

  it("hands on the error of a statement that fails, and says nothing of the key that cannot be freed", async () => {
    const failed = inTransaction((client) => once(client, () => client.query("select 1 / 0")));

    await expect(failed).rejects.toMatchObject({ code: "22012" });
    expect(await store.claim(`test:${key}`, "f", 1)).toMatchObject({ state: "won" });
  });

  it("refuses at once to record in a transaction that has failed", async () => {
    const failed = inTransaction((client) => once(client, () => client.query("select 1 / 0").catch(() => {})));

    const error = await failed.catch((error: unknown) => error);

    // The store's own error: nothing has happened, and who tries again may.
    expect(error).toMatchObject({ code: "25P02" });
    expect(await effects()).toBe(0);
    expect(await store.claim(`test:${key}`, "f", 1)).toMatchObject({ state: "won" });
  });

  it("records after a statement that took longer than the lease: nobody else can have had the key", async () => {
    const claimed = await inTransaction(async (client) => {
      const inside = postgresIdempotencyStore(client);
      const untilOver = () =>
        vi.waitFor(async () => {
          const over = "select until < clock_timestamp() as over from idempotency_keys where key = $1";
          expect((await client.query(over, [key])).rows).toEqual([{ over: true }]);
        }, POLLING);
      const { token } = (await inside.claim(key, "f", 1)) as { token: string };
      await untilOver();
      expect(await inside.renew(key, token, 1)).toBe(true);
      await untilOver();
      return inside.record(key, token, "done", HOUR);
    });

    expect(claimed).toBe(true);
    expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done", record: "done" });
  });

  it("says nothing either of a key that a failed statement keeps from being freed in a savepoint", async () => {
    const failed = inTransaction(async (client) => {
      await client.query("savepoint before");
      return once(client, () => client.query("select 1 / 0"));
    });

    await expect(failed).rejects.toMatchObject({ code: "22012" });
  });

  it("runs again after a rollback to a savepoint", async () => {
    const result = await inTransaction(async (client) => {
      await client.query("savepoint before");
      await once(client, () => client.query("select 1 / 0")).catch(() => {});
      await client.query("rollback to savepoint before");
      return once(client);
    });

    expect(result).toBe("done");
    expect(await effects()).toBe(1);
    expect(await store.claim(`test:${key}`, "f", 1)).toMatchObject({ state: "done" });
  });

  it("says so in its claim", async () => {
    const claim = await inTransaction((client) => postgresIdempotencyStore(client).claim(key, "f", HOUR));

    expect(claim).toEqual({ state: "won", token: expect.any(String), inTransaction: true });
  });

  it("says so in a savepoint too, and records there after its lease", async () => {
    const recorded = await inTransaction(async (client) => {
      await client.query("savepoint before");
      const inside = postgresIdempotencyStore(client);
      const claim = await inside.claim(key, "f", 1);
      expect(claim).toMatchObject({ state: "won", inTransaction: true });
      const over = "select until < clock_timestamp() as over from idempotency_keys where key = $1";
      await vi.waitFor(async () => expect((await client.query(over, [key])).rows).toEqual([{ over: true }]), POLLING);
      return inside.record(key, (claim as { token: string }).token, "done", HOUR);
    });

    expect(recorded).toBe(true);
    expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done" });
  });

  it("is as one of a pool where the client is in no transaction", async () => {
    const client = await pool.connect();
    const claim = await postgresIdempotencyStore(client).claim(key, "f", HOUR);
    client.release();

    expect(claim).toEqual({ state: "won", token: expect.any(String) });
    expect(await store.claim(key, "f", 1)).toMatchObject({ state: "running" });
  });

  it("goes by the time of each step, not by that of the transaction's beginning", async () => {
    await inTransaction(async (client) => {
      const { rows } = await client.query("select now()::text");
      await store.claim(key, "f", 1);
      await vi.waitFor(async () => {
        const over = "select until < clock_timestamp() as over from idempotency_keys where key = $1";
        expect((await client.query(over, [key])).rows).toEqual([{ over: true }]);
      }, POLLING);

      expect(await postgresIdempotencyStore(client).claim(key, "f", HOUR)).toMatchObject({ state: "won" });
      const began = "select until - $2::timestamptz > interval '1 hour' as later from idempotency_keys where key = $1";
      expect((await client.query(began, [key, rows[0].now])).rows).toEqual([{ later: true }]);
    });
  });

  it("runs once where serializable transactions race for a key, each retried as a whole", async () => {
    const move = retry(() => inTransaction((client) => once(client), "begin isolation level serializable"), {
      ...instant,
      stop: () => false,
      retryIf: retryIfErrorCode("40001"),
    });

    const results = await Promise.all(Array.from({ length: 10 }, () => move()));

    expect(results).toEqual(Array(10).fill("done"));
    expect(await effects()).toBe(1);
  });

  it.each(["repeatable read", "serializable"])(
    "refuses a %s transaction that began before the key was taken: tried again it sees the record",
    async (level) => {
      let begun = false;
      const late = retry(
        () =>
          inTransaction(async (client) => {
            await client.query("select count(*) from effects");
            if (!begun) await inTransaction((other) => once(other, () => happen(other), "other"));
            begun = true;
            return once(client);
          }, `begin isolation level ${level}`),
        { ...instant, retryIf: retryIfTransient() },
      );

      expect(await late()).toBe("other");
      expect(late.stats.attempts).toBe(2);
      expect(await effects()).toBe(1);
    },
  );

  it.each([
    ["after the server has committed", "cutAfter", 2],
    ["before the server hears of it", "cutBefore", 2],
  ] as const)("has one effect where the connection breaks in the commit, %s", async (_when, cut, attempts) => {
    const faulty = await proxy(server);
    const through = new Pool({ ...server.connection, port: faulty.port });
    through.on("error", () => {});
    const move = retry(() => inTransaction((client) => once(client), "begin", through), {
      ...instant,
      retryIf: retryIfTransient({ idempotent: true }),
    });
    faulty[cut](/commit/);

    expect(await move()).toBe("done");
    expect(move.stats.attempts).toBe(attempts);
    expect(await effects()).toBe(1);

    await through.end();
    await faulty.close();
  });
});
