// Where a runtime's answer differs from a check's own, and why: `runtime` is matched against the names in runtimes.ts.

const SAYS_NOTHING =
  "It does not say that a request was refused: to it that is a connection lost, which may have been sent.";

export const DIFFERENCES = [
  {
    runtime: /^workerd/,
    says: [
      "a POST that is refused is sent again, as nothing was sent",
      "retryIfTransient sees that a fetch was refused",
    ],
    answer: 1,
    cell: "sent once",
    why: `${SAYS_NOTHING} (workerd: "Network connection lost.")`,
  },
  {
    runtime: /^Chromium$/,
    says: [
      "a POST that is refused is sent again, as nothing was sent",
      "retryIfTransient sees that a fetch was refused",
    ],
    answer: 1,
    cell: "sent once",
    why: `${SAYS_NOTHING} (A page must not learn which ports are open: "Failed to fetch".)`,
  },
  {
    runtime: /^bare$/,
    says: [
      "a POST that is refused is sent again, as nothing was sent",
      "retryIfTransient sees that a fetch was refused",
    ],
    answer: 1,
    cell: "sent once",
    why: `${SAYS_NOTHING} (An \`XMLHttpRequest\` has one kind of error: "Network request failed".)`,
  },
  {
    runtime: /^(workerd.*|Chromium|bare)$/,
    says: ["a sync function sleeps between its attempts"],
    answer: "retrySync",
    cell: "throws",
    why: "Its thread may not block: `retrySync` throws an error that says so, unless the wait is 0.",
  },
  {
    runtime: /^bare$/,
    says: [
      "an abort ends a sleep at once, with the signal's reason",
      "an abort by the caller ends a request that hangs, with the caller's reason",
    ],
    answer: "AbortError",
    cell: "an `AbortError`",
    why: "abort-controller keeps no reason: the call ends at once all the same, with an `AbortError`.",
  },
  {
    runtime: /^bare$/,
    says: ["an AbortSignal.timeout ends a call"],
    answer: "TypeError: AbortSignal.timeout is not a function",
    cell: "–",
    why: "There is no `AbortSignal.timeout`: `totalTimeout` does the same.",
  },
  {
    runtime: /^bare$/,
    says: ["a POST with an idempotency key is sent again, with the same key"],
    answer:
      "TypeError: newIdempotencyKey: there is no crypto.getRandomValues here, which a random key needs: load a polyfill",
    cell: "throws",
    why: "A key must not be guessed or met twice, and there is no `crypto.getRandomValues` to make it of: load a polyfill, or give a key of your own.",
  },
  {
    runtime: /^bare$/,
    says: ["a request is answered once for its Idempotency-Key"],
    answer: "Error: URL.pathname is not implemented",
    cell: "–",
    why: "`undaunted/server` is for servers, which have a whole `URL`.",
  },
];

/** The difference that a runtime is known to make in a check, if it makes one. */
export function differenceOf(runtime, says) {
  return DIFFERENCES.find((each) => each.runtime.test(runtime) && each.says.includes(says));
}
