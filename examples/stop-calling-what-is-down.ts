// How do I fail fast while something is down, and notice that it is back?
import { CircuitOpenError, circuitBreaker } from "undaunted";
import { virtualClock } from "undaunted/testing";

const clock = virtualClock();
const breaker = circuitBreaker({
  name: "search",
  consecutiveFailures: 3,
  openFor: 10_000,
  onStateChange: ({ name, from, to }) => console.log(`${name}: ${from} -> ${to}`),
  clock,
});

let down = true;
let requests = 0;

const search = breaker.wrap(async (words: string) => {
  requests++;
  if (down) throw new Error("connection refused");
  return [words];
});

for (let call = 0; call < 100; call++) await search("tea").catch(() => {});
console.log(`100 calls made ${requests} requests`);

const refusal = await search("tea").catch((error: unknown) => error);
if (refusal instanceof CircuitOpenError) console.log(`come back in ${refusal.retryAfter} ms`);

down = false;
await clock.advance(10_000);
console.log(await search("tea"));

// prints:
// search: closed -> open
// 100 calls made 3 requests
// come back in 10000 ms
// search: open -> half-open
// search: half-open -> closed
// [ 'tea' ]
