// One process of a fleet on a real Redis: so many members, each with its own connections, that call a server until they are told to stop.
import process from "node:process";
import { Redis } from "ioredis";
import { circuitBreaker, retry, stopAfterAttempt, waitFullJitter } from "undaunted";
import { redisFleet } from "undaunted/redis";

const { url, redisPort, members, every, shared } = JSON.parse(process.argv[2]);
const connection = { host: "127.0.0.1", port: redisPort, maxRetriesPerRequest: null };
const policy = { stop: stopAfterAttempt(3), wait: waitFullJitter({ base: 200, max: 1_000 }), attemptTimeout: 500 };
const counts = { calls: 0, successes: 0, lost: 0, errors: {} };

const ends = await Promise.all(Array.from({ length: members }, join));

process.once("message", async () => {
  for (const end of ends) await end();
  process.send(counts, () => process.disconnect());
});
process.send("ready");

async function join() {
  const breaker = circuitBreaker({ failureRate: 0.5 });
  const clients = shared ? [new Redis(connection), new Redis(connection)] : [];
  for (const client of clients) client.on("error", () => {});
  const fleet =
    shared &&
    redisFleet(clients[0], { name: "real", subscribe: clients[1], onStoreLost: () => counts.lost++, onHookError() {} });
  if (fleet) fleet.share(breaker, { key: "server" });
  if (fleet) await fleet.ready();
  const call = retry(
    breaker.wrap(async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(String(response.status));
    }),
    policy,
  );
  const timer = setInterval(() => {
    counts.calls++;
    call().then(
      () => counts.successes++,
      ({ name }) => {
        counts.errors[name] = (counts.errors[name] ?? 0) + 1;
      },
    );
  }, every);
  return async () => {
    clearInterval(timer);
    if (fleet) await fleet.close();
    for (const client of clients) client.disconnect();
  };
}
