import type { IdempotencySettings } from "./options.js";
import type { IdempotencyStore } from "./store.js";

/** A method that a store of the user's own may lack. Throws a `TypeError` where it does. */
export function storeMethod<K extends "peek" | "swap">(
  { store, owner }: Pick<IdempotencySettings, "store" | "owner">,
  name: K,
): NonNullable<IdempotencyStore[K]> {
  const method = store[name];
  if (!method) throw new TypeError(`${owner}: the store has no method ${name}, which this needs`);
  return method.bind(store) as NonNullable<IdempotencyStore[K]>;
}
