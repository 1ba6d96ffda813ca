import nodeRetry from "retry";
import {
  stopAfterAttempt,
  stopAfterDelay,
  stopAny,
  stopNever,
  waitChain,
  waitExponential,
  waitFixed,
  waitJittered,
} from "undaunted";
import { type Fn, instants, type Row, replay, useOneClock } from "./replay.js";

useOneClock();

/** A promise of what `retry` calls back with. */
const byOperation = (options?: Parameters<typeof nodeRetry.operation>[0] | number[]) => (fn: Fn) =>
  new Promise<unknown>((resolve, reject) => {
    const operation = nodeRetry.operation(options as never);
    operation.attempt(() => {
      fn().then(resolve, (error) => {
        if (!operation.retry(error)) reject(error);
      });
    });
  });

const fromNodeRetry: Row[] = [
  instants(
    byOperation(),
    { stop: stopAfterAttempt(11), wait: waitExponential({ base: 1_000, factor: 2 }) },
    "`retries: 10`, the default",
    "`stop: stopAfterAttempt(11)`",
  ),
  instants(
    byOperation({ forever: true, retries: 30 }),
    { stop: stopNever, wait: waitExponential({ base: 1_000 }) },
    "`forever: true`",
    "`stop: stopNever`",
  ),
  instants(
    byOperation({ retries: 4 }),
    { stop: stopAfterAttempt(5), wait: waitExponential({ base: 1_000, factor: 2 }) },
    "`minTimeout: 1000, factor: 2`, the default",
    "`wait: waitExponential({ base: 1_000, factor: 2 })`",
  ),
  instants(
    byOperation({ maxTimeout: 30_000 }),
    { stop: stopAfterAttempt(11), wait: waitExponential({ base: 1_000, max: 30_000 }) },
    "`maxTimeout: 30000`",
    "`wait: waitExponential({ base: 1_000, max: 30_000 })`",
  ),
  instants(
    byOperation({ randomize: true }),
    { stop: stopAfterAttempt(11), wait: waitJittered(waitExponential({ base: 1_000 }), { from: 1, to: 2 }) },
    "`randomize: true`",
    "`wait: waitJittered(waitExponential({ base: 1_000 }), { from: 1, to: 2 })`",
  ),
  instants(
    byOperation([100, 300, 900]),
    { stop: stopAfterAttempt(4), wait: waitChain(waitFixed(100), waitFixed(300), waitFixed(900)) },
    "`retry.operation([100, 300, 900])`",
    "`stop: stopAfterAttempt(4)`, `wait: waitChain(waitFixed(100), waitFixed(300), waitFixed(900))`",
  ),
  instants(
    byOperation({ maxRetryTime: 60_000 }),
    { stop: stopAny(stopAfterAttempt(11), stopAfterDelay(60_000)), wait: waitExponential({ base: 1_000 }) },
    "`maxRetryTime: 60000`",
    "`stop: stopAny(stopAfterAttempt(11), stopAfterDelay(60_000))`",
  ),
];

replay("retry", fromNodeRetry);
