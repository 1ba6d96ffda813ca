import pRetry, { AbortError } from "p-retry";
import { NonRetryableError, runWithRetry, stopAfterAttempt, stopNever, waitExponential, waitJittered } from "undaunted";
import { expect, it } from "vitest";
import { instants, play, type Row, replay, test, useOneClock } from "./replay.js";

useOneClock();

const fromPRetry: Row[] = [
  instants(
    (fn) => pRetry(fn),
    { stop: stopAfterAttempt(11), wait: waitExponential({ base: 1_000, factor: 2 }) },
    "`retries: 10`, the default",
    "`stop: stopAfterAttempt(11)`",
  ),
  instants(
    (fn) => pRetry(fn, { retries: Infinity }),
    { stop: stopNever, wait: waitExponential({ base: 1_000 }) },
    "`retries: Infinity`",
    "`stop: stopNever`",
  ),
  instants(
    (fn) => pRetry(fn, { retries: 3 }),
    { stop: stopAfterAttempt(4), wait: waitExponential({ base: 1_000, factor: 2 }) },
    "`minTimeout: 1000, factor: 2`, the default",
    "`wait: waitExponential({ base: 1_000, factor: 2 })`",
  ),
  instants(
    (fn) => pRetry(fn, { maxTimeout: 30_000 }),
    { stop: stopAfterAttempt(11), wait: waitExponential({ base: 1_000, max: 30_000 }) },
    "`maxTimeout: 30000`",
    "`wait: waitExponential({ base: 1_000, max: 30_000 })`",
  ),
  instants(
    (fn) => pRetry(fn, { randomize: true }),
    { stop: stopAfterAttempt(11), wait: waitJittered(waitExponential({ base: 1_000 }), { from: 1, to: 2 }) },
    "`randomize: true`",
    "`wait: waitJittered(waitExponential({ base: 1_000 }), { from: 1, to: 2 })`, or better `wait: waitFullJitter({ base: 1_000, max: 30_000 })`",
  ),
  instants(
    (fn) => pRetry(fn, { shouldRetry: ({ error }) => test(error) }),
    { stop: stopAfterAttempt(11), wait: waitExponential({ base: 1_000 }), retryIf: (error) => test(error) },
    "`shouldRetry: ({ error }) => test(error)`",
    "`retryIf: (error) => test(error)`",
  ),
];

replay("p-retry", fromPRetry);

it("a NonRetryableError is p-retry's AbortError: one call, and its cause", async () => {
  const gone = new Error("gone");
  const theirs = await play((fn) => pRetry(() => fn().then(() => Promise.reject(new AbortError(gone)))), ["busy"]);
  const end = () => Promise.reject(new NonRetryableError(gone));
  const ours = await play((fn) => runWithRetry(() => fn().then(end)), ["busy"]);

  expect(ours).toEqual(theirs);
  expect(ours.end).toBe(gone);
});
