import CircuitBreaker from "opossum";

export const shapes = {
  breaker: (fn) => {
    const breaker = new CircuitBreaker(fn, { timeout: false, resetTimeout: 30_000 });
    // Its statistics roll on a timer, which must not keep the process alive.
    return (x) => breaker.fire(x);
  },
};
