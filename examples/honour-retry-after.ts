// How do I come back when the server says so, and back off by myself when it says nothing?
import { retry, waitExponential, waitFromError } from "undaunted";

class HttpError extends Error {
  constructor(
    readonly status: number,
    /** ms */
    readonly retryAfter?: number,
  ) {
    super(`the server answered ${status}`);
  }
}

const answers = [new HttpError(503), new HttpError(429, 150), new HttpError(503)];

async function fetchOrders() {
  const error = answers.shift();
  if (error) throw error;
  return ["tea", "scones"];
}

const getOrders = retry(fetchOrders, {
  wait: waitFromError(
    (error) => (error instanceof HttpError ? error.retryAfter : undefined),
    waitExponential({ base: 20 }),
  ),
  onRetry: ({ attempt, delay }) => console.log(`attempt ${attempt} failed, next in ${delay} ms`),
});

console.log((await getOrders()).join(" and "));

// prints:
// attempt 1 failed, next in 20 ms
// attempt 2 failed, next in 150 ms
// attempt 3 failed, next in 80 ms
// tea and scones
