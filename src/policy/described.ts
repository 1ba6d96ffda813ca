import type { RetryOptions } from "../common/attempt.js";
import { readField } from "../common/inspect.js";
import { BOOLEAN, FUNCTION, OPTIONS, type Rule, readOptions, SIGNAL, STRING } from "../common/validate.js";
import { retryNever } from "../strategies/retry-if.js";
import { stopNever } from "../strategies/stop.js";
import { waitNone } from "../strategies/wait.js";
import type { DescribedPolicy } from "./data.js";

/** The data that strategies and references were made of. Here, so that no strategy carries its own name along. */
const known = /* @__PURE__ */ new WeakMap<object, unknown>();

/** Remembers what a value was made of. */
export function remember(value: unknown, data: unknown): void {
  // A copy: whoever owns the data may write to it.
  if (isObject(value)) known.set(value, copyOf(data));
}

// Written out: the tables of the loop would bring the loop along.
const TABLE: Readonly<Record<keyof RetryOptions, Rule>> = {
  stop: FUNCTION,
  wait: FUNCTION,
  retryIf: FUNCTION,
  retryExhausted: BOOLEAN,
  budget: OPTIONS,
  attemptTimeout: ["a number of ms, or a function", "any", (ms) => typeof ms === "number" || typeof ms === "function"],
  totalTimeout: ["a number of ms", "number"],
  fallback: FUNCTION,
  onAttempt: FUNCTION,
  onRetry: FUNCTION,
  onSuccess: FUNCTION,
  onGiveUp: FUNCTION,
  onHookError: FUNCTION,
  onLateResult: FUNCTION,
  name: STRING,
  signal: SIGNAL,
  unref: BOOLEAN,
  detached: BOOLEAN,
  clock: OPTIONS,
  random: FUNCTION,
};

const CONSTANTS: readonly (readonly [object, string])[] = [
  [stopNever, "stopNever"],
  [waitNone, "waitNone"],
  [retryNever, "retryNever"],
];

/**
 * Returns the data that options were made of by `policyFrom`: `policyFrom` makes the same of it. A strategy, function or object that was
 * written in code is `{ custom: name }`; plain values are themselves, and `Infinity` is left out. Throws a `TypeError` for a name that is no
 * option of `retry`, or a value that none takes.
 *
 * @example
 * const options = policyFrom({ stop: { stopAfterAttempt: 3 } });
 * describePolicy({ ...options, wait: waitNone }); // => { stop: { stopAfterAttempt: 3 }, wait: "waitNone" }
 */
export function describePolicy(options: RetryOptions): DescribedPolicy {
  const read = readOptions("describePolicy", options, TABLE);
  const given = Object.entries(read).filter(([, value]) => value !== Infinity);
  return Object.fromEntries(given.map(([name, value]) => [name, described(value)])) as DescribedPolicy;
}

function described(value: unknown): unknown {
  if (!isObject(value)) return value;
  const constant = CONSTANTS.find(([strategy]) => strategy === value);
  if (constant) return constant[1];
  if (known.has(value)) return copyOf(known.get(value));
  const name = readField(value, "name");
  return {
    custom: typeof name === "string" && name !== "" ? name : typeof value === "function" ? "anonymous" : "object",
  };
}

function isObject(value: unknown): value is object {
  return typeof value === "function" || (typeof value === "object" && value !== null);
}

function copyOf(data: unknown): unknown {
  return JSON.parse(JSON.stringify(data));
}
