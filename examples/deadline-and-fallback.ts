// How do I answer in time, with something older if need be?
import { currentAttempt, retry, TotalTimeoutError } from "undaunted";

const cache = new Map([["EUR", 1.08]]);

/** Takes far too long, unless its signal stops it. */
function fetchRate(currency: string): Promise<number> {
  const { signal } = currentAttempt();
  return new Promise((_resolve, reject) => {
    const timer = setTimeout(reject, 60_000, new Error(`no rate for ${currency}`));
    signal.addEventListener("abort", () => clearTimeout(timer));
  });
}

const getRate = retry(fetchRate, {
  totalTimeout: 50,
  fallback({ args: [currency], error }) {
    const known = cache.get(String(currency));
    if (known === undefined) throw error;
    return known;
  },
});

console.log("EUR:", await getRate("EUR"));
try {
  await getRate("XAU");
} catch (error) {
  console.log("XAU:", error instanceof TotalTimeoutError && error.message);
}

// prints:
// EUR: 1.08
// XAU: the total timeout of 50 ms leaves no time after attempt 1
