import { checkCallable, NO_ARGS } from "../common/callable.js";
import { type GuardWrap, type GuardWrapSync, guardRun, guardWrap } from "../common/guard.js";
import { named } from "../common/named.js";
import { shareable } from "../common/shareable.js";
import { type RefusePromise, refuseAsync } from "../common/sync-only.js";
import { Circuit } from "./circuit.js";
import { type CircuitBreakerOptions, type CircuitState, type CircuitStats, settingsOf } from "./options.js";
import type { SavedCircuit } from "./saved.js";

/** Whom it is for. */
export interface LocalOptions {
  /**
   * Of a shared breaker: this process alone, which then goes by no verdict of the fleet's until `close()`.
   * @default false
   */
  local?: boolean | undefined;
}

/** Stops calling what is down. */
export interface CircuitBreaker {
  /** Guards a function; also a decorator for methods that return a promise. */
  readonly wrap: GuardWrap;
  /** Guards a block of code. */
  run<T>(task: () => T): Promise<Awaited<T>>;
  /** Guards a sync function; also a decorator for sync methods. */
  readonly wrapSync: GuardWrapSync;
  /** Guards a sync block of code. */
  runSync<T>(task: (() => T) & RefusePromise<T>): T;
  /** As of now: `"closed"` lets calls through, `"open"` and `"isolated"` none, `"half-open"` a few. */
  readonly state: CircuitState;
  readonly stats: CircuitStats;
  /** What the last failure was, since it was made or last closed; `undefined` where there was none. */
  readonly lastFailure: unknown;
  /** Refuses every call until `close()`: where it is shared, in the whole fleet, or with `{ local: true }` in this process. */
  isolate(options?: LocalOptions): void;
  /** Lets every call through again, and forgets what it has seen; where it is shared, as `isolate` does. */
  close(options?: LocalOptions): void;
  /** The state for `initialState`, in JSON's own types. */
  toJSON(): SavedCircuit;
}

/**
 * A circuit breaker: stops calling what is down. Closed it lets calls through and counts; too many failures open it, and
 * calls fail at once with a `CircuitOpenError`; after `openFor` it is half-open and lets a few through to see. It has no
 * timers: it notices the time when it is called or looked at. A result counts only for the state that let its call
 * through. Throws a `TypeError` or `RangeError` at once for an option that makes no sense.
 *
 * One breaker per thing that can fail alone: see `circuitBreakers`. Inside a retry, as `retry(breaker.wrap(fn))`, it sees
 * every attempt, and an attempt that times out is a failure at once.
 *
 * @example
 * const breaker = circuitBreaker({ consecutiveFailures: 1 });
 * const load = breaker.wrap(flaky([new Error("down")]));
 * await load().catch((error: Error) => error.message); // => "down"
 * await load().catch((error: Error) => error.name); // => "CircuitOpenError"
 * breaker.state; // => "open"
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  const settings = settingsOf("circuitBreaker", options);
  const circuit = new Circuit(settings);
  return named(breakerOf(circuit), options.name, () => ({ states: [circuit.state.name] }));
}

/** A circuit's public face. */
export function breakerOf(circuit: Circuit): CircuitBreaker {
  const breaker: CircuitBreaker = {
    wrap: guardWrap("circuitBreaker.wrap", (fn) => circuit.guard(fn)),
    run: guardRun("circuitBreaker.run", (task) => circuit.call(task, undefined, NO_ARGS)),
    wrapSync: guardWrap("circuitBreaker.wrapSync", (fn) => {
      refuseAsync("circuitBreaker.wrapSync", fn, "wrap");
      return function (this: unknown, ...args: unknown[]) {
        return circuit.callSync(fn, this, args);
      };
    }),
    runSync(task) {
      checkCallable("circuitBreaker.runSync", task);
      refuseAsync("circuitBreaker.runSync", task, "run");
      return circuit.callSync(task, undefined, NO_ARGS) as ReturnType<typeof task>;
    },
    get state() {
      return circuit.state.name;
    },
    stats: circuit.stats,
    get lastFailure() {
      return circuit.lastFailure;
    },
    isolate: (options) => circuit.isolate(options),
    close: (options) => circuit.close(options),
    toJSON: () => circuit.save(),
  };
  return shareable(breaker, circuit);
}
