import { type Clock, systemClock } from "../common/clock.js";
import { newIdempotencyKey } from "../common/new-key.js";
import { readOptions, TIME_SOURCE } from "../common/validate.js";
import type { IdempotencyStore } from "./store.js";

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
 * `clock` is the time it goes by, the system's by default.
 *
 * @example
 * const store = memoryIdempotencyStore();
 * const pay = idempotent(async (order: string) => `${order} paid`, { key: (order) => order, store });
 * await pay("A1"); // => "A1 paid"
 */
export function memoryIdempotencyStore(options: { clock?: Pick<Clock, "now"> | undefined } = {}): IdempotencyStore {
  const { clock = systemClock } = readOptions("memoryIdempotencyStore", options, { clock: TIME_SOURCE });
  const entries = new Map<string, Entry>();

  /** The entry that is `token`'s, unless its time is over. */
  const entryOf = (key: string, token: string): Entry | undefined => {
    const entry = entries.get(key);
    return entry?.token === token && clock.now() < entry.until ? entry : undefined;
  };

  /** Looks at the two that were not looked at for longest, so that no call pays for all of them. */
  const sweep = (now: number) => {
    for (const [key, entry] of [...firstOf(entries, 2)]) {
      entries.delete(key);
      if (now < entry.until) entries.set(key, entry);
    }
  };

  return {
    async claim(key, fingerprint, lease) {
      const now = clock.now();
      sweep(now);
      const entry = entries.get(key);
      if (!entry || entry.until <= now) {
        const token = newIdempotencyKey();
        entries.set(key, { token, fingerprint, record: undefined, until: now + lease });
        return { state: "won", token };
      }
      const { fingerprint: known, record } = entry;
      if (record !== undefined) return { state: "done", fingerprint: known, record };
      return { state: "running", fingerprint: known, retryAfter: entry.until - now };
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
  };
}

function* firstOf<T>(all: Iterable<T>, count: number): Iterable<T> {
  let left = count;
  for (const each of all) {
    if (left-- === 0) return;
    yield each;
  }
}
