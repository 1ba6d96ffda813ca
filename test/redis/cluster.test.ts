import { createServer } from "node:net";
import { Cluster, Redis as Ioredis } from "ioredis";
import { createCluster } from "redis";
import { type CircuitBreaker, circuitBreaker, retryBudget } from "undaunted";
import { redisFleet } from "undaunted/redis";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { failed } from "../docs/prelude.js";
import { named } from "../idempotency/kinds-of-store.js";
import { PATIENCE } from "../limits.js";
import { type Redis, startRedis, whatIsMissing } from "../transient/servers/index.js";

const missing = whatIsMissing("redis");
const patient = { timeout: PATIENCE, interval: 50 };
const SLOTS = 16_384;
const down = () => Promise.reject(new Error("down"));

describe.skipIf(missing)(named("redisFleet on a cluster of three", missing), () => {
  const nodes: Redis[] = [];
  const ends: (() => unknown)[] = [];

  beforeAll(async () => {
    for (let n = 0; n < 3; n++) {
      nodes.push(
        await startRedis({
          "cluster-enabled": "yes",
          "cluster-port": await freeBusPort(),
          "cluster-node-timeout": 2_000,
        }),
      );
    }
    const clients = nodes.map(({ connection }) => new Ioredis(connection));
    const each = Math.ceil(SLOTS / 3);
    for (const [n, client] of clients.entries()) {
      const last = Math.min(SLOTS, (n + 1) * each) - 1;
      await client.call("CLUSTER", "ADDSLOTSRANGE", n * each, last);
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", n + 1);
    }
    for (const { connection } of nodes.slice(1)) {
      const bus = await new Ioredis(connection).config("GET", "cluster-port");
      await clients[0]!.call("CLUSTER", "MEET", connection.host, connection.port, (bus as string[])[1]!);
    }
    await vi.waitFor(async () => {
      for (const client of clients) expect(await client.cluster("INFO")).toContain("cluster_state:ok");
    }, patient);
    for (const client of clients) client.disconnect();
  }, 60_000);

  afterAll(async () => {
    for (const end of ends) await end();
    for (const node of nodes) await node.close();
  });

  function byIoredis(key: string) {
    const client = new Cluster(nodes.map(({ connection }) => connection));
    const subscribe = new Cluster(nodes.map(({ connection }) => connection));
    const fleet = redisFleet(client, { name: "test", subscribe });
    ends.push(async () => {
      await fleet.close();
      client.disconnect();
      subscribe.disconnect();
    });
    return { fleet, breaker: fleet.share(circuitBreaker({ failureRate: 0.5 }), { key }) };
  }

  async function byRedis(key: string) {
    const rootNodes = nodes.map(({ connection }) => ({ socket: connection }));
    const client = await createCluster({ rootNodes }).connect();
    const subscribe = await createCluster({ rootNodes }).connect();
    const fleet = redisFleet(client, { name: "test", subscribe });
    ends.push(async () => {
      await fleet.close();
      client.destroy();
      subscribe.destroy();
    });
    return { fleet, breaker: fleet.share(circuitBreaker({ failureRate: 0.5 }), { key }) };
  }

  it.each(["payments", "orders", "users", "a}b{c"])(
    "shares %s between clients of ioredis and of redis",
    async (key) => {
      const [one, other] = [byIoredis(key), await byRedis(key)];
      await Promise.all([one.fleet.ready(), other.fleet.ready()]);
      const connected = (breaker: CircuitBreaker) => breaker.stats.fleet?.connected;
      await vi.waitFor(async () => {
        for (const { breaker } of [one, other]) await breaker.run(async () => {}).catch(() => {});
        expect([connected(one.breaker), connected(other.breaker)]).toEqual([true, true]);
      }, patient);

      await vi.waitFor(() => {
        for (const { breaker } of [one, other]) breaker.run(down).catch(() => {});
        expect([one.breaker.state, other.breaker.state]).toEqual(["open", "open"]);
      }, patient);
      one.breaker.close();
      await vi.waitFor(() => expect(other.breaker.state).toBe("closed"), patient);
    },
  );

  it("hears of the pauses of another process", async () => {
    const fleets = [byIoredis("pausing").fleet, (await byRedis("paused")).fleet] as const;
    const [of, others] = fleets.map((fleet) => fleet.pauses({ key: (tenant: string) => tenant }));
    await Promise.all(fleets.map((fleet) => fleet.ready()));

    const all = nodes.map(({ connection }) => new Ioredis(connection));
    // A push is heard by those who listen by then; one that is missed is asked for after 5 s.
    await vi.waitFor(async () => {
      const counts = await Promise.all(all.map((client) => client.pubsub("NUMSUB", "undaunted:test:news")));
      expect(counts.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(ends.length);
    }, patient);
    for (const client of all) client.disconnect();

    of!.pauseOf("a").pause(60_000);
    await vi.waitFor(async () => expect(await others!.pauseOf("a").left()).toMatchObject({ length: 60_000 }), patient);
    expect(await others!.pauseOf("b").left()).toBeUndefined();
  });

  it("grants tokens of a shared budget", async () => {
    const { fleet } = byIoredis("with a budget");
    const budget = fleet.share(retryBudget(), { key: "payments" });
    await fleet.ready();

    await vi.waitFor(async () => {
      expect(await budget.acquire(failed(new Error("busy")))).toBe(1);
      expect(budget.balance).toBeLessThan(10);
    }, patient);
  });
});

async function freeBusPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
