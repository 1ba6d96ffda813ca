import { Redis as Ioredis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { named } from "../../idempotency/kinds-of-store.js";
import { PATIENCE } from "../../limits.js";
import { type Redis, startRedis, whatIsMissing } from "../../transient/servers/index.js";
import { Process, programOf } from "../program.js";
import { Limiter } from "./limiter.js";
import type { Order, Said } from "./order.js";

const missing = whatIsMissing("redis");
const patient = { timeout: PATIENCE, interval: 20 };
const TENANT = "Bearer sk-live-of-tenant-a";
const OTHER = "Bearer sk-live-of-tenant-b";
const MINUTE = 60_000;

describe.skipIf(missing)(named("processes that pause together over a real Redis", missing), () => {
  let redis: Redis;
  let client: Ioredis;
  let program: Awaited<ReturnType<typeof programOf>>;
  let limiter: Limiter;
  const processes: Process<Said>[] = [];

  beforeAll(async () => {
    program = await programOf(new URL("process.ts", import.meta.url));
    redis = await startRedis();
    client = new Ioredis(redis.connection);
    client.on("error", () => {});
  });

  afterEach(async () => {
    for (const each of processes.splice(0)) await each.kill();
    await limiter.close();
    await client.flushall();
  });

  afterAll(async () => {
    client?.disconnect();
    await redis?.close();
    program?.delete();
  });

  /** A server that refuses the first tenant for a minute, and no other. */
  async function limiting() {
    limiter = await Limiter.start((credential) => (credential === TENANT ? MINUTE : undefined));
  }

  async function join(more: Partial<Order> = {}): Promise<Process<Said>> {
    const order: Order = {
      url: limiter.url,
      redisPort: redis.connection.port,
      client: "ioredis",
      pausing: "shared",
      hears: "pushes",
      ...more,
    };
    const process = await Process.start<Said>(program.file, order);
    processes.push(process);
    return process;
  }

  async function ask(process: Process<Said>, word: string, credential: string): Promise<Said> {
    process.tell(`${word} ${credential}`);
    return process.next();
  }

  async function close(all: readonly Process<Said>[]): Promise<(number | null)[]> {
    for (const each of all) each.tell("close ");
    return Promise.all(all.map((each) => each.ended()));
  }

  it("send no request of a tenant that one of them was refused, send those of others, and end by themselves", async () => {
    await limiting();
    const first = await join();
    const others = [await join({ client: "redis" }), await join({ client: "redis", hears: "asks" })];

    expect(await ask(first, "call", TENANT)).toEqual({ status: 429 });
    const newcomers = [await join(), await join({ hears: "asks" })];
    // A call waits no longer for Redis than a busy machine may take.
    for (const each of [...others, ...newcomers]) {
      await vi.waitFor(async () => expect(await ask(each, "knows", TENANT)).toEqual({ knows: true }), patient);
    }
    const all = [first, ...others, ...newcomers];
    for (const each of all) expect(await ask(each, "hold", TENANT)).toBe("begun");
    for (const each of all) expect(await ask(each, "call", OTHER)).toEqual({ status: 200 });
    const codes = await close(all);

    expect(limiter.seenOf(TENANT)).toEqual({ requests: 1, refused: 1 });
    expect(limiter.seenOf(OTHER)).toEqual({ requests: 5, refused: 0 });
    expect(codes).toEqual([0, 0, 0, 0, 0]);
  });

  it("are each refused where their pauses are their own", async () => {
    await limiting();
    const all = [await join({ pausing: "own" }), await join({ pausing: "own" }), await join({ pausing: "own" })];

    for (const each of all) expect(await ask(each, "call", TENANT)).toEqual({ status: 429 });

    expect(limiter.seenOf(TENANT)).toEqual({ requests: 3, refused: 3 });
  });

  it("go again when the time is over, and none of them is refused", async () => {
    let until: number | undefined;
    limiter = await Limiter.start(() => {
      // A timer and a clock may differ by a few ms.
      until ??= performance.now() + 1_950;
      return performance.now() < until ? 2_000 : undefined;
    });
    const first = await join();
    const others = [await join({ hears: "asks" }), await join({ hears: "asks", client: "redis" })];
    const know = (process: Process<Said>) => ask(process, "knows", TENANT);
    let refused = 0;

    await vi.waitFor(async () => {
      const { knows } = (await know(first)) as { knows: boolean };
      if (!knows) {
        // The first time, and where the last one was over before all had heard of it.
        until = undefined;
        expect(await ask(first, "call", TENANT)).toEqual({ status: 429 });
        refused++;
      }
      expect(await Promise.all(others.map(know))).toEqual([{ knows: true }, { knows: true }]);
    }, patient);
    for (const each of [first, ...others]) each.tell(`call ${TENANT}`);
    const said = await Promise.all([first, ...others].map((each) => each.next()));

    expect(said).toEqual([{ status: 200 }, { status: 200 }, { status: 200 }]);
    expect(limiter.seenOf(TENANT)).toEqual({ requests: refused + 3, refused });
  });

  it("pause by themselves while Redis is killed, fail no call by it, and pass on what is left when it is back", async () => {
    await limiting();
    const all = [await join(), await join({ client: "redis" })];
    await redis.kill();

    for (const each of all) {
      expect(await ask(each, "call", TENANT)).toEqual({ status: 429 });
      expect(await ask(each, "hold", TENANT)).toBe("begun");
      expect(await ask(each, "call", OTHER)).toEqual({ status: 200 });
    }
    expect(limiter.seenOf(TENANT)).toEqual({ requests: 2, refused: 2 });
    await redis.begin();
    const newcomer = await join({ hears: "asks" });
    await vi.waitFor(async () => {
      // New tries are made by the calls.
      for (const each of all) expect(await ask(each, "call", OTHER)).toEqual({ status: 200 });
      expect(await ask(newcomer, "knows", TENANT)).toEqual({ knows: true });
    }, patient);

    expect(await ask(newcomer, "hold", TENANT)).toBe("begun");
    expect(await ask(newcomer, "call", OTHER)).toEqual({ status: 200 });
    expect(limiter.seenOf(TENANT)).toEqual({ requests: 2, refused: 2 });
    expect(await close([...all, newcomer])).toEqual([0, 0, 0]);
  });

  it("leave no key and no credential in Redis, on its channel or on the way, and nothing that does not expire", async () => {
    await limiting();
    const listener = new Ioredis(redis.connection);
    const heard: string[] = [];
    listener.on("message", (_, message) => heard.push(message));
    await listener.subscribe("undaunted:limited:news");
    const monitor = await new Ioredis(redis.connection).monitor();
    const commands: string[] = [];
    monitor.on("monitor", (_, args: string[]) => commands.push(args.join(" ")));
    const process = await join();

    await ask(process, "call", TENANT);
    await vi.waitFor(() => expect(heard).toHaveLength(1), patient);
    const keys = await client.keys("*");
    const kept = await Promise.all(keys.map((key) => client.dump(key)));
    const left = await Promise.all(keys.map((key) => client.pttl(key)));
    listener.disconnect();
    monitor.disconnect();

    expect(heard[0]).toMatch(/^pause \d+ [0-9a-f]{64} (\d+) \1$/);
    expect(commands.some((command) => command.includes(heard[0]!.split(" ")[2]!))).toBe(true);
    for (const text of [...keys, ...kept, ...heard, ...commands])
      expect(text).not.toMatch(/sk-live|127\.0\.0\.1:|Bearer/);
    expect(keys).toContain(KEY);
    expect(keys.filter((key) => !key.startsWith(BASE))).toEqual([]);
    for (const ms of left) expect(ms).toBeGreaterThan(0);
    for (const ms of left) expect(ms).toBeLessThanOrEqual(MINUTE);
  });
});

const BASE = "undaunted:limited:{pause:pauses}";
/** Where a store has pauses. */
const KEY = `${BASE}:ring`;
