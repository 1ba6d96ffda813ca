import * as cockatiel from "cockatiel";
import { type CircuitBreakerOptions, circuitBreaker } from "undaunted";
import { seededRandom, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { page, SEEDS } from "./replay.js";

describe("a row of a breaker for those who come from cockatiel", () => {
  const { CountBreaker, SamplingBreaker, ConsecutiveBreaker } = cockatiel;
  type Breaker = ConstructorParameters<typeof ConsecutiveBreaker> extends never ? never : cockatiel.IBreaker;

  /** After how many calls each opens, of a script that fails with a share of `failing`. */
  async function opensAfter(theirs: Breaker, options: CircuitBreakerOptions, seed: number, failing: number) {
    const random = seededRandom(seed);
    const policy = cockatiel.circuitBreaker(cockatiel.handleAll, { halfOpenAfter: 10_000, breaker: theirs });
    const ours = circuitBreaker({ ...options, clock: virtualClock() });
    const opened: (number | undefined)[] = [undefined, undefined];
    let failures = 0;
    for (let calls = 1; calls <= 1_000 && opened.includes(undefined); calls++) {
      const fails = random() < failing;
      if (fails) failures++;
      const task = () => (fails ? Promise.reject(new Error("down")) : Promise.resolve("ok"));
      await policy.execute(task).catch(() => {});
      await ours.run(task).catch(() => {});
      if (policy.state === cockatiel.CircuitState.Open) opened[0] ??= calls;
      if (ours.state === "open") opened[1] ??= calls;
      // Exactly at the threshold, or by a success, only one of the two opens: the page says so.
      if (opened[1] === calls && (failures * 2 === calls || !fails)) return undefined;
    }
    return opened;
  }

  it.each<[string, string, () => Breaker, CircuitBreakerOptions, number]>([
    [
      "`new CountBreaker({ threshold: 0.5, size: 100 })`",
      "`circuitBreaker({ failureRate: 0.51, window: { calls: 100 }, minimumCalls: 100 })`",
      () => new CountBreaker({ threshold: 0.5, size: 100 }),
      { failureRate: 0.51, window: { calls: 100 }, minimumCalls: 100 },
      100,
    ],
    [
      "`new SamplingBreaker({ threshold: 0.5, duration: 30_000 })`",
      "`circuitBreaker({ failureRate: 0.5, window: { ms: 30_000 }, minimumCalls: 300 })`",
      () => new SamplingBreaker({ threshold: 0.5, duration: 30_000 }),
      { failureRate: 0.5, window: { ms: 30_000 }, minimumCalls: 300 },
      300,
    ],
    [
      "… `minimumRps: 2`",
      "`circuitBreaker({ failureRate: 0.5, window: { ms: 30_000 }, minimumCalls: 60 })`",
      () => new SamplingBreaker({ threshold: 0.5, duration: 30_000, minimumRps: 2 }),
      { failureRate: 0.5, window: { ms: 30_000 }, minimumCalls: 60 },
      60,
    ],
  ])("opens at the same call: %s | %s", async (left, right, breaker, options, least) => {
    expect(page).toContain(`| ${left} | ${right} |`);
    let compared = 0;

    for (const seed of SEEDS) {
      for (const failing of [0.45, 0.55, 0.7, 1]) {
        const opened = await opensAfter(breaker(), options, seed, failing);
        if (!opened) continue;
        compared++;
        expect(opened[1]).toBe(opened[0]);
        expect(opened[0] ?? least).toBeGreaterThanOrEqual(least);
      }
    }
    expect(compared).toBeGreaterThan(SEEDS.length * 2);
  });

  it("opens at the same call: `new ConsecutiveBreaker(5)`", async () => {
    for (const seed of SEEDS) {
      const opened = await opensAfter(
        new ConsecutiveBreaker(5),
        { consecutiveFailures: 5, openFor: 10_000 },
        seed,
        0.6,
      );

      expect(opened?.[1]).toBe(opened?.[0]);
    }
  });
});
