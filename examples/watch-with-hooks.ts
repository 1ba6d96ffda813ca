// How do I log retries and count them?
import { mergeHooks, retry, retryLogger, stopAfterAttempt, waitFixed } from "undaunted";

// `console`, pino and winston fit as they are; this one writes warnings to where this program prints.
const logger = { warn: console.log, error: console.log };

const metrics = { succeeded: 0, gaveUp: 0 };

const watch = mergeHooks(retryLogger(logger), {
  onSuccess: () => metrics.succeeded++,
  onGiveUp: () => metrics.gaveUp++,
});

async function charge(card: string) {
  if (card === "stolen") throw new Error("refused");
  return "paid";
}

const chargeCard = retry(charge, { stop: stopAfterAttempt(2), wait: waitFixed(10), ...watch });

await chargeCard("valid");
await chargeCard("stolen").catch(() => {});

console.log(metrics);
console.log(`${chargeCard.stats.calls} calls, ${chargeCard.stats.attempts} attempts`);

// prints:
// charge: attempt 1 failed with Error: refused; the next follows in 10 ms
// charge: gave up (stopped) after 2 attempts: Error: refused
// { succeeded: 1, gaveUp: 1 }
// 2 calls, 3 attempts
