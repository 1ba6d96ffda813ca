import { readFileSync } from "node:fs";
import { Redis as Ioredis } from "ioredis";
import { circuitBreaker, retryBudget, retryRateLimit } from "undaunted";
import { redisFleet } from "undaunted/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { scriptRunner } from "../../src/redis/client.js";
import { argumentsOf, keysOf } from "../../src/redis/codec.js";
import { SCRIPT } from "../../src/redis/script/index.js";
import { named } from "../idempotency/kinds-of-store.js";
import { type Redis, startRedis, whatIsMissing } from "../transient/servers/index.js";
import { connect, LIBRARIES, type Library } from "./clients.js";
import { breakerRequest, budgetRequest, limitRequest, pauseRequest } from "./requests.js";

const missing = whatIsMissing("redis");
const page = readFileSync(new URL("../../docs/fleet.md", import.meta.url), "utf8");
/** What `docs/fleet.md` gives a fleet named "orders". */
const rules = /^ACL SETUSER orders (.*)$/m.exec(page)![1]!.split(" ");
const commands = rules.filter((rule) => rule.startsWith("+"));

describe.skipIf(missing)(named("the ACL that the docs give a fleet", missing), () => {
  let redis: Redis;
  let admin: Ioredis;

  beforeAll(async () => {
    redis = await startRedis();
    admin = new Ioredis(redis.connection);
  });

  beforeEach(async () => {
    await admin.flushall();
    await admin.call("ACL", "DELUSER", "orders");
    await admin.call("ACL", "LOG", "RESET");
  });

  afterAll(async () => {
    admin?.disconnect();
    await redis?.close();
  });

  const login = () => ({ ...redis.connection, username: "orders", password: "secret" });

  /** What the user was refused, in the order in which it was first tried. */
  async function refusals(): Promise<string[]> {
    const log = (await admin.call("ACL", "LOG", 128)) as string[][];
    return log.map((entry) => entry[entry.indexOf("object") + 1]!.toLowerCase()).reverse();
  }

  /** All that a fleet asks of Redis, by way of one library. */
  async function useAll(library: Library): Promise<void> {
    const { client, subscribe, end } = await connect(library, login());
    try {
      const fleet = redisFleet(client, { name: "orders", subscribe, onHookError() {} });
      fleet.share(circuitBreaker({ failureRate: 0.5 }), { key: "payments" });
      fleet.share(retryBudget(), { key: "payments" });
      fleet.share(retryRateLimit({ perSecond: 5 }), { key: "payments" });
      await fleet.ready();
      const run = scriptRunner("test", client);
      const isolate = { nonce: 2, command: 1, vote: 1, calls: 5, failures: 5 };
      // One of each, and again what opens: that one has something to tell all others.
      for (const request of [
        breakerRequest(),
        budgetRequest(),
        limitRequest(),
        pauseRequest(),
        breakerRequest(isolate),
      ]) {
        await run(SCRIPT, keysOf("orders", request), argumentsOf("orders", request)).catch(() => {});
      }
      await fleet.close();
    } finally {
      end();
    }
  }

  it.each(LIBRARIES)("is enough for a client of %s", async (library) => {
    await admin.call("ACL", "SETUSER", "orders", ...rules);

    await useAll(library);

    expect(await refusals()).toEqual([]);
    expect(await admin.keys("*")).toContain("undaunted:orders:{breaker:payments}");
  });

  it.each(commands)("has %s for something", async (command) => {
    await admin.call("ACL", "SETUSER", "orders", ...rules.filter((rule) => rule !== command));

    for (const library of LIBRARIES) await useAll(library);

    expect((await refusals()).map((what) => what.split("|")[0])).toContain(command.slice(1));
  });

  it.each([
    ["reading another's key", (client: Ioredis) => client.get("undaunted:carts:{breaker:payments}")],
    ["telling another's channel", (client: Ioredis) => client.publish("undaunted:carts:news", "open")],
    ["listing keys", (client: Ioredis) => client.keys("*")],
    ["flushing", (client: Ioredis) => client.flushall()],
  ])("keeps its user from %s", async (_, act) => {
    await admin.call("ACL", "SETUSER", "orders", ...rules);
    const client = new Ioredis(login());
    try {
      await expect(act(client)).rejects.toThrow("NOPERM");
    } finally {
      client.disconnect();
    }
  });
});
