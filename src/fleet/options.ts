import type { FleetStats } from "../circuit/options.js";
import { type Clock, systemClock } from "../common/clock.js";
import type { SharedPauses } from "../common/pause.js";
import { FUNCTION, hasMethods, RATIO, type Rule, readOptions, SPAN, TIME, WHOLE } from "../common/validate.js";

/** The options of a fleet. */
export interface FleetOptions {
  /** What all processes of the fleet call it: 1 to 100 letters, digits, `.`, `_`, `-` and `:`. */
  name: string;
  /**
   * ms after which what is known of the fleet is too old: a call then asks first. For processes that sleep between calls
   * and have no subscription.
   * @default Infinity
   */
  askAfter?: number | undefined;
  /**
   * ms between two reports of a guard.
   * @default 100
   */
  every?: number | undefined;
  /**
   * ms that a call which would else be refused waits for the store at least; where answers take longer, three times as
   * long as they do, up to 250.
   * @default 50
   */
  patience?: number | undefined;
  /**
   * Exchanges a second of the whole fleet at most: above that, processes report less often, and then a sample.
   * @default 2_000
   */
  maxExchanges?: number | undefined;
  /** Called when the store does not answer: the guards are each process's own then. */
  onStoreLost?: ((lost: StoreLost) => unknown) | undefined;
  /** Called when it answers again. */
  onStoreBack?: (() => unknown) | undefined;
  /** Receives what hooks throw or reject with, and what is wrong in the fleet (a breaker whose options differ). By default a warning. */
  onHookError?: ((error: unknown) => void) | undefined;
  /** Time: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: Clock | undefined;
  /**
   * The source of randomness, in [0, 1).
   * @default Math.random
   */
  random?: (() => number) | undefined;
}

export interface StoreLost {
  /** The guard that noticed. */
  readonly key: string;
  /** What the store said, or that it said nothing. */
  readonly error: unknown;
}

/** How one guard is shared. */
export interface ShareOptions {
  /** What every process calls this guard: up to 200 characters. Of a guard for each key, what comes before the key. */
  key?: string | undefined;
  /**
   * Of a budget: the most tokens are what succeeds in so many seconds, or its `capacity` where that is more.
   * @default 1
   */
  capacitySeconds?: number | undefined;
}

/** A request as `key` sees it where nothing says which client's it is. */
export interface LimitedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: { get(name: string): unknown; has(name: string): boolean };
}

/** How the pauses of a fleet are told apart. */
export interface PausesOptions<Q = LimitedRequest> {
  /**
   * What a limit is counted by: origin and credential, as one string that is not empty. Requests with the same key pause
   * together. Asked once for each call, about the request as its caller made it, before `authorize` and `prepare`. Only a hash
   * of it leaves the process.
   */
  key: (request: Q) => string;
}

/** Pauses that a fleet shares: what `pauseOrigin` of an HTTP client takes. */
export interface FleetPauses<Q = LimitedRequest> extends SharedPauses<Q> {
  readonly stats: { readonly fleet: FleetStats };
}

const NAME: Rule = [
  "1 to 100 letters, digits, '.', '_', '-' and ':'",
  "string",
  (name) => /^[\w.:-]{1,100}$/.test(name),
];
const KEY: Rule = [
  "a well-formed string of 1 to 200 characters",
  "string",
  (key) => key.length > 0 && key.length <= 200 && isWellFormed(key),
];
const UNTIL: Rule = ["a number of ms from 0", "number", (ms) => ms >= 0];
const CLOCK: Rule = [
  "an object with the methods now and setTimer",
  "object",
  /* @__PURE__ */ hasMethods("now", "setTimer"),
];

const TABLE: Record<string, Rule> = {
  name: NAME,
  askAfter: UNTIL,
  every: SPAN,
  patience: TIME,
  maxExchanges: WHOLE,
  onStoreLost: FUNCTION,
  onStoreBack: FUNCTION,
  onHookError: FUNCTION,
  clock: CLOCK,
  random: FUNCTION,
};

/** A fleet's options, checked and filled; `more`: what else its transport takes. */
export function readFleetOptions<O extends FleetOptions>(owner: string, options: O, more: Record<string, Rule> = {}) {
  const given = readOptions(owner, options, { ...TABLE, ...more }, ["name"]);
  const { askAfter = Infinity, every = 100, patience = 50, maxExchanges = 2_000 } = given;
  const { clock = systemClock, random = Math.random } = given;
  return { ...given, askAfter, every, patience, maxExchanges, clock, random };
}

/** How the guard that is shared takes its options. */
export function readShareOptions(options: ShareOptions, { keyed, isBudget }: { keyed: boolean; isBudget: boolean }) {
  const rules = { key: KEY, capacitySeconds: RATIO };
  const given: ShareOptions = readOptions("fleet.share", options, rules, keyed ? [] : ["key"]);
  if (isBudget || given.capacitySeconds === undefined) return given;
  throw new TypeError(
    `fleet.share: capacitySeconds must be given with a retryBudget or retryBudgets alone, got ${given.capacitySeconds}`,
  );
}

/** Whether a string is one in every encoding: half a pair of surrogates is none. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

export function readPausesOptions<Q>(options: PausesOptions<Q>): PausesOptions<Q> {
  return readOptions("fleet.pauses", options, { key: FUNCTION }, ["key"]);
}
