import { type AnyFn, type RetryOptions, retry, retrySync, type SyncRetryOptions } from "undaunted";

/** An option that both loops take. */
export type SharedOptions = RetryOptions & SyncRetryOptions;

/** The two loops behind one face, for rules that hold in both: `describe.each(bothLoops)`. */
export const bothLoops: readonly [name: string, wrap: (fn: AnyFn, options?: SharedOptions) => AnyFn][] = [
  ["retry", (fn, options) => retry(fn, options)],
  [
    "retrySync",
    (fn, options) => {
      const wrapped = retrySync(fn, options);
      return async (...args: unknown[]) => wrapped(...args);
    },
  ],
];
