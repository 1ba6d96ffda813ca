import { estimate } from "./reporters.js";

const WIDTH = 100;
const RING = 128;
const BITS = 256;

interface Slice {
  index: number;
  calls: number;
  failures: number;
  slow: number;
  readonly all: Set<number>;
  readonly bad: Set<number>;
}

/** What a window of slices holds. */
export interface Seen {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** Processes that reported, and those of them that reported mostly what is bad. */
  readonly reporters: number;
  readonly bad: number;
}

/** Calls of the last 12.8 s, in slices of 100 ms. */
export class Slices {
  readonly #ring: Slice[] = Array.from({ length: RING }, () => ({
    index: -1,
    calls: 0,
    failures: 0,
    slow: 0,
    all: new Set(),
    bad: new Set(),
  }));

  add(counts: { calls: number; failures: number; slow: number; reporter: number }, bad: boolean, now: number): void {
    const index = Math.floor(now / WIDTH);
    const slice = this.#ring[index % RING]!;
    if (slice.index !== index) {
      Object.assign(slice, { index, calls: 0, failures: 0, slow: 0 });
      slice.all.clear();
      slice.bad.clear();
    }
    slice.calls += counts.calls;
    slice.failures += counts.failures;
    slice.slow += counts.slow;
    slice.all.add(counts.reporter % BITS);
    if (bad) slice.bad.add(counts.reporter % BITS);
  }

  clear(): void {
    for (const slice of this.#ring) slice.index = -1;
  }

  /** The newest slices that hold so many ms, calls and reporters; nothing where the last 10 s do not. */
  newest(least: { slices: number; calls: number; reporters: number }, now: number): Seen | undefined {
    const index = Math.floor(now / WIDTH);
    const sum = { calls: 0, failures: 0, slow: 0 };
    const all = new Set<number>();
    const bad = new Set<number>();
    for (let back = 0; back < 100; back++) {
      const slice = this.#ring[(index - back) % RING]!;
      if (slice.index === index - back) {
        sum.calls += slice.calls;
        sum.failures += slice.failures;
        sum.slow += slice.slow;
        for (const bit of slice.all) all.add(bit);
        for (const bit of slice.bad) bad.add(bit);
      }
      if (back < least.slices || sum.calls < least.calls) continue;
      const reporters = estimate(all.size, BITS);
      if (reporters >= least.reporters) return { ...sum, reporters, bad: estimate(bad.size, BITS) };
    }
    return undefined;
  }
}
