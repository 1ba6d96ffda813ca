import { expect, it } from "vitest";
import { askForTokens } from "./limit.js";

// The numbers of docs/fleet.md, and of decision 35.

it.each([
  { processes: 10, rate: 5, perSecond: 100, atOnce: 0.97, exchanges: 1 },
  { processes: 10, rate: 50, perSecond: 1_000, atOnce: 0.99, exchanges: 0.35 },
  { processes: 20, rate: 3, perSecond: 100, atOnce: 0.9, exchanges: 1 },
])(
  "$processes processes that ask for $rate of $perSecond tokens a second each have nearly all of them at once",
  async ({ atOnce, exchanges, ...asking }) => {
    const run = await askForTokens({ ...asking, seconds: 60, seed: 1 });

    expect(run.granted).toBeGreaterThanOrEqual(0.99 * run.asked);
    expect(run.atOnce / run.granted).toBeGreaterThanOrEqual(atOnce);
    expect(run.exchanges / run.granted).toBeLessThanOrEqual(exchanges);
  },
);

it.each([
  { processes: 10, rate: 20 },
  { processes: 100, rate: 2 },
])(
  "$processes processes that ask for twice what a limit gives get what it gives, and never its burst twice",
  async (asking) => {
    const run = await askForTokens({ ...asking, perSecond: 100, seconds: 60, seed: 1 });

    expect(run.granted).toBeGreaterThanOrEqual(60 * 100);
    expect(run.granted).toBeLessThanOrEqual(61 * 100);
    expect(run.mostInTen).toBeLessThanOrEqual(11 * 100);
  },
);
