import { retry, stopAfterAttempt, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { type ChaosOptions, chaos, seededRandom, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const busy = new Error("busy");

/** Plays these random numbers, three for each call: its fate, which error, how slow. */
function drawn(...numbers: number[]): () => number {
  let n = 0;
  return () => numbers[n++ % numbers.length]!;
}

describe("chaos", () => {
  it("makes the share of calls fail that was asked for", async () => {
    const load = vi.fn(async () => "ok");
    const disturbed = chaos({ rate: 0.3, random: seededRandom(1) })(load);

    const results = await Promise.allSettled(Array.from({ length: 1_000 }, () => disturbed()));

    const failed = results.filter(({ status }) => status === "rejected").length;
    expect(failed).toBeGreaterThan(250);
    expect(failed).toBeLessThan(350);
    expect(load).toHaveBeenCalledTimes(1_000 - failed);
  });

  it.each([
    [0, "fulfilled"],
    [1, "rejected"],
  ])("chaos at a rate of %d leaves every call %s", async (rate, status) => {
    const disturbed = chaos({ rate })(async () => "ok");

    const results = await Promise.allSettled(Array.from({ length: 100 }, () => disturbed()));

    expect(new Set(results.map((result) => result.status))).toEqual(new Set([status]));
  });

  it("plays the same failures for the same seed, whatever fails and however slow it is", async () => {
    const clock = virtualClock();
    const fates = async (options: Partial<ChaosOptions>) => {
      const disturbed = chaos({ rate: 0.5, random: seededRandom(7), clock, ...options })(async () => "ok");
      const results = Promise.allSettled(Array.from({ length: 50 }, () => disturbed()));
      await clock.runAll();
      return (await results).map(({ status }) => status);
    };

    const plain = await fates({});

    expect(await fates({ errors: [busy, busy, busy], latency: [0, 100] })).toEqual(plain);
    expect(new Set(plain).size).toBe(2);
  });

  it("fails with an error of its own each time, unless errors are given", async () => {
    const disturbed = chaos({ rate: 1 })(async () => "ok");

    const [one, other] = await Promise.all([disturbed().catch((e) => e), disturbed().catch((e) => e)]);

    expect(one).toEqual(new Error("chaos"));
    expect(one).not.toBe(other);
  });

  it("picks among the errors at random, and plays each as flaky does", async () => {
    const random = drawn(0, 0, 0, 0, 0.3, 0, 0, 0.6, 0, 0, 0.9, 0);
    const errors = [busy, { ok: false, error: "refused" }, (id: string) => `cut ${id}`, "garbage"];
    const load = chaos({ rate: 1, errors, random })(async (id: string) => id);

    const results = await Promise.allSettled([load("a"), load("b"), load("c"), load("d")]);

    expect(results).toEqual([
      { status: "rejected", reason: busy },
      { status: "rejected", reason: "refused" },
      { status: "fulfilled", value: "cut c" },
      { status: "fulfilled", value: "garbage" },
    ]);
  });

  it.each([
    [100, [100, 100, 100]],
    [[100, 300] as const, [100, 200, 250]],
  ])("makes calls take %j ms longer, also those that fail", async (latency, expected) => {
    const clock = virtualClock();
    const random = drawn(0, 0, 0, 1, 0, 0.5, 0, 0, 0.75);
    const disturbed = chaos({ rate: 0.5, latency, random, clock })(async () => "ok");
    const took: number[] = [];

    for (let n = 0; n < 3; n++) {
      const note = () => took.push(clock.now());
      disturbed().then(note, note);
    }
    await clock.runAll();

    expect(took).toEqual(expected);
  });

  it("chaos takes no time of a timer where no latency is asked for", async () => {
    const clock = virtualClock();

    const result = chaos({ rate: 0, clock })(async () => "ok")();

    expect(clock.pending).toBe(0);
    expect(await result).toBe("ok");
  });

  it("hands on the arguments, `this`, and the looks of the function", async () => {
    const api = {
      id: "42",
      load: chaos({ rate: 0 })(async function load(this: { id: string }, suffix: string) {
        return this.id + suffix;
      }),
    };

    expect(await api.load("!")).toBe("42!");
    expect(api.load.name).toBe("load");
    expect(api.load).toHaveLength(1);
  });

  it("shows what a policy makes of it", async () => {
    const load = chaos({ rate: 0.5, random: seededRandom(3) })(async () => "ok");
    const policy = retry(load, { wait: waitNone, stop: stopAfterAttempt(20) });

    const results = await Promise.all(Array.from({ length: 100 }, () => policy()));

    expect(new Set(results)).toEqual(new Set(["ok"]));
    expect(policy.stats.retries).toBeGreaterThan(50);
  });

  it("disturbs a fetch: with responses, and with errors as a fetch throws them", async () => {
    const errors = [
      () => new Response(null, { status: 503 }),
      () => {
        throw new TypeError("fetch failed", { cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }) });
      },
    ];
    const server = vi.fn(async (_url: string | URL | Request, _init?: RequestInit) => new Response("ok"));
    const fetch = chaos({ rate: 0.5, errors, random: seededRandom(1) })(server);
    const get = retryFetch({ fetch, wait: waitNone, stop: stopAfterAttempt(20), budget: false });

    const texts = await Promise.all(Array.from({ length: 20 }, async () => (await get("https://example.com/")).text()));

    expect(new Set(texts)).toEqual(new Set(["ok"]));
    expect(server.mock.calls.length).toBeGreaterThanOrEqual(20);
  });

  it.each([
    [{}, TypeError, "chaos: rate must be a number from 0 to 1, got undefined"],
    [{ rate: 30 }, RangeError, "chaos: rate must be a number from 0 to 1, got 30"],
    [{ rate: 1, errors: [] }, TypeError, "chaos: errors must be an array with at least one entry, got []"],
    [{ rate: 1, latency: -1 }, RangeError, "chaos: latency must be a finite number of ms from 0, got -1"],
    [{ rate: 1, latency: [1] }, TypeError, "chaos: latency must be a finite number of ms from 0, got undefined"],
    [{ rate: 1, latency: [2, 1] }, RangeError, "chaos: the least latency must not be above the most (1), got 2"],
    [
      { rate: 1, latency: "1s" },
      TypeError,
      'chaos: latency must be a finite number of ms from 0, or two of them, got "1s"',
    ],
    [{ rate: 1, random: 0.5 }, TypeError, "chaos: random must be a function, got 0.5"],
    [
      { rate: 1, probability: 1 },
      TypeError,
      'chaos: there is no option "probability"; allowed are rate, errors, latency, random, clock',
    ],
  ])("refuses the options %j at once", (options, Kind, message) => {
    expect(() => chaos(options as ChaosOptions)).toThrow(new Kind(message));
  });

  it("refuses what is no function at once", () => {
    expect(() => chaos({ rate: 1 })(42 as never)).toThrow(new TypeError("chaos: fn must be a function, got 42"));
  });
});
