import type { AnyFn } from "../common/attempt.js";
import type { HookOwner } from "../common/call-hook.js";
import { type Clock, systemClock } from "../common/clock.js";
import { FUNCTION, hasMethods, type Rule, readOptions } from "../common/validate.js";
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
export interface IdempotencySettings extends HookOwner {
  readonly owner: string;
  readonly key: AnyFn;
  readonly fingerprint: AnyFn | undefined;
  readonly store: IdempotencyStore;
  readonly lease: number;
  readonly keep: number;
  readonly waits: boolean;
  readonly clock: Clock;
}

/** Options, checked; a function that is given no store gets one of its own. */
export type CompiledIdempotency = Omit<IdempotencySettings, "store"> & { readonly store: IdempotencyStore | undefined };

/** Checks options and fills in the defaults. */
export function compile(owner: string, options: IdempotentOptions): CompiledIdempotency {
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
