import { Redis as Ioredis } from "ioredis";
import { createClient } from "redis";
import { type CircuitBreaker, circuitBreaker, retry, retryBudget, retryRateLimit, waitNone } from "undaunted";
import { type Fleet, type RedisFleetOptions, redisFleet } from "undaunted/redis";
import { flaky } from "undaunted/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { BreakerRequest } from "../../src/fleet/protocol.js";
import { scriptRunner } from "../../src/redis/client.js";
import { argumentsOf, keysOf, replyOf } from "../../src/redis/codec.js";
import { SCRIPT } from "../../src/redis/script/index.js";
import { named } from "../idempotency/kinds-of-store.js";
import { PATIENCE } from "../limits.js";
import { type Redis, startRedis, whatIsMissing } from "../transient/servers/index.js";
import { connect as connectBy, LIBRARIES } from "./clients.js";
import { breakerRequest } from "./requests.js";

const missing = whatIsMissing("redis");
const patient = { timeout: PATIENCE, interval: 20 };
const down = () => Promise.reject(new Error("down"));
const up = async () => "up";

describe.skipIf(missing)(named("redisFleet on a real Redis", missing), () => {
  let server: Redis;
  const clients: Ioredis[] = [];
  const fleets: Fleet[] = [];

  beforeAll(async () => {
    server = await startRedis();
  });

  beforeEach(async () => {
    await connect().flushall();
  });

  afterEach(async () => {
    await Promise.all(fleets.splice(0).map((fleet) => fleet.close()));
    for (const client of clients.splice(0)) client.disconnect();
  });

  afterAll(() => server?.close());

  function connect(options: object = {}): Ioredis {
    const client = new Ioredis({
      ...server.connection,
      ...options,
      maxRetriesPerRequest: null,
      retryStrategy: () => 50,
    });
    client.on("error", () => {});
    clients.push(client);
    return client;
  }

  /** A process: its own connections, a breaker that all share. */
  function join(options: Partial<RedisFleetOptions> = {}) {
    const client = connect();
    const fleet = redisFleet(client, { name: "test", subscribe: connect(), onHookError: () => {}, ...options });
    fleets.push(fleet);
    const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, openFor: 30_000 }), { key: "payments" });
    return { client, fleet, breaker };
  }

  /** Calls by all of them until `done`. */
  async function callUntil(breakers: readonly CircuitBreaker[], task: () => Promise<unknown>, done: () => boolean) {
    await vi.waitFor(() => {
      for (const breaker of breakers) breaker.run(task).catch(() => {});
      if (!done()) throw new Error(`states are ${breakers.map(({ state }) => state)}`);
    }, patient);
  }

  const all = (breakers: readonly CircuitBreaker[], state: string) => () =>
    breakers.every((breaker) => breaker.state === state);

  it("opens and closes a breaker in all processes, by pushes", async () => {
    const processes = [join(), join(), join()];
    const breakers = processes.map(({ breaker }) => breaker);
    await Promise.all(processes.map(({ fleet }) => fleet.ready()));

    await callUntil(breakers, down, all(breakers, "open"));
    await callUntil(breakers, up, all(breakers, "closed"));

    expect(breakers.map(({ stats }) => stats.fleet?.connected)).toEqual([true, true, true]);
  });

  it("is one fleet for clients of ioredis and of redis", async () => {
    const { fleet, breaker } = join();
    const client = await createClient({ socket: server.connection }).connect();
    const subscribe = await client.duplicate().connect();
    const other = redisFleet(client, { name: "test", subscribe });
    const theirs = other.share(circuitBreaker({ failureRate: 0.5, openFor: 30_000 }), { key: "payments" });
    await Promise.all([fleet.ready(), other.ready()]);

    breaker.isolate();
    await vi.waitFor(() => expect(theirs.state).toBe("isolated"), patient);
    theirs.close();
    await vi.waitFor(() => expect(breaker.state).toBe("closed"), patient);
    await other.close();
    client.destroy();
    subscribe.destroy();
  });

  it.each([
    ["databases", [{ db: 0 }, { db: 1 }]],
    ["keyPrefixes", [{ keyPrefix: "a:" }, { keyPrefix: "b:" }]],
  ])("keeps fleets of one name in different %s apart", async (_, [ours, theirs]) => {
    const make = (more: object) => {
      const client = connect(more);
      const fleet = redisFleet(client, { name: "test", subscribe: connect(more) });
      fleets.push(fleet);
      const breaker = fleet.share(circuitBreaker({ failureRate: 0.5 }), { key: "payments" });
      return { fleet, breaker, pause: fleet.pauses({ key: () => "all" }).pauseOf({} as never) };
    };
    const [here, sibling, there] = [make(ours!), make(ours!), make(theirs!)];
    await Promise.all(fleets.map((fleet) => fleet.ready()));
    await vi.waitFor(listeningTo(connect())(3), patient);

    here.breaker.isolate();
    here.pause.pause(30_000);
    // The sibling has it by a push, which the other store's process has had as well.
    await vi.waitFor(async () => expect(await sibling.pause.left()).toBeDefined(), patient);
    await vi.waitFor(() => expect(sibling.breaker.state).toBe("isolated"), patient);
    there.breaker.isolate();
    await vi.waitFor(() => expect(there.breaker.stats.fleet?.exchanges).toBeGreaterThan(1), patient);
    there.breaker.close();
    there.pause.pause(1_000);
    await vi.waitFor(async () => expect((await there.pause.left())?.length).toBe(1_000), patient);

    expect([here, sibling, there].map(({ breaker }) => breaker.state)).toEqual(["isolated", "isolated", "closed"]);
  });

  it.each<[string, (client: Ioredis) => Promise<unknown>]>([
    ["SCRIPT FLUSH", (client) => client.script("FLUSH")],
    ["FLUSHALL", (client) => client.flushall()],
  ])("finds back after %s while it is open", async (_, harm) => {
    const processes = [join(), join()];
    const breakers = processes.map(({ breaker }) => breaker);
    await Promise.all(processes.map(({ fleet }) => fleet.ready()));
    await callUntil(breakers, down, all(breakers, "open"));

    await harm(processes[0]!.client);
    await callUntil(breakers, up, all(breakers, "closed"));

    expect(breakers.map(({ stats }) => stats.fleet?.connected)).toEqual([true, true]);
  });

  it("fails no call while Redis is killed, and is one fleet again when it is back", async () => {
    const said: string[] = [];
    const { breaker, fleet } = join({ onStoreLost: () => said.push("lost"), onStoreBack: () => said.push("back") });
    await fleet.ready();

    await server.kill();
    let failures = 0;
    const call = () => breaker.run(up).catch(() => failures++);
    await vi.waitFor(async () => {
      await call();
      expect(said).toEqual(["lost"]);
    }, patient);
    await server.begin();
    await vi.waitFor(async () => {
      await call();
      expect(said).toEqual(["lost", "back"]);
    }, patient);

    expect(failures).toBe(0);
  });

  it.each<[string, (client: Ioredis) => () => unknown]>([
    [
      "is held, and replies to nothing",
      () => {
        server.freeze();
        return () => server.thaw();
      },
    ],
    [
      "sleeps",
      (client) => {
        const awake = client.call("DEBUG", "SLEEP", "1");
        return () => awake;
      },
    ],
  ])("lets every call and every retry go while Redis %s, and is connected afterwards", async (_, still) => {
    const { breaker, fleet } = join();
    const budget = fleet.share(retryBudget(), { key: "payments" });
    await fleet.ready();
    const wake = still(connect());
    try {
      for (let call = 0; call < 100; call++) await breaker.run(up);
      const task = flaky([new Error("busy"), "done"]);

      expect(await retry(task, { budget, wait: waitNone })()).toBe("done");
    } finally {
      await wake();
    }
    await vi.waitFor(async () => {
      await breaker.run(up);
      expect(breaker.stats.fleet?.connected).toBe(true);
    }, patient);
  });

  it("goes on by each process alone when Redis is killed in mid-outage, and together when it is back", async () => {
    const processes = [join(), join()];
    const breakers = processes.map(({ breaker }) => breaker);
    await Promise.all(processes.map(({ fleet }) => fleet.ready()));
    await callUntil(breakers, down, all(breakers, "open"));
    const reasons = new Set<string>();
    const connected = (task: () => Promise<unknown>, is: boolean) => () => {
      for (const breaker of breakers) breaker.run(task).catch(({ name }) => reasons.add(name));
      expect(breakers.map(({ stats }) => stats.fleet?.connected)).toEqual([is, is]);
    };

    await server.kill();
    await vi.waitFor(connected(down, false), patient);
    await server.begin();
    await vi.waitFor(connected(up, true), patient);
    await callUntil(breakers, up, all(breakers, "closed"));

    expect([...reasons].filter((name) => name !== "Error" && name !== "CircuitOpenError")).toEqual([]);
  });

  it("hears pushes again by clients whose connections were cut and that reconnected", async () => {
    const [one, other] = [join(), join()];
    await Promise.all([one.fleet.ready(), other.fleet.ready()]);
    const admin = connect();
    const isHeard = listeningTo(admin)(2);
    await vi.waitFor(isHeard, patient);

    await admin.call("CLIENT", "KILL", "TYPE", "pubsub");
    await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await vi.waitFor(isHeard, patient);
    await vi.waitFor(() => expect(one.client.status).toBe("ready"), patient);
    one.breaker.isolate();

    // It makes no call, so that it can have it by a push alone.
    await vi.waitFor(() => expect(other.breaker.state).toBe("isolated"), patient);
  });

  it.each<[string, (client: Ioredis) => Promise<unknown>, (client: Ioredis) => Promise<unknown>]>([
    [
      "a memory that is full",
      async (client) => {
        await client.set("filler", "x".repeat(1_000));
        await client.config("SET", "maxmemory", "1");
      },
      (client) => client.config("SET", "maxmemory", "0"),
    ],
    [
      "a replica that takes no writes",
      (client) => client.replicaof("127.0.0.1", 1),
      (client) => client.replicaof("NO", "ONE"),
    ],
    [
      "a wrong type under its key",
      async (client) => {
        await client.del("undaunted:test:{breaker:payments}");
        await client.lpush("undaunted:test:{breaker:payments}", "1");
      },
      (client) => client.del("undaunted:test:{breaker:payments}"),
    ],
    [
      "another version's layout",
      (client) => client.hset("undaunted:test:{breaker:payments}", "layout", "2"),
      (client) => client.del("undaunted:test:{breaker:payments}"),
    ],
  ])("takes %s for a lost store, fails no call by it, and is back when it is mended", async (what, harm, mend) => {
    const said: unknown[] = [];
    const { breaker, fleet, client } = join({
      onStoreLost: ({ error }) => said.push((error as Error).message),
      onStoreBack: () => said.push("back"),
    });
    await fleet.ready();
    let failures = 0;
    const call = () => breaker.run(up).catch(() => failures++);

    await harm(client);
    await vi.waitFor(async () => {
      await call();
      expect(said).toHaveLength(1);
    }, patient);
    await mend(client);
    await vi.waitFor(async () => {
      await call();
      expect(said.at(-1)).toBe("back");
    }, patient);

    expect(failures).toBe(0);
    if (what === "another version's layout")
      expect(said[0]).toContain("the store keeps layout 2, this process knows 1");
  });

  it("is closed at once, also while Redis is away", async () => {
    const { fleet, client } = join();
    await fleet.ready();
    await server.kill();
    await vi.waitFor(() => expect(client.status).toBe("reconnecting"), patient);

    await fleet.close();
    await server.begin();
  });

  it("is closed also while Redis is silent, and nobody says that it unsubscribed", async () => {
    const { fleet } = join();
    await fleet.ready();
    server.freeze();
    try {
      await fleet.close();
    } finally {
      server.thaw();
    }
  });

  it("leaves nothing in Redis that does not expire", async () => {
    const { breaker, fleet, client } = join();
    const isolated = fleet.share(circuitBreaker({ failureRate: 0.5 }), { key: "isolated" });
    fleet.share(retryRateLimit({ perSecond: 5 }), { key: "payments" });
    const budget = fleet.share(retryBudget(), { key: "payments" });
    await fleet.ready();
    budget.recordSuccess(0);
    isolated.isolate();
    await callUntil([breaker], down, all([breaker], "open"));

    const stored = await client.keys("*");
    const isIsolated = (key: string) => key.includes("{breaker:isolated}");
    const keys = stored.filter((key) => !isIsolated(key));
    const left = await Promise.all(keys.map((key) => client.pttl(key)));
    const ofIsolated = await Promise.all(stored.filter(isIsolated).map((key) => client.pttl(key)));

    expect(keys.map((key) => /\{(\w+):/.exec(key)?.[1])).toEqual(
      expect.arrayContaining(["breaker", "budget", "limit"]),
    );
    expect(ofIsolated.length).toBeGreaterThan(0);
    for (const ms of ofIsolated) expect(ms).toBeGreaterThan(0);
    for (const ms of ofIsolated) expect(ms).toBeLessThanOrEqual(86_400_000);
    expect(keys.filter((key) => !key.startsWith("undaunted:test:{"))).toEqual([]);
    for (const ms of left) expect(ms).toBeGreaterThan(0);
    for (const ms of left) expect(ms).toBeLessThanOrEqual(95_000);
  });

  it("takes some 10 KB for a guard that hundreds of processes report of, each second", async () => {
    const client = connect();
    const run = scriptRunner("test", client);
    for (let n = 0; n < 400; n++)
      await exchange(run, breakerRequest({ reporter: n * 7_919, nonce: n + 1 }), 1e12 + n * 32);

    let bytes = 0;
    for (const key of await client.keys("*")) bytes += Number(await client.memory("USAGE", key));

    expect(bytes).toBeGreaterThan(1_000);
    expect(bytes).toBeLessThan(20_000);
  });

  it("counts once what a client sends twice", async () => {
    const run = scriptRunner("test", connect());
    const hello = await exchange(run, breakerRequest({ nonce: 1 }), 1e12);
    const { epoch, generation } = hello as { epoch: number; generation: number };
    const report = breakerRequest({ nonce: 2, tick: 1e12, age: 10, epoch, generation, calls: 49, failures: 49 });

    for (let time = 0; time < 3; time++) await exchange(run, report, 1e12 + 20 + time);
    const { state } = (await exchange(
      run,
      breakerRequest({ nonce: 3, tick: 1e12, age: 1_500, epoch, generation, calls: 0, vote: 0 }),
      1e12 + 1_500,
    )) as { state: number };

    expect(state).toBe(0);
    // One failure more is enough.
    const last = breakerRequest({ nonce: 4, tick: 1e12 + 1_500, age: 0, epoch, generation, calls: 1, failures: 1 });
    expect(await exchange(run, last, 1e12 + 1_500)).toMatchObject({ state: 1 });
  });

  it.each(LIBRARIES)(
    "goes on to hear by a subscriber of %s over which another fleet of its name ends",
    async (library) => {
      const listening = listeningTo(connect());
      const { client, subscribe, listeners, end } = await connectBy(library, server.connection);
      try {
        const before = listeners();
        const [one, other] = [
          redisFleet(client, { name: "test", subscribe }),
          redisFleet(client, { name: "test", subscribe }),
        ];
        const breaker = other.share(circuitBreaker({ failureRate: 0.5 }), { key: "payments" });
        await other.ready();
        await vi.waitFor(listening(1), patient);

        await one.close();
        await listening(1)();
        const elsewhere = join();
        await elsewhere.fleet.ready();
        elsewhere.breaker.isolate();
        // It makes no call, so that it can have it by a push alone.
        await vi.waitFor(() => expect(breaker.state).toBe("isolated"), patient);
        await elsewhere.fleet.close();
        await other.close();

        await vi.waitFor(listening(0), patient);
        expect(listeners()).toBe(before);
      } finally {
        end();
      }
    },
  );

  it("says that a subscriber of redis was never connected", async () => {
    const { client, end } = await connectBy("redis", server.connection);
    const said: string[] = [];
    const subscribe = createClient({ socket: server.connection });
    const fleet = redisFleet(client, { name: "test", subscribe, onHookError: (error) => said.push(String(error)) });
    try {
      await vi.waitFor(() => expect(said).toEqual([expect.stringContaining("subscribe is not connected")]), patient);
    } finally {
      await fleet.close();
      end();
    }
  });

  it.each(LIBRARIES)("leaves no listener on clients of %s after close(), nor on the channel", async (library) => {
    const listening = listeningTo(connect());
    const { client, subscribe, listeners, end } = await connectBy(library, server.connection);
    try {
      const before = listeners();
      const fleet = redisFleet(client, { name: "test", subscribe });
      const breaker = fleet.share(circuitBreaker({ failureRate: 0.5 }), { key: "payments" });
      await fleet.ready();
      await vi.waitFor(listening(1), patient);
      await callUntil([breaker], down, all([breaker], "open"));

      await fleet.close();

      await listening(0)();
      expect(listeners()).toBe(before);
    } finally {
      end();
    }
  });
});

/** What checks how many subscribers the fleet's channel has. */
function listeningTo(admin: Ioredis) {
  return (count: number) => async () =>
    expect(await admin.pubsub("NUMSUB", "undaunted:test:news")).toEqual([expect.anything(), count]);
}

async function exchange(run: ReturnType<typeof scriptRunner>, sent: BreakerRequest, now: number) {
  return replyOf(sent.kind, await run(SCRIPT, keysOf("test", sent), argumentsOf("test", sent, now)));
}
