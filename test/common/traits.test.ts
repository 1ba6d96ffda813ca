import {
  type RetryOptions,
  type RetryState,
  retry,
  retryIfAll,
  retryIfAny,
  retryIfError,
  retryIfErrorCause,
  retryIfErrorCode,
  retryIfErrorMessage,
  retryIfErrorName,
  retryIfErrorType,
  retryIfNot,
  retryIfNotErrorName,
  retryIfNotErrorType,
  retryIfNotResult,
  retryIfOutcome,
  retryIfResult,
  retryNever,
  stopAfterAttempt,
  stopAfterDelay,
  stopAll,
  stopAny,
  stopBeforeDelay,
  stopNever,
  waitChain,
  waitDecorrelatedJitter,
  waitEqualJitter,
  waitExponential,
  waitFibonacci,
  waitFixed,
  waitFromError,
  waitFromResult,
  waitFullJitter,
  waitIncrementing,
  waitJittered,
  waitMax,
  waitMin,
  waitNone,
  waitRandom,
  waitSum,
} from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const own = () => 0;
const exponential = { base: 1, max: 5 };
const perClass = retryIfErrorType(TypeError);

/** How often one call that succeeds at once reads the clock. */
async function readsOf(options: RetryOptions): Promise<number> {
  let reads = 0;
  const clock = {
    ...virtualClock(),
    now: () => {
      reads++;
      return 0;
    },
  };
  await retry(() => "ok", { wait: waitNone, ...options, clock })();
  return reads;
}

const blind: [name: string, options: RetryOptions][] = [
  ["the default policy", { wait: undefined }],
  ["stopNever", { stop: stopNever }],
  ["stopAfterAttempt", { stop: stopAfterAttempt(3) }],
  ["stopAny of such", { stop: stopAny(stopNever, stopAfterAttempt(3)) }],
  ["stopAll of such", { stop: stopAll(stopNever, stopAfterAttempt(3)) }],
  ["waitFixed", { wait: waitFixed(5) }],
  ["waitRandom", { wait: waitRandom(1, 5) }],
  ["waitIncrementing", { wait: waitIncrementing({ start: 1, increment: 1 }) }],
  ["waitExponential", { wait: waitExponential(exponential) }],
  ["waitFibonacci", { wait: waitFibonacci(exponential) }],
  ["waitFullJitter", { wait: waitFullJitter(exponential) }],
  ["waitEqualJitter", { wait: waitEqualJitter(exponential) }],
  ["waitDecorrelatedJitter", { wait: waitDecorrelatedJitter(exponential) }],
  ["waitJittered of such", { wait: waitJittered(waitFixed(5), { from: 0, to: 1 }) }],
  ["waitChain of such", { wait: waitChain(waitNone, waitFixed(5)) }],
  ["waitSum of such", { wait: waitSum(waitNone, waitFixed(5)) }],
  ["waitMax of such", { wait: waitMax(waitNone, waitFixed(5)) }],
  ["waitMin of such", { wait: waitMin(waitNone, waitFixed(5)) }],
  ["waitFromError", { wait: waitFromError(own, waitFixed(5)) }],
  ["waitFromResult", { wait: waitFromResult(own, waitFixed(5)) }],
  ["retryIfError", { retryIf: retryIfError() }],
  ["retryIfErrorType", { retryIf: perClass }],
  ["retryIfNotErrorType", { retryIf: retryIfNotErrorType(TypeError) }],
  ["retryIfErrorMessage", { retryIf: retryIfErrorMessage("busy") }],
  ["retryIfErrorCode", { retryIf: retryIfErrorCode("EBUSY") }],
  ["retryIfErrorCause", { retryIf: retryIfErrorCause(() => true) }],
  ["retryNever", { retryIf: retryNever }],
  ["retryIfAny of such", { retryIf: retryIfAny(perClass, retryIfError()) }],
  ["retryIfAll of such", { retryIf: retryIfAll(perClass, retryIfError()) }],
  ["retryIfNot of such", { retryIf: retryIfNot(perClass) }],
  ["retryIfErrorName", { retryIf: retryIfErrorName("BusyError") }],
  ["retryIfNotErrorName", { retryIf: retryIfNotErrorName("BusyError") }],
  ["a user's retryIf of the error alone", { retryIf: (_error) => false }],
  ["retryIfAny with one of the error alone", { retryIf: retryIfAny(perClass, (_error) => false) }],
  ["retryIfNot of one of the error alone", { retryIf: retryIfNot((_error) => false) }],
  ["onAttempt", { onAttempt: own }],
];

const curious: [name: string, options: RetryOptions][] = [
  ["a user's stop", { stop: () => true }],
  ["a user's wait", { wait: own }],
  ["a user's retryIf with no parameter, which may read rest arguments", { retryIf: () => false }],
  ["stopAfterDelay", { stop: stopAfterDelay(5) }],
  ["stopBeforeDelay", { stop: stopBeforeDelay(5) }],
  ["stopAny with one that looks", { stop: stopAny(stopNever, stopAfterDelay(5)) }],
  ["stopAny with a user's", { stop: stopAny(stopNever, () => false) }],
  ["stopAll with one that looks", { stop: stopAll(stopNever, stopBeforeDelay(5)) }],
  ["waitJittered of a user's", { wait: waitJittered(own, { from: 0, to: 1 }) }],
  ["waitChain with a user's", { wait: waitChain(waitNone, own) }],
  ["waitSum with a user's", { wait: waitSum(waitNone, own) }],
  ["waitMax with a user's", { wait: waitMax(waitNone, own) }],
  ["waitMin with a user's", { wait: waitMin(waitNone, own) }],
  ["waitFromError over a user's", { wait: waitFromError(own, own) }],
  ["waitFromResult over a user's", { wait: waitFromResult(own, own) }],
  ["a user's retryIf of error and state", { retryIf: (_error, _state) => false }],
  ["retryIfOutcome", { retryIf: retryIfOutcome(() => false) }],
  ["retryIfResult", { retryIf: retryIfResult(() => false) }],
  ["retryIfNotResult", { retryIf: retryIfNotResult(() => true) }],
  [
    "retryIfAny with a result predicate",
    {
      retryIf: retryIfAny(
        retryIfError(),
        retryIfResult(() => false),
      ),
    },
  ],
  ["retryIfAny with a user's", { retryIf: retryIfAny(retryIfError(), () => false) }],
  ["totalTimeout", { totalTimeout: 1_000 }],
  ["onRetry", { onRetry: own }],
  ["onSuccess", { onSuccess: own }],
  ["onGiveUp", { onGiveUp: own }],
  ["fallback", { fallback: own }],
  ["a user's budget", { budget: { acquire: () => 1, recordSuccess() {}, refund() {}, balance: 1 } }],
];

describe("the clock", () => {
  it.each(blind)("leaves the clock unread under %s", async (_name, options) => {
    expect(await readsOf(options)).toBe(0);
  });

  it.each(curious)("reads the clock under %s", async (_name, options) => {
    expect(await readsOf(options)).toBeGreaterThan(0);
  });
});

describe("elapsed", () => {
  it.each<[string, (look: (state: RetryState) => 0) => RetryOptions]>([
    ["stop", (look) => ({ stop: (state) => look(state) === 0 })],
    ["wait", (look) => ({ wait: look })],
    ["stop in stopAny", (look) => ({ stop: stopAny(stopAfterAttempt(2), (state) => look(state) === 0) })],
    ["wait in waitSum", (look) => ({ wait: waitSum(waitNone, look) })],
    ["retryIf", (look) => ({ retryIf: (_error, state) => look(state) > 0 })],
    ["retryIf in retryIfAny", (look) => ({ retryIf: retryIfAny(retryNever, (_error, state) => look(state) > 0) })],
  ])("shows the time that has passed in elapsed where a user's %s looks at it", async (_name, make) => {
    const clock = virtualClock();
    const elapsed: number[] = [];
    const slow = () =>
      new Promise<never>((_resolve, reject) => {
        clock.setTimer(() => reject(new Error("busy")), 100);
      });
    const load = retry(slow, {
      wait: waitNone,
      stop: stopAfterAttempt(2),
      ...make((state) => {
        elapsed.push(state.elapsed);
        return 0;
      }),
      clock,
    });

    const result = load().catch(() => {});
    await clock.runAll();
    await result;

    expect(elapsed[0]).toBe(100);
  });
});
