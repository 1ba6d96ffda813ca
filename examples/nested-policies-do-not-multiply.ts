// My function retries, and so does the library that it calls: how often is the server called?
import { retry, stopAfterAttempt, waitNone } from "undaunted";

let calls = 0;

async function query() {
  calls++;
  throw new Error("the database is down");
}

const policy = { stop: stopAfterAttempt(4), wait: waitNone };

const driver = retry(query, policy);
const repository = retry(() => driver(), policy);
const service = retry(() => repository(), policy);

await service().catch((error) => console.log(error.message));
console.log(`three layers of 4 attempts: ${calls} calls, not 64`);

// A slow outer policy may want what a quick inner one gave up on. That has to be said.
calls = 0;
const persistent = retry(() => driver(), { ...policy, stop: stopAfterAttempt(2), retryExhausted: true });

await persistent().catch(() => {});
console.log(`2 attempts of 4 each, on purpose: ${calls} calls`);

// prints:
// the database is down
// three layers of 4 attempts: 4 calls, not 64
// 2 attempts of 4 each, on purpose: 8 calls
