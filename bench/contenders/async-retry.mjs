import asyncRetry from "async-retry";

const wrap = (options) => (fn) => {
  const all = { retries: 3, ...options };
  return (x) => asyncRetry(() => fn(x), all);
};

const fixed = (ms) => ({ minTimeout: ms, maxTimeout: ms, factor: 1, randomize: false });

export const shapes = {
  success: wrap({}),
  run: wrap({}),
  onRetry: wrap({ onRetry() {} }),
  failures: wrap(fixed(0)),
  sleeping: (fn, ms) => wrap(fixed(ms))(fn),
};
