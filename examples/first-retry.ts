// How do I retry a function that sometimes fails?
import { retry, retryIfErrorCode, stopAfterAttempt, waitFullJitter } from "undaunted";

let calls = 0;

async function fetchUser(id: string) {
  calls++;
  if (calls < 3) throw Object.assign(new Error("service unavailable"), { status: 503 });
  return { id, name: "Ada" };
}

const getUser = retry(fetchUser, {
  stop: stopAfterAttempt(5),
  wait: waitFullJitter({ base: 20, max: 1_000 }),
  retryIf: retryIfErrorCode(429, 503),
});

const user = await getUser("42");

console.log(`${user.name}, after ${calls} calls`);

// prints:
// Ada, after 3 calls
