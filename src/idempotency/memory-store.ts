import { type Clock, systemTime } from "../common/clock.js";
import { readOptions, TIME_SOURCE, WHOLE } from "../common/validate.js";
import type { Claim, Held, IdempotencyStore } from "./store.js";

/** The options of `memoryIdempotencyStore`. */
export interface MemoryIdempotencyStoreOptions {
  /** The time it goes by. */
  clock?: Pick<Clock, "now"> | undefined;
  /**
   * How many keys it holds at most, from 1. A new key beyond it is refused: one let go in its place could run again.
   * @default 1_000_000
   */
  max?: number | undefined;
}

interface Entry {
  readonly token: string;
  readonly fingerprint: string;
  /** `undefined` while the call runs. */
  record: string | undefined;
  /** When its lease, or its record, is over. */
  until: number;
}

/**
 * Keeps keys and results in this process: for a single process, and for tests. Records that are over are let go as new keys come.
 * A claim of a new key rejects with a `RangeError` where `max` keys are held.
 *
 * @example
 * const store = memoryIdempotencyStore();
 * const pay = idempotent(async (order: string) => `${order} paid`, { name: "pay", key: (order) => order, store });
 * await pay("A1"); // => "A1 paid"
 */
export function memoryIdempotencyStore(options: MemoryIdempotencyStoreOptions = {}): IdempotencyStore {
  const { clock = systemTime, max = 1_000_000 } = readOptions("memoryIdempotencyStore", options, TABLE);
  const entries = new Map<string, Entry>();
  let tokens = 0;

  const entryAt = (key: string): Entry | undefined => {
    const entry = entries.get(key);
    return entry && clock.now() < entry.until ? entry : undefined;
  };

  /** The entry that is `token`'s, unless its time is over. */
  const entryOf = (key: string, token: string): Entry | undefined => {
    const entry = entryAt(key);
    return entry?.token === token ? entry : undefined;
  };

  /** Looks at those that were not looked at for longest, so that no call pays for all of them. */
  const sweep = (now: number, count: number) => {
    for (const [key, entry] of [...firstOf(entries, count)]) {
      entries.delete(key);
      if (now < entry.until) entries.set(key, entry);
    }
  };

  const take = (key: string, fingerprint: string, until: number): Claim => {
    if (entries.size >= max && !entries.has(key)) {
      throw new RangeError(`memoryIdempotencyStore: it holds ${max} keys, its max, and none of them is over`);
    }
    // Nobody else sees the entries: a number that counts up is a token like no other.
    const token = String(++tokens);
    entries.set(key, { token, fingerprint, record: undefined, until });
    return { state: "won", token };
  };

  return {
    async claim(key, fingerprint, lease) {
      const now = clock.now();
      sweep(now, entries.size < max ? 2 : 1_000);
      const entry = entryAt(key);
      return entry ? heldBy(entry, now) : take(key, fingerprint, now + lease);
    },

    async renew(key, token, lease) {
      const entry = entryOf(key, token);
      if (!entry || entry.record !== undefined) return false;
      entry.until = clock.now() + lease;
      return true;
    },

    async record(key, token, record, keep) {
      const entry = entryOf(key, token);
      if (!entry || (entry.record !== undefined && entry.record !== record)) return false;
      entry.record = record;
      entry.until = clock.now() + keep;
      return true;
    },

    async release(key, token) {
      const entry = entryOf(key, token);
      if (entry && entry.record === undefined) entries.delete(key);
    },

    async peek(key) {
      const entry = entryAt(key);
      return entry && heldBy(entry, clock.now());
    },

    async swap(key, from, to, keep) {
      const entry = entryAt(key);
      if (!entry || entry.record !== from) return false;
      if (to === undefined) return entries.delete(key);
      entry.record = to;
      entry.until = clock.now() + keep;
      return true;
    },
  };
}

const TABLE = { clock: TIME_SOURCE, max: WHOLE };

function heldBy({ fingerprint, record, until }: Entry, now: number): Held {
  if (record !== undefined) return { state: "done", fingerprint, record };
  return { state: "running", fingerprint, retryAfter: until - now };
}

function* firstOf<T>(all: Iterable<T>, count: number): Iterable<T> {
  let left = count;
  for (const each of all) {
    if (left-- === 0) return;
    yield each;
  }
}
