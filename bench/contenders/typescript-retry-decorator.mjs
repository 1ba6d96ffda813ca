import { BackOffPolicy, Retryable } from "typescript-retry-decorator";

// Its `maxAttempts` counts the retries. It only decorates, so a wrapped function is a decorated one.
const decorate = (options) => (method) =>
  Retryable({ maxAttempts: 3, useConsoleLogger: false, ...options })(method, { kind: "method", name: "load" });

const exponential = {
  backOffPolicy: BackOffPolicy.ExponentialBackOffPolicy,
  backOff: 500,
  exponentialOption: { maxInterval: 20_000, multiplier: 2 },
};

export const shapes = {
  success: decorate(exponential),
  ownRetryIf: decorate({ ...exponential, doRetry: (error) => error instanceof Error }),
  failures: decorate({ backOff: 0 }),
  method: decorate(exponential),
  sleeping: (fn, ms) => decorate({ backOff: ms })(fn),
};
