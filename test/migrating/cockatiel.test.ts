import * as cockatiel from "cockatiel";
import {
  type RetryOptions,
  retryIfAny,
  retryIfErrorType,
  retryIfResult,
  returnLastResult,
  runWithRetry,
  stopAfterAttempt,
  stopNever,
  waitChain,
  waitEqualJitter,
  waitExponential,
  waitFixed,
  waitFullJitter,
  waitNone,
} from "undaunted";
import { expect, it } from "vitest";
import {
  type Fn,
  instants,
  isBusy,
  NetworkError,
  play,
  type Row,
  replay,
  SEEDS,
  scriptOf,
  test,
  useOneClock,
} from "./replay.js";

useOneClock();

const handling = (policy: cockatiel.Policy, options: object) => (fn: Fn) =>
  cockatiel.retry(policy, options).execute(fn);
const cockatielBackoff = (generator: unknown) =>
  handling(cockatiel.handleAll, { maxAttempts: 6, backoff: new cockatiel.ExponentialBackoff({ generator } as never) });

const fromCockatiel: Row[] = [
  instants(
    handling(cockatiel.handleAll, { maxAttempts: 3 }),
    { stop: stopAfterAttempt(4), wait: waitNone },
    "`maxAttempts: 3`",
    "`stop: stopAfterAttempt(4)`",
  ),
  instants(
    handling(cockatiel.handleAll, {}),
    { stop: stopNever, wait: waitNone },
    "no `maxAttempts`",
    "`stop: stopNever`",
  ),
  instants(
    handling(cockatiel.handleAll, { maxAttempts: 5 }),
    { stop: stopAfterAttempt(6), wait: waitNone },
    "no `backoff`",
    "`wait: waitNone`",
  ),
  instants(
    handling(cockatiel.handleAll, { maxAttempts: 5, backoff: new cockatiel.ConstantBackoff(50) }),
    { stop: stopAfterAttempt(6), wait: waitFixed(50) },
    "`new ConstantBackoff(50)`",
    "`wait: waitFixed(50)`",
  ),
  instants(
    handling(cockatiel.handleAll, { maxAttempts: 5, backoff: new cockatiel.IterableBackoff([10, 50, 200]) }),
    { stop: stopAfterAttempt(6), wait: waitChain(waitFixed(10), waitFixed(50), waitFixed(200)) },
    "`new IterableBackoff([10, 50, 200])`",
    "`wait: waitChain(waitFixed(10), waitFixed(50), waitFixed(200))`",
  ),
  instants(
    cockatielBackoff(cockatiel.fullJitterGenerator),
    { stop: stopAfterAttempt(7), wait: waitFullJitter({ base: 128, max: 30_000 }) },
    "… `generator: fullJitterGenerator`",
    "`wait: waitFullJitter({ base: 128, max: 30_000 })`",
  ),
  instants(
    cockatielBackoff(cockatiel.noJitterGenerator),
    { stop: stopAfterAttempt(7), wait: waitExponential({ base: 128, max: 30_000 }) },
    "… `generator: noJitterGenerator`",
    "`wait: waitExponential({ base: 128, max: 30_000 })`",
  ),
  instants(
    cockatielBackoff(cockatiel.halfJitterGenerator),
    { stop: stopAfterAttempt(7), wait: waitEqualJitter({ base: 128, max: 30_000 }) },
    "… `generator: halfJitterGenerator`",
    "`wait: waitEqualJitter({ base: 128, max: 30_000 })`",
  ),
  instants(
    handling(cockatiel.handleAll, {
      maxAttempts: 5,
      backoff: new cockatiel.DelegateBackoff((context: { attempt: number }) => 100 * context.attempt),
    }),
    { stop: stopAfterAttempt(6), wait: (state) => 100 * state.attempt },
    "`new DelegateBackoff((context) => 100 * context.attempt)`",
    "`wait: (state) => 100 * state.attempt`",
  ),
  instants(
    handling(cockatiel.handleType(NetworkError, test), { maxAttempts: 5 }),
    { stop: stopAfterAttempt(6), wait: waitNone, retryIf: retryIfErrorType(NetworkError, test) },
    "`handleType(NetworkError, test)`",
    "`retryIf: retryIfErrorType(NetworkError, test)`",
  ),
  instants(
    handling(cockatiel.handleWhen(test), { maxAttempts: 5 }),
    { stop: stopAfterAttempt(6), wait: waitNone, retryIf: test },
    "`handleWhen(test)`",
    "`retryIf: test`",
  ),
  instants(
    handling(cockatiel.handleWhenResult(isBusy), { maxAttempts: 5 }),
    { stop: stopAfterAttempt(6), wait: waitNone, retryIf: retryIfResult(isBusy), fallback: returnLastResult },
    "`handleWhenResult(isBusy)`",
    "`retryIf: retryIfResult(isBusy)`",
  ),
  instants(
    handling(
      cockatiel.handleType(NetworkError).orWhen((error) => error.message === "gone"),
      { maxAttempts: 5 },
    ),
    {
      stop: stopAfterAttempt(6),
      wait: waitNone,
      retryIf: retryIfAny(retryIfErrorType(NetworkError), (error) => (error as Error).message === "gone"),
    },
    "`.orType(…)`, `.orWhen(…)`",
    "`retryIf: retryIfAny(retryIfErrorType(NetworkError), test)`",
  ),
];

replay("cockatiel", fromCockatiel);

it("cockatiel's onGiveUp is silent about what it does not handle, and so is the row's", async () => {
  for (const seed of SEEDS) {
    const script = scriptOf(seed, 15);
    const theirs: unknown[] = [];
    const ours: unknown[] = [];
    const policy = cockatiel.retry(cockatiel.handleWhen(test), { maxAttempts: 2 });
    policy.onGiveUp((result) => theirs.push((result as { error: unknown }).error));
    const onGiveUp: RetryOptions["onGiveUp"] = ({ reason, error }) => reason !== "not-retryable" && ours.push(error);

    await play((fn) => policy.execute(fn), script);
    await play(
      (fn) => runWithRetry(fn, { stop: stopAfterAttempt(3), wait: waitNone, retryIf: test, onGiveUp }),
      script,
    );

    expect(ours).toEqual(theirs);
  }
});
