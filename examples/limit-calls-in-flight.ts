// How do I keep a slow service from using up my connections?
import { type BulkheadFullError, bulkhead, retry, waitFixed } from "undaunted";

const slots = bulkhead({ limit: 2, queue: 1 });
let inFlight = 0;
let most = 0;

async function render(page: number) {
  most = Math.max(most, ++inFlight);
  await new Promise((resolve) => setTimeout(resolve, 5));
  inFlight--;
  return `page ${page}`;
}

const renderAtMostTwo = slots.wrap(render);
const results = await Promise.allSettled([1, 2, 3, 4].map((page) => renderAtMostTwo(page)));
for (const result of results) {
  console.log(result.status === "fulfilled" ? result.value : (result.reason as BulkheadFullError).name);
}

// A retry around it comes back for the slot that it did not get.
const patient = retry(renderAtMostTwo, { wait: waitFixed(10) });
console.log((await Promise.all([5, 6, 7, 8].map((page) => patient(page)))).join(", "));
console.log(`${most} at a time, never more`);

// prints:
// page 1
// page 2
// page 3
// BulkheadFullError
// page 5, page 6, page 7, page 8
// 2 at a time, never more
