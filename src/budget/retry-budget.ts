import type { RetryBudget, RetryState } from "../common/attempt.js";
import { kindOf } from "../common/brand.js";
import { type Clock, systemTime } from "../common/clock.js";
import { chainOf, readField } from "../common/inspect.js";
import { checkKey, type Key, LruMap } from "../common/lru-map.js";
import { shareable } from "../common/shareable.js";
import { requireSync } from "../common/thenable.js";
import { mark, READS_ARGS } from "../common/traits.js";
import {
  checkOrder,
  FUNCTION,
  OPTIONS,
  RATIO,
  type Rule,
  readOptions,
  STRING,
  TIME_SOURCE,
  TIMEOUT,
  WHOLE,
} from "../common/validate.js";
import { namedBudget } from "./named-budget.js";

/** The options of `retryBudget`. */
export interface RetryBudgetOptions {
  /**
   * What events call it.
   * @default "retry budget"
   */
  name?: string | undefined;
  /**
   * The most tokens there can be, finite, from 1: a retry costs 1.
   * @default 10
   */
  capacity?: number | undefined;
  /**
   * Tokens to begin with, from 0 to `capacity`.
   * @default capacity
   */
  initial?: number | undefined;
  /**
   * Tokens that a success pays, from 0 to 1: the share of calls that may be retries in the long run.
   * @default 0.2
   */
  perSuccess?: number | undefined;
  /**
   * ms, above 0: the time constant with which tokens above `trickle.upTo` fade, so that what was saved in good times
   * does not burst in bad ones. `Infinity`: they never do.
   * @default 15_000
   */
  fade?: number | undefined;
  /**
   * A token per `every` ms (above 0), but only up to `upTo` (from 0 to `capacity`) and no further: lets a function that
   * is rarely called make every retry of one failed call. `{ upTo: 0 }` turns it off, and then all that is there fades.
   * @default { every: 60_000, upTo: 3 }
   */
  trickle?: { every?: number | undefined; upTo?: number | undefined } | undefined;
  /**
   * Whether the failure that was retried came from overload. A retry that succeeds gets its token back, but not after
   * overload: there the success may be the work of what was not retried.
   * @default an AttemptTimeoutError or TimeoutError, a status of 429 or 503, gRPC's RESOURCE_EXHAUSTED
   */
  isOverload?: ((state: RetryState) => boolean) | undefined;
  /** Monotonic time in ms: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: Pick<Clock, "now"> | undefined;
}

/** The options of `retryBudgets`. */
export interface RetryBudgetsOptions extends RetryBudgetOptions {
  /** Gets the call's arguments and returns what can fail alone: a host, a shard. Keys are compared as in a `Map`. */
  key: (...args: any[]) => Key;
  /**
   * The most budgets that are kept, a whole number from 1. Past it, the one least recently used goes.
   * @default 1_000
   */
  max?: number | undefined;
}

/** A budget for each key. */
export interface RetryBudgets extends RetryBudget {
  /** The budget of one key, made when first asked for. */
  get(key: Key): RetryBudget;
  /** Budgets there are now. */
  readonly size: number;
}

const CAPACITY: Rule = ["a finite number from 1", "number", (tokens) => tokens >= 1 && tokens < Infinity];
const SHARE: Rule = ["a number from 0 to 1", "number", (share) => share >= 0 && share <= 1];
const TRICKLE = { every: TIMEOUT, upTo: RATIO };
const TABLE = {
  capacity: CAPACITY,
  initial: RATIO,
  perSuccess: SHARE,
  fade: TIMEOUT,
  trickle: OPTIONS,
  isOverload: FUNCTION,
  clock: TIME_SOURCE,
  name: STRING,
};

/**
 * A budget paid by successes: one success pays a fifth of a retry, and no more counts than the last 15 s of them. Hand
 * the same budget to everything that calls the same thing, sync and async. Bad input is a `RangeError` or `TypeError`
 * that names the option.
 *
 * **Why a budget.** A server that is down gets every call as many times as a policy has attempts: retries multiply the
 * load at the very moment when it can bear least, and backoff only moves that load to later. A budget bounds it: a retry
 * costs a token, and successes pay tokens. So a few failures among many successes are all retried, and where nothing
 * succeeds there is soon nothing to retry with. A budget that requests pay, or that has a floor per second, pays on
 * while the server is down, and that is enough to keep it down.
 *
 * **One for each thing that can fail alone** (a host, a shard, a partition): `retryBudgets`. In a shared one the healthy
 * ones pay for hammering the dead one.
 *
 * No clock is read when a call succeeds: n successes are counted, and folded in when a retry asks, d ms after the last
 * time, as if they had come evenly: `perSuccess · n · fade/d · (1 - e^(-d/fade))`. What lies above `trickle.upTo` is
 * multiplied by `e^(-d/fade)`.
 *
 * @example
 * const budget = retryBudget({ capacity: 3 });
 * await retry(flaky([new Error("busy"), "ok"]), { wait: waitNone, budget })(); // => "ok"
 * budget.balance; // => 3
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  return namedBudget(makeBudget(settingsOf("retryBudget", readOptions("retryBudget", options, TABLE))));
}

/**
 * A budget for each thing that can fail alone, which `key` names from a call's arguments (which `runWithRetry` has none of).
 * `balance` is the sum of all. Takes the options of `retryBudget`, and refuses bad input as it does.
 *
 * @example
 * const budget = retryBudgets({ key: (shard) => shard });
 * const load = retry(async (shard: string, id: number) => `${shard}/${id}`, { budget });
 * await load("eu", 1); // => "eu/1"
 * budget.size; // => 1
 */
export function retryBudgets(options: RetryBudgetsOptions): RetryBudgets {
  const given = readOptions("retryBudgets", options, { ...TABLE, key: FUNCTION, max: WHOLE }, ["key"]);
  const { key, max = 1_000 } = given;
  const settings = settingsOf("retryBudgets", given);
  const budgets = new LruMap(max, () => makeBudget(settings));
  const budgetOf = (args: readonly unknown[] = []) => budgets.get(checkKey("retryBudgets", key(...args)));
  // A refund of a call that was aborted asks no `key` again: it goes where the tokens came from.
  const asked = new WeakMap<RetryState, RetryBudget>();
  const all: RetryBudgets = {
    name: settings.name,
    acquire(state) {
      const budget = budgetOf(state.args);
      asked.set(state, budget);
      return budget.acquire(state);
    },
    recordSuccess: (taken, after, args = after?.args) => budgetOf(args).recordSuccess(taken, after, args),
    refund: (taken, state) => ((state && asked.get(state)) ?? budgetOf(state?.args)).refund(taken, state),
    get: (wanted) => budgets.get(checkKey("retryBudgets", wanted)),
    get size() {
      return budgets.size;
    },
    get balance() {
      let sum = 0;
      for (const [, each] of budgets.entries()) sum += each.balance ?? 0;
      return sum;
    },
  };
  return namedBudget(shareable(mark(all, READS_ARGS), budgets));
}

/** Returns the ms since it was last called (or made): 0 where the clock went back or returned no number. */
export function stopwatch(clock: Pick<Clock, "now">): () => number {
  let last = clock.now();
  return () => {
    const now = clock.now();
    const passed = now - last;
    last = now;
    if (passed > 0) return passed;
    return 0;
  };
}

/** The HTTP status that an error carries, in the places where clients put it. */
export function statusOf(error: unknown): unknown {
  return (
    readField(error, "status") ??
    readField(error, "statusCode") ??
    readField(readField(error, "response"), "status") ??
    readField(readField(error, "$metadata"), "httpStatusCode")
  );
}

interface BudgetSettings {
  readonly name: string | undefined;
  readonly capacity: number;
  readonly initial: number;
  readonly perSuccess: number;
  readonly fade: number;
  readonly every: number;
  readonly floor: number;
  readonly isOverload: (state: RetryState) => boolean;
  readonly clock: Pick<Clock, "now">;
}

function settingsOf(owner: string, given: RetryBudgetOptions): BudgetSettings {
  const { capacity = 10, initial = capacity, perSuccess = 0.2, fade = 15_000, trickle = {} } = given;
  const { name, isOverload = isOverloadError, clock = systemTime } = given;
  const { every = 60_000, upTo = Math.min(3, capacity) } = readOptions(`${owner}.trickle`, trickle, TRICKLE);
  checkOrder(owner, "initial", initial, "capacity", capacity);
  checkOrder(owner, "trickle.upTo", upTo, "capacity", capacity);
  return { name, capacity, initial, perSuccess, fade, every, floor: upTo, isOverload, clock };
}

function makeBudget(settings: BudgetSettings): RetryBudget {
  const { name, capacity, initial, perSuccess, fade, every, floor, isOverload, clock } = settings;
  const passed = stopwatch(clock);
  let tokens = initial;
  let successes = 0;

  const add = (more: number) => {
    tokens = Math.min(capacity, tokens + more);
  };

  const fold = () => {
    const ms = passed();
    const lives = ms / fade;
    // expm1, since 1 - e^(-x) has no digits left where x is small.
    const faded = -Math.expm1(-lives);
    tokens = tokens > floor ? Math.max(floor, tokens - (tokens - floor) * faded) : Math.min(floor, tokens + ms / every);
    add(perSuccess * successes * (lives > 0 ? faded / lives : 1));
    successes = 0;
  };

  const budget: RetryBudget = {
    name,
    acquire() {
      fold();
      if (tokens < 1) return 0;
      tokens -= 1;
      return 1;
    },
    recordSuccess(taken, after) {
      successes++;
      if (taken > 0 && !(after && requireSync("isOverload", isOverload(after)))) add(taken);
    },
    refund: add,
    get balance() {
      fold();
      return tokens;
    },
  };
  const drain = (to: number) => {
    fold();
    tokens = Math.min(tokens, to);
  };
  return shareable(mark(budget, 0), { ...settings, drain });
}

const OVERLOAD_CODES: readonly unknown[] = ["RESOURCE_EXHAUSTED", 8];
const OVERLOAD_STATUSES: readonly unknown[] = [429, 503, "RESOURCE_EXHAUSTED"];

function isOverloadError({ outcome }: RetryState): boolean {
  return !outcome.ok && chainOf(outcome.error).some(showsOverload);
}

function showsOverload(error: unknown): boolean {
  return (
    readField(error, "name") === "TimeoutError" ||
    kindOf(error) === "ERR_ATTEMPT_TIMEOUT" ||
    OVERLOAD_CODES.includes(readField(error, "code")) ||
    OVERLOAD_STATUSES.includes(statusOf(error))
  );
}
