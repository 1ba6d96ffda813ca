import { Circuit } from "./circuit.js";
import { breakerOf, type CircuitBreaker } from "./circuit-breaker.js";
import { type CircuitBreakerOptions, settingsOf } from "./circuit-options.js";
import { type GuardWrap, guardWrap } from "./guard.js";
import { Keyed } from "./keyed.js";
import { check, FUNCTION, OPTIONS, WHOLE } from "./validate.js";

/** A breaker per key. */
export interface CircuitBreakers {
  /** The breaker of a key, made when first asked for. */
  get(key: unknown): CircuitBreaker;
  /** Breakers kept now. */
  readonly size: number;
  /** Guards a function by the breaker of each call's key; also a decorator for methods that return a promise. */
  readonly wrap: GuardWrap;
}

export interface CircuitBreakersOptions extends Omit<CircuitBreakerOptions, "initialState"> {
  /** A call's key, from its `this` and arguments: the host, the shard, the tenant. */
  readonly key: (this: any, ...args: any) => unknown;
  /**
   * Breakers kept at most. The closed one that was not used for longest goes first, one that is not closed never: where
   * there is no other, a call with a new key is not guarded.
   * @default 1_000
   */
  readonly max?: number | undefined;
}

/**
 * A circuit breaker for each thing that can fail alone, so that one that is down does not cut off the others.
 *
 * @example
 * const shards = circuitBreakers({ key: (shard) => shard, consecutiveFailures: 1 });
 * const read = shards.wrap(async (shard: string) => {
 *   if (shard === "a") throw new Error("down");
 *   return shard;
 * });
 * await read("a").catch(() => {});
 * await read("a").catch((error) => error.code); // => "ERR_CIRCUIT_OPEN"
 * await read("b"); // => "b"
 */
export function circuitBreakers(options: CircuitBreakersOptions): CircuitBreakers {
  check("circuitBreakers", "options", options, OPTIONS);
  const { key, max = 1_000, ...rest } = options;
  check("circuitBreakers", "key", key, FUNCTION);
  check("circuitBreakers", "max", max, WHOLE);
  const { name, onStateChange } = rest;
  const make = (of: unknown): Kept => {
    const settings = settingsOf("circuitBreakers", {
      ...rest,
      name: name === undefined ? String(of) : `${name} ${String(of)}`,
      onStateChange(change) {
        kept.pin(of, entry, change.to !== "closed");
        return onStateChange?.(change);
      },
    });
    const circuit = new Circuit(settings);
    const entry = { circuit, breaker: breakerOf(circuit) };
    return entry;
  };
  if ((rest as CircuitBreakerOptions).initialState !== undefined)
    throw new TypeError("circuitBreakers: there is no option initialState for all keys");
  // Options that make no sense are found now, not when a first key comes.
  settingsOf("circuitBreakers", rest);
  const kept = new Keyed(max, make);
  return {
    get: (of) => kept.get(of).breaker,
    get size() {
      return kept.size;
    },
    wrap: guardWrap("circuitBreakers.wrap", (fn) => {
      return function (this: unknown, ...args: unknown[]) {
        let circuit: Circuit;
        try {
          ({ circuit } = kept.get(key.apply(this, args)));
        } catch (error) {
          return Promise.reject(error);
        }
        return circuit.call(fn, this, args);
      };
    }),
  };
}

interface Kept {
  readonly circuit: Circuit;
  readonly breaker: CircuitBreaker;
}
