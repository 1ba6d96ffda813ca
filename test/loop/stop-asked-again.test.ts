import {
  type RetryOptions,
  retry,
  stopAfterAttempt,
  stopAll,
  stopAny,
  stopBeforeDelay,
  stopNever,
  waitFixed,
} from "undaunted";
import { type VirtualClock, virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";
import { abruptClock, busy, recordingBudget, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

const LIMIT = 100;

/** What takes 300 ms between an attempt and the next. */
const slow: Record<string, (sleep: () => Promise<void>) => RetryOptions> = {
  retryIf: (sleep) => ({ retryIf: () => sleep().then(() => true) }),
  onRetry: (sleep) => ({ onRetry: sleep }),
  budget: (sleep) => ({
    budget: { acquire: () => sleep().then(() => 1), recordSuccess() {}, refund() {}, balance: 1 },
  }),
};

const stops = {
  "stopBeforeDelay itself": stopBeforeDelay(LIMIT),
  "one in stopAny": stopAny(stopAfterAttempt(9), stopBeforeDelay(LIMIT)),
  "one in stopAll": stopAll(() => true, stopBeforeDelay(LIMIT)),
  "one in both": stopAny(stopAll(stopAny(stopBeforeDelay(LIMIT)))),
};

function sleeper(clock: VirtualClock): () => Promise<void> {
  return () => new Promise((resolve) => void clock.setTimer(resolve, 300));
}

const cases = Object.keys(slow).flatMap((what) => Object.keys(stops).map((stop) => [what, stop] as const));

it.each(cases)("no attempt begins past the limit though %s takes its time: %s", async (what, stop) => {
  const clock = virtualClock();
  const begins: number[] = [];
  const reasons: unknown[] = [];
  const result = retry(
    () => {
      begins.push(clock.now());
      return Promise.reject(busy);
    },
    {
      clock,
      stop: stops[stop as keyof typeof stops],
      wait: waitFixed(1),
      onGiveUp: ({ reason, error }) => reasons.push([reason, error]),
      ...slow[what]!(sleeper(clock)),
    },
  )().catch((error) => error);

  await clock.runAll();

  expect(await result).toBe(busy);
  expect(begins).toEqual([0]);
  expect(reasons).toEqual([["stopped", busy]]);
});

it.each([{}, { signal: new AbortController().signal }])(
  "no attempt begins past the limit where the sleep's timer is late, and its token goes back: %o",
  async (more) => {
    const clock = abruptClock();
    const { budget, log } = recordingBudget(() => 1);
    const reasons: unknown[] = [];
    let time = 0;
    let calls = 0;
    const result = retry(
      () => {
        calls++;
        return Promise.reject(busy);
      },
      {
        ...more,
        clock: { ...clock, now: () => time },
        budget,
        stop: stopBeforeDelay(LIMIT),
        wait: waitFixed(10),
        onGiveUp: ({ reason }) => reasons.push(reason),
      },
    )().catch((error) => error);
    while (clock.timers.size === 0) await null;

    time = 3 * LIMIT;
    clock.fire();

    expect(await result).toBe(busy);
    expect([calls, reasons]).toEqual([1, ["stopped"]]);
    expect(log).toEqual(["acquire", "refund 1"]);
  },
);

it("a token that a slow budget gave goes back when it is too late for the attempt", async () => {
  const clock = virtualClock();
  const { budget, log } = recordingBudget(() => sleeper(clock)().then(() => 1));
  const result = retry(() => Promise.reject(busy), {
    clock,
    budget,
    stop: stopBeforeDelay(LIMIT),
    wait: waitFixed(1),
  })();
  result.catch(() => {});

  await clock.runAll();

  await expect(result).rejects.toBe(busy);
  expect(log).toEqual(["acquire", "refund 1"]);
});

it("the strategy is asked again on a copy of the state, by the time that it is", async () => {
  const clock = virtualClock();
  const asked: number[][] = [];
  const stop = stopAny(
    ({ elapsed, delay, attempt }) => {
      asked.push([attempt, elapsed, delay]);
      return false;
    },
    stopBeforeDelay(10 * LIMIT),
  );
  let calls = 0;
  const states: number[] = [];
  const call = retry(() => (++calls === 2 ? Promise.resolve("value") : Promise.reject(busy)), {
    clock,
    stop,
    wait: waitFixed(20),
    onRetry: (state) => {
      states.push(state.elapsed);
      return sleeper(clock)();
    },
  });
  const result = call();

  await clock.runAll();

  expect(await result).toBe("value");
  expect(states).toEqual([0]);
  expect(asked[0]).toEqual([1, 0, 20]);
  expect(asked[1]).toEqual([1, 300, 20]);
});

it("a strategy that looks at no delay is asked once for each attempt", async () => {
  const clock = virtualClock();
  let asked = 0;
  const stop = (state: { attempt: number }) => {
    asked++;
    return state.attempt === 3 || stopNever(state as never);
  };
  const result = retry(() => Promise.reject(busy), { clock, stop, wait: waitFixed(20), onRetry: sleeper(clock) })();
  result.catch(() => {});

  await clock.runAll();

  await expect(result).rejects.toBe(busy);
  expect(asked).toBe(3);
});
