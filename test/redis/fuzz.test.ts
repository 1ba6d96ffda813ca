import { isDeepStrictEqual } from "node:util";
import { Redis as Ioredis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fleetStore } from "../../src/fleet/store/index.js";
import { scriptRunner } from "../../src/redis/client.js";
import { argumentsOf, keysOf, newsOf, replyOf } from "../../src/redis/codec.js";
import { SCRIPT } from "../../src/redis/script/index.js";
import { named } from "../idempotency/kinds-of-store.js";
import { type Redis, startRedis, whatIsMissing } from "../transient/servers/index.js";
import { exchangesOf } from "./requests.js";

const missing = whatIsMissing("redis");
const EXCHANGES = 10_000;
/** More of them with `FLEET_SEEDS=2,3,4`. */
const SEEDS = (process.env.FLEET_SEEDS ?? "1").split(",").map(Number);

describe.skipIf(missing)(named("the script in Redis and the store's model", missing), () => {
  let server: Redis;
  let client: Ioredis;
  let listener: Ioredis;

  beforeAll(async () => {
    server = await startRedis();
    client = new Ioredis(server.connection);
    listener = new Ioredis(server.connection);
  });

  afterAll(async () => {
    client?.disconnect();
    listener?.disconnect();
    await server?.close();
  });

  it.each(SEEDS)(
    `reply alike to the same ${EXCHANGES} exchanges, and tell the same news (seed %i)`,
    async (seed) => {
      await client.flushall();
      const name = `fuzz-${seed}`;
      const run = scriptRunner("fuzz", client);
      let model = fleetStore();
      const fleet = exchangesOf(seed);
      const [toldByModel, toldByRedis]: unknown[][] = [[], []];
      const seen = {
        opened: 0,
        closed: 0,
        granted: 0,
        isolated: 0,
        carried: 0,
        ended: 0,
        differs: 0,
        stretched: 0,
        refused: 0,
        paused: 0,
        stood: 0,
        full: 0,
      };
      const states = new Map<string, number>();
      await listener.subscribe(`undaunted:${name}:news`);
      const hear = (_: string, message: string) => toldByRedis!.push(newsOf(message));
      listener.on("message", hear);

      for (let n = 0; n < EXCHANGES; n++) {
        const { request, now, forgets } = fleet.next();
        if (forgets) {
          await client.flushall();
          model = fleetStore();
        }
        const { reply, news } = model.exchange(request, now);
        const got = await run(SCRIPT, keysOf(name, request), argumentsOf(name, request, now));
        // For most exchanges a quicker look than `expect` has.
        if (!isDeepStrictEqual(replyOf(request.kind, got), reply)) {
          expect({ n, request, now, reply: replyOf(request.kind, got) }).toEqual({ n, request, now, reply });
        }
        if (news) toldByModel!.push(news);
        fleet.heard(request, reply);
        if (reply.kind === "breaker") {
          seen.granted += reply.granted;
          seen.differs += reply.differs;
          if (news && "command" in request && request.command === 0) {
            if (reply.state === 2) seen.carried++;
            if (reply.state === 0 && states.get(request.key) === 2) seen.ended++;
          }
          states.set(request.key, reply.state);
          if (news) seen[(["closed", "opened", "isolated"] as const)[reply.state]!]++;
        } else if (reply.kind === "pause") {
          seen.paused += news ? 1 : 0;
          seen.stood += request.kind === "pause" && !news && request.asked.length > 0 ? 1 : 0;
          seen.full += reply.pauses.length === 1_000 ? 1 : 0;
        } else seen.refused += "wanted" in request && reply.granted < request.wanted ? 1 : 0;
        if (reply.stretch > 1) seen.stretched++;
      }
      await client.publish(`undaunted:${name}:news`, "the end");
      while (toldByRedis!.at(-1) !== undefined) await new Promise((resolve) => listener.once("message", resolve));
      listener.off("message", hear);

      expect(toldByRedis!.slice(0, -1)).toEqual(toldByModel);
      // Nothing is proven about what never happened.
      for (const [what, times] of Object.entries(seen)) expect([what, times > 5]).toEqual([what, true]);
    },
    120_000,
  );
});
