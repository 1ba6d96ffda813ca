import type { AnyFn, Promised } from "../common/attempt.js";
import { checkCallable } from "../common/callable.js";
import { copyProperties } from "../common/copy-properties.js";
import { decorate } from "../common/decorate.js";
import type { RetryDecorator } from "../decorators.js";
import { IdempotentCall } from "./idempotent-call.js";
import { memoryIdempotencyStore } from "./memory-store.js";
import { type CompiledIdempotency, compile, type IdempotencySettings, type IdempotentOptions } from "./options.js";

/**
 * Wraps `fn` so that it happens once for each key, however often it is called: the first call runs and its result is recorded,
 * a later one gets that result. One that comes while the first runs is refused or waits. A failure frees the key, a crash does
 * when the lease ends. With other arguments under the same key a call rejects with an `IdempotencyMismatchError`. Results are kept
 * as JSON; one that JSON would change is an `IdempotencyRecordError`, and the call does not happen again. Throws a `TypeError` or
 * `RangeError` at once for an option that makes no sense.
 *
 * @example
 * let orders = 0;
 * const order = idempotent(async (item: string, key: string) => `${item}, order ${++orders}`, { key: (_, key) => key });
 * await order("tea", "k1"); // => "tea, order 1"
 * await order("tea", "k1"); // => "tea, order 1"
 * orders; // => 1
 */
export function idempotent<F extends AnyFn>(fn: F, options: IdempotentOptions<F>): Promised<F> {
  return wrap(fn, compile("idempotent", options as IdempotentOptions)) as Promised<F>;
}

/**
 * The same for methods that return a promise, under TC39 standard decorators and `experimentalDecorators` alike.
 *
 * @example
 * class Shop {
 *   orders = 0;
 *   @ Idempotent({ key: (_item: string, key: string) => key })
 *   async order(item: string, key: string) {
 *     return `${item}, order ${++this.orders}`;
 *   }
 * }
 * const shop = new Shop();
 * await shop.order("tea", "k1"); // => "tea, order 1"
 * await shop.order("tea", "k1"); // => "tea, order 1"
 */
export function Idempotent(options: IdempotentOptions<(this: any, ...args: any) => any>): RetryDecorator<any> {
  const compiled = compile("@Idempotent", options);
  return decorate("@Idempotent", "idempotent", (method) => wrap(method as AnyFn, compiled)) as RetryDecorator<any>;
}

function wrap(fn: AnyFn, compiled: CompiledIdempotency): AnyFn {
  checkCallable(compiled.owner, fn);
  const { store = memoryIdempotencyStore({ clock: compiled.clock }) } = compiled;
  const settings: IdempotencySettings = { ...compiled, store };
  const wrapped = function (this: unknown, ...args: unknown[]) {
    return new IdempotentCall(settings, fn, this, args).run();
  };
  copyProperties(fn, wrapped);
  return wrapped;
}
