// How do I keep retries from multiplying an outage?
import { retry, retryBudget, stopAfterAttempt, waitNone } from "undaunted";

let down = true;
let requests = 0;

async function fetchPrice(item: string) {
  requests++;
  if (down) throw new Error("connection refused");
  return `${item}: 3.50`;
}

// One for each thing that can fail alone, shared by all that call it.
const budget = retryBudget({ capacity: 3 });
const getPrice = retry(fetchPrice, { stop: stopAfterAttempt(4), wait: waitNone, budget });

for (let call = 0; call < 100; call++) await getPrice("tea").catch(() => {});
console.log(`100 calls made ${requests} requests while it was down`);

down = false;
for (let call = 0; call < 10; call++) await getPrice("tea");
console.log(`10 successes paid for ${budget.balance?.toFixed(1)} retries`);

// prints:
// 100 calls made 103 requests while it was down
// 10 successes paid for 2.0 retries
