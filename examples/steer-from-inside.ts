// How does the function itself say "never again" or "again in a moment"?
import { NonRetryableError, retry, TryAgainError, waitFixed } from "undaunted";

let requests = 0;

async function fetchReport(id: string) {
  requests++;
  if (id === "unknown") {
    throw new NonRetryableError("hopeless", { cause: new Error(`no report ${id}`) });
  }
  if (requests < 3) throw new TryAgainError({ after: 20 });
  return `report ${id}`;
}

const getReport = retry(fetchReport, {
  wait: waitFixed(3_600_000),
  onRetry: ({ delay }) => console.log(`being prepared, next in ${delay} ms`),
});

console.log(await getReport("7"));
// The caller gets the cause: an error of its own domain.
await getReport("unknown").catch((error) => console.log(error.message));

// prints:
// being prepared, next in 20 ms
// being prepared, next in 20 ms
// report 7
// no report unknown
