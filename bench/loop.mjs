// What is called, and the loop that calls it. Imported anew by each contender (with a query after the path): shared
// functions would gather the types of both sides, and the limit would pay for what the other does.

// Made once: the stack of a fresh error costs more than most of what is measured here.
const busy = new Error("busy");
const rejected = Promise.reject(busy);
rejected.catch(() => {});

/** A function whose every call fails `failures` times before it succeeds; only for calls that follow each other. */
export function work(failures) {
  let left = failures;
  const counter = {
    calls: 0,
    step: 1,
    async fn(x) {
      counter.calls++;
      if (left > 0) {
        left--;
        throw busy;
      }
      left = failures;
      return x + 1;
    },
    // The same without the cost of throwing, which is the function's and more than that of most who retry.
    prepared(x) {
      counter.calls++;
      if (left > 0) {
        left--;
        return rejected;
      }
      left = failures;
      return Promise.resolve(x + 1);
    },
    // Not over at once, as what is not in a cache.
    async later(x) {
      counter.calls++;
      for (let i = 0; i < 3; i++) await undefined;
      return x + 1;
    },
    // Reads `this`: a wrapper that loses it returns NaN.
    async method(x) {
      counter.calls++;
      return x + this.step;
    },
    sync(x) {
      counter.calls++;
      if (left > 0) {
        left--;
        throw busy;
      }
      left = failures;
      return x + 1;
    },
  };
  return counter;
}

/** A function that may be called concurrently: its n-th call for one `x` below `size` fails while n <= `failures`. */
export function concurrentWork(failures, size) {
  const made = new Uint8Array(size);
  const counter = {
    calls: 0,
    async fn(x) {
      counter.calls++;
      if (made[x]++ < failures) throw busy;
      return x + 1;
    },
  };
  return counter;
}

/** Arguments and results stay small integers, so that adding them up allocates nothing. */
export const argument = (i) => i & 255;

export async function run(call, n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += await call(argument(i));
  return sum;
}

export function runSync(call, n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += call(argument(i));
  return sum;
}

/** The same with `flight` calls at a time: a timer list that is never empty is cheaper to add to. */
export async function runInFlight(call, n, flight) {
  let next = 0;
  let sum = 0;
  const worker = async () => {
    while (next < n) {
      const value = await call(argument(next++));
      sum += value;
    }
  };
  await Promise.all(Array.from({ length: flight }, worker));
  return sum;
}
