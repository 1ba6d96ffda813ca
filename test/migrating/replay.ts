import { type RetryOptions, runWithRetry } from "undaunted";
import { seededRandom } from "undaunted/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { read } from "../docs/blocks.js";

// Each row of docs/migrating.md that says what a policy does is replayed: the old library and this one play the same
// seeded scripts under the same clock and the same random numbers, and must call at the same instants and end alike.

export class NetworkError extends Error {}
class OtherError extends Error {}
export type Fn = () => Promise<unknown>;
type Played = { readonly at: readonly number[]; readonly end: unknown };

export const page = read("docs/migrating.md");
export const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/** What the page calls `test` and `isBusy`. */
export const test = (error: unknown) => error instanceof NetworkError;
export const isBusy = (value: unknown) => value === "busy";

/** Puts a clock in place of the system's, which the old libraries use. */
export function useOneClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"], now: 1_000_000 });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
}

/** What is thrown or returned, call by call; then "ok". */
export function scriptOf(seed: number, longest: number): readonly unknown[] {
  const random = seededRandom(seed);
  const kinds = [
    new NetworkError("no route"),
    new NetworkError("no route"),
    new NetworkError("reset"),
    new OtherError("gone"),
    "busy",
  ];
  return Array.from({ length: Math.floor(random() * longest) }, () => kinds[Math.floor(random() * kinds.length)]);
}

/** Plays a script: the instants of the calls, and how it ended. */
export async function play(run: (fn: Fn) => Promise<unknown>, script: readonly unknown[], took = 0): Promise<Played> {
  vi.spyOn(Math, "random").mockReturnValue(0.25);
  const start = Date.now();
  const at: number[] = [];
  const result = run(async () => {
    const step = at.length < script.length ? script[at.length] : "ok";
    at.push(Date.now() - start);
    if (took > 0) await new Promise((resolve) => setTimeout(resolve, took));
    if (step instanceof Error) throw step;
    return step;
  }).catch((error: unknown) => error);
  await vi.runAllTimersAsync();
  return { at, end: await result };
}

export interface Row {
  /** The cells, as the page has them. */
  readonly row: readonly [left: string, right: string];
  readonly theirs: (fn: Fn) => Promise<unknown>;
  readonly ours: RetryOptions;
  /** ms that an attempt takes; then it only returns, since what the old library does with a late error is another matter. */
  readonly took?: number;
  /** The errors alike, where the old library throws one of its own. */
  readonly alike?: (end: unknown) => unknown;
}

/** A row whose options are `ours`. */
export const instants = (run: (fn: Fn) => Promise<unknown>, ours: RetryOptions, left: string, right: string): Row => ({
  row: [left, right],
  theirs: run,
  ours,
});

/** Replays the rows of a library. */
export function replay(peer: string, rows: readonly Row[], alike: (end: unknown) => unknown = (end) => end): void {
  describe(`a row for those who come from ${peer}`, () => {
    it.each(rows.map((row) => [row.row.join(" | "), row] as const))(
      "holds on seeded scripts: %s",
      async (cells, row) => {
        expect(page).toContain(`| ${cells}`);

        for (const seed of SEEDS) {
          const script = row.took ? ["late"] : scriptOf(seed, 15);
          const compare = row.alike ?? alike;
          const theirs = await play(row.theirs, script, row.took);
          const ours = await play((fn) => runWithRetry(fn, { retryIf: () => true, ...row.ours }), script, row.took);

          // They round delays to whole ms.
          expect(ours.at.map(Math.round)).toEqual(theirs.at);
          expect(compare(ours.end)).toEqual(compare(theirs.end));
        }
      },
    );
  });
}
