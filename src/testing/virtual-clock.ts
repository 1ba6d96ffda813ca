import type { Clock, SyncClock } from "../common/clock.js";
import { COUNT, check, FINITE, TIME } from "../common/validate.js";

/** Time that passes only when asked to. */
export interface VirtualClock extends Clock, SyncClock {
  /**
   * Lets `ms` pass: fires what is due, in order, and lets the code between the timers run. A timer fires in the async
   * context in which it was set, and not in the one of this call.
   */
  advance(ms: number): Promise<void>;
  /**
   * Lets time pass until no timer is left, and returns how many fired. Throws an `Error` once `limit` have fired
   * (default 10,000): something retries for ever.
   */
  runAll(limit?: number): Promise<number>;
  /** Timers waiting. */
  readonly pending: number;
}

class Timer {
  /** Settles when it has fired: rejects with what its function threw. */
  readonly fired: Promise<void>;
  fire!: () => void;

  constructor(
    readonly at: number,
    readonly age: number,
    fn: () => void,
  ) {
    // A reaction keeps the async context in which it was registered. What `fn` returns is not waited for.
    this.fired = new Promise<void>((resolve) => {
      this.fire = resolve;
    }).then(() => {
      fn();
    });
  }
}

/**
 * A clock for the `clock` option, async and sync: sleeping retries settle without real time. `sleepSync` advances it.
 *
 * @example
 * const clock = virtualClock();
 * const result = retry(flaky([new Error("busy"), "ok"]), { wait: waitFixed(60_000), clock })();
 * await clock.advance(60_000);
 * await result; // => "ok"
 */
export function virtualClock(): VirtualClock {
  let time = 0;
  let count = 0;
  // In the order in which they fire: by time, then by age.
  const timers: Timer[] = [];

  const indexOf = (timer: Timer): number => {
    let [low, high] = [0, timers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const each = timers[middle]!;
      if (each.at < timer.at || (each.at === timer.at && each.age < timer.age)) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const fireNext = async (until: number): Promise<boolean> => {
    const next = timers[0];
    if (!next || next.at > until) return false;
    timers.shift();
    time = Math.max(time, next.at);
    next.fire();
    await next.fired;
    return true;
  };

  return {
    now: () => time,

    setTimer(fn, ms) {
      check("setTimer", "ms", ms, FINITE);
      const timer = new Timer(time + Math.max(0, ms), count++, fn);
      timers.splice(indexOf(timer), 0, timer);
      return () => {
        const index = indexOf(timer);
        if (timers[index] === timer) timers.splice(index, 1);
      };
    },

    sleepSync(ms) {
      check("sleepSync", "ms", ms, TIME);
      time += ms;
    },

    async advance(ms) {
      check("advance", "ms", ms, TIME);
      const until = time + ms;
      do await othersRun();
      while (await fireNext(until));
      time = Math.max(time, until);
    },

    async runAll(limit = 10_000) {
      check("runAll", "limit", limit, COUNT);
      let fired = 0;
      await othersRun();
      while (timers.length > 0) {
        if (fired === limit) throw new Error(`runAll: ${limit} timers have fired and there is no end of them`);
        await fireNext(Infinity);
        fired++;
        await othersRun();
      }
      return fired;
    },

    get pending() {
      return timers.length;
    },
  };
}

const setTimeout = /* @__PURE__ */ (() => globalThis.setTimeout)();

/** Lets every microtask run, however many follow from each other: a message is delivered only after them. */
function othersRun(): Promise<void> {
  return new Promise((resolve) => {
    // React Native and workers of an old compatibility date have none. (Fake timers may come later.)
    if (!globalThis.MessageChannel) return void setTimeout(resolve, 0);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
