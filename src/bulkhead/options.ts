import type { HookOwner } from "../common/call-hook.js";
import { type Clock, systemClock } from "../common/clock.js";
import type { BulkheadFullError } from "../common/errors.js";
import { FUNCTION, hasMethods, type Rule, STRING, TIMEOUT, WHOLE } from "../common/validate.js";

/** The options of `bulkhead`. */
export interface BulkheadOptions {
  /** The most calls in flight, a whole number from 1. */
  limit: number;
  /**
   * The most calls that wait for a slot, a whole number from 0, or Infinity.
   * @default 0
   */
  queue?: number | undefined;
  /**
   * ms (above 0) that a call waits in the queue at most: then it is refused, as where the queue is full. Needs a `queue`.
   * In a policy, `attemptTimeout` bounds the wait and the call together.
   * @default Infinity
   */
  maxWait?: number | undefined;
  /**
   * What its errors and its hook call it.
   * @default "bulkhead"
   */
  name?: string | undefined;
  /** Called for each call that is refused, in that call's async context. It changes nothing. */
  onRefused?: ((refusal: { readonly name: string; readonly error: BulkheadFullError }) => unknown) | undefined;
  /**
   * Receives what `onRefused` throws or rejects with.
   * @default a process warning (`console.warn` elsewhere), once per hook
   */
  onHookError?: ((error: unknown) => void) | undefined;
  /** Timers for `maxWait`: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: Pick<Clock, "setTimer"> | undefined;
}

/** A bulkhead's options, checked and filled. */
export interface BulkheadSettings extends HookOwner {
  readonly limit: number;
  readonly queue: number;
  readonly maxWait: number;
  readonly clock: Pick<Clock, "setTimer">;
  readonly name: string;
  /** What events call it: without the key, where it is one of many. */
  readonly eventName: string;
  readonly onRefused: BulkheadOptions["onRefused"];
  /** Called when the first slot is taken and when the last is free again; must not throw. */
  readonly changed?: ((busy: boolean) => void) | undefined;
}

const QUEUE: Rule = [
  "a whole number from 0, or Infinity",
  "number",
  (n) => n >= 0 && (Number.isInteger(n) || n === Infinity),
];
/** The table that the options of a bulkhead are read by. */
export const RULES: Record<string, Rule> = {
  limit: WHOLE,
  queue: QUEUE,
  maxWait: TIMEOUT,
  name: STRING,
  onRefused: FUNCTION,
  onHookError: FUNCTION,
  clock: ["an object with a method setTimer", "object", /* @__PURE__ */ hasMethods("setTimer")],
};

/** Fills in what was not given. */
export function settingsOf(owner: string, given: BulkheadOptions): BulkheadSettings {
  const { queue = 0, maxWait = Infinity, name = "bulkhead", clock = systemClock } = given;
  if (given.maxWait !== undefined && queue === 0) throw new TypeError(`${owner}: maxWait needs a queue, got none`);
  const { limit, onRefused, onHookError } = given;
  return { limit, queue, maxWait, name, eventName: name, clock, onRefused, onHookError, kind: { sync: "" } };
}
