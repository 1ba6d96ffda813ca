import { tagOf } from "./callable.js";
import { isThenable, streamIn } from "./thenable.js";

/** What a function that returns a promise fails to be. */
interface SyncOnly {
  readonly "returns a promise": "use retry, runWithRetry or @Retry, or a guard's wrap or run";
}

/** `any` may be anything, so it is let through and looked at when it comes. */
export type RefusePromise<R> = 0 extends 1 & R
  ? unknown
  : [Extract<R, PromiseLike<any>>] extends [never]
    ? unknown
    : SyncOnly;

/** Refuses what is written as an async function; `instead` would do. */
export function refuseAsync(owner: string, fn: unknown, instead: string): void {
  if (tagOf(fn) === "AsyncFunction") {
    throw new TypeError(`${owner}: fn must not be an async function, use ${instead} instead`);
  }
}

/**
 * Whether a value that may be anything goes on after a sync function returned it: a promise, an async generator, an
 * Observable. A `then` that cannot be read makes no promise.
 */
export function isPromise(value: unknown): value is Promise<unknown> {
  if (typeof value !== "object" && typeof value !== "function") return false;
  try {
    return isThenable(value) || streamIn(value) !== undefined;
  } catch {
    return false;
  }
}

/** Refuses a promise where a sync result is due; `instead` would do. */
export function refusePromise(owner: string, what: string, instead: string, promise: Promise<unknown>): never {
  // Nothing else will handle its rejection; the error says what went wrong.
  Promise.resolve(promise).then(undefined, () => {});
  const returned = streamIn(promise) ?? "a promise";
  throw new TypeError(`${owner}: ${what} must not return ${returned}; use ${instead} instead`);
}
