import { checkKey, storeKeyOf } from "./call.js";
import type { IdempotencySettings } from "./options.js";
import { type Entry, recordOfValue } from "./record.js";
import { entryOf } from "./replay.js";
import type { Held } from "./store.js";
import { storeMethod } from "./store-method.js";

/** What stands under a key. */
export type IdempotencyState =
  | Entry
  /** A call is running; its lease ends in `retryAfter` ms unless it is renewed. */
  | { readonly state: "running"; readonly retryAfter: number };

/** What an idempotent function can do with its keys. */
export interface IdempotencyKeys<T = any> {
  /**
   * Decides that the undecided call with the key was done, with this result. Returns whether the key was undecided. Rejects with a
   * `TypeError` for a result that cannot be kept.
   */
  settle(key: string, value: T): Promise<boolean>;
  /**
   * Frees a key with whatever is on record under it: the next call runs. Returns whether there was something; a call that is running
   * is left alone.
   */
  forget(key: string): Promise<boolean>;
  /** Returns what stands under the key, `undefined` where it is free. */
  peek(key: string): Promise<IdempotencyState | undefined>;
}

export function keysOf(settings: IdempotencySettings): IdempotencyKeys {
  const { owner, codec, keep } = settings;
  const look = async (method: string, key: string): Promise<Held | undefined> => {
    checkKey(owner, `${method}'s key`, key);
    return storeMethod(settings, "peek")(storeKeyOf(settings, key));
  };
  const swap = (key: string, from: string, to: string | undefined) =>
    storeMethod(settings, "swap")(storeKeyOf(settings, key), from, to, keep);

  return {
    async settle(key, value) {
      const { text, refused } = recordOfValue(value, codec);
      if (refused !== undefined) throw new TypeError(`${owner}: settle's value cannot be kept: ${refused}`);
      const held = await look("settle", key);
      const isUndecided = held?.state === "done" && entryOf(settings, key, held.record).state === "undecided";
      return isUndecided && swap(key, held.record, text);
    },

    async forget(key) {
      const held = await look("forget", key);
      return held?.state === "done" && swap(key, held.record, undefined);
    },

    async peek(key) {
      const held = await look("peek", key);
      if (held?.state === "running") return { state: "running", retryAfter: held.retryAfter };
      return held && entryOf(settings, key, held.record);
    },
  };
}
