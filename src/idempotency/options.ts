import type { AnyFn } from "../common/attempt.js";
import type { HookOwner } from "../common/call-hook.js";
import { type Clock, systemClock } from "../common/clock.js";
import { check, FUNCTION, hasMethods, type Rule, readOptions } from "../common/validate.js";
import type { Codec } from "./record.js";
import type { RunTimes } from "./run-times.js";
import type { IdempotencyStore } from "./store.js";

/** What a failure means for its key: it is free again, it is held undecided, or the failure is the result. */
export type FailureMeaning = "free" | "hold" | "record";

/** What `wasDone` found out: it was done, with this result; it was not; or it is still unknown. */
export type WasDone<T> = { readonly value: T } | false | undefined;

/** A result that was on record, as `onReplay` hears of it. */
export interface Replay {
  /** The option `name`, or the function's own name. */
  readonly name: string;
  readonly key: string;
  /** When it was recorded, in epoch ms. */
  readonly at: number;
}

/** The options of `idempotent` and `@Idempotent`. */
export interface IdempotentOptions<F extends AnyFn = AnyFn> {
  /** The key of a call, from its `this` and arguments: a string that is not empty, the same for all tries of one wish. */
  key: (this: ThisParameterType<F>, ...args: Parameters<F>) => string;
  /**
   * What the function's records belong to, so that two functions with the same keys share none: 1 to 64 letters, digits, `_`, `.` or
   * `-`. Needed where there is a `store`. The store's keys begin with it: another name finds no earlier record.
   */
  name?: string | undefined;
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
   * ms, above 0, for which a result is kept, and for which a key stays undecided.
   * @default a day
   */
  keep?: number | undefined;
  /**
   * ms, above 0, after which a call is waited for no longer: its key becomes undecided, and it rejects with an
   * `IdempotencyTimeoutError`. What it ends in later is recorded unless somebody has decided.
   * @default no bound
   */
  maxRun?: number | undefined;
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
   * ms, above 0, for which a call waits for another one before it is refused.
   * @default `lease`
   */
  maxWait?: number | undefined;
  /**
   * What a failure means: `"free"` (nothing has happened: the next call runs), `"hold"` (it may have happened: the key is undecided),
   * `"record"` (later calls meet the same failure). What it throws means `"hold"`. Not asked about a `TryAgainError`, which frees.
   * @default "hold" where the effect may have happened (a lost connection, a timeout, an abort), else "free"
   */
  onFailure?: ((error: unknown) => FailureMeaning) | undefined;
  /**
   * Finds out whether an undecided call was done, when another one with its key comes: `{ value }` is then its result, `false` means
   * that it was not, and the call runs; `undefined` leaves it undecided.
   */
  wasDone?:
    | ((
        this: ThisParameterType<F>,
        key: string,
        ...args: Parameters<F>
      ) => WasDone<Awaited<ReturnType<F>>> | Promise<WasDone<Awaited<ReturnType<F>>>>)
    | undefined;
  /**
   * Makes a text of a result, where JSON with dates, bigints and bytes is not enough. Needs `deserialize`.
   */
  serialize?: ((value: Awaited<ReturnType<F>>) => string) | undefined;
  /** Makes the result of what `serialize` returned. Needs `serialize`. */
  deserialize?: ((text: string) => Awaited<ReturnType<F>>) | undefined;
  /** Told of each result or failure that a call gets from the store. A promise is waited for. */
  onReplay?: ((replay: Replay) => void | Promise<void>) | undefined;
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
const NAME: Rule = ['1 to 64 letters, digits, "_", "." or "-"', "string", (name) => /^[\w.-]{1,64}$/.test(name)];
const TABLE = {
  key: FUNCTION,
  name: NAME,
  store: STORE,
  lease: KEPT,
  keep: KEPT,
  maxRun: KEPT,
  fingerprint: FUNCTION,
  inFlight: IN_FLIGHT,
  maxWait: KEPT,
  onFailure: FUNCTION,
  wasDone: FUNCTION,
  serialize: FUNCTION,
  deserialize: FUNCTION,
  onReplay: FUNCTION,
  onStoreError: FUNCTION,
  clock: ["a Clock", "object", /* @__PURE__ */ hasMethods("now", "setTimer")] as Rule,
};

/** Options, checked and filled. */
export interface IdempotencySettings extends HookOwner {
  readonly owner: string;
  readonly key: AnyFn;
  readonly name: string | undefined;
  readonly fingerprint: AnyFn | undefined;
  readonly store: IdempotencyStore;
  readonly lease: number;
  readonly keep: number;
  readonly maxRun: number | undefined;
  readonly waits: boolean;
  readonly maxWait: number;
  readonly onFailure: ((error: unknown) => unknown) | undefined;
  readonly wasDone: AnyFn | undefined;
  readonly codec: Codec | undefined;
  readonly onReplay: ((replay: Replay) => unknown) | undefined;
  readonly clock: Clock;
  /** How long the function has taken lately. */
  readonly times: RunTimes;
}

/** Options, checked; a function that is given no store gets one of its own. */
export type CompiledIdempotency = Omit<IdempotencySettings, "store" | "times"> & {
  readonly store: IdempotencyStore | undefined;
};

/** Checks options and fills in the defaults. */
export function compile(owner: string, options: IdempotentOptions): CompiledIdempotency {
  const given = readOptions(owner, options, TABLE, ["key"]);
  const { serialize, deserialize, lease = 60_000 } = given;
  if (given.store) {
    const [allowed, type, test] = NAME;
    const why = "where there is a store: it keeps one function's records from another's";
    check(owner, "name", given.name, [`${allowed} ${why}`, type, test!]);
  }
  if (serialize || deserialize) {
    check(owner, "serialize", serialize, FUNCTION);
    check(owner, "deserialize", deserialize, FUNCTION);
  }
  return {
    owner,
    key: given.key,
    name: given.name,
    fingerprint: given.fingerprint,
    store: given.store,
    lease,
    keep: given.keep ?? 86_400_000,
    maxRun: given.maxRun,
    waits: given.inFlight === "wait",
    maxWait: given.maxWait ?? lease,
    onFailure: given.onFailure,
    wasDone: given.wasDone as AnyFn | undefined,
    codec: serialize && deserialize && { serialize, deserialize },
    onReplay: given.onReplay,
    clock: given.clock ?? systemClock,
    kind: { sync: "" },
    onHookError: given.onStoreError,
  };
}
