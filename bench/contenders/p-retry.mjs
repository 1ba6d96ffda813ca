import pRetry from "p-retry";

const wrap = (options) => (fn) => {
  const all = { retries: 3, ...options };
  return (x) => pRetry(() => fn(x), all);
};

// It takes no delay function and no timeout; `shouldRetry` is both its stop and its predicate.
const fixed = (ms) => ({ minTimeout: ms, maxTimeout: ms, factor: 1 });

export const shapes = {
  success: wrap({}),
  run: wrap({}),
  ownStop: wrap({ shouldRetry: ({ attemptNumber }) => attemptNumber < 4 }),
  onRetry: wrap({ onFailedAttempt() {} }),
  ownRetryIf: wrap({ shouldRetry: ({ error }) => error instanceof Error }),
  signal: wrap({ signal: new AbortController().signal }),
  failures: wrap(fixed(0)),
  sleeping: (fn, ms) => wrap(fixed(ms))(fn),
  onSignal: (fn, ms, signal) => wrap({ ...fixed(ms), signal })(fn),
};
