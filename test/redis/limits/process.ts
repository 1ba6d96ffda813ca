// One process of a fleet on a real Redis that calls a server with a limit, as it is told to.
import process from "node:process";
import { setTimeout as pass } from "node:timers/promises";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { retryFetch } from "undaunted/http";
import { type LimitedRequest, type RedisClient, type RedisSubscriber, redisFleet } from "undaunted/redis";
import type { Order, Said, Word } from "./order.js";

const CALLERS = 5;
/** ms between two calls of a caller. */
const EVERY = 500;

const { url, redisPort, client, pausing, hears }: Order = JSON.parse(process.argv[2]!);

void run();

async function run(): Promise<void> {
  const { clients, end } = client === "ioredis" ? byIoredis() : await byRedis();
  const subscribe = hears === "pushes" ? clients[1] : undefined;
  const fleet = redisFleet(clients[0], { name: "limited", subscribe, askAfter: hears === "asks" ? 0 : Infinity });
  const key = ({ url, headers }: LimitedRequest) => `${url.origin} ${headers.get("authorization")}`;
  const pauses = fleet.pauses({ key });
  const pauseOrigin = pausing === "shared" ? pauses : pausing === "own";
  const [api, working] = [retryFetch({ pauseOrigin, statuses: [] }), retryFetch({ pauseOrigin })];
  const leaving = new AbortController();
  const workers: Promise<number>[] = [];
  let atWork = true;

  const call = async (by: typeof fetch, credential: string) => {
    const response = await by(url, { headers: { authorization: credential }, signal: leaving.signal });
    await response.arrayBuffer();
    return response.status;
  };
  const work = async (credential: string) => {
    let done = 0;
    while (atWork) {
      if ((await call(working, credential).catch(() => 0)) === 200) done++;
      await pass(EVERY);
    }
    return done;
  };
  const say = (said: Said) => process.send!(said);

  if (hears === "pushes") await fleet.ready();
  process.on("message", async (told: Word) => {
    const [word, ...credentials] = told.split(" ");
    const credential = credentials.join(" ");
    switch (word) {
      case "call":
        say({ status: await call(api, credential) });
        break;
      case "hold":
        call(api, credential).then(
          (status) => say({ status }),
          () => {},
        );
        say("begun");
        break;
      case "knows": {
        const request = { method: "GET", url: new URL(url), headers: new Headers({ authorization: credential }) };
        say({ knows: (await pauses.pauseOf(request).left()) !== undefined });
        break;
      }
      case "work":
        for (let n = 0; n < CALLERS; n++) workers.push(work(credential));
        say("begun");
        break;
      case "stop": {
        atWork = false;
        leaving.abort();
        const done = await Promise.all(workers);
        say({ done: done.reduce((sum, each) => sum + each, 0) });
        break;
      }
      case "close":
        leaving.abort();
        await fleet.close();
        end();
        // Nothing of ours keeps it alive.
        process.disconnect();
    }
  });
  say("ready");
}

interface Clients {
  readonly clients: readonly [RedisClient, RedisSubscriber];
  end(): void;
}

function byIoredis(): Clients {
  const connection = { port: redisPort, maxRetriesPerRequest: null, retryStrategy: () => 50 };
  const clients = [new Redis(connection), new Redis(connection)] as const;
  for (const each of clients) each.on("error", () => {});
  const end = () => {
    for (const each of clients) each.disconnect();
  };
  return { clients, end };
}

async function byRedis(): Promise<Clients> {
  const first = createClient({ socket: { host: "127.0.0.1", port: redisPort, reconnectStrategy: 50 } });
  const second = first.duplicate();
  for (const each of [first, second]) await each.on("error", () => {}).connect();
  return {
    clients: [first, second],
    end: () => {
      first.destroy();
      second.destroy();
    },
  };
}
