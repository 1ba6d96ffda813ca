export const RESOLVED = /* @__PURE__ */ Promise.resolve();

/** Whether `value` can be awaited. Throws where its `then` cannot be read. */
export function isThenable(value: unknown): value is Promise<unknown> {
  return (
    value !== null &&
    (typeof value === "object" || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

/**
 * Returns `value`, the result of a function of the user's that must be synchronous. Throws a `TypeError` where it is a
 * promise, and handles that promise's rejection, which nothing else will.
 */
export function requireSync<T>(what: string, value: T): T {
  if (!isThenable(value)) return value;
  Promise.resolve(value).then(undefined, () => {});
  throw new TypeError(`${what} must be synchronous; it returned a promise`);
}

/**
 * A promise of `value` whose `then` is the usual one, as `await` takes it: one of the promise's own, which a mock or an
 * instrumentation gave it, is not called, whatever it would do.
 */
export function promiseOf<T>(value: T | PromiseLike<T>): Promise<T> {
  const promise = Promise.resolve(value);
  return promise.then === Promise.prototype.then ? promise : adopt(promise);
}

function adopt<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    Promise.prototype.then.call(promise, resolve as (value: unknown) => void, reject);
  });
}
