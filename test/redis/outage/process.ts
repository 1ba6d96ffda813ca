// One process of a fleet on a real Redis: members of every crew, each with its own connections, that call a server until they are told to stop.
import process from "node:process";
import { Redis } from "ioredis";
import { circuitBreaker, currentAttempt, retry, retryBudget, stopAfterAttempt, waitFullJitter } from "undaunted";
import { redisFleet } from "undaunted/redis";
import { type Counts, CREWS, type Crew, type Order, pathOf } from "./crew.js";

const { url, redisPort, members, every }: Order = JSON.parse(process.argv[2]!);
const connection = { host: "127.0.0.1", port: redisPort, maxRetriesPerRequest: null, retryStrategy: () => 100 };
const counts = new Map<string, Counts>();
const wellOf = new Map<string, Set<object>>();

void run();

async function run(): Promise<void> {
  const begins = await Promise.all(CREWS.flatMap((crew) => Array.from({ length: members }, () => join(crew))));
  let ends: (() => Promise<void>)[] = [];
  process.on("message", async (word) => {
    if (word === "go") ends = begins.map((begin) => begin());
    if (word === "stop") await Promise.all(ends.map((end) => end()));
    const all = [...counts].map(([path, each]) => [path, { ...each, well: wellOf.get(path)!.size }]);
    process.send!(Object.fromEntries(all));
    if (word === "stop") process.disconnect();
  });
  process.send!("ready");
}

/** Makes a member; returns what lets it begin, which returns what ends it, once all of its calls have ended. */
async function join(crew: Crew): Promise<() => () => Promise<void>> {
  const path = pathOf(crew);
  if (!counts.has(path)) {
    counts.set(path, { calls: 0, successes: 0, failures: {}, refused: 0, refusedRetries: 0, lost: 0, well: 0 });
    wellOf.set(path, new Set());
  }
  const [seen, well, self] = [counts.get(path)!, wellOf.get(path)!, {}];
  const { call, leave } = await protect(crew, seen, () => send(path, seen));
  const calls = new Set<Promise<void>>();
  const makeOne = () => {
    seen.calls++;
    const made = call().then(
      () => {
        seen.successes++;
        well.add(self);
      },
      (error) => {
        const why = reasonOf(error);
        seen.failures[why] = (seen.failures[why] ?? 0) + 1;
        well.delete(self);
      },
    );
    calls.add(made);
    made.then(() => calls.delete(made));
  };
  return () => {
    // Each at its own part of the interval: a fleet does not call in step.
    let timer = setTimeout(() => {
      makeOne();
      timer = setInterval(makeOne, every);
    }, Math.random() * every);
    return async () => {
      clearTimeout(timer);
      await Promise.all(calls);
      await leave();
    };
  };
}

async function protect({ guard, shared }: Crew, seen: Counts, send: () => Promise<void>) {
  const breaker = guard === "breaker" ? circuitBreaker({ failureRate: 0.5 }) : undefined;
  const budget = guard === "budget" ? retryBudget() : undefined;
  const clients = shared ? [new Redis(connection), new Redis(connection)] : [];
  for (const client of clients) client.on("error", () => {});
  const [client, subscribe] = clients;
  const fleet =
    client && redisFleet(client, { name: "real", subscribe, onStoreLost: () => seen.lost++, onHookError() {} });
  fleet?.share((breaker ?? budget)!, { key: "server" });
  await fleet?.ready();
  const call = retry(breaker ? breaker.wrap(send) : send, {
    stop: stopAfterAttempt(3),
    wait: waitFullJitter({ base: 200, max: 1_000 }),
    attemptTimeout: 1_500,
    budget,
  });
  const leave = async () => {
    await fleet?.close();
    for (const each of clients) each.disconnect();
  };
  return { call, leave };
}

async function send(path: string, seen: Counts): Promise<void> {
  const { attempt, signal } = currentAttempt();
  try {
    const response = await fetch(url + path, { signal, headers: { attempt: String(attempt) } });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`status ${response.status}`);
  } catch (error) {
    if (codeOf(error) === "ECONNREFUSED") {
      seen.refused++;
      if (attempt > 1) seen.refusedRetries++;
    }
    throw error;
  }
}

const codeOf = (error: unknown) => ((error as Error).cause as { code?: string } | undefined)?.code;

/** The server's doing in a word, or else what went wrong in full. */
function reasonOf(error: Error): string {
  const { name, message } = error;
  if (name === "AttemptTimeoutError" || name === "CircuitOpenError") return name;
  return codeOf(error) ?? `${name}: ${message}`;
}
