import type { AnyFn, Promised } from "../common/attempt.js";
import { checkCallable } from "../common/callable.js";
import { copyProperties } from "../common/copy-properties.js";
import { decorate } from "../common/decorate.js";
import type { RetryDecorator } from "../decorators.js";
import { callOnce } from "./call-once.js";
import { type IdempotencyKeys, keysOf } from "./keys.js";
import { memoryIdempotencyStore } from "./memory-store.js";
import { type CompiledIdempotency, compile, type IdempotencySettings, type IdempotentOptions } from "./options.js";
import { RunTimes } from "./run-times.js";

/** An idempotent function: as the one that it was made of, and with what it can do with its keys. */
export type IdempotentFunction<F extends AnyFn> = Promised<F> & IdempotencyKeys<Awaited<ReturnType<F>>>;

/**
 * Wraps `fn` so that calls with one key run once: the first call runs and its result is recorded, a later one gets that result. One
 * that comes while the first runs is refused or waits. After a failure that shows that nothing has happened the key is free, after one
 * that leaves it open (a lost connection, a timeout) it is undecided, and later calls reject with an `IdempotencyUndecidedError`. After
 * a crash the key is free when the lease ends. With other arguments under the same key a call rejects with an
 * `IdempotencyMismatchError`. Results are kept as JSON with dates, bigints and bytes; one that would be changed is an
 * `IdempotencyRecordError`, and the call does not happen again. Throws a `TypeError` or `RangeError` at once for an option that makes
 * no sense.
 *
 * @example
 * let orders = 0;
 * const order = idempotent(async (item: string, key: string) => `${item}, order ${++orders}`, { key: (_, key) => key });
 * await order("tea", "k1"); // => "tea, order 1"
 * await order("tea", "k1"); // => "tea, order 1"
 * orders; // => 1
 */
export function idempotent<F extends AnyFn>(fn: F, options: IdempotentOptions<F>): IdempotentFunction<F> {
  return wrap(fn, compile("idempotent", options as IdempotentOptions)) as IdempotentFunction<F>;
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
  const settings: IdempotencySettings = { ...compiled, store, times: new RunTimes() };
  const wrapped = function (this: unknown, ...args: unknown[]) {
    return callOnce(settings, fn, this, args);
  };
  copyProperties(fn, wrapped);
  return Object.assign(wrapped, keysOf(settings));
}
