import { Redis as Ioredis } from "ioredis";
import { createSentinel } from "redis";
import { circuitBreaker } from "undaunted";
import { redisFleet } from "undaunted/redis";
import { describe, expect, it, vi } from "vitest";
import { named } from "../idempotency/kinds-of-store.js";
import { PATIENCE } from "../limits.js";
import { startRedis, whatIsMissing } from "../transient/servers/index.js";
import { startSentinel } from "./sentinel.js";

const missing = whatIsMissing("redis");
const patient = { timeout: 3 * PATIENCE, interval: 50 };
const down = () => Promise.reject(new Error("down"));

async function byIoredis(port: number) {
  const client = new Ioredis({
    sentinels: [{ host: "127.0.0.1", port }],
    name: "main",
    maxRetriesPerRequest: null,
    sentinelRetryStrategy: () => 100,
    retryStrategy: () => 100,
  });
  client.on("error", () => {});
  return client;
}

async function byRedis(port: number) {
  const client = createSentinel({
    name: "main",
    sentinelRootNodes: [{ host: "127.0.0.1", port }],
    nodeClientOptions: { socket: { reconnectStrategy: () => 100 } },
    scanInterval: 200,
  });
  client.on("error", () => {});
  await client.connect();
  return Object.assign(client, { disconnect: () => client.destroy() });
}

describe.skipIf(missing)(named("redisFleet by a sentinel", missing), () => {
  it.each([
    ["ioredis", byIoredis],
    ["redis", byRedis],
  ])(
    "goes on over a failover in the middle of an outage, fails no call of it, and closes (%s)",
    async (_, connect) => {
      const [first, second] = [await startRedis(), await startRedis()];
      const admin = new Ioredis(second.connection);
      await admin.replicaof("127.0.0.1", first.connection.port);
      await vi.waitFor(async () => expect(await admin.info("replication")).toContain("master_link_status:up"), patient);
      const sentinel = await startSentinel(first.connection.port);
      const [client, subscribe] = [await connect(sentinel.port), await connect(sentinel.port)];
      const fleet = redisFleet(client, { name: "test", subscribe, onHookError: () => {} });
      const breaker = fleet.share(circuitBreaker({ failureRate: 0.5 }), { key: "payments" });
      const names = new Set<string>();
      const call = (task: () => Promise<unknown>) => breaker.run(task).catch(({ message }) => names.add(message));
      try {
        await fleet.ready();
        await vi.waitFor(() => {
          call(down);
          expect(breaker.state).toBe("open");
        }, patient);

        await first.kill();
        await vi.waitFor(async () => {
          call(down);
          expect(await admin.role()).toContain("master");
        }, patient);
        await vi.waitFor(() => {
          call(async () => {});
          expect([breaker.state, breaker.stats.fleet?.connected]).toEqual(["closed", true]);
        }, patient);

        for (const name of names) expect(name).toMatch(/^(down|circuit breaker: )/);
      } finally {
        await fleet.close();
        for (const each of [client, subscribe, admin]) each.disconnect();
        await sentinel.close();
        await first.close();
        await second.close();
      }
    },
    90_000,
  );
});
