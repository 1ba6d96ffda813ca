import { backOff } from "exponential-backoff";
import { stopAfterAttempt, waitExponential, waitFullJitter } from "undaunted";
import { instants, type Row, replay, test, useOneClock } from "./replay.js";

useOneClock();

const fromBackOff: Row[] = [
  instants(
    (fn) => backOff(fn),
    { stop: stopAfterAttempt(10), wait: waitExponential({ base: 100, factor: 2 }) },
    "`numOfAttempts: 10`, the default",
    "`stop: stopAfterAttempt(10)`",
  ),
  instants(
    (fn) => backOff(fn, { numOfAttempts: 4 }),
    { stop: stopAfterAttempt(4), wait: waitExponential({ base: 100, factor: 2 }) },
    "`startingDelay: 100, timeMultiple: 2`, the default",
    "`wait: waitExponential({ base: 100, factor: 2 })`",
  ),
  instants(
    (fn) => backOff(fn, { maxDelay: 5_000 }),
    { stop: stopAfterAttempt(10), wait: waitExponential({ base: 100, max: 5_000 }) },
    "`maxDelay: 5000`",
    "`wait: waitExponential({ base: 100, max: 5_000 })`",
  ),
  instants(
    (fn) => backOff(fn, { jitter: "full" }),
    { stop: stopAfterAttempt(10), wait: waitFullJitter({ base: 100 }) },
    '`jitter: "full"`',
    "`wait: waitFullJitter({ base: 100 })`",
  ),
  instants(
    (fn) => backOff(fn, { retry: (error) => test(error) }),
    { stop: stopAfterAttempt(10), wait: waitExponential({ base: 100 }), retryIf: (error) => test(error) },
    "`retry: (error) => test(error)`",
    "`retryIf: (error) => test(error)`",
  ),
  instants(
    (fn) => backOff(fn, { retry: (_error, n) => n < 3 }),
    { stop: stopAfterAttempt(10), wait: waitExponential({ base: 100 }), retryIf: (_error, { attempt: n }) => n < 3 },
    "`retry: (error, attempt) => attempt < 3`",
    "`retryIf: (error, { attempt }) => attempt < 3`",
  ),
];

replay("exponential-backoff", fromBackOff);
