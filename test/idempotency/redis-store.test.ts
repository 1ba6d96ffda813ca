import { Redis as Ioredis } from "ioredis";
import { createClient } from "redis";
import { idempotent, newIdempotencyKey, redisIdempotencyStore } from "undaunted/idempotency";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { proxy, type Redis, startRedis, whatIsMissing } from "../transient/servers/index.js";
import { named } from "./kinds-of-store.js";

const HOUR = 3_600_000;
const missing = whatIsMissing("redis");

let server: Redis;
let client: Ioredis;

beforeAll(async () => {
  if (missing) return;
  server = await startRedis();
  client = new Ioredis(server.connection);
});

afterAll(async () => {
  client?.disconnect();
  await server?.close();
});

describe.skipIf(missing)(named("redisIdempotencyStore", missing), () => {
  it("keeps each key under its prefix, and none for longer than it lasts", async () => {
    const key = newIdempotencyKey();
    const store = redisIdempotencyStore(client);
    const { token } = (await store.claim(key, "f", HOUR)) as { token: string };
    const lasts = async () => (await client.pttl(`idempotency:${key}`)) / HOUR;

    expect(await lasts()).toBeCloseTo(1, 1);
    await store.renew(key, token, 2 * HOUR);
    expect(await lasts()).toBeCloseTo(2, 1);
    await store.record(key, token, "done", 3 * HOUR);
    expect(await lasts()).toBeCloseTo(3, 1);
  });

  it("leaves nothing of a key that is freed", async () => {
    const key = newIdempotencyKey();
    const store = redisIdempotencyStore(client, { prefix: "p:" });
    const { token } = (await store.claim(key, "f", HOUR)) as { token: string };
    await store.release(key, token);

    expect(await client.exists(`p:${key}`)).toBe(0);
  });

  it("takes an empty prefix, and one of the client's own", async () => {
    const key = newIdempotencyKey();
    const prefixed = new Ioredis({ ...server.connection, keyPrefix: "own:" });
    await redisIdempotencyStore(prefixed, { prefix: "" }).claim(key, "f", HOUR);
    prefixed.disconnect();

    expect(await client.exists(`own:${key}`)).toBe(1);
  });

  it("is one place for both clients", async () => {
    const key = newIdempotencyKey();
    const other = await createClient({ socket: server.connection }).connect();
    await redisIdempotencyStore(client).claim(key, "f", HOUR);

    expect(await redisIdempotencyStore(other).claim(key, "f", HOUR)).toMatchObject({ state: "running" });
    other.destroy();
  });

  it("answers a run that holds a key of no end, as nobody should have made it, with no time to wait", async () => {
    const key = newIdempotencyKey();
    const store = redisIdempotencyStore(client);
    await store.claim(key, "f", HOUR);
    await client.persist(`idempotency:${key}`);

    expect(await store.claim(key, "f", HOUR)).toMatchObject({ state: "running", retryAfter: 0 });
  });

  it.each(["claim", "renew", "record"] as const)(
    "does a step once where ioredis sends it again, since the answer was lost: %s",
    async (lost) => {
      const key = newIdempotencyKey();
      const faulty = await proxy(server);
      const through = new Ioredis({ port: faulty.port, host: faulty.host, retryStrategy: () => 1 });
      through.on("error", () => {});
      const store = redisIdempotencyStore(through);
      const cutting = async <T>(step: string, answer: () => Promise<T>): Promise<T> => {
        await through.ping();
        const cut = step === lost ? faulty.cutAfter(/eval/) : undefined;
        const result = await answer();
        await cut;
        return result;
      };

      const claim = await cutting("claim", () => store.claim(key, "f", HOUR));
      expect(claim).toMatchObject({ state: "won" });
      const { token } = claim as { token: string };
      expect(await cutting("renew", () => store.renew(key, token, HOUR))).toBe(true);
      expect(await cutting("record", () => store.record(key, token, "done", HOUR))).toBe(true);

      expect(await store.claim(key, "f", HOUR)).toEqual({ state: "done", fingerprint: "f", record: "done" });
      through.disconnect();
      await faulty.close();
    },
  );

  it("lets its holder have the key's whole lease where the claim is sent again", async () => {
    const key = newIdempotencyKey();
    const twice = {
      defineCommand() {},
      async eval(script: string, ...rest: [number, ...string[]]) {
        await client.eval(script, ...rest);
        return client.eval(script, ...rest);
      },
    };
    const claim = await redisIdempotencyStore(twice).claim(key, "f", HOUR);

    expect(claim).toMatchObject({ state: "won" });
    expect(await redisIdempotencyStore(client).record(key, (claim as { token: string }).token, "done", HOUR)).toBe(
      true,
    );
  });

  it("hands on the client's own error before anything happens", async () => {
    const key = newIdempotencyKey();
    await client.set(`idempotency:test:${key}`, "not ours");
    const fn = vi.fn();
    const once = idempotent(fn, { key: () => key, name: "test", store: redisIdempotencyStore(client) });

    await expect(once()).rejects.toThrow("WRONGTYPE");
    expect(fn).not.toHaveBeenCalled();
  });
});

describe("redisIdempotencyStore", () => {
  it.each([
    ["in a row for ioredis", { defineCommand() {} }, [1, "idempotency:k1", "f", expect.any(String), "2"]],
    ["in an object for redis", {}, [{ keys: ["idempotency:k1"], arguments: ["f", expect.any(String), "2"] }]],
  ])("gives keys and arguments %s, and whole ms, not less than asked for", async (_what, methods, facts) => {
    const run = vi.fn(async () => ["won"]);

    await redisIdempotencyStore({ ...methods, eval: run }).claim("k1", "f", 1.2);

    expect(run.mock.calls).toEqual([[expect.any(String), ...facts]]);
  });
});
