import CircuitBreaker from "opossum";
import pRetry from "p-retry";

export const shapes = {
  // With p-retry around it, as its users write it; its own timeout and its capacity stand for the guards.
  stack: (fn) => {
    const breaker = new CircuitBreaker(fn, { timeout: 59_000, capacity: 200, resetTimeout: 30_000 });
    return (x) => pRetry(() => breaker.fire(x), { retries: 3 });
  },
  breaker: (fn) => {
    const breaker = new CircuitBreaker(fn, { timeout: false, resetTimeout: 30_000 });
    // Its statistics roll on a timer, which must not keep the process alive.
    return (x) => breaker.fire(x);
  },
};
