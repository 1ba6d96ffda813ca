// What another project's own tests state of its circuit breakers, replayed against ours. The file in vectors/ holds the
// rows that are replayed and says which project, file and commit they were taken from.
//
// - Its breakers open above their threshold, ours at it: so a little is added to each threshold.
// - Its window of time asks for a rate of calls: `minimumRps` a second over `durationMs` are our minimum of calls.
// - breaker-001 is left out: it goes on asking a rule of consecutive failures after that has opened the circuit, where
//   ours lets no call through.

import { type CircuitBreaker, circuitBreaker } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";
import vectors from "../vectors/breaker.json";

interface Row {
  id: string;
  src: string;
  breaker: string;
  given: { threshold: number; size?: number; minimumNumberOfCalls?: number; durationMs?: number; minimumRps?: number };
  /** What is done, and whether the circuit is open after each time. */
  ops: (readonly [string, boolean?])[];
}

const rows = vectors.rows as unknown as readonly Row[];
const ABOVE = 1e-9;

function breakerOf({ given }: Row, clock: { now(): number }): CircuitBreaker {
  const { threshold, size, minimumNumberOfCalls, durationMs = 0, minimumRps = 0 } = given;
  return circuitBreaker({
    failureRate: threshold + ABOVE,
    window: size === undefined ? { ms: durationMs } : { calls: size },
    minimumCalls: minimumNumberOfCalls ?? (minimumRps * durationMs) / 1_000,
    openFor: 60_000,
    clock,
  });
}

/** What an op says: its steps, and how often they are done. */
function parse(op: string): { steps: string[]; times: number } {
  const [, steps, times] = /^\(?(.*?)\)?(?: x(\d+))?$/.exec(op)!;
  return { steps: steps!.split("; "), times: Number(times ?? 1) };
}

async function replay(row: Row): Promise<void> {
  const clock = virtualClock();
  const breaker = breakerOf(row, clock);
  const play: Record<string, () => unknown> = {
    success: () => breaker.run(() => {}),
    failure: () => breaker.run(() => Promise.reject(new Error("down"))).catch(() => {}),
    "success (half-open": async () => {
      await clock.advance(60_000);
      expect(breaker.state, row.id).toBe("half-open");
      await breaker.run(() => {});
    },
  };
  for (const [op, opens] of row.ops) {
    const { steps, times } = parse(op);
    for (let time = 0; time < times; time++) {
      for (const step of steps) {
        const wait = /^\+(\d+)ms$/.exec(step);
        await (wait ? clock.advance(Number(wait[1])) : play[step]!());
      }
      if (opens !== undefined) expect(breaker.state === "open", `${row.id}: ${op}`).toBe(opens);
    }
  }
}

it.each([["cockatiel-breaker", 16]])("breakers open as those of %s in %i rows", async (src, count) => {
  const followed = rows.filter((row) => row.src === src);

  expect(followed).toHaveLength(count);
  for (const row of followed) await replay(row);
});

it("rows come from projects that are named, with a commit", () => {
  expect([...new Set(rows.map((row) => row.src))]).toEqual(Object.keys(vectors.sources));
});
