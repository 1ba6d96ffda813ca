import { type GuardWrap, guardWrap } from "../common/guard.js";
import { describe } from "../common/inspect.js";
import { checkKey, type Key, LruMap } from "../common/lru-map.js";
import { named } from "../common/named.js";
import { shareable } from "../common/shareable.js";
import { FUNCTION, readOptions, WHOLE } from "../common/validate.js";
import { breakerOf, type CircuitBreaker } from "./breaker.js";
import { Circuit } from "./circuit.js";
import { type CircuitBreakerOptions, type CircuitState, RULES, settingsOf } from "./options.js";

/** A breaker per key. */
export interface CircuitBreakers {
  /**
   * The breaker of a key, made when first asked for. One that was let go since, or that came when all others were open, is
   * not the one that the key's next call goes by.
   */
  get(key: Key): CircuitBreaker;
  /** Breakers kept now. */
  readonly size: number;
  /** Guards a function by the breaker of each call's key; also a decorator for methods that return a promise. */
  readonly wrap: GuardWrap;
}

export interface CircuitBreakersOptions extends Omit<CircuitBreakerOptions, "initialState"> {
  /** A call's key, from its `this` and arguments: the host, the shard, the tenant. */
  key: (this: any, ...args: any) => Key;
  /**
   * Breakers kept at most. The closed one that was not used for longest goes first; where none is closed, one whose
   * opening is over and that no call came back to; one that is open never. Where all are open, a call with a new key is
   * not guarded.
   * @default 1_000
   */
  max?: number | undefined;
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
  const { initialState: _, ...shared } = RULES;
  const rules = { ...shared, key: FUNCTION, max: WHOLE };
  const { key, max = 1_000, ...rest } = readOptions("circuitBreakers", options, rules, ["key"]);
  const settings = settingsOf("circuitBreakers", rest);
  const make = (of: unknown): Kept => {
    const name = rest.name === undefined ? describe(of) : `${rest.name} ${describe(of)}`;
    const changed = (state: CircuitState) => kept.pin(of, entry, state !== "closed");
    const circuit = new Circuit({ ...settings, name, changed });
    const entry = { circuit, breaker: breakerOf(circuit) };
    return entry;
  };
  const kept = new LruMap(max, make, ({ circuit }) => circuit.isIdle);
  const breakers: CircuitBreakers = {
    get: (of) => kept.get(checkKey("circuitBreakers", of)).breaker,
    get size() {
      return kept.size;
    },
    wrap: guardWrap("circuitBreakers.wrap", (fn) => {
      return function (this: unknown, ...args: unknown[]) {
        let circuit: Circuit;
        try {
          ({ circuit } = kept.get(checkKey("circuitBreakers", key.apply(this, args))));
        } catch (error) {
          return Promise.reject(error);
        }
        return circuit.call(fn, this, args);
      };
    }),
  };
  const states = () => Array.from(kept.entries(), ([, { circuit }]) => circuit.state.name);
  return named(shareable(breakers, kept), rest.name, () => ({ states: states() }));
}

interface Kept {
  readonly circuit: Circuit;
  readonly breaker: CircuitBreaker;
}
