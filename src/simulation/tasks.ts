/** Calls `step` so many times, each in a task of its own: all microtasks of one run before the next. */
export type InTasks = (count: number, step: () => void) => Promise<void>;

// As it was when this module was loaded: fake ones come and go.
const immediate = /* @__PURE__ */ (() => (globalThis as { setImmediate?: (fn: () => void) => unknown }).setImmediate)();

export const inImmediates: InTasks = (count, step) =>
  new Promise((resolve) => {
    for (let n = 0; n < count; n++) immediate!(step);
    immediate!(resolve);
  });

/** For browsers, which have no immediates, and make their timers wait. */
export const inMessages: InTasks = (count, step) =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    let left = count;
    port1.onmessage = () => {
      if (left-- > 0) return step();
      port1.close();
      resolve();
    };
    for (let n = 0; n <= count; n++) port2.postMessage(null);
  });

export const inTasks: InTasks = /* @__PURE__ */ (() => (immediate ? inImmediates : inMessages))();
