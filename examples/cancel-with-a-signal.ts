// How do I cancel a call, whatever it is doing, and have its work stopped too?
import { setTimeout as transfer } from "node:timers/promises";
import { currentAttempt, retry, waitFixed } from "undaunted";

async function download(file: string) {
  // Before the first await: afterwards there is no current attempt any more.
  const { attempt, signal } = currentAttempt();
  if (attempt === 1) throw new Error("connection lost");
  signal.addEventListener("abort", () => console.log(`${file}: the transfer stops`));
  await transfer(60_000, undefined, { signal });
  return file;
}

const downloadWithRetry = retry(download);

async function cancelAfter(ms: number, file: string, sleep: number) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("the user left")), ms);
  try {
    await downloadWithRetry.with({ signal: controller.signal, wait: waitFixed(sleep) })(file);
  } catch (error) {
    console.log(`${file}: ${(error as Error).message}`);
  }
}

await cancelAfter(50, "in its second attempt", 10);
await cancelAfter(50, "in a sleep of an hour", 3_600_000);

// prints:
// in its second attempt: the transfer stops
// in its second attempt: the user left
// in a sleep of an hour: the user left
