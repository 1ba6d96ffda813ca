import type { AnyFn, Promised } from "../attempt.js";
import type { HookOwner } from "../call-hook.js";
import { type Clock, systemClock } from "../clock.js";
import { decorate } from "../decorate.js";
import type { RetryDecorator } from "../decorators.js";
import { checkCallable, dressAs } from "../target.js";
import { FUNCTION, hasMethods, type Rule, readOptions } from "../validate.js";
import { IdempotentCall } from "./idempotent-call.js";
import { memoryIdempotencyStore } from "./memory-store.js";
import type { IdempotencyStore } from "./store.js";

/** The options of `idempotent` and `@Idempotent`. */
export interface IdempotentOptions<F extends AnyFn = AnyFn> {
  /** The key of a call, from its `this` and arguments: a string that is not empty, the same for all tries of one wish. */
  key: (this: ThisParameterType<F>, ...args: Parameters<F>) => string;
  /**
   * Where keys and results are kept.
   * @default memoryIdempotencyStore(), one for this function
   */
  store?: IdempotencyStore | undefined;
  /**
   * ms, above 0, for which a key is held without a sign of life. A running call renews it; after a crash the key is free when it
   * ends.
   * @default 60_000
   */
  lease?: number | undefined;
  /**
   * ms, above 0, for which a result is kept.
   * @default a day
   */
  keep?: number | undefined;
  /**
   * What the call asks for, as a text: another text under the same key is an `IdempotencyMismatchError`. Only a hash of it is kept.
   * @default the arguments as JSON
   */
  fingerprint?: ((this: ThisParameterType<F>, ...args: Parameters<F>) => string) | undefined;
  /**
   * What becomes of a call while another one with its key is running: `"refuse"` it with an `IdempotencyInFlightError`, or let it
   * `"wait"` for the other's result.
   * @default "refuse"
   */
  inFlight?: "refuse" | "wait" | undefined;
  /**
   * Told what went wrong beside the call: a lease that could not be renewed, a key that could not be freed.
   * @default a process warning (`console.warn` elsewhere), once
   */
  onStoreError?: ((error: unknown) => void) | undefined;
  /** Time: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: Clock | undefined;
}

const STORE: Rule = [
  "an IdempotencyStore",
  "object",
  /* @__PURE__ */ hasMethods("claim", "renew", "record", "release"),
];
// A server refuses more, and would do so only when it is to keep a result.
const KEPT: Rule = [
  "a number of ms above 0, at most Number.MAX_SAFE_INTEGER",
  "number",
  (ms) => ms > 0 && ms <= Number.MAX_SAFE_INTEGER,
];
const IN_FLIGHT: Rule = ['"refuse" or "wait"', "string", (what) => what === "refuse" || what === "wait"];
const TABLE = {
  key: FUNCTION,
  store: STORE,
  lease: KEPT,
  keep: KEPT,
  fingerprint: FUNCTION,
  inFlight: IN_FLIGHT,
  onStoreError: FUNCTION,
  clock: ["a Clock", "object", /* @__PURE__ */ hasMethods("now", "setTimer")] as Rule,
};

/** Options, checked and filled. */
export interface Settings extends HookOwner {
  readonly owner: string;
  readonly key: AnyFn;
  readonly fingerprint: AnyFn | undefined;
  readonly store: IdempotencyStore;
  readonly lease: number;
  readonly keep: number;
  readonly waits: boolean;
  readonly clock: Clock;
}

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

/** Options, checked; a function that is given no store gets one of its own. */
type Compiled = Omit<Settings, "store"> & { readonly store: IdempotencyStore | undefined };

function compile(owner: string, options: IdempotentOptions): Compiled {
  const given = readOptions(owner, options, TABLE, ["key"]);
  return {
    owner,
    key: given.key,
    fingerprint: given.fingerprint,
    store: given.store,
    lease: given.lease ?? 60_000,
    keep: given.keep ?? 86_400_000,
    waits: given.inFlight === "wait",
    clock: given.clock ?? systemClock,
    kind: { sync: false },
    onHookError: given.onStoreError,
  };
}

function wrap(fn: AnyFn, compiled: Compiled): AnyFn {
  checkCallable(compiled.owner, fn);
  const { store = memoryIdempotencyStore({ clock: compiled.clock }) } = compiled;
  const settings: Settings = { ...compiled, store };
  const wrapped = function (this: unknown, ...args: unknown[]) {
    return new IdempotentCall(settings, fn, this, args).run();
  };
  dressAs(fn, wrapped);
  return wrapped;
}
