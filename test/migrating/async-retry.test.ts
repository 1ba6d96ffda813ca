import asyncRetry from "async-retry";
import { stopAfterAttempt, stopAfterDelay, stopAny, waitExponential, waitJittered } from "undaunted";
import { instants, type Row, replay, useOneClock } from "./replay.js";

useOneClock();

const fromAsyncRetry: Row[] = [
  instants(
    (fn) => asyncRetry(fn),
    { stop: stopAfterAttempt(11), wait: waitJittered(waitExponential({ base: 1_000 }), { from: 1, to: 2 }) },
    "`minTimeout: 1000, factor: 2, randomize: true`, the default",
    "`wait: waitJittered(waitExponential({ base: 1_000 }), { from: 1, to: 2 })`",
  ),
  instants(
    (fn) => asyncRetry(fn, { randomize: false }),
    { stop: stopAfterAttempt(11), wait: waitExponential({ base: 1_000 }) },
    "`randomize: false`",
    "`wait: waitExponential({ base: 1_000 })`",
  ),
  instants(
    (fn) => asyncRetry(fn, { randomize: false, maxTimeout: 30_000 }),
    { stop: stopAfterAttempt(11), wait: waitExponential({ base: 1_000, max: 30_000 }) },
    "`maxTimeout: 30000`",
    "`wait: waitExponential({ base: 1_000, max: 30_000 })`",
  ),
  instants(
    (fn) => asyncRetry(fn, { randomize: false, maxRetryTime: 60_000 }),
    { stop: stopAny(stopAfterAttempt(11), stopAfterDelay(60_000)), wait: waitExponential({ base: 1_000 }) },
    "`maxRetryTime: 60000`",
    "`stop: stopAny(stopAfterAttempt(11), stopAfterDelay(60_000))`",
  ),
];

/** async-retry rejects with the error whose message came most often, which its page says: any of the script will do. */
const sameKind = (end: unknown) => (end instanceof Error ? "an error" : end);

replay("async-retry", fromAsyncRetry, sameKind);
