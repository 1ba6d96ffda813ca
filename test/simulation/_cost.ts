import { Redis as Ioredis } from "ioredis";
import { scriptRunner } from "../../src/redis/client.js";
import { argumentsOf, keysOf } from "../../src/redis/codec.js";
import { SCRIPT } from "../../src/redis/script.js";
import { breakerRequest, budgetRequest, limitRequest } from "../redis/requests.js";
import { startRedis } from "../transient/servers/index.js";

const redis = await startRedis();
const client = new Ioredis(redis.connection);
const run = scriptRunner("cost", client);
let nonce = 1;
let now = 1e12;
const kinds: [string, () => any][] = [
  ["breaker, well", () => breakerRequest({ calls: 3, reporter: nonce * 7919 })],
  ["breaker, some failing", () => breakerRequest({ calls: 3, failures: 1, reporter: nonce * 7919 })],
  ["budget", () => budgetRequest({ successes: 3, wanted: 1, reporter: nonce * 7919 })],
  ["limit", () => limitRequest({ wanted: 1, reporter: nonce * 7919 })],
];
let known: any = {};
for (const [name, make] of kinds) {
  known = {};
  for (let n = 0; n < 6_000; n++) {
    if (n === 1_000) await client.config("RESETSTAT");
    nonce++;
    now += 1;
    const request = { ...make(), key: name, nonce, ...known, tick: known.epoch ? now - 5 : 0, age: 5 };
    const reply: any = await run(SCRIPT, keysOf("c", request), argumentsOf("c", request, now));
    if (request.kind === "breaker") known = { epoch: Number(reply[3]), generation: Number(reply[4]) };
  }
  const info = await client.info("commandstats");
  console.log(name, /cmdstat_evalsha:calls=(\d+),usec=(\d+),usec_per_call=([\d.]+)/.exec(info)!.slice(1).join(" "));
}
client.disconnect();
await redis.close();
