import { BackOffPolicy, ExponentialBackoffStrategy, Retryable } from "typescript-retry-decorator";
import {
  retryIfErrorType,
  stopAfterAttempt,
  waitEqualJitter,
  waitExponential,
  waitFixed,
  waitFullJitter,
  waitNone,
} from "undaunted";
import { type Fn, instants, NetworkError, type Row, replay, test, useOneClock } from "./replay.js";

useOneClock();

/** `fn` as a decorated method. */
const decorated = (options: object) => (fn: Fn) => {
  const descriptor = { value: fn, writable: true, configurable: true };
  Retryable({ useOriginalError: true, useConsoleLogger: false, ...options } as never)({}, "load", descriptor);
  return (descriptor.value as Fn)();
};
const exponential = (more: object) =>
  decorated({ maxAttempts: 5, backOffPolicy: BackOffPolicy.ExponentialBackOffPolicy, ...more });

const fromDecorator: Row[] = [
  instants(
    decorated({ maxAttempts: 3 }),
    { stop: stopAfterAttempt(4), wait: waitNone },
    "`maxAttempts: 3`",
    "`stop: stopAfterAttempt(4)`",
  ),
  instants(
    decorated({ maxAttempts: 5, backOff: 500 }),
    { stop: stopAfterAttempt(6), wait: waitFixed(500) },
    "`backOff: 500`",
    "`wait: waitFixed(500)`",
  ),
  instants(
    exponential({}),
    { stop: stopAfterAttempt(6), wait: waitExponential({ base: 1_000, factor: 2, max: 2_000 }) },
    "`backOffPolicy: BackOffPolicy.ExponentialBackOffPolicy`, its defaults",
    "`wait: waitExponential({ base: 1_000, factor: 2, max: 2_000 })`",
  ),
  instants(
    exponential({
      exponentialOption: { maxInterval: 2_000, multiplier: 2, backoffStrategy: ExponentialBackoffStrategy.FullJitter },
    }),
    { stop: stopAfterAttempt(6), wait: waitFullJitter({ base: 1_000, max: 2_000 }) },
    "… `backoffStrategy: ExponentialBackoffStrategy.FullJitter`",
    "`wait: waitFullJitter({ base: 1_000, max: 2_000 })`",
  ),
  instants(
    exponential({
      exponentialOption: { maxInterval: 2_000, multiplier: 2, backoffStrategy: ExponentialBackoffStrategy.EqualJitter },
    }),
    { stop: stopAfterAttempt(6), wait: waitEqualJitter({ base: 1_000, max: 2_000 }) },
    "… `backoffStrategy: ExponentialBackoffStrategy.EqualJitter`",
    "`wait: waitEqualJitter({ base: 1_000, max: 2_000 })`",
  ),
  instants(
    decorated({ maxAttempts: 5, value: [NetworkError, RangeError] }),
    { stop: stopAfterAttempt(6), wait: waitNone, retryIf: retryIfErrorType([NetworkError, RangeError]) },
    "`value: [NetworkError, RangeError]`",
    "`retryIf: retryIfErrorType([NetworkError, RangeError])`",
  ),
  instants(
    decorated({ maxAttempts: 5, doRetry: (error: unknown) => test(error) }),
    { stop: stopAfterAttempt(6), wait: waitNone, retryIf: (error) => test(error) },
    "`doRetry: (error) => test(error)`",
    "`retryIf: (error) => test(error)`",
  ),
];

replay("typescript-retry-decorator", fromDecorator);
