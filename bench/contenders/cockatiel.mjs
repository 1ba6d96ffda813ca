import {
  bulkhead,
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  DelegateBackoff,
  ExponentialBackoff,
  handleAll,
  handleWhen,
  retry,
  TimeoutStrategy,
  timeout,
  usePolicy,
  wrap,
} from "cockatiel";

// Its `maxAttempts` counts the retries.
const policyOf = (options = {}, handle = handleAll) =>
  retry(handle, { maxAttempts: 3, backoff: new ExponentialBackoff(), ...options });

const executed =
  (policy, signal = undefined) =>
  (fn) =>
  (x) =>
    policy.execute(() => fn(x), signal);

const watched = (event) => {
  const policy = policyOf();
  policy[event](() => {});
  return executed(policy);
};

// A method decorator of the legacy kind only.
const method = (original) => {
  const descriptor = { value: original };
  usePolicy(policyOf())({}, "load", descriptor);
  return descriptor.value;
};

export const shapes = {
  success: executed(policyOf()),
  run: executed(policyOf()),
  ownWait: executed(policyOf({ backoff: new DelegateBackoff(({ attempt }) => attempt * 100) })),
  onRetry: watched("onRetry"),
  ownRetryIf: executed(
    policyOf(
      {},
      handleWhen((error) => error instanceof Error),
    ),
  ),
  onSuccess: watched("onSuccess"),
  signal: executed(policyOf(), new AbortController().signal),
  attemptTimeout: executed(wrap(policyOf(), timeout(60_000, TimeoutStrategy.Aggressive))),
  timeout: executed(timeout(59_000, TimeoutStrategy.Aggressive)),
  stack: (fn) => {
    const breaker = circuitBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(5) });
    const policies = [policyOf(), bulkhead(200, 100), breaker, timeout(59_000, TimeoutStrategy.Aggressive)];
    return executed(wrap(...policies))(fn);
  },
  failures: executed(policyOf({ backoff: new ConstantBackoff(0) })),
  method,
  sleeping: (fn, ms) => executed(policyOf({ backoff: new ConstantBackoff(ms) }))(fn),
  breaker: executed(circuitBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(5) })),
};
