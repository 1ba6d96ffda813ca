import { circuitBreaker } from "undaunted";
import { redisFleet } from "undaunted/redis";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

/** What the script replies to the first exchange of a breaker. */
const REPLY = ["1000000", "1", "1", "1", "1", "0", "0", "0", "0", "0", "0"];

/** A client as those of `redis` are, and a fleet over it on virtual time. */
function overRedis({ isOpen = true, isReady = true, subscribed = Promise.resolve() as Promise<unknown> } = {}) {
  const clock = virtualClock();
  const said: string[] = [];
  const sent: ((reply: unknown) => void)[] = [];
  const client = { isOpen, isReady, eval: () => new Promise<unknown>((resolve) => sent.push(resolve)) };
  const subscribe = { isOpen, isReady, subscribe: () => subscribed, unsubscribe: async () => {} };
  const fleet = redisFleet(client, {
    name: "orders",
    subscribe,
    clock,
    onStoreLost: ({ error }) => said.push(`lost: ${(error as Error).message}`),
    onHookError: (error) => said.push((error as Error).message),
  });
  const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, clock }), { key: "payments" });
  return { clock, said, sent, client, subscribe, fleet, breaker };
}

describe("a client of redis", () => {
  it("is waited for while it connects for the first time", async () => {
    const { clock, said, sent, client, fleet, breaker } = overRedis({ isReady: false });
    const ready = fleet.ready();
    await clock.advance(30);
    expect(sent).toHaveLength(1);
    client.isReady = true;
    sent[0]!(REPLY);
    await ready;

    expect(clock.now()).toBeLessThan(50);
    expect([said, breaker.stats.fleet?.connected]).toEqual([[], true]);
  });

  it("is waited for no longer than patience by what asks, and by what is sent for half a second", async () => {
    const { clock, said, sent, fleet, breaker } = overRedis({ isReady: false });
    let isReady = false;
    fleet.ready().then(() => (isReady = true));
    await clock.advance(49);
    expect(isReady).toBe(false);
    await clock.advance(1);
    expect(isReady).toBe(true);
    await clock.advance(450);
    const { length } = sent;

    for (let second = 0; second < 60; second++) {
      await breaker.run(async () => "up");
      await clock.advance(1_000);
    }

    expect(said).toEqual([expect.stringContaining("lost")]);
    expect(sent).toHaveLength(length);
  });

  it.each([
    ["was connected before", (client: { isReady: boolean }) => (client.isReady = false)],
    ["is closed", (client: { isReady: boolean; isOpen: boolean }) => (client.isReady = client.isOpen = false)],
  ])("is sent nothing where it %s and is not now", async (_, leave) => {
    const { clock, said, sent, client, fleet } = overRedis();
    leave(client);

    await fleet.ready();
    await clock.advance(1_000);

    expect(sent).toEqual([]);
    expect(said).toEqual(["lost: redisFleet: the client is not connected"]);
  });
});

describe("a subscriber of redis", () => {
  it("that nobody connects is said once to hear nothing", async () => {
    const { clock, said } = overRedis({ isOpen: false });
    expect(said).toEqual([]);

    await clock.advance(60_000);

    expect(said.filter((each) => each.includes("subscribe is not connected"))).toHaveLength(1);
  });

  it("that is told to connect in time is not, nor one of a fleet that is closed", async () => {
    const [late, over] = [overRedis({ isOpen: false }), overRedis({ isOpen: false })];
    late.subscribe.isOpen = true;
    await over.fleet.close();

    await late.clock.advance(60_000);
    await over.clock.advance(60_000);

    expect([...late.said, ...over.said].filter((each) => each.includes("subscribe is not"))).toEqual([]);
  });

  it("whose subscription fails is told of, but not after close()", async () => {
    const [failing, over] = Array.from({ length: 2 }, () => {
      let fail = (_: Error) => {};
      const subscribed = new Promise((_, reject) => (fail = reject));
      return { ...overRedis({ subscribed }), fail: () => fail(new Error("Disconnects client")) };
    }) as [ReturnType<typeof overRedis> & { fail(): void }, ReturnType<typeof overRedis> & { fail(): void }];
    await over.fleet.close();

    failing.fail();
    over.fail();
    await failing.clock.advance(0);

    expect([failing.said, over.said]).toEqual([["Disconnects client"], []]);
  });
});
