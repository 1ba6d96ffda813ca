let loops = 0;

/** A fresh copy of the loop: see there. */
export const freshLoop = () => import(`./loop.mjs?${loops++}`);

/** CPU of this process since `start`, in ms: what other processes do shows much less in it than in the clock. */
export function cpuSince(start) {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/**
 * Runs `body`; answers its CPU and its time in ms. No garbage collection is forced before it: a full one while no object of
 * a class is alive also throws away the code that was optimised for that class.
 */
export async function costOf(body) {
  const began = performance.now();
  const start = process.cpuUsage();
  await body();
  return { cpu: cpuSince(start), ms: performance.now() - began };
}

/** A wrong count or value makes every time meaningless, so it ends the whole benchmark. */
export function expectEqual(what, actual, expected) {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`);
}

export function expectTrue(what, holds) {
  if (!holds) throw new Error(what);
}

export const turn = () => new Promise((resolve) => setImmediate(resolve));
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Median and quartiles: a few rounds that something else disturbed move neither. */
export function summarise(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (share) => {
    const place = share * (sorted.length - 1);
    const below = sorted[Math.floor(place)];
    return below + (place % 1) * (sorted[Math.ceil(place)] - below);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75), rounds: sorted.length };
}
