import { retry as attempt } from "@lifeomic/attempt";
import {
  AttemptTimeoutError,
  retryIfNotErrorType,
  stopAfterAttempt,
  stopNever,
  waitExponential,
  waitFixed,
  waitFullJitter,
} from "undaunted";
import { instants, type Row, replay, test, useOneClock } from "./replay.js";

useOneClock();

const fromAttempt: Row[] = [
  instants(
    (fn) => attempt(fn),
    { stop: stopAfterAttempt(3), wait: waitFixed(200) },
    "`maxAttempts: 3`, the default",
    "`stop: stopAfterAttempt(3)`",
  ),
  instants(
    (fn) => attempt(fn, { maxAttempts: 0 }),
    { stop: stopNever, wait: waitFixed(200) },
    "`maxAttempts: 0`",
    "`stop: stopNever`",
  ),
  instants(
    (fn) => attempt(fn, { maxAttempts: 9, delay: 200 }),
    { stop: stopAfterAttempt(9), wait: waitFixed(200) },
    "`delay: 200`, the default",
    "`wait: waitFixed(200)`",
  ),
  instants(
    (fn) => attempt(fn, { maxAttempts: 9, delay: 200, factor: 2 }),
    { stop: stopAfterAttempt(9), wait: waitExponential({ base: 200 }) },
    "`delay: 200, factor: 2`",
    "`wait: waitExponential({ base: 200 })`",
  ),
  instants(
    (fn) => attempt(fn, { maxAttempts: 9, delay: 200, factor: 2, maxDelay: 5_000 }),
    { stop: stopAfterAttempt(9), wait: waitExponential({ base: 200, max: 5_000 }) },
    "`delay: 200, factor: 2, maxDelay: 5000`",
    "`wait: waitExponential({ base: 200, max: 5_000 })`",
  ),
  instants(
    (fn) => attempt(fn, { maxAttempts: 9, delay: 200, factor: 2, jitter: true }),
    { stop: stopAfterAttempt(9), wait: waitFullJitter({ base: 200 }) },
    "`delay: 200, factor: 2, jitter: true`",
    "`wait: waitFullJitter({ base: 200 })`",
  ),
  instants(
    (fn) => attempt(fn, { maxAttempts: 9, delay: 200, factor: 2, jitter: true, minDelay: 100 }),
    { stop: stopAfterAttempt(9), wait: waitFullJitter({ base: 200, min: 100 }) },
    "`delay: 200, factor: 2, jitter: true, minDelay: 100`",
    "`wait: waitFullJitter({ base: 200, min: 100 })`",
  ),
  instants(
    (fn) => attempt(fn, { maxAttempts: 9, calculateDelay: ({ attemptNum }) => 100 * attemptNum }),
    { stop: stopAfterAttempt(9), wait: ({ attempt: n }) => 100 * n },
    "`calculateDelay: ({ attemptNum }) => 100 * attemptNum`",
    "`wait: ({ attempt }) => 100 * attempt`",
  ),
  instants(
    (fn) => attempt(fn, { maxAttempts: 9, handleError: (error, context) => void (test(error) || context.abort()) }),
    { stop: stopAfterAttempt(9), wait: waitFixed(200), retryIf: (error) => test(error) },
    "`handleError: (error, context) => …`, which calls `context.abort()`",
    '`retryIf: (error) => test(error)`, or `throw new NonRetryableError("gone", { cause: error })`',
  ),
  {
    row: ["`timeout: 2000`", "`attemptTimeout: 2_000`, `retryIf: retryIfNotErrorType(AttemptTimeoutError)`"],
    theirs: (fn) => attempt(fn, { timeout: 2_000 }),
    ours: {
      stop: stopAfterAttempt(3),
      wait: waitFixed(200),
      attemptTimeout: 2_000,
      retryIf: retryIfNotErrorType(AttemptTimeoutError),
    },
    took: 3_000,
    alike: (end) => ((end as { code?: string }).code ?? "").endsWith("ATTEMPT_TIMEOUT"),
  },
];

replay("@lifeomic/attempt", fromAttempt);
