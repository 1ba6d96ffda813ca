import { describe, expect, it } from "vitest";
import { simulationClock } from "../../src/simulation/clock.js";
import type { OutageKind } from "../../src/simulation/options.js";
import { Server } from "../../src/simulation/server.js";

const outage = (kind: OutageKind) => ({ kind, lasts: 30_000, pace: 0.4, share: 0.5 });

describe("the server", () => {
  const serverOf = ({ clock = simulationClock(), random = (): number => 0.5, latency = 0 } = {}) => ({
    clock,
    server: new Server({ clock, random, capacity: 10, queue: 2_000, latency, failing: 0.1 }),
  });

  /** What became of so many requests and when, in the order in which it was known. */
  const fates = async ({ clock, server }: ReturnType<typeof serverOf>, requests: number) => {
    const seen: string[] = [];
    for (let n = 1; n <= requests; n++) {
      server.request().then(
        () => seen.push(`${n} done at ${clock.now()}`),
        (error: Error) => seen.push(`${n} ${error.message} at ${clock.now()}`),
      );
    }
    await clock.run();
    return seen;
  };

  it("works requests off one after the other, in order", async () => {
    expect(await fates(serverOf(), 3)).toEqual(["1 done at 100", "2 done at 200", "3 done at 300"]);
  });

  it("refuses at once what would wait longer than its queue", async () => {
    const seen = await fates(serverOf(), 22);

    expect(seen.slice(0, 2)).toEqual(["21 queue full at 0", "22 queue full at 0"]);
    expect(seen.at(-1)).toBe("20 done at 2000");
  });

  it("works at 0.4 of its pace in a slow outage", async () => {
    const world = serverOf();
    world.server.outage = outage("slow");

    expect(await fates(world, 2)).toEqual(["1 done at 250", "2 done at 500"]);
  });

  it("answers nothing in a blackhole", async () => {
    const world = serverOf();
    world.server.outage = outage("blackhole");

    expect(await fates(world, 2)).toEqual([]);
  });

  it("does not answer in a blackhole what had come before it", async () => {
    const world = serverOf();
    world.clock.setTimer(() => {
      world.server.outage = outage("blackhole");
    }, 150);

    expect(await fates(world, 3)).toEqual(["1 done at 100"]);
  });

  it("refuses connections at once", async () => {
    const world = serverOf();
    world.server.outage = outage("refused");

    expect(await fates(world, 1)).toEqual(["1 connection refused at 0"]);
  });

  it("spends its time on a request that fails", async () => {
    const world = serverOf({ random: () => 0.05 });

    expect(await fates(world, 2)).toEqual(["1 bad luck at 100", "2 bad luck at 200"]);
  });

  it("takes its latency beside the work, and is free for the next meanwhile", async () => {
    expect(await fates(serverOf({ latency: 500 }), 2)).toEqual(["1 done at 600", "2 done at 700"]);
  });

  it("answers nothing in a blackhole that was under way when it began", async () => {
    const world = serverOf({ latency: 500, random: () => 0.05 });
    world.clock.setTimer(() => {
      world.server.outage = outage("blackhole");
    }, 650);

    expect(await fates(world, 2)).toEqual(["1 bad luck at 600"]);
  });

  it("fails the share of an outage of that kind, and its own beside it", async () => {
    const draws = [0.5, 0.6, 0.5, 0.4, 0.05, 0.6];
    const world = serverOf({ random: () => draws.shift()! });
    world.server.outage = outage("failing");

    expect(await fates(world, 3)).toEqual(["1 done at 100", "2 bad luck at 200", "3 bad luck at 300"]);
  });
});
