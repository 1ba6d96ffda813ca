// How do I give each tenant its own limits, and change them without a restart?
import { type RetryOptions, retry, stopAfterAttempt, waitFixed } from "undaunted";

// The same object while nothing changes: a policy is compiled once per options object.
const plans: Record<string, RetryOptions> = {
  free: { stop: stopAfterAttempt(1) },
  business: { stop: stopAfterAttempt(3), wait: waitFixed(10) },
};

let calls = 0;

async function send(plan: string, message: string) {
  calls++;
  throw new Error(`${plan}: cannot deliver ${message}`);
}

// Asked each time a call starts, with the call's arguments.
const sendMessage = retry(send, (plan) => plans[plan] ?? {});

async function callsFor(plan: string) {
  calls = 0;
  await sendMessage(plan, "hello").catch(() => {});
  return calls;
}

console.log("free:", await callsFor("free"));
console.log("business:", await callsFor("business"));

plans.free = { stop: stopAfterAttempt(2), wait: waitFixed(10) };
console.log("free, from now on:", await callsFor("free"));

// prints:
// free: 1
// business: 3
// free, from now on: 2
