import { circuitBreaker } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { down, play } from "./calls.js";

describe("the openings in a row", () => {
  /** A breaker that opened once for 1,000 ms and has just closed, and the numbers that `openFor` was asked with. */
  async function closedAgain() {
    const clock = virtualClock();
    const asked: number[] = [];
    const openFor = (openings: number) => {
      asked.push(openings);
      return openings * 1_000;
    };
    const breaker = circuitBreaker({ consecutiveFailures: 1, openFor, clock });
    await play(breaker, "F");
    await clock.advance(1_000);
    await play(breaker, "S");
    return { clock, breaker, asked };
  }

  it("the openings in a row are counted from 1 and decide how long it stays open", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 2, openFor: (openings) => openings * 100, clock });
    await play(breaker, "FF");

    for (const openings of [1, 2, 3]) {
      await clock.advance(openings * 100 - 1);
      expect(breaker.state).toBe("open");
      await clock.advance(1);
      expect(breaker.state).toBe("half-open");
      await play(breaker, "F");
    }
  });

  it.each([
    [999, [1, 2]],
    [1_000, [1, 1]],
  ])(
    "the openings in a row are forgotten when it was closed as long as it had been open: after %d ms: %j",
    async (ms, openings) => {
      const { clock, breaker, asked } = await closedAgain();

      await clock.advance(ms);
      await play(breaker, "F");

      expect(asked).toEqual(openings);
    },
  );

  it.each([
    [1_999, [1, 2, 3]],
    [2_000, [1, 2, 1]],
  ])("the openings in a row are kept for as long as the last of them was: after %d ms: %j", async (ms, openings) => {
    const { clock, breaker, asked } = await closedAgain();
    await play(breaker, "F");
    await clock.advance(2_000);
    await play(breaker, "S");

    await clock.advance(ms);
    await play(breaker, "F");

    expect(asked).toEqual(openings);
  });

  it("the openings in a row are forgotten by close()", async () => {
    const { breaker, asked } = await closedAgain();

    breaker.close();
    await play(breaker, "F");

    expect(asked).toEqual([1, 1]);
  });
});

describe.each<[string, () => unknown]>([
  [
    "throws",
    () => {
      throw down;
    },
  ],
  ["answers a negative number", () => -1],
  ["answers NaN", () => Number.NaN],
  ["answers Infinity", () => Infinity],
  ["answers a string", () => "1000"],
  ["answers nothing", () => undefined],
])("an openFor that %s", (_, openFor) => {
  it("opens the circuit for 30 seconds and is reported to onHookError", async () => {
    const clock = virtualClock();
    const onHookError = vi.fn();
    const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: openFor as () => number, onHookError, clock });

    await play(breaker, "F");

    expect(onHookError).toHaveBeenCalledTimes(1);
    expect(breaker.toJSON()).toMatchObject({ state: "open", openFor: 30_000 });
  });
});
