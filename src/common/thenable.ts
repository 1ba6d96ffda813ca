import type { AnyFn } from "./attempt.js";
import { misuse } from "./brand.js";
import { readField } from "./inspect.js";

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
 * What a function returned whose errors come later than its attempt, in words: an async generator, told by its tag, since any
 * other async iterable may have done its work already, or an Observable.
 */
export function streamIn(value: unknown): "an async generator" | "an Observable" | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (readField(value, Symbol.toStringTag) === "AsyncGenerator") return "an async generator";
  const has = (key: PropertyKey) => typeof readField(value, key) === "function";
  // Its mark goes by one of these two names, whichever there was when its library was loaded.
  const marks = ["pipe", "@@observable", (Symbol as { readonly observable?: symbol }).observable!];
  return has("subscribe") && marks.some(has) ? "an Observable" : undefined;
}

/**
 * A promise of what a function returned, `value`, whose `then` is the usual one, as `await` takes it: one of the promise's own, which a mock or an
 * instrumentation gave it, is not called, whatever it would do. A stream is refused: its errors come when it is consumed, long
 * after the attempt.
 */
export function promiseOf<T>(value: T | PromiseLike<T>): Promise<T> {
  const promise = Promise.resolve(value);
  // What most functions return, before anything else is looked at.
  if (promise === value && promise.then === Promise.prototype.then) return promise;
  const stream = promise !== value && streamIn(value);
  if (stream) throw misuse(new TypeError(`fn must not return ${stream}: wrap a function that consumes it`));
  return promise.then === Promise.prototype.then ? promise : adopt(promise);
}

/** Calls `fn`. What it throws, the promise rejects with. */
export function promiseOfCall(fn: AnyFn, self: unknown, args: readonly unknown[]): Promise<unknown> {
  try {
    return promiseOf(fn.apply(self, args as unknown[]));
  } catch (error) {
    return Promise.reject(error);
  }
}

function adopt<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    Promise.prototype.then.call(promise, resolve as (value: unknown) => void, reject);
  });
}
