// What went wrong when sharing was first tried, each with the rule that mends it: break the rule, and its test is red.

import { circuitBreaker } from "undaunted";
import { seededRandom, virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";
import { fleetOf } from "../../src/fleet/index.js";
import type { FleetReply, FleetRequest } from "../../src/fleet/protocol.js";
import { fleetStore } from "../../src/fleet/store/index.js";
import type { StoreEvent } from "./network.js";
import type { Scene } from "./scenarios.js";
import { playShared, type SharedResult } from "./shared.js";

const BEFORE = 20_000;
const SECOND = 1_000;

const hole = (lasts: number): Scene => ({ outage: { kind: "blackhole", lasts }, before: BEFORE, after: 20_000 });
/** A server that fails at random, with room for all retries. */
const failing = (share: number): Scene => ({ server: { failing: share, capacity: 5 }, before: 60_000, after: 0 });
const openingsOf = ({ breakers }: SharedResult) => breakers.reduce((sum, { stats }) => sum + stats.openings, 0);
const newsOf = ({ news }: SharedResult) => news;

it.each([
  [20, 10],
  [100, 1],
])("two failures in five open nothing for %i clients of %i calls a second", async (clients, rate) => {
  const run = await playShared({ ...failing(0.4), clients, rate }, { guards: "breaker", shared: true }, 1);

  expect(newsOf(run)).toBe(0);
});

it("failures are reported no sooner than successes, or a fleet that has just closed would open again", async () => {
  const scene: Scene = { ...hole(10_000), server: { failing: 0.3, capacity: 5 } };

  const run = await playShared(scene, { guards: "breaker", shared: true, every: 1_000 }, 1);

  expect(newsOf(run)).toBe(2);
});

it("a push that nobody hears is made good by a look after 5 s, also of a process that hardly calls", async () => {
  const end = BEFORE + 10_000;
  const sent: number[] = [];

  await playShared(
    { ...hole(10_000), clients: 11, rate: (index) => (index === 0 ? 0.2 : 40) },
    {
      guards: "breaker",
      shared: true,
      store: { newsLoss: 1 },
      send: ({ index, clock, send }) => {
        return (call) => {
          if (index === 0 && clock.now() > end) sent.push(clock.now() - end);
          return send(call);
        };
      },
    },
    1,
  );

  expect(sent[0]).toBeLessThanOrEqual(12_000);
});

it("a store that began anew is believed by those that are open", async () => {
  const events: StoreEvent[] = [
    { kind: "unreachable", at: BEFORE + 9_000, lasts: 3_000 },
    { kind: "wiped", at: BEFORE + 11_000 },
  ];

  const run = await playShared(hole(10_000), { guards: "breaker", shared: true, store: { events } }, 1);

  expect(run.recovery).toBeLessThanOrEqual(10_000);
});

it("a breaker that opens by chance in one process is open for a second while the fleet is well", async () => {
  const run = await playShared(failing(0.4), { guards: "breaker", shared: true }, 1);
  const own = await playShared(failing(0.4), { guards: "breaker", shared: false }, 1);

  expect(openingsOf(run)).toBeGreaterThan(0);
  expect(run.success).toBeGreaterThan(0.9);
  expect(own.success).toBeLessThan(0.7);
});

it.each([
  { loud: 2, rate: 194, quiet: 1, share: 0.89 },
  { loud: 8, rate: 10, quiet: 0.1, share: 0.95 },
])("$loud loud nodes that fail open nothing for the others, although they make $share of the calls", async (nodes) => {
  const { loud, rate, quiet } = nodes;
  const isLoud = (index: number) => index < loud;

  const run = await playShared(
    {
      clients: 50,
      rate: (index) => (isLoud(index) ? rate : quiet),
      // Before the others have been heard of once, those that fail are all there are.
      joins: (index) => (isLoud(index) ? 15_000 : 0),
      before: 45_000,
      after: 0,
    },
    {
      guards: "breaker",
      shared: true,
      send: ({ index, send }) => (isLoud(index) ? () => Promise.reject(new Error("bad node")) : send),
    },
    1,
  );

  expect(newsOf(run)).toBe(0);
  expect(run.breakers.slice(loud).every(({ stats }) => stats.openings === 0)).toBe(true);
});

it.each([1, 20])("of 50 nodes %i that fail open nothing for the others", async (bad) => {
  const run = await playShared(
    { clients: 50, rate: 4, before: 30_000, after: 0 },
    {
      guards: "breaker",
      shared: true,
      send: ({ index, send }) => (index < bad ? () => Promise.reject(new Error("bad node")) : send),
    },
    1,
  );

  expect(newsOf(run)).toBe(0);
  expect(run.breakers.slice(bad).every(({ stats }) => stats.openings === 0)).toBe(true);
});

it("a grant that comes after its call went goes back at once, for another process to take", async () => {
  const clock = virtualClock();
  const store = fleetStore();
  const sent: FleetRequest[] = [];
  const isClaim = (request: FleetRequest) => request.kind === "breaker" && request.claim === 1;
  const exchange = (request: FleetRequest) => {
    sent.push(request);
    const { reply } = store.exchange(request, clock.now() + 1e6);
    return new Promise<FleetReply>((resolve) => {
      clock.setTimer(() => resolve(reply), isClaim(request) ? 200 : 1);
    });
  };
  const fleet = fleetOf({ transport: { exchange }, name: "fleet", clock, random: seededRandom(1) });
  const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, openFor: 1_000, clock }), { key: "breaker" });
  while (breaker.state === "closed") {
    breaker.run(() => Promise.reject(new Error("down"))).catch(() => {});
    await clock.advance(100);
  }
  while (breaker.state !== "half-open") await clock.advance(100);

  const refused = breaker.run(async () => "too late").catch((error: Error) => error.name);
  await clock.advance(60);
  const went = await refused;
  await clock.advance(150);

  const claim = sent.find(isClaim)!;
  expect(went).toBe("CircuitOpenError");
  expect(sent.at(-1)).toMatchObject({ probe: claim.nonce, ended: 0 });
});

it("a retry is not refused because its store is dead", async () => {
  const store = { events: [{ kind: "unreachable", at: 0, lasts: 1e9 }] as const };

  const run = await playShared(failing(0.1), { guards: "budget", shared: true, store }, 1);

  expect(run.success).toBeGreaterThanOrEqual(0.999);
});

it("the store tells everybody of an opening and of a closing, and of no probe that failed", async () => {
  const run = await playShared(hole(20_000), { guards: "breaker", shared: true }, 1);

  expect(newsOf(run)).toBe(2);
});

it("processes wait no longer after an outage than before it, since what a wait cannot spare is not counted", async () => {
  const run = await playShared({ ...hole(20_000), clients: 300, rate: 1 }, { guards: "breaker", shared: true }, 1);

  expect(Math.max(...run.breakers.map(({ stats }) => stats.fleet!.stretch))).toBe(1);
  expect(run.recovery).toBeLessThanOrEqual(3 * SECOND);
});
