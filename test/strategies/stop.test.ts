import {
  runWithRetrySync,
  type Stop,
  stopAfterAttempt,
  stopAfterDelay,
  stopAll,
  stopAny,
  stopBeforeDelay,
  stopNever,
  waitNone,
} from "undaunted";
import { flaky, retryState, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const yes: Stop = () => true;
const no: Stop = () => false;

describe("stopNever", () => {
  it.each([1, 10_000, Number.MAX_SAFE_INTEGER])("goes on after attempt %i", (attempt) => {
    expect(stopNever(retryState({ attempt, elapsed: 1e12, delay: 1e12 }))).toBe(false);
  });
});

describe("stopAfterAttempt", () => {
  it.each([
    [1, 1, true],
    [3, 1, false],
    [3, 2, false],
    [3, 3, true],
    [3, 4, true],
    [Infinity, 10_000, false],
  ])("stopAfterAttempt(%d) returns after attempt %i: %s", (n, attempt, stops) => {
    expect(stopAfterAttempt(n)(retryState({ attempt }))).toBe(stops);
  });

  it("looks at attempts alone, however long they took", () => {
    expect(stopAfterAttempt(3)(retryState({ attempt: 2, elapsed: 1e12, delay: 1e12, idle: 1e12 }))).toBe(false);
  });
});

describe("stopAfterDelay", () => {
  it.each([
    [1_000, 0, false],
    [1_000, 999.9, false],
    [1_000, 1_000, true],
    [1_000, 1_000.1, true],
    [0, 0, true],
    [Infinity, 1e12, false],
  ])("stopAfterDelay(%d) returns at %d ms: %s", (ms, elapsed, stops) => {
    expect(stopAfterDelay(ms)(retryState({ elapsed }))).toBe(stops);
  });

  it("takes no account of the coming sleep", () => {
    expect(stopAfterDelay(1_000)(retryState({ elapsed: 999, delay: 60_000, idle: 60_000 }))).toBe(false);
  });
});

describe("stopBeforeDelay", () => {
  it.each([
    [1_000, 0, 999, false],
    [1_000, 600, 399, false],
    [1_000, 600, 400, true],
    [1_000, 600, 401, true],
    [1_000, 1_000, 0, true],
    [0, 0, 0, true],
    [Infinity, 1e12, 1e12, false],
  ])("stopBeforeDelay(%d) returns at %d ms with %d ms to sleep: %s", (ms, elapsed, delay, stops) => {
    expect(stopBeforeDelay(ms)(retryState({ elapsed, delay }))).toBe(stops);
  });
});

describe("stopAny", () => {
  it.each<[string, boolean, Stop[]]>([
    ["one no", false, [no]],
    ["one yes", true, [yes]],
    ["no, no", false, [no, no]],
    ["no, yes", true, [no, yes]],
    ["yes, no", true, [yes, no]],
    ["yes, yes", true, [yes, yes]],
  ])("of %s answers %s", (_, expected, stops) => {
    expect(stopAny(...stops)(retryState())).toBe(expected);
  });

  it("asks no other stop after the first yes", () => {
    const later = vi.fn(no);

    stopAny(no, yes, later)(retryState());

    expect(later).not.toHaveBeenCalled();
  });

  it("hands the state on as it is", () => {
    const part = vi.fn(no);
    const state = retryState();

    stopAny(part)(state);

    expect(part.mock.calls[0]![0]).toBe(state);
  });
});

describe("stopAll", () => {
  it.each<[string, boolean, Stop[]]>([
    ["one no", false, [no]],
    ["one yes", true, [yes]],
    ["no, no", false, [no, no]],
    ["no, yes", false, [no, yes]],
    ["yes, no", false, [yes, no]],
    ["yes, yes", true, [yes, yes]],
  ])("of %s answers %s", (_, expected, stops) => {
    expect(stopAll(...stops)(retryState())).toBe(expected);
  });

  it("asks no other stop after the first no", () => {
    const later = vi.fn(yes);

    stopAll(yes, no, later)(retryState());

    expect(later).not.toHaveBeenCalled();
  });

  it("hands the state on as it is", () => {
    const part = vi.fn(no);
    const state = retryState();

    stopAll(part)(state);

    expect(part.mock.calls[0]![0]).toBe(state);
  });
});

it("nests combinators", () => {
  const stop = stopAny(stopAfterAttempt(5), stopAll(stopAfterAttempt(2), stopAfterDelay(100)));

  const answers = [
    retryState({ attempt: 1, elapsed: 100 }),
    retryState({ attempt: 2, elapsed: 99 }),
    retryState({ attempt: 2, elapsed: 100 }),
    retryState({ attempt: 5, elapsed: 0 }),
  ].map(stop);

  expect(answers).toEqual([false, false, true, true]);
});

// A policy reads no clock where no strategy says that it looks at `elapsed`: one that kept quiet would see 0 for ever.
describe("in a policy", () => {
  it.each<[string, Stop]>([
    ["stopAfterDelay", stopAfterDelay(100)],
    ["stopBeforeDelay", stopBeforeDelay(100)],
    ["stopAny of it", stopAny(stopNever, stopAfterDelay(100))],
    ["stopAll of it", stopAll(stopAfterAttempt(1), stopAfterDelay(100))],
    ["a function of the user's", (state) => state.elapsed >= 100],
    ["stopAny of that", stopAny(stopNever, (state) => state.elapsed >= 100)],
    ["stopAll of that", stopAll(stopAfterAttempt(1), (state) => state.elapsed >= 100)],
  ])("%s sees the time that has passed", (_, stop) => {
    const clock = virtualClock();
    const attempt = () => {
      clock.sleepSync(60);
      throw new Error("busy");
    };
    const task = flaky([attempt, attempt, attempt]);

    expect(() => runWithRetrySync(task, { stop, wait: waitNone, clock })).toThrow("busy");
    expect(task.calls).toHaveLength(2);
  });

  it.each<[string, Stop]>([
    ["stopNever", stopNever],
    ["stopAfterAttempt", stopAfterAttempt(4)],
    ["stopAny of both", stopAny(stopNever, stopAfterAttempt(4))],
    ["stopAll of both", stopAll(stopNever, stopAfterAttempt(4))],
  ])("%s leaves the clock unread", (_, stop) => {
    const now = vi.fn(() => 0);
    const task = flaky([new Error("busy"), "ok"]);

    runWithRetrySync(task, { stop, wait: waitNone, clock: { now, sleepSync() {} } });

    expect(now).not.toHaveBeenCalled();
  });
});
