import type { AnyFn, Promised } from "../common/attempt.js";
import { checkCallable } from "../common/callable.js";
import { type Clock, systemClock } from "../common/clock.js";
import { copyProperties } from "../common/copy-properties.js";
import { check, checkOrder, FUNCTION, hasMethods, type Rule, readOptions, TIME } from "../common/validate.js";
import { play } from "./play.js";

/** The options of `chaos`. */
export interface ChaosOptions {
  /** The share of calls that fail, from 0 to 1. */
  rate: number;
  /**
   * What takes the place of a call that fails, one of them at random, each an entry as in `flaky`: an `Error` is thrown, a
   * function is called with the call's arguments, and so on. A function makes a new error, or a new `Response`, each time.
   * @default a new Error("chaos")
   */
  errors?: readonly unknown[] | undefined;
  /**
   * ms that each call takes longer, also one that fails, or the least and the most of them.
   * @default 0
   */
  latency?: number | readonly [least: number, most: number] | undefined;
  /**
   * The source of randomness, in [0, 1): `seededRandom(1)` plays the same failures each time.
   * @default Math.random
   */
  random?: (() => number) | undefined;
  /** The timers of `latency`: `virtualClock()` in tests. */
  clock?: Pick<Clock, "setTimer"> | undefined;
}

const SHARE: Rule = ["a number from 0 to 1", "number", (share) => share >= 0 && share <= 1];
const RULES: Record<string, Rule> = {
  rate: SHARE,
  errors: ["an array with at least one entry", "object", (entries) => Array.isArray(entries) && entries.length > 0],
  latency: ["a finite number of ms from 0, or two of them", "any", (ms) => Array.isArray(ms) || typeof ms === "number"],
  random: FUNCTION,
  clock: ["an object with a method setTimer", "object", /* @__PURE__ */ hasMethods("setTimer")],
};

/**
 * Makes trouble on purpose: wraps an async function, or a fetch, so that a share of its calls fails or is slow, and one can
 * see what a policy makes of it. A call that fails is not made. Throws a `RangeError` or `TypeError` that names the option
 * for bad input.
 *
 * @example
 * const disturbed = chaos({ rate: 0.5, random: seededRandom(1) });
 * const load = retry(disturbed(async (id: string) => id), { wait: waitNone, stop: stopAfterAttempt(20) });
 * await load("42"); // => "42"
 */
export function chaos(options: ChaosOptions): <F extends AnyFn>(fn: F) => Promised<F> {
  const given = readOptions("chaos", options, RULES, ["rate"]);
  const { rate, errors = [fail], latency = 0, random = Math.random, clock = systemClock } = given;
  const [least, most] = typeof latency === "number" ? [latency, latency] : latency;
  check("chaos", "latency", least, TIME);
  check("chaos", "latency", most, TIME);
  checkOrder("chaos", "the least latency", least, "the most", most);

  return <F extends AnyFn>(fn: F): Promised<F> => {
    checkCallable("chaos", fn);
    const disturbed = async function (this: unknown, ...args: unknown[]) {
      // As many for each call, whatever becomes of it: what fails depends on the order of calls alone.
      const [fate, which, delay] = [random(), random(), random()];
      const ms = least + delay * (most - least);
      if (ms > 0) await new Promise<void>((resolve) => void clock.setTimer(resolve, ms));
      return fate < rate ? play(errors[Math.floor(which * errors.length)], args) : fn.apply(this, args);
    };
    copyProperties(fn, disturbed);
    return disturbed as unknown as Promised<F>;
  };
}

function fail(): never {
  throw new Error("chaos");
}
