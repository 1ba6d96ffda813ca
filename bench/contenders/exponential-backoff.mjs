import { backOff } from "exponential-backoff";

const wrap = (options) => (fn) => {
  const all = { numOfAttempts: 4, ...options };
  return (x) => backOff(() => fn(x), all);
};

const fixed = (ms) => ({ startingDelay: ms, timeMultiple: 1 });

export const shapes = {
  success: wrap({}),
  run: wrap({}),
  // `retry` is its stop, its predicate and its only hook.
  ownStop: wrap({ retry: (_error, attempt) => attempt < 4 }),
  onRetry: wrap({ retry: () => true }),
  ownRetryIf: wrap({ retry: (error) => error instanceof Error }),
  failures: wrap(fixed(0)),
  sleeping: (fn, ms) => wrap(fixed(ms))(fn),
};
