import { retry, waitFullJitter } from "undaunted";
import { flaky, seededRandom, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const draw = (random: () => number, n: number) => Array.from({ length: n }, random);

describe("seededRandom", () => {
  it("plays the same numbers for the same seed", () => {
    expect(draw(seededRandom(7), 100)).toEqual(draw(seededRandom(7), 100));
  });

  it("plays the numbers of mulberry32, so that a seed in a test outlives an upgrade", () => {
    const words = draw(seededRandom(1), 3).map((number) => number * 2 ** 32);

    expect(words).toEqual([2_693_262_067, 11_749_833, 2_265_367_787]);
  });

  it("plays other numbers for another seed", () => {
    const firsts = Array.from({ length: 1_000 }, (_, seed) => seededRandom(seed)());

    expect(new Set(firsts).size).toBe(1_000);
  });

  it("keeps two sources with one seed apart", () => {
    const [one, other] = [seededRandom(7), seededRandom(7)];
    one();
    one();

    expect(other()).toBe(seededRandom(7)());
  });

  it.each([0, 1, -1, 42, 2 ** 31, -(2 ** 31), 2 ** 53, 0.5, 1e300])("stays in [0, 1) for the seed %d", (seed) => {
    for (const number of draw(seededRandom(seed), 10_000)) {
      if (!(number >= 0 && number < 1)) expect.fail(`${number} is outside`);
    }
  });

  it("seededRandom does not repeat itself soon", () => {
    expect(new Set(draw(seededRandom(3), 10_000)).size).toBe(10_000);
  });

  it("spreads evenly over its range", () => {
    const shares = Array.from({ length: 10 }, () => 0);
    for (const number of draw(seededRandom(11), 100_000)) shares[Math.floor(number * 10)]! += 1;

    // 10,000 each, within 4 standard deviations of about 95.
    expect(Math.min(...shares)).toBeGreaterThan(9_620);
    expect(Math.max(...shares)).toBeLessThan(10_380);
  });

  it("seededRandom does not hang on the number before", () => {
    const numbers = draw(seededRandom(5), 100_000);
    const products = numbers.slice(1).map((number, n) => (number - 0.5) * (numbers[n]! - 0.5));
    const correlation = products.reduce((sum, product) => sum + product) / products.length / (1 / 12);

    expect(Math.abs(correlation)).toBeLessThan(0.015);
  });

  it("makes a jittered policy repeatable", async () => {
    const delaysOf = async () => {
      const delays: number[] = [];
      const clock = virtualClock();
      const busy = new Error("busy");
      const result = retry(flaky([busy, busy, busy, "ok"]), {
        wait: waitFullJitter({ base: 100 }),
        random: seededRandom(9),
        onRetry: (state) => delays.push(state.delay),
        clock,
      })();
      await clock.runAll();
      await result;
      return delays;
    };

    const [first, second] = [await delaysOf(), await delaysOf()];

    expect(first).toEqual(second);
    expect(new Set(first).size).toBe(3);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, "7", null])("refuses %s as a seed", (seed) => {
    expect(() => seededRandom(seed as number)).toThrow(
      new RangeError(`seededRandom: seed must be a finite number, got ${seed}`),
    );
  });
});
