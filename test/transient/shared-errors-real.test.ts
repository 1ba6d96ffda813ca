import { retry, stopAfterAttempt } from "undaunted";
import { instant, seededRandom } from "undaunted/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PATIENCE } from "../limits.js";
import { DRIVERS, type RedisConnection } from "./redis-drivers.js";
import { proxy, type Redis, startRedis, type TcpProxy, whatIsMissing } from "./servers/index.js";
import { until } from "./servers/until.js";

const missing = whatIsMissing("redis");

describe.skipIf(missing)(`calls that share a Redis connection which breaks${missing ? ` (${missing})` : ""}`, () => {
  let server: Redis;
  let link: TcpProxy;
  let connections: Promise<RedisConnection>[] = [];

  beforeAll(async () => {
    server = await startRedis();
    link = await proxy(server);
  });

  afterEach(async () => {
    for (const each of connections) (await each).close();
    connections = [];
  });

  afterAll(async () => {
    await link?.close();
    await server?.close();
  });

  /** What many calls do at once: their first two attempts wait on one connection each, which breaks, the third is answered. */
  class Crowd {
    waiting = 0;

    constructor(private readonly open: (target: { readonly port: number }) => Promise<RedisConnection>) {}

    async attempt(n: number, layers: number): Promise<unknown> {
      connections[n] ??= this.open(link);
      try {
        const connection = await connections[n];
        if (n === 2) return await connection.send("PING");
        const answer = connection.send("BLPOP", "nothing", "0");
        this.waiting++;
        return await answer;
      } catch (error) {
        for (let layer = 0; layer < layers; layer++) await null;
        throw error;
      }
    }

    /** Breaks the connection when so many wait on it. */
    async breakAt(count: number): Promise<void> {
      const look = async () => {
        const clients = await server.ask("INFO", "clients");
        if (this.waiting < count || !clients.includes("blocked_clients:1")) throw new Error(clients);
      };
      await until(look, PATIENCE, () => `${this.waiting} of ${count} wait`);
      this.waiting = 0;
      link.cut();
    }
  }

  const runs = Object.keys(DRIVERS).flatMap((driver) => [1, 2, 3, 4].map((seed) => ({ driver, seed })));

  it.each(runs)("cut none of each other's attempts off, through $driver with seed $seed", async ({ driver, seed }) => {
    const crowd = new Crowd(DRIVERS[driver]!);
    const random = seededRandom(seed);
    const reasons: string[] = [];
    const errors = new Set<unknown>();
    let ones = 0;
    const calls = Array.from({ length: 40 }, () => {
      const attempts = random() < 0.5 ? 1 : 4;
      const layers = Math.floor(random() * 12);
      if (attempts === 1) ones++;
      let made = 0;
      const call = retry(() => crowd.attempt(made++, layers), {
        ...instant,
        stop: stopAfterAttempt(attempts),
        retryIf: () => true,
        onGiveUp: ({ reason, error }) => {
          reasons.push(reason);
          errors.add(error);
        },
      });
      return call().catch(() => "given up");
    });

    await crowd.breakAt(40);
    await crowd.breakAt(40 - ones);
    const answers = await Promise.all(calls);

    expect(reasons).toEqual(Array(ones).fill("stopped"));
    expect(answers.filter((each) => each === "PONG")).toHaveLength(40 - ones);
    // Otherwise nothing was shared.
    expect(errors.size).toBeLessThan(ones);
  });

  it.each(Object.keys(DRIVERS))("are not multiplied where one is nested in another, through %s", async (driver) => {
    const crowd = new Crowd(DRIVERS[driver]!);
    const reasons: string[] = [];
    let made = 0;
    const nested = retry(() => crowd.attempt(Math.min(made++, 1), 0), {
      ...instant,
      stop: stopAfterAttempt(2),
      retryIf: () => true,
      onGiveUp: ({ reason }) => void reasons.push(`inner ${reason}`),
    });
    const outer = retry(() => nested(), {
      ...instant,
      retryIf: () => true,
      onGiveUp: ({ reason }) => void reasons.push(`outer ${reason}`),
    });
    const alone = retry(() => crowd.attempt(0, 0), { ...instant, stop: stopAfterAttempt(1), retryIf: () => true });

    const results = [outer(), alone()].map((each) => each.catch(() => "given up"));
    await crowd.breakAt(2);
    await crowd.breakAt(1);

    expect(await Promise.all(results)).toEqual(["given up", "given up"]);
    expect(reasons).toEqual(["inner stopped", "outer exhausted"]);
    expect(made).toBe(2);
  });
});
