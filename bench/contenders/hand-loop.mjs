import { overStandIn } from "./stand-in.mjs";

// What someone writes who wants no library: the limit that the others are held against, in docs/performance.md too.
export const handLoop = (fn) =>
  async function (...args) {
    let n = 0;
    for (;;) {
      try {
        return await fn.apply(this, args);
      } catch (e) {
        if (++n >= 4) throw e;
      }
    }
  };

const handLoopSync = (fn) =>
  function (...args) {
    let n = 0;
    for (;;) {
      try {
        return fn.apply(this, args);
      } catch (e) {
        if (++n >= 4) throw e;
      }
    }
  };

const sleepingLoop = (fn, ms) =>
  async function (...args) {
    let n = 0;
    for (;;) {
      try {
        return await fn.apply(this, args);
      } catch (e) {
        if (++n >= 4) throw e;
      }
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  };

const abortableLoop = (fn, ms, signal) =>
  async function (...args) {
    let n = 0;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await fn.apply(this, args);
      } catch (e) {
        if (++n >= 4) throw e;
      }
      await new Promise((resolve, reject) => {
        const abort = () => {
          clearTimeout(timer);
          reject(signal.reason);
        };
        const timer = setTimeout(() => {
          signal.removeEventListener("abort", abort);
          resolve();
        }, ms);
        signal.addEventListener("abort", abort, { once: true });
      });
    }
  };

/** What someone writes by hand for a timeout, and nothing but a timeout. */
export const handTimeout = (fn) => (x) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("timed out")), 60_000);
  });
  return Promise.race([fn(x), late]).finally(() => clearTimeout(timer));
};

export const shapes = {
  timeout: handTimeout,
  pending: handTimeout,
  success: handLoop,
  run: handLoop,
  failures: handLoop,
  method: handLoop,
  sync: handLoopSync,
  sleeping: sleepingLoop,
  onSignal: abortableLoop,
  http: (fn) => overStandIn(fn, (fetch) => fetch),
  breaker: (fn) => (x) => fn(x),
};
