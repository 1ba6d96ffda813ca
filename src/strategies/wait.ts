import type { RetryState, Wait } from "../common/attempt.js";
import { capped, hinted } from "../common/observed.js";
import { mark, traitsOf, traitsOfAll } from "../common/traits.js";
import { check, checkAll, checkOrder, FACTOR, FINITE, FUNCTION, RATIO, readOptions, TIME } from "../common/validate.js";

const A_DAY = 86_400_000;

/**
 * Does not wait.
 *
 * @example
 * waitNone(retryState({ attempt: 7 })); // => 0
 */
export const waitNone: Wait = /* @__PURE__ */ mark(() => 0, 0);

/**
 * Waits `ms` each time (finite, from 0, else `RangeError`).
 *
 * @example
 * waitFixed(200)(retryState({ attempt: 7 })); // => 200
 */
export function waitFixed(ms: number): Wait {
  check("waitFixed", "ms", ms, TIME);
  return mark<Wait>(() => ms, 0);
}

/**
 * Waits a random time between `min` and `max` ms (finite, from 0, in order, else `RangeError`).
 *
 * @example
 * waitRandom(100, 300)(retryState({ random: () => 0.5 })); // => 200
 */
export function waitRandom(min: number, max: number): Wait {
  check("waitRandom", "min", min, TIME);
  check("waitRandom", "max", max, TIME);
  checkOrder("waitRandom", "min", min, "max", max);
  return mark<Wait>((state) => between(state, min, max), 0);
}

/**
 * Waits `start + increment · (n - 1)` ms, kept within 0 and `max` (default a day). `increment` may be negative;
 * all are finite, else `RangeError`.
 *
 * @example
 * waitIncrementing({ start: 100, increment: 50 })(retryState({ attempt: 3 })); // => 200
 */
export function waitIncrementing(options: { start: number; increment: number; max?: number | undefined }): Wait {
  const {
    start,
    increment,
    max = A_DAY,
  } = readOptions("waitIncrementing", options, { start: TIME, increment: FINITE, max: TIME }, ["start", "increment"]);
  return mark<Wait>((state) => Math.max(0, capped(state, start + increment * (state.attempt - 1), max)), 0);
}

/** The ms of an exponential backoff; each option is finite and not negative, `factor` (default 2) at least 1. */
export interface ExponentialOptions {
  /** ms before the second attempt. */
  base: number;
  /**
   * What each delay is multiplied with for the next.
   * @default 2
   */
  factor?: number | undefined;
  /**
   * ms that no delay exceeds.
   * @default a day
   */
  max?: number | undefined;
  /**
   * ms that no delay undercuts; not above `max`.
   * @default 0
   */
  min?: number | undefined;
}

const EXPONENTIAL = { base: TIME, factor: FACTOR, max: TIME, min: TIME };

/**
 * Waits `base · factor^(n - 1)` ms, kept within `min` and `max`.
 *
 * For a single client. Many clients that failed together come back together: give them `waitFullJitter`.
 *
 * @example
 * waitExponential({ base: 100, max: 5_000 })(retryState({ attempt: 4 })); // => 800
 */
export function waitExponential(options: ExponentialOptions): Wait {
  const exponential = exponentialOf(readExponential("waitExponential", options));
  return mark<Wait>((state) => exponential(state), 0);
}

/**
 * Waits `base` times 1, 1, 2, 3, 5, … ms, up to `max` (default a day; both finite, from 0, else `RangeError`): grows more
 * gently than `waitExponential`.
 *
 * @example
 * waitFibonacci({ base: 100 })(retryState({ attempt: 5 })); // => 500
 */
export function waitFibonacci(options: { base: number; max?: number | undefined }): Wait {
  const { base, max = A_DAY } = readOptions("waitFibonacci", options, { base: TIME, max: TIME }, ["base"]);
  return mark<Wait>((state) => {
    let [previous, current] = [0, 1];
    for (let n = 1; n < state.attempt && 0 < base * current && base * current < max; n++) {
      [previous, current] = [current, previous + current];
    }
    return capped(state, base * current, max);
  }, 0);
}

/**
 * Waits a random time between `min` and what `waitExponential` would: spreads clients best, with the least work in all
 * (AWS, "Exponential Backoff And Jitter"). The default choice.
 *
 * @example
 * waitFullJitter({ base: 100, max: 5_000 })(retryState({ attempt: 4, random: () => 0.5 })); // => 400
 */
export function waitFullJitter(options: ExponentialOptions): Wait {
  const given = readExponential("waitFullJitter", options);
  return fullJitter(given);
}

/** `waitFullJitter`, unchecked. */
export function fullJitter(options: ExponentialOptions): Wait {
  const exponential = exponentialOf(options);
  const { min = 0 } = options;
  return mark<Wait>((state) => between(state, min, exponential(state)), 0);
}

/**
 * Waits half of what `waitExponential` would and a random share of the other half (AWS's "equal jitter"): for when a
 * retry that comes nearly at once is of no use.
 *
 * @example
 * waitEqualJitter({ base: 100, max: 5_000 })(retryState({ attempt: 4, random: () => 0.5 })); // => 600
 */
export function waitEqualJitter(options: Omit<ExponentialOptions, "min">): Wait {
  const { min: _, ...table } = EXPONENTIAL;
  const exponential = exponentialOf(readOptions("waitEqualJitter", options, table, ["base"]));
  return mark<Wait>((state) => {
    const most = exponential(state);
    return between(state, most / 2, most);
  }, 0);
}

/**
 * Waits a random time between `base` and three times the previous delay, up to `max` (default a day).
 *
 * AWS, where the formula comes from, clamps the *sample* to `max`, which leaves 48 % of clients sleeping exactly the
 * cap, in step again. Here the *window* is clamped.
 *
 * @example
 * waitDecorrelatedJitter({ base: 100, max: 250 })(retryState({ previousDelay: 100, random: () => 0.5 })); // => 175
 */
export function waitDecorrelatedJitter(options: { base: number; max?: number | undefined }): Wait {
  const { base, max = A_DAY } = readOptions("waitDecorrelatedJitter", options, { base: TIME, max: TIME }, ["base"]);
  checkOrder("waitDecorrelatedJitter", "base", base, "max", max);
  return mark<Wait>((state) => between(state, base, capped(state, 3 * Math.max(base, state.previousDelay), max)), 0);
}

/**
 * Waits what `wait` says times a random factor between `from` and `to` (finite, from 0, in order), the window clamped
 * to `max` ms.
 *
 * @example
 * waitJittered(waitFixed(1_000), { from: 0.8, to: 1.2 })(retryState({ random: () => 0.5 })); // => 1000
 */
export function waitJittered(wait: Wait, options: { from: number; to: number; max?: number | undefined }): Wait {
  check("waitJittered", "wait", wait, FUNCTION);
  const {
    from,
    to,
    max = A_DAY,
  } = readOptions("waitJittered", options, { from: RATIO, to: RATIO, max: TIME }, ["from", "to"]);
  checkOrder("waitJittered", "from", from, "to", to);
  return mark<Wait>((state) => {
    const ms = wait(state);
    return between(state, Math.min(max, from * ms), Math.min(max, to * ms));
  }, traitsOf(wait));
}

/**
 * Waits what the n-th of `waits` says after the n-th attempt; the last one repeats.
 *
 * @example
 * waitChain(waitNone, waitFixed(50), waitFixed(500))(retryState({ attempt: 9 })); // => 500
 */
export function waitChain(...waits: readonly Wait[]): Wait {
  checkAll("waitChain", waits);
  return mark<Wait>((state) => waits[Math.min(state.attempt, waits.length) - 1]!(state), traitsOfAll(waits));
}

/**
 * Waits the sum of what `waits` say.
 *
 * @example
 * waitSum(waitFixed(100), waitRandom(0, 50))(retryState({ random: () => 0.5 })); // => 125
 */
export function waitSum(...waits: readonly Wait[]): Wait {
  checkAll("waitSum", waits);
  return mark<Wait>((state) => waits.reduce((sum, wait) => sum + wait(state), 0), traitsOfAll(waits));
}

/**
 * Waits the longest that `waits` say.
 *
 * @example
 * waitMax(waitFixed(100), waitFixed(250))(retryState({})); // => 250
 */
export function waitMax(...waits: readonly Wait[]): Wait {
  checkAll("waitMax", waits);
  return mark<Wait>((state) => Math.max(...waits.map((wait) => wait(state))), traitsOfAll(waits));
}

/**
 * Waits the shortest that `waits` say.
 *
 * @example
 * waitMin(waitExponential({ base: 100 }), waitFixed(250))(retryState({ attempt: 9 })); // => 250
 */
export function waitMin(...waits: readonly Wait[]): Wait {
  checkAll("waitMin", waits);
  return mark<Wait>((state) => Math.min(...waits.map((wait) => wait(state))), traitsOfAll(waits));
}

/**
 * Waits the ms that `read` finds in the error, and `otherwise` where it finds no number (or NaN) or where the attempt
 * returned a value: for servers that say when to come back.
 *
 * @example
 * const wait = waitFromError((error) => (error as { retryAfter?: number }).retryAfter, waitFixed(500));
 * wait(retryState({ outcome: { ok: false, error: { retryAfter: 3_000 } } })); // => 3000
 */
export function waitFromError(read: (error: unknown) => unknown, otherwise: Wait): Wait {
  check("waitFromError", "read", read, FUNCTION);
  check("waitFromError", "otherwise", otherwise, FUNCTION);
  return mark<Wait>((state) => {
    const ms = state.outcome.ok ? undefined : read(state.outcome.error);
    return isNumber(ms) ? hinted(state, ms) : otherwise(state);
  }, traitsOf(otherwise));
}

/**
 * Waits the ms that `read` finds in the returned value, and `otherwise` where it finds no number (or NaN) or where the
 * attempt failed.
 *
 * @example
 * const wait = waitFromResult((job: { pollAfter?: number }) => job.pollAfter, waitFixed(500));
 * wait(retryState({ outcome: { ok: true, value: { pollAfter: 50 } } })); // => 50
 */
export function waitFromResult<T = any>(read: (value: T) => unknown, otherwise: Wait): Wait {
  check("waitFromResult", "read", read, FUNCTION);
  check("waitFromResult", "otherwise", otherwise, FUNCTION);
  return mark<Wait>((state) => {
    const ms = state.outcome.ok ? read(state.outcome.value) : undefined;
    return isNumber(ms) ? hinted(state, ms) : otherwise(state);
  }, traitsOf(otherwise));
}

function readExponential(owner: string, options: ExponentialOptions): ExponentialOptions {
  const given = readOptions(owner, options, EXPONENTIAL, ["base"]);
  const { max = A_DAY, min = 0 } = given;
  checkOrder(owner, "min", min, "max", max);
  return given;
}

// The power overflows to Infinity, which the cap takes in; only 0 · Infinity would be NaN.
function exponentialOf({ base, factor = 2, max = A_DAY, min = 0 }: ExponentialOptions): Wait {
  return (state) => Math.max(min, base === 0 ? 0 : capped(state, base * factor ** (state.attempt - 1), max));
}

function between(state: RetryState, low: number, high: number): number {
  return low + state.random() * (high - low);
}

function isNumber(ms: unknown): ms is number {
  return typeof ms === "number" && !Number.isNaN(ms);
}
