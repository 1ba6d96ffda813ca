// The least that can be done: a `then` on the promise that is there anyway, and a loop only once the first call failed.
const fastest = (fn) =>
  function (...args) {
    let promise;
    try {
      promise = fn.apply(this, args);
    } catch {
      return again(fn, this, args);
    }
    return promise.then(undefined, () => again(fn, this, args));
  };

async function again(fn, self, args) {
  let n = 1;
  for (;;) {
    try {
      return await fn.apply(self, args);
    } catch (e) {
      if (++n >= 4) throw e;
    }
  }
}

// What an abort at any time costs by itself: a promise of its own, and a listener as long as the call runs.
const abortable = (fn) => {
  const { signal } = new AbortController();
  return (...args) =>
    new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort);
      fn(...args).then(
        (value) => {
          signal.removeEventListener("abort", abort);
          resolve(value);
        },
        (error) => {
          signal.removeEventListener("abort", abort);
          reject(error);
        },
      );
    });
};

// A block is a closure of its own for each call.
const block = (task) => task().then(undefined, () => again(task, undefined, []));

const sleeping = (fn, ms) => (x) =>
  fn(x).then(
    undefined,
    () =>
      new Promise((resolve, reject) => {
        let n = 1;
        const failed = (e) => {
          if (++n >= 4) reject(e);
          else setTimeout(attempt, ms);
        };
        const attempt = () => fn(x).then(resolve, failed);
        setTimeout(attempt, ms);
      }),
  );

export const shapes = {
  success: fastest,
  failures: fastest,
  method: fastest,
  run: (fn) => (x) => block(() => fn(x)),
  signal: abortable,
  sleeping,
};
