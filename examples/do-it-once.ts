// How do I make sure that something happens once, when a user clicks twice or a queue delivers a message again?
import { setTimeout } from "node:timers/promises";
import { retry } from "undaunted";
import { IdempotencyMismatchError, idempotent, newIdempotencyKey } from "undaunted/idempotency";

let charged = 0;

async function charge(amount: number, _key: string) {
  await setTimeout(20);
  charged += amount;
  return `receipt ${charged / amount} for ${amount}`;
}

const pay = retry(
  idempotent(charge, {
    key: (_amount, key) => key, // one key for one wish, however often it is tried
    inFlight: "wait", // a call that comes meanwhile gets what the first one will have
  }),
);

const key = newIdempotencyKey();
const clicks = await Promise.all([pay(100, key), pay(100, key)]);
console.log(clicks.join(", "));
console.log(await pay(100, key));
console.log(`${charged} was charged`);

// The same key with another amount is a mistake, and is not retried.
await pay(200, key).catch((error) => console.log(error instanceof IdempotencyMismatchError));

// prints:
// receipt 1 for 100, receipt 1 for 100
// receipt 1 for 100
// 100 was charged
// true
