/** What a window has seen. */
export interface Totals {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

/** The calls that rates are taken over. */
export interface Window extends Totals {
  /** When a call was made matters. */
  readonly timed: boolean;
  add(failed: boolean, slow: boolean, now: number): void;
  /** What `restore` takes up in another process. */
  save(now: number): readonly SavedCalls[];
  restore(saved: readonly SavedCalls[], now: number): void;
}

/** `[ms ago, calls, failures, slow]`, the oldest first. */
export type SavedCalls = readonly [age: number, calls: number, failures: number, slow: number];

const FAILED = 1;
const SLOW = 2;

/** The last `size` calls. */
export class CallWindow implements Window {
  readonly timed = false;
  calls = 0;
  failures = 0;
  slow = 0;
  // What each call was, in a ring: of the call to be overwritten next, `next` is the place.
  readonly #kinds: Uint8Array;
  #next = 0;

  constructor(private readonly size: number) {
    this.#kinds = new Uint8Array(size);
  }

  add(failed: boolean, slow: boolean): void {
    if (this.calls < this.size) this.calls++;
    else this.#count(this.#kinds[this.#next]!, -1);
    const kind = (failed ? FAILED : 0) | (slow ? SLOW : 0);
    this.#kinds[this.#next] = kind;
    this.#count(kind, 1);
    this.#next = (this.#next + 1) % this.size;
  }

  #count(kind: number, by: number): void {
    if (kind & FAILED) this.failures += by;
    if (kind & SLOW) this.slow += by;
  }

  save(): SavedCalls[] {
    const saved: SavedCalls[] = [];
    // Calls of one kind in a row are one entry.
    for (let back = this.calls, run = 1; back > 0; back--, run++) {
      const kind = this.#kindBefore(back);
      if (back > 1 && this.#kindBefore(back - 1) === kind) continue;
      saved.push([0, run, kind & FAILED ? run : 0, kind & SLOW ? run : 0]);
      run = 0;
    }
    return saved;
  }

  #kindBefore(back: number): number {
    return this.#kinds[(this.#next - back + this.size) % this.size]!;
  }

  restore(saved: readonly SavedCalls[]): void {
    for (const [, calls, failures, slow] of saved) {
      // An entry of calls of several kinds is of a window of time, which does not know their order. Of more calls than
      // the window holds, the last ones count.
      for (let call = Math.max(0, calls - this.size); call < calls; call++) this.add(call < failures, call < slow);
    }
  }
}

const BUCKETS = 10;

interface Bucket {
  /** Which one since the window's zero. */
  index: number;
  calls: number;
  failures: number;
  slow: number;
}

/** The calls of the last `ms`, in ten buckets: the oldest drops out whole. */
export class TimeWindow implements Window {
  readonly timed = true;
  calls = 0;
  failures = 0;
  slow = 0;
  readonly #width: number;
  #zero = 0;
  // Oldest first, only those with calls in them.
  #buckets: Bucket[] = [];

  constructor(ms: number) {
    this.#width = ms / BUCKETS;
  }

  add(failed: boolean, slow: boolean, now: number): void {
    this.#addTo(this.#bucketAt(Math.floor((now - this.#zero) / this.#width)), 1, failed ? 1 : 0, slow ? 1 : 0);
  }

  #addTo(bucket: Bucket, calls: number, failures: number, slow: number): void {
    for (const counts of [bucket, this]) {
      counts.calls += calls;
      counts.failures += failures;
      counts.slow += slow;
    }
  }

  #bucketAt(index: number): Bucket {
    while (this.#buckets.length > 0 && this.#buckets[0]!.index <= index - BUCKETS) {
      const { calls, failures, slow } = this.#buckets.shift()!;
      this.calls -= calls;
      this.failures -= failures;
      this.slow -= slow;
    }
    const last = this.#buckets.at(-1);
    if (last && last.index >= index) return last;
    const bucket = { index, calls: 0, failures: 0, slow: 0 };
    this.#buckets.push(bucket);
    return bucket;
  }

  save(now: number): SavedCalls[] {
    return this.#buckets
      .map(({ index, calls, failures, slow }): SavedCalls => {
        return [now - this.#zero - index * this.#width, calls, failures, slow];
      })
      .filter(([age]) => age < BUCKETS * this.#width);
  }

  restore(saved: readonly SavedCalls[], now: number): void {
    // The buckets keep their bounds, or every save would make the calls in them a little older.
    this.#zero = now - (saved.at(-1)?.[0] ?? 0);
    for (const [age, calls, failures, slow] of saved) {
      const index = Math.round((now - age - this.#zero) / this.#width);
      this.#addTo(this.#bucketAt(index), calls, failures, slow);
    }
  }
}
