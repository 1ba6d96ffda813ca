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

export const shapes = { success: fastest, failures: fastest, method: fastest, sleeping };
