import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { Redis as Ioredis } from "ioredis";
import { type Redis, startRedis } from "../../transient/servers/index.js";

// `npm run fleet`: 100 members of a fleet in 10 real processes, each with its own connections, call a real server that hangs for
// a while. It needs the built package. Counts are held; seconds are only told.

const PROGRAM = fileURLToPath(new URL("process.mjs", import.meta.url));
const PROCESSES = 10;
const MEMBERS = 10;
/** ms between two calls of a member. */
const EVERY = 1_000;
/** ms of an outage. */
const LASTS = Number(process.env.FLEET_OUTAGE ?? 30_000);

interface Counts {
  calls: number;
  successes: number;
  lost: number;
  errors: Record<string, number>;
}

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What `PROCESSES` real processes do to a real server that hangs for a while. */
async function outage(redis: Redis, shared: boolean, during: () => Promise<unknown> = async () => {}) {
  let hangs = false;
  const seen = { outage: 0 };
  const server = createServer((_, response) => {
    if (hangs) seen.outage++;
    else response.end("ok");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const setup = { url, redisPort: redis.connection.port, members: MEMBERS, every: EVERY, shared };
  const children: ChildProcess[] = [];
  for (let n = 0; n < PROCESSES; n++) children.push(fork(PROGRAM, [JSON.stringify(setup)]));
  await Promise.all(children.map((child) => once(child, "message")));
  await pass(4_000);
  hangs = true;
  await during();
  await pass(LASTS);
  hangs = false;
  await pass(4_000);
  const counts = await Promise.all(
    children.map(async (child) => {
      child.send("stop");
      const [sent] = (await once(child, "message")) as [Counts];
      await once(child, "exit");
      return sent;
    }),
  );
  server.closeAllConnections();
  server.close();
  const sum = (what: (each: Counts) => number) => counts.reduce((total, each) => total + what(each), 0);
  const names = new Set(counts.flatMap(({ errors }) => Object.keys(errors)));
  return { inOutage: seen.outage, calls: sum(({ calls }) => calls), lost: sum(({ lost }) => lost), names };
}

/** Runs of the script as Redis itself counts them, and the µs that each took. */
async function scripts(client: Ioredis) {
  const info = await client.info("commandstats");
  const of = (name: string) =>
    info
      .match(new RegExp(`cmdstat_${name}:calls=(\\d+),usec=(\\d+)`))
      ?.slice(1)
      .map(Number);
  const [calls = 0, usec = 0] = of("evalsha") ?? [];
  const [first = 0, more = 0] = of("eval") ?? [];
  return { calls: calls + first, usec: usec + more };
}

/** Whether a call failed of anything but the server. */
const isNotTheServers = (name: string) => name !== "AttemptTimeoutError" && name !== "CircuitOpenError";
const normal = (ms: number) => (PROCESSES * MEMBERS * ms) / EVERY;
const inWords = (load: number) => load.toFixed(2);

async function breakersOfTheirOwnAndShared(): Promise<void> {
  const redis = await startRedis();
  const client = new Ioredis(redis.connection);
  try {
    const own = await outage(redis, false);
    const shared = await outage(redis, true);
    const { calls, usec } = await scripts(client);
    const [ownLoad, load] = [own.inOutage / normal(LASTS), shared.inOutage / normal(LASTS)];
    console.log(`load in an outage of ${LASTS / 1_000} s: own breakers ${inWords(ownLoad)}, shared ${inWords(load)}`);
    console.log(`${inWords(calls / shared.calls)} exchanges per call, ${Math.round(usec / calls)} µs of Redis each`);

    assert(shared.inOutage < own.inOutage / 2, "a shared breaker halves the load at least");
    assert(calls < 1.5 * shared.calls, "Redis is not asked with every call");
    // What a call may fail of is the server, and nothing else.
    assert.deepEqual([...shared.names].filter(isNotTheServers), []);
  } finally {
    client.disconnect();
    await redis.close();
  }
}

async function redisIsKilled(): Promise<void> {
  const redis = await startRedis();
  try {
    const shared = await outage(redis, true, () => pass(2_000).then(() => redis.kill()));
    const load = shared.inOutage / normal(LASTS + 2_000);
    console.log(`load where Redis is killed in mid-outage: ${inWords(load)}; ${shared.lost} members heard of it`);

    assert.deepEqual([...shared.names].filter(isNotTheServers), []);
    assert.equal(shared.lost, PROCESSES * MEMBERS);
  } finally {
    await redis.close();
  }
}

await breakersOfTheirOwnAndShared();
await redisIsKilled();
