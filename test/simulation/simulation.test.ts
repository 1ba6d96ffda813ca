import { retry, retryBudget } from "undaunted";
import { seededRandom, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { simulationClock } from "./clock.js";
import { budgetPerShard, type Contender, contenders, noBudget, noRetries, withBudget } from "./contenders.js";
import { type Scenario, type Second, simulate } from "./fleet.js";
import { amplification, overallLoad, peakAfter, recovery, success, sumOf } from "./measures.js";
import { reports, tableOf } from "./report.js";
import { outageOf, outages, shardOutage, smallClients, unlucky } from "./scenarios.js";
import { Server } from "./server.js";
import { asMarkdown, asText } from "./table.js";

const HOUR = 3_600_000;

const seeds = [1, 2, 3];
const outagesAndSeeds = outages.flatMap((outage) => seeds.map((seed) => [outage, seed] as const));

/** A few seconds of a small fleet, where it does not matter what happens to it. */
const brief: Scenario = { ...outageOf("slow"), clients: 4, before: 2, during: 2, after: 2 };

describe("a fleet with retryBudget()", () => {
  it.each(outagesAndSeeds)("adds a tenth to the load of a server at most (%s, seed %i)", async (outage, seed) => {
    const run = await simulate(outageOf(outage), withBudget, seed);

    expect(amplification(run)).toBeLessThanOrEqual(1.1);
  });

  it.each(outagesAndSeeds)(
    "recovers as one without retries, give or take a second (%s, seed %i)",
    async (outage, seed) => {
      const [without, withThem] = await recoveries(outageOf(outage), [noRetries, withBudget], seed);

      expect(without).toBeLessThan(10);
      expect(withThem).toBeLessThanOrEqual(without! + 1);
    },
  );

  it.each(seeds)(
    "makes 99.9 % of calls succeed where a tenth of requests fail, at 1.12 of the load (seed %i)",
    async (seed) => {
      const run = await simulate(unlucky, withBudget, seed);

      expect(sumOf(run.seconds, "calls")).toBeGreaterThanOrEqual(30_000);
      expect(success(run)).toBeGreaterThanOrEqual(0.999);
      expect(overallLoad(run)).toBeLessThanOrEqual(1.12);
    },
  );

  it.each(outages)("of 10,000 small clients at most doubles the load after a minute of life (%s)", async (outage) => {
    const run = await simulate(smallClients(60, outage), withBudget, 1);

    expect(amplification(run)).toBeLessThanOrEqual(2);
  });

  it("of 10,000 small clients at most doubles the load after ten minutes of life", async () => {
    const run = await simulate(smallClients(600, "blackhole"), withBudget, 1);

    expect(amplification(run)).toBeLessThanOrEqual(2);
  });

  it.each(seeds)("recovers a shard as one without retries, if each shard has its budget (seed %i)", async (seed) => {
    const [without, withThem] = await recoveries(shardOutage, [noRetries, budgetPerShard], seed);

    expect(without).toBeLessThan(10);
    expect(withThem).toBeLessThanOrEqual(without! + 1);
  });

  it.each(seeds)("keeps a shard down, if all shards share one budget (seed %i)", async (seed) => {
    const run = await simulate(shardOutage, withBudget, seed);

    expect(recovery(run)).toBe(Infinity);
  });
});

it.each(seeds)("without a budget 4 attempts keep a server down that is well again (seed %i)", async (seed) => {
  const run = await simulate(outageOf("blackhole"), noBudget, seed);

  const lastSeconds = run.seconds.slice(-30);
  expect(sumOf(lastSeconds, "successes")).toBeLessThan(0.01 * sumOf(lastSeconds, "calls"));
});

it("each contender brings its own load to a server that nothing comes back from", async () => {
  const scenario = { ...outageOf("blackhole"), after: 10 };
  const rows: unknown[] = [];

  for (const contender of contenders) {
    const run = await simulate(scenario, contender, 1);
    rows.push([contender.name, amplification(run).toFixed(2), recovery(run)]);
  }

  expect(rows).toEqual([
    ["no retries", "1.00", 0],
    ["4 attempts", "3.71", Infinity],
    ["retryBudget()", "1.03", 0],
    ["awsRetryQuota()", "1.12", 0],
    ["grpcRetryThrottle()", "1.01", 0],
    ["finagleRetryBudget()", "2.19", 0],
    ["circuitBreaker()", "0.05", 2],
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

describe("simulate", () => {
  it("plays the same run for the same seed", async () => {
    const runs = [await simulate(brief, noBudget, 1), await simulate(brief, noBudget, 1)];

    expect(runs[0]).toEqual(runs[1]);
  });

  it("draws other calls for another seed", async () => {
    const scenario = { ...brief, shards: 8 };

    const runs = [await simulate(scenario, noRetries, 1), await simulate(scenario, noRetries, 2)];

    const [one, other] = runs.map(({ seconds }) => seconds.map(({ calls }) => calls));
    expect(one).not.toEqual(other);
  });

  it("gives every contender the very same calls", async () => {
    const scenario = { ...brief, shards: 8 };

    const runs = await Promise.all(contenders.map((contender) => simulate(scenario, contender, 1)));

    const [first, ...others] = runs.map(({ seconds }) => seconds.map(({ calls }) => calls));
    for (const other of others) expect(other).toEqual(first);
  });

  it("starts a call when it is due, whether or not the last one came back", async () => {
    const { seconds } = await simulate({ ...brief, outage: "blackhole" }, noRetries, 1);

    expect(seconds.map(({ calls }) => calls)).toEqual([40, 40, 40, 40, 40, 40]);
  });

  it("makes what a contender keeps anew for each client", async () => {
    let clients = 0;
    const counted: Contender = {
      name: "counted",
      client(send, world) {
        clients++;
        return noRetries.client(send, world);
      },
    };

    await simulate(brief, counted, 1);

    expect(clients).toBe(4);
  });

  it("tells of the first shard alone, which has the outage", async () => {
    const scenario: Scenario = { ...brief, clients: 8, shards: 8, outage: "refused" };

    const { seconds } = await simulate(scenario, noRetries, 1);

    const failed = seconds.map(({ calls, successes }) => calls - successes);
    expect(failed.map((count) => count > 0)).toEqual([false, false, true, true, false, false]);
    expect(sumOf(seconds, "successes")).toBeLessThan(0.8 * sumOf(seconds, "calls"));
    expect(sumOf(seconds, "attempts")).toBe(sumOf(seconds, "calls"));
    expect(sumOf(seconds, "firstSuccesses")).toBe(sumOf(seconds, "successes"));
  });

  it("tells a first attempt that succeeded from a call that succeeded in the end", async () => {
    const { seconds } = await simulate({ ...brief, capacity: 10, outage: undefined, failing: 0.5 }, noBudget, 1);

    const [calls, firstSuccesses, successes] = (["calls", "firstSuccesses", "successes"] as const).map((field) =>
      sumOf(seconds, field),
    );
    expect(firstSuccesses! / calls!).toBeCloseTo(0.5, 1);
    expect(successes! / calls!).toBeCloseTo(1 - 0.5 ** 4, 1);
  });
});

describe("the measures", () => {
  const second = (calls: number, attempts: number, firstSuccesses: number, successes = firstSuccesses): Second => ({
    calls,
    attempts,
    firstSuccesses,
    successes,
  });
  const runOf = (...seconds: Second[]) => ({
    contender: "any",
    seed: 1,
    scenario: { ...brief, clients: 20, rate: 10, shards: 2, before: 1, during: 2, after: seconds.length - 3 },
    seconds,
  });
  const well = second(100, 100, 100);
  const ill = second(100, 100, 98);

  it("take the amplification over the outage alone", () => {
    const run = runOf(well, second(100, 150, 0), second(100, 250, 0), second(100, 900, 0));

    expect(amplification(run)).toBe(2);
  });

  it("take the load over the whole run", () => {
    expect(overallLoad(runOf(well, well, well, second(100, 500, 100)))).toBe(2);
  });

  it("take the peak after the outage, as a multiple of the normal load", () => {
    expect(peakAfter(runOf(well, second(100, 900, 0), well, second(100, 300, 0), well))).toBe(3);
  });

  it("take recovery from the end of the outage to the second from which on all is well", () => {
    expect(recovery(runOf(well, well, well, ill, well, ill, well))).toBe(3);
  });

  it("take 99 % of first attempts for well", () => {
    expect(recovery(runOf(well, well, well, second(100, 100, 99), well))).toBe(0);
  });

  it("look at first attempts for recovery, not at what retries saved", () => {
    expect(recovery(runOf(well, well, well, second(100, 120, 90, 100), well))).toBe(1);
  });

  it("know no recovery where the last second is not well", () => {
    expect(recovery(runOf(well, well, well, well, second(100, 100, 0)))).toBe(Infinity);
  });

  it("take success over the whole run", () => {
    expect(success(runOf(well, second(100, 200, 0, 50), well, well))).toBe(0.875);
  });
});

describe("the server", () => {
  const serverOf = (clock = simulationClock(), random = () => 0.5) => ({
    clock,
    server: new Server({ clock, random, capacity: 10, queue: 2, failing: 0.1 }),
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
    world.server.outage = "slow";

    expect(await fates(world, 2)).toEqual(["1 done at 250", "2 done at 500"]);
  });

  it("answers nothing in a blackhole", async () => {
    const world = serverOf();
    world.server.outage = "blackhole";

    expect(await fates(world, 2)).toEqual([]);
  });

  it("does not answer in a blackhole what had come before it", async () => {
    const world = serverOf();
    world.clock.setTimer(() => {
      world.server.outage = "blackhole";
    }, 150);

    expect(await fates(world, 3)).toEqual(["1 done at 100"]);
  });

  it("refuses connections at once", async () => {
    const world = serverOf();
    world.server.outage = "refused";

    expect(await fates(world, 1)).toEqual(["1 connection refused at 0"]);
  });

  it("spends its time on a request that fails", async () => {
    const world = serverOf(simulationClock(), () => 0.05);

    expect(await fates(world, 2)).toEqual(["1 bad luck at 100", "2 bad luck at 200"]);
  });
});

describe("the simulation's clock", () => {
  it("plays events in the order of time, and of setting where that is the same", async () => {
    const clock = simulationClock();
    const random = seededRandom(1);
    const due = Array.from({ length: 2_500 }, () => Math.floor(random() * 50));
    const played: [at: number, order: number][] = [];

    due.forEach((at, order) => {
      clock.setTimer(() => played.push([clock.now(), order]), at);
    });
    await clock.run();

    const expected = due.map((at, order): [number, number] => [at, order]);
    expect(played).toEqual(expected.sort((one, other) => one[0] - other[0] || one[1] - other[1]));
  });

  it("plays the rest in order where some are cancelled, and forgets those at once", async () => {
    const clock = simulationClock();
    const random = seededRandom(2);
    const due = Array.from({ length: 200 }, () => random());
    const played: number[] = [];
    const cancels = due.map((at) => clock.setTimer(() => played.push(at), at));

    for (const [n, cancel] of cancels.entries()) if (n % 3 > 0) cancel();
    const pending = clock.pending;
    await clock.run();

    expect(pending).toBe(67);
    expect(played).toEqual(due.filter((_, n) => n % 3 === 0).sort((one, other) => one - other));
  });

  it("takes no notice of a cancel that comes too late or twice", async () => {
    const clock = simulationClock();
    const played: string[] = [];
    const cancelFired = clock.setTimer(() => played.push("fired"), 1);
    await clock.run();
    const cancel = clock.setTimer(() => played.push("cancelled"), 1);
    for (const name of ["one", "two", "three"]) clock.setTimer(() => played.push(name), 2);

    cancel();
    cancel();
    cancelFired();
    await clock.run();

    expect(played).toEqual(["fired", "one", "two", "three"]);
  });

  it("lets all that follows from an event happen before the next", async () => {
    const clock = simulationClock();
    const seen: string[] = [];
    clock.setTimer(async () => {
      for (let n = 0; n < 50; n++) await undefined;
      seen.push("what follows");
    }, 1);
    clock.setTimer(() => seen.push("the next"), 1);

    await clock.run();

    expect(seen).toEqual(["what follows", "the next"]);
  });

  it("rejects with what an event throws", async () => {
    const clock = simulationClock();
    clock.setTimer(() => {
      throw new Error("broken event");
    }, 1);

    await expect(clock.run()).rejects.toThrow("broken event");
  });
});

describe("the tables", () => {
  const table = {
    title: "Who wins",
    columns: ["client", "load"],
    rows: [
      ["no retries", "1.00"],
      ["retryBudget()", "12.00"],
    ],
  };

  it("are aligned for a terminal", () => {
    expect(asText(table)).toBe(
      ["Who wins", "", "client           load", "no retries       1.00", "retryBudget()   12.00", ""].join("\n"),
    );
  });

  it("are Markdown for the README", () => {
    const lines = ["| client | load |", "| --- | ---: |", "| no retries | 1.00 |", "| `retryBudget()` | 12.00 |"];

    expect(asMarkdown(table)).toBe(["Who wins", "", ...lines, ""].join("\n"));
  });

  it.each(reports)("show a row for each contender and name the seed: $title", async (report) => {
    const { title, columns, rows } = await tableOf({ ...report, scenario: { ...brief, outage: "blackhole" } }, 7);

    expect(title).toContain("seed 7");
    expect(rows.map(([name]) => name)).toEqual(report.contenders.map(({ name }) => name));
    for (const row of rows) expect(row).toHaveLength(columns.length);
  });

  it("say for how long was looked in vain where nothing recovered", async () => {
    const [report] = reports;
    const scenario: Scenario = { ...brief, clients: 20, during: 10, after: 5, outage: "blackhole" };

    const { rows } = await tableOf({ ...report!, scenario, contenders: [noBudget] }, 1);

    expect(rows[0]).toContain("not in 5 s");
  });
});

/** Seconds until each contender's fleet has recovered. */
function recoveries(scenario: Scenario, list: readonly Contender[], seed: number): Promise<number[]> {
  return Promise.all(list.map(async (contender) => recovery(await simulate(scenario, contender, seed))));
}
