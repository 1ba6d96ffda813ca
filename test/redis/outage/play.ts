import { setTimeout as pass } from "node:timers/promises";
import { Redis as Ioredis } from "ioredis";
import { PATIENCE } from "../../limits.js";
import { type Redis, startRedis } from "../../transient/servers/index.js";
import { until } from "../../transient/servers/until.js";
import { Process, programOf } from "../program.js";
import { type Counts, type CountsByPath, CREWS, type Crew, type Order, pathOf } from "./crew.js";
import { type Trouble, TroubledServer } from "./server.js";

/** 100 members of each crew, each with its own connections, in 10 real processes. */
export const PROCESSES = 10;
export const MEMBERS = 10;
const ALL = PROCESSES * MEMBERS;
/** ms between two calls of a member: small clients, which is what a fleet is for. */
const EVERY = 2_000;
/** Requests and retries of each member with guards of its own: an outage that is to say something has seen so many. */
const ENOUGH = { requests: 8, retries: 4 };
/** A slow server has 0.4 of a capacity of 1.2 times the normal load. */
const SLOW_TAKES = EVERY / ALL / (1.2 * 0.4);

export interface Outage {
  readonly trouble: Trouble;
  /** ms */
  readonly lasts: number;
  /** Redis is killed in the middle of it. */
  readonly redisDies?: boolean;
}

/** What one crew did to the server while that was in trouble, and what became of its calls in all. */
export interface CrewResult extends Counts {
  readonly inOutage: number;
  readonly retriesInOutage: number;
  readonly answeredInOutage: number;
}

export interface OutageResult {
  readonly crews: Readonly<Record<string, CrewResult>>;
  /** Exchanges with Redis, and the µs that each took, as Redis itself counts them. */
  readonly exchanges: number;
  readonly usec: number;
}

/** What real processes do to a real server, with guards that they share and with guards of their own. */
export async function play({ trouble, lasts, redisDies = false }: Outage): Promise<OutageResult> {
  const program = await programOf(new URL("process.ts", import.meta.url));
  const redis = await startRedis();
  const server = await TroubledServer.start(SLOW_TAKES);
  const order: Order = { url: server.url, redisPort: redis.connection.port, members: MEMBERS, every: EVERY };
  const processes: Process<CountsByPath>[] = [];
  const ask = async (word: "go" | "look" | "stop") => {
    for (const each of processes) each.tell(word);
    return sumOf(await Promise.all(processes.map((each) => each.next())));
  };
  try {
    const starts = Array.from({ length: PROCESSES }, () => Process.start<CountsByPath>(program.file, order));
    processes.push(...(await Promise.all(starts)));
    // None calls before all have started: ten starting processes leave a small machine no time to answer.
    await ask("go");
    // Two calls of each, by which breakers and budgets know what is normal.
    await waitUntil("all are well", async () => {
      const all = await ask("look");
      return CREWS.every((crew) => all[pathOf(crew)]!.well === ALL && all[pathOf(crew)]!.successes >= 2 * ALL);
    });
    await server.begin(trouble);
    if (redisDies) await pass(lasts / 2).then(() => redis.kill());
    await pass(redisDies ? lasts / 2 : lasts);
    // Where a machine is slow it takes longer to do the same.
    await waitUntil("those with guards of their own have called", async () => {
      const crews = resultsOf(await ask("look"), server);
      const [breaker, budget] = (["breaker", "budget"] as const).map(
        (guard) => crews[pathOf({ guard, shared: false })]!,
      );
      return breaker!.inOutage >= ENOUGH.requests * ALL && budget!.retriesInOutage >= ENOUGH.retries * ALL;
    });
    await server.end();
    const isWell = (all: CountsByPath, crew: Crew) => !crew.shared || all[pathOf(crew)]!.well === ALL;
    await waitUntil("all who share are well again", async () => {
      const all = await ask("look");
      return CREWS.every((crew) => isWell(all, crew));
    });
    const { exchanges, usec } = redisDies ? { exchanges: 0, usec: 0 } : await exchangesOf(redis);
    const counts = await ask("stop");
    await Promise.all(processes.map((each) => each.ended()));
    return { crews: resultsOf(counts, server), exchanges, usec };
  } finally {
    for (const each of processes) await each.kill();
    await server.close();
    await redis.close();
    program.delete();
  }
}

function waitUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
  const look = async () => {
    if (!(await holds())) throw new Error("not yet");
  };
  return until(look, PATIENCE, () => what);
}

function sumOf(all: readonly CountsByPath[]): CountsByPath {
  const total: CountsByPath = {};
  for (const [path, counts] of all.flatMap((each) => Object.entries(each))) {
    const { failures, ...numbers } = counts;
    const to = total[path];
    if (!to) {
      total[path] = { ...numbers, failures: { ...failures } };
      continue;
    }
    for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) to[name] += numbers[name];
    for (const [why, times] of Object.entries(failures)) to.failures[why] = (to.failures[why] ?? 0) + times;
  }
  return total;
}

function resultsOf(counts: CountsByPath, server: TroubledServer): Record<string, CrewResult> {
  return Object.fromEntries(
    Object.entries(counts).map(([path, each]) => {
      const { requests, retries, answered } = server.seen.get(path) ?? { requests: 0, retries: 0, answered: 0 };
      const inOutage = requests + each.refused;
      const retriesInOutage = retries + each.refusedRetries;
      return [path, { ...each, inOutage, retriesInOutage, answeredInOutage: answered }];
    }),
  );
}

async function exchangesOf(redis: Redis): Promise<{ exchanges: number; usec: number }> {
  const client = new Ioredis(redis.connection);
  const info = await client.info("commandstats");
  client.disconnect();
  const runs = [...info.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+),usec=(\d+)/g)];
  const sum = (group: number) => runs.reduce((total, run) => total + Number(run[group]), 0);
  return { exchanges: sum(1), usec: sum(2) };
}
