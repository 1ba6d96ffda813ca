import { type GuardWrap, guardWrap } from "../common/guard.js";
import { describe } from "../common/inspect.js";
import { checkKey, type Key, LruMap } from "../common/lru-map.js";
import { named } from "../common/named.js";
import { FUNCTION, readOptions, WHOLE } from "../common/validate.js";
import { type Bulkhead, bulkheadOf, factsOf } from "./bulkhead.js";
import { type BulkheadOptions, RULES, settingsOf } from "./options.js";
import { Slots } from "./slots.js";

/** A bulkhead per key. */
export interface Bulkheads {
  /**
   * The bulkhead of a key, made when first asked for. One that was let go since, or that came when all others were busy,
   * is not the one that the key's next call goes by.
   */
  get(key: Key): Bulkhead;
  /** Bulkheads kept now. */
  readonly size: number;
  /** Guards a function by the bulkhead of each call's key; also a decorator for methods that return a promise. */
  readonly wrap: GuardWrap;
}

/** The options of `bulkheads`: `limit`, `queue` and `maxWait` are each bulkhead's own. */
export interface BulkheadsOptions extends BulkheadOptions {
  /** A call's key, from its `this` and arguments: the host, the shard, the tenant. */
  key: (this: any, ...args: any) => Key;
  /**
   * Bulkheads kept at most, a whole number from 1. The one that was not used for longest goes first; one that has calls
   * in flight or waiting never. Where all have, a call with a new key gets a bulkhead of its own that is not kept, so
   * that nothing limits the calls with that key.
   * @default 1_000
   */
  max?: number | undefined;
  /**
   * What errors and the hook call each, before its key.
   * @default "bulkhead"
   */
  name?: string | undefined;
}

/**
 * Limits the calls in flight to each thing that can be slow alone, so that one that hangs does not take the slots of the
 * others: a `bulkhead` for each key. A call whose key cannot be had, because `key` throws or returns nothing or a
 * promise, is not made and rejects. Bad input is a `RangeError` or `TypeError` that names the option.
 *
 * @example
 * const hosts = bulkheads({ key: (host) => host, limit: 1 });
 * const load = hosts.wrap(async (host: string) => host);
 * const first = load("a");
 * await load("a"); // rejects BulkheadFullError: bulkhead a is full: limit 1, queue 0
 * await load("b"); // => "b"
 * await first; // => "a"
 */
export function bulkheads(options: BulkheadsOptions): Bulkheads {
  const rules = { ...RULES, key: FUNCTION, max: WHOLE };
  const given = readOptions("bulkheads", options, rules, ["key", "limit"]);
  const { key, max = 1_000 } = given;
  const settings = settingsOf("bulkheads", given);
  const make = (of: unknown): Kept => {
    const name = `${settings.name} ${describe(of)}`;
    const slots = new Slots({ ...settings, name, changed: (busy) => kept.pin(of, entry, busy) });
    const entry = { slots, bulkhead: bulkheadOf(slots) };
    return entry;
  };
  const kept = new LruMap(max, make);
  const all: Bulkheads = {
    get: (of) => kept.get(checkKey("bulkheads", of)).bulkhead,
    get size() {
      return kept.size;
    },
    wrap: guardWrap("bulkheads.wrap", (fn) => {
      return function (this: unknown, ...args: unknown[]) {
        let slots: Slots;
        try {
          ({ slots } = kept.get(checkKey("bulkheads", key.apply(this, args))));
        } catch (error) {
          return Promise.reject(error);
        }
        return slots.call(fn, this, args);
      };
    }),
  };
  return named(all, given.name, () => factsOf(Array.from(kept.entries(), ([, { slots }]) => slots)));
}

interface Kept {
  readonly slots: Slots;
  readonly bulkhead: Bulkhead;
}
