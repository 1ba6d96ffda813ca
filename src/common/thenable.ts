import { misuse } from "./brand.js";

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

/** Told by its tag: any other async iterable may have done its work already. */
export function isAsyncGenerator(value: unknown): boolean {
  return (value as { [Symbol.toStringTag]?: unknown } | undefined)?.[Symbol.toStringTag] === "AsyncGenerator";
}

/**
 * A promise of what a function returned, `value`, whose `then` is the usual one, as `await` takes it: one of the promise's own, which a mock or an
 * instrumentation gave it, is not called, whatever it would do. An async generator is refused: its errors come when it is
 * consumed, long after the attempt.
 */
export function promiseOf<T>(value: T | PromiseLike<T>): Promise<T> {
  const promise = Promise.resolve(value);
  if (promise !== value && isAsyncGenerator(value)) {
    throw misuse(new TypeError("fn must not return an async generator: wrap a function that consumes it"));
  }
  return promise.then === Promise.prototype.then ? promise : adopt(promise);
}

function adopt<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    Promise.prototype.then.call(promise, resolve as (value: unknown) => void, reject);
  });
}
