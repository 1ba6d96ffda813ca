// How do I poll until something is ready, and survive a failed request meanwhile?
import { retry, retryIfAny, retryIfErrorCode, retryIfNotResult, stopAfterDelay, waitFixed } from "undaunted";

const answers = ["queued", "ECONNRESET", "running", "done"];

async function fetchJob(id: string) {
  const status = answers.shift();
  if (status === "ECONNRESET") throw Object.assign(new Error("read ECONNRESET"), { code: status });
  return { id, status };
}

const waitForJob = retry(fetchJob, {
  stop: stopAfterDelay(60_000),
  wait: waitFixed(10),
  retryIf: retryIfAny(
    retryIfErrorCode("ECONNRESET"),
    retryIfNotResult((job) => job.status === "done"),
  ),
  onRetry: ({ outcome }) => console.log(outcome.ok ? outcome.value.status : String(outcome.error)),
});

const job = await waitForJob("7");

console.log(`job ${job.id} is ${job.status}`);

// prints:
// queued
// Error: read ECONNRESET
// running
// job 7 is done
