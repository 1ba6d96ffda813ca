import { NO_ARGS } from "../common/callable.js";
import { type GuardWrap, guardRun, guardWrap } from "../common/guard.js";
import { reasonOf } from "../common/interrupt.js";
import { type GuardFacts, named } from "../common/named.js";
import { type Rule, readOptions, SIGNAL } from "../common/validate.js";
import { type BulkheadOptions, RULES, settingsOf } from "./options.js";
import { Slots } from "./slots.js";

/** The options of a bulkhead's `run`. */
export interface BulkheadRunOptions {
  /**
   * Ends the wait for a slot: `run` rejects with its reason, and the place in the queue is free. A task that has begun
   * holds its slot until it settles: let it heed the signal, too.
   */
  signal?: AbortSignal | undefined;
}

/** Guards a block of code; also the callback of `map`. */
export interface BulkheadRun {
  <T>(task: () => T, options?: BulkheadRunOptions): Promise<Awaited<T>>;
  <T>(task: () => T, index: number, all: readonly unknown[]): Promise<Awaited<T>>;
}

/** A limit on calls in flight. */
export interface Bulkhead {
  /** Guards a function; also a decorator for methods that return a promise. */
  readonly wrap: GuardWrap;
  /** Guards a block of code: calls `task`, now or when there is a slot. */
  run: BulkheadRun;
  /** Slots that are taken. */
  readonly inFlight: number;
  /** Calls that wait for a slot. */
  readonly queued: number;
}

/**
 * Lets at most `limit` calls be in flight and `queue` wait, first in first out; any other is refused by a promise that
 * rejects with a `BulkheadFullError`. One slow thing then cannot take all there is. A slot comes back when its call
 * settles, or when its attempt times out or is aborted, though the function may still run: pass it the attempt's
 * `signal`. A call whose attempt ends while it waits is never made. Bad input is a `RangeError` or `TypeError` that
 * names the option.
 *
 * `wrap` takes a function, or decorates a method. Inside a policy it goes between that and a breaker:
 * `retry(slots.wrap(breaker.wrap(fn)))`.
 *
 * @example
 * const slots = bulkhead({ limit: 1 });
 * const load = slots.wrap(async (id: string) => id);
 * const first = load("1");
 * await load("2"); // rejects BulkheadFullError: bulkhead is full: limit 1, queue 0
 * await first; // => "1"
 */
export function bulkhead(options: BulkheadOptions): Bulkhead {
  const given = readOptions("bulkhead", options, RULES, ["limit"]);
  const slots = new Slots(settingsOf("bulkhead", given));
  return named(bulkheadOf(slots), given.name, () => factsOf([slots]));
}

/** What one or more bulkheads of a name say of themselves. */
export function factsOf(all: Iterable<Slots>): GuardFacts {
  let [inFlight, queued, limit] = [0, 0, 0];
  for (const slots of all) {
    inFlight += slots.inFlight;
    queued += slots.queued.length;
    limit += slots.settings.limit;
  }
  return { inFlight, queued, limit };
}

/** The public face of slots. */
export function bulkheadOf(slots: Slots): Bulkhead {
  return {
    wrap: guardWrap("bulkhead.wrap", (fn) => {
      return function (this: unknown, ...args: unknown[]) {
        return slots.call(fn, this, args);
      };
    }),
    run: guardRun("bulkhead.run", (task, options) => {
      const signal = signalIn(options);
      return signal?.aborted ? Promise.reject(reasonOf(signal)) : slots.call(task, undefined, NO_ARGS, signal);
    }),
    get inFlight() {
      return slots.inFlight;
    },
    get queued() {
      return slots.queued.length;
    },
  };
}

const RUN_RULES: Record<string, Rule> = { signal: SIGNAL };

/** The signal that a call of `run` was given. A number is what `map` adds. */
function signalIn(options: unknown): AbortSignal | undefined {
  if (options === undefined || typeof options === "number") return undefined;
  return readOptions<BulkheadRunOptions>("bulkhead.run", options as object, RUN_RULES).signal;
}
