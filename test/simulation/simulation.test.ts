import { retry, retryBudget } from "undaunted";
import { type SimulationResult, simulate } from "undaunted/simulation";
import { seededRandom, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { simulationClock } from "../../src/simulation/clock.js";
import { sumOf } from "../../src/simulation/measures.js";
import { budgetPerShard, type Contender, contenders, noBudget, noRetries, withBudget } from "./contenders.js";
import { outageOf, outages, type Scene, shardOutage, smallClients, unlucky } from "./scenarios.js";

const HOUR = 3_600_000;

const seeds = [1, 2, 3];
const outagesAndSeeds = outages.flatMap((outage) => seeds.map((seed) => [outage, seed] as const));

describe("a fleet with retryBudget()", () => {
  it.each(outagesAndSeeds)("adds a tenth to the load of a server at most (%s, seed %i)", async (outage, seed) => {
    const result = await play(outageOf(outage), withBudget, seed);

    expect(result.load).toBeLessThanOrEqual(1.1);
  });

  it.each(outagesAndSeeds)(
    "recovers as one without retries, give or take a second (%s, seed %i)",
    async (outage, seed) => {
      const [without, withThem] = await recoveries(outageOf(outage), [noRetries, withBudget], seed);

      expect(without).toBeLessThan(10_000);
      expect(withThem).toBeLessThanOrEqual(without! + 1_000);
    },
  );

  it.each(seeds)(
    "makes 99.9 % of calls succeed where a tenth of requests fail, at 1.12 of the load (seed %i)",
    async (seed) => {
      const result = await play(unlucky, withBudget, seed);

      expect(result.calls).toBeGreaterThanOrEqual(30_000);
      expect(result.success).toBeGreaterThanOrEqual(0.999);
      expect(result.load).toBeLessThanOrEqual(1.12);
    },
  );

  it.each(outages)("of 10,000 small clients at most doubles the load after a minute of life (%s)", async (outage) => {
    const result = await play(smallClients(60_000, outage), withBudget, 1);

    expect(result.load).toBeLessThanOrEqual(2);
  });

  it("of 10,000 small clients at most doubles the load after ten minutes of life", async () => {
    const result = await play(smallClients(600_000, "blackhole"), withBudget, 1);

    expect(result.load).toBeLessThanOrEqual(2);
  });

  it.each(seeds)("recovers a shard as one without retries, if each shard has its budget (seed %i)", async (seed) => {
    const [without, withThem] = await recoveries(shardOutage, [noRetries, budgetPerShard], seed);

    expect(without).toBeLessThan(10_000);
    expect(withThem).toBeLessThanOrEqual(without! + 1_000);
  });

  it.each(seeds)("keeps a shard down, if all shards share one budget (seed %i)", async (seed) => {
    const result = await play(shardOutage, withBudget, seed);

    expect(result.recovery).toBe(Infinity);
  });
});

it.each(seeds)("without a budget 4 attempts keep a server down that is well again (seed %i)", async (seed) => {
  const result = await play(outageOf("blackhole"), noBudget, seed);

  const lastSeconds = result.perSecond.slice(-30);
  expect(sumOf(lastSeconds, "successes")).toBeLessThan(0.01 * sumOf(lastSeconds, "calls"));
});

it("each contender brings its own load to a server that nothing comes back from", async () => {
  const scene = { ...outageOf("blackhole"), after: 10_000 };
  const rows: unknown[] = [];

  for (const contender of contenders) {
    const { load, recovery } = await play(scene, contender, 1);
    rows.push([contender.name, load.toFixed(2), recovery]);
  }

  expect(rows).toEqual([
    ["no retries", "1.00", 0],
    ["4 attempts", "3.71", Infinity],
    ["retryBudget()", "1.03", 0],
    ["awsRetryQuota()", "1.12", 0],
    ["grpcRetryThrottle()", "1.01", 0],
    ["finagleRetryBudget()", "2.19", 0],
    ["circuitBreaker()", "0.05", 2_000],
  ]);
});

it("a function called once an hour can make every retry again after a day's outage and a healthy day", async () => {
  const clock = simulationClock();
  let down = true;
  let attempts = 0;
  const call = retry(
    async () => {
      attempts++;
      if (down) throw new Error("down");
    },
    { clock, random: seededRandom(1), budget: retryBudget({ clock }) },
  );
  const hours = async (count: number) => {
    for (let hour = 0; hour < count; hour++) {
      call().catch(() => {});
      clock.setTimer(() => {}, HOUR);
      await clock.run();
    }
  };
  await hours(24);
  down = false;
  await hours(24);

  down = true;
  attempts = 0;
  await hours(1);

  expect(attempts).toBe(4);
});

it("three nested layers of the default policy make 4 calls to a dead server, not 64", async () => {
  const clock = virtualClock();
  let calls = 0;
  const request = async () => {
    calls++;
    throw new Error("dead");
  };
  const client = retry(request, { clock });
  const service = retry(() => client(), { clock });
  const gateway = retry(() => service(), { clock });

  const answer = expect(gateway()).rejects.toThrow("dead");
  await clock.runAll();
  await answer;

  expect(calls).toBe(4);
});

/** Plays a scene with the clients of one contender. */
function play(scene: Scene, { policy }: Contender, seed: number): Promise<SimulationResult> {
  return simulate({ ...scene, policy, seed });
}

/** ms until each contender's fleet has recovered. */
function recoveries(scene: Scene, list: readonly Contender[], seed: number): Promise<number[]> {
  return Promise.all(list.map(async (contender) => (await play(scene, contender, seed)).recovery));
}
