import type { SimulatedSecond } from "undaunted/simulation";
import { expect, it } from "vitest";
import type { Scene } from "./scenarios.js";
import { LIMIT, playShared } from "./shared.js";
import { measure, SIZES, type Size, TARGETS, type Target } from "./targets.js";

// Large fleets behave as these do, and are played by `npm run simulate -- --fleet`.
const few = SIZES.find(({ clients }) => clients === 20)!;
const more: Size = { name: "200 × 1", clients: 200, rate: 1 };
const many = SIZES.find(({ clients }) => clients === 1_000)!;
// Where a call in 30,000 decides, the smaller fleet's result is not the same.
const sizeFor = ({ title }: Target) => (title === "budget, slow" ? many : more);

const playedOf = (target: Target) => [
  ...[1, 2, 3].map((seed) => ({ size: few, seed })),
  { size: sizeFor(target), seed: 1 },
];
const cases = TARGETS.flatMap((target) =>
  playedOf(target).map(
    ({ size, seed }) => [`${target.title} (${size.name}, seed ${seed})`, target, size, seed] as const,
  ),
);

it.each(cases)("a fleet keeps its bounds: %s", async (_, target, size, seed) => {
  const measured = await measure(target, size, seed);

  expect(measured.filter(({ holds }) => !holds)).toEqual([]);
});

it.each([
  [4, 10],
  [10, 2],
  [5, 5],
  [2, 10],
])(
  "a fleet of %i processes of %i calls a second puts no more load on a dead server than own breakers do, and 0.03",
  async (clients, rate) => {
    const scene: Scene = { clients, rate, outage: { kind: "blackhole", lasts: 30_000 } };

    const run = await playShared(scene, { guards: "breaker", shared: true }, 1);
    const own = await playShared(scene, { guards: "breaker", shared: false }, 1);

    expect(run.load).toBeLessThanOrEqual(own.load + 0.03);
  },
);

it("newcomers in the middle of an outage make 0.05 attempts each at most, since their first call asks", async () => {
  const before = 30_000;
  const newcomers = 1_000;
  const sent = { outage: 0 };

  await playShared(
    {
      clients: 100 + newcomers,
      rate: (index) => (index < 100 ? 2 : 0.2),
      joins: (index) => (index < 100 ? 0 : before + 10_000),
      outage: { kind: "blackhole", lasts: 20_000 },
      before,
      after: 0,
    },
    {
      guards: "breaker",
      shared: true,
      send: ({ index, clock, send }) => {
        return (call) => {
          if (index >= 100 && clock.now() < before + 20_000) sent.outage++;
          return send(call);
        };
      },
    },
    1,
  );

  expect(sent.outage / newcomers).toBeLessThanOrEqual(0.05);
});

it.each([
  [1_000, 0.999],
  [2_000, 0.975],
])("a shared budget gets over a blackhole of %i ms", async (lasts, least) => {
  const scene: Scene = { clients: 200, rate: 1, outage: { kind: "blackhole", lasts }, after: 10_000 };

  const run = await playShared(scene, { guards: "budget", shared: true }, 1);

  expect(run.success).toBeGreaterThanOrEqual(least);
  expect(run.recovery).toBeLessThanOrEqual(1_000);
});

it("a shared limit holds for all processes together, and towards its part for each where the store is lost", async () => {
  const scene: Scene = { clients: 200, rate: 1, server: { failing: 0.5, capacity: 5 }, before: 60_000, after: 0 };
  const store = { events: [{ kind: "unreachable", at: 30_000, lasts: 1e9 }] as const };
  const retriesOf = (seconds: readonly SimulatedSecond[]) =>
    seconds.reduce((sum, { attempts, calls }) => sum + attempts - calls, 0) / seconds.length;

  const run = await playShared(scene, { guards: "limit", shared: true }, 1);
  const cut = await playShared(scene, { guards: "limit", shared: true, store }, 1);

  expect(retriesOf(run.perSecond)).toBeGreaterThan(0.9 * LIMIT);
  expect(retriesOf(run.perSecond)).toBeLessThan(1.1 * LIMIT);
  expect(retriesOf(cut.perSecond.slice(40))).toBeLessThan(1.1 * LIMIT);
});
