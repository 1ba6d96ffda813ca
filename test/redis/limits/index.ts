// `npm run fleet`: 50 callers in 10 real processes, of a real server that limits them together, with pauses of each process's own
// and with a fleet's, over a real Redis. Counts are held, the rest is told.

import assert from "node:assert/strict";
import { setTimeout as pass } from "node:timers/promises";
import { startRedis } from "../../transient/servers/index.js";
import { Process, programOf } from "../program.js";
import { Limiter, type Seen } from "./limiter.js";
import type { Order, Said } from "./order.js";

const PROCESSES = 10;
/** Requests that the server takes in each window of so many ms. */
const TAKES = 100;
const WINDOW = 5_000;
const LASTS = Number(process.env.FLEET_LIMITED ?? 6 * WINDOW);
const CREDENTIAL = "Bearer ours";

const program = await programOf(new URL("process.ts", import.meta.url));
try {
  const none = await limited("none");
  const own = await limited("own");
  const shared = await limited("shared");
  assert(own.refused <= none.refused, "to pause by oneself does no harm");
  assert(
    shared.refused < own.refused / 2,
    "a fleet that pauses together is refused half as often as one that does not",
  );
  assert(shared.done >= 0.9 * own.done, "it does as many calls");
} finally {
  program.delete();
}

async function limited(pausing: Order["pausing"]): Promise<Seen & { readonly done: number }> {
  const redis = await startRedis();
  const limiter = await Limiter.start(inWindows());
  const order: Order = {
    url: limiter.url,
    redisPort: redis.connection.port,
    client: "ioredis",
    pausing,
    hears: "pushes",
  };
  const starts = Array.from({ length: PROCESSES }, () => Process.start<Said>(program.file, order));
  const processes = await Promise.all(starts);
  const askAll = (word: string) => {
    for (const each of processes) each.tell(`${word} ${CREDENTIAL}`);
    return Promise.all(processes.map((each) => each.next()));
  };
  try {
    await askAll("work");
    await pass(LASTS);
    const said = (await askAll("stop")) as { readonly done: number }[];
    for (const each of processes) each.tell("close ");
    await Promise.all(processes.map((each) => each.ended()));
    const done = said.reduce((sum, each) => sum + each.done, 0);
    const { requests, refused } = limiter.seenOf(CREDENTIAL);
    const pauses = { none: "no pauses", own: "pauses of their own", shared: "the pauses of a fleet" }[pausing];
    console.log(
      `50 callers in ${PROCESSES} processes, ${TAKES} requests in ${WINDOW / 1_000} s, for ${LASTS / 1_000} s, with ${pauses}: ` +
        `${requests} requests, ${refused} of them refused, ${done} calls done`,
    );
    return { requests, refused, done };
  } finally {
    for (const each of processes) await each.kill();
    await limiter.close();
    await redis.close();
  }
}

/** So many requests in a window, the others are refused until it is over. */
function inWindows() {
  let end = 0;
  let left = 0;
  return () => {
    const now = performance.now();
    if (now >= end) {
      end = now + WINDOW;
      left = TAKES;
    }
    return left-- > 0 ? undefined : end - now;
  };
}
