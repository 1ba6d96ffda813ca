import { retry } from "@lifeomic/attempt";

const wrap = (options) => (fn) => {
  const all = { maxAttempts: 4, ...options };
  return (x) => retry(() => fn(x), all);
};

export const shapes = {
  success: wrap({ delay: 500, factor: 2, maxDelay: 20_000, jitter: true }),
  run: wrap({ delay: 500, factor: 2, maxDelay: 20_000, jitter: true }),
  // `handleError` is its stop, its predicate and its only hook.
  ownStop: wrap({
    handleError(_error, context) {
      if (context.attemptNum >= 3) context.abort();
    },
  }),
  // Asked before the first attempt too, where it must answer 0.
  ownWait: wrap({ calculateDelay: ({ attemptNum }) => attemptNum * 100 }),
  onRetry: wrap({ handleError() {} }),
  ownRetryIf: wrap({
    handleError(error, context) {
      if (!(error instanceof Error)) context.abort();
    },
  }),
  attemptTimeout: wrap({ timeout: 60_000 }),
  failures: wrap({ delay: 0 }),
  sleeping: (fn, ms) => wrap({ delay: ms })(fn),
};
