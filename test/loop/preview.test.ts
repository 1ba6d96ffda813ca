import {
  previewPolicy,
  retryIfResult,
  retryNever,
  StrategyError,
  stopAfterAttempt,
  stopAfterDelay,
  stopAll,
  stopAny,
  stopBeforeDelay,
  stopNever,
  waitDecorrelatedJitter,
  waitExponential,
  waitFixed,
  waitNone,
  waitRandom,
} from "undaunted";
import { describe, expect, it } from "vitest";

describe("previewPolicy", () => {
  it("shows a row per attempt, up to the one after which the policy surely stops", () => {
    const rows = previewPolicy({ stop: stopAfterAttempt(3), wait: waitExponential({ base: 100 }) });

    expect(rows).toEqual([
      { attempt: 1, minDelay: 100, maxDelay: 100, minElapsed: 0, maxElapsed: 0, mayStop: false },
      { attempt: 2, minDelay: 200, maxDelay: 200, minElapsed: 100, maxElapsed: 100, mayStop: false },
      { attempt: 3, minDelay: 0, maxDelay: 0, minElapsed: 300, maxElapsed: 300, mayStop: true },
    ]);
  });

  it("previews the default policy: four attempts, full jitter from 500 ms", () => {
    const rows = previewPolicy();

    expect(rows.map(({ attempt, minDelay, mayStop }) => [attempt, minDelay, mayStop])).toEqual([
      [1, 0, false],
      [2, 0, false],
      [3, 0, false],
      [4, 0, true],
    ]);
    expect(rows.map((row) => Math.round(row.maxDelay))).toEqual([500, 1_000, 2_000, 0]);
    expect(rows.map((row) => Math.round(row.maxElapsed))).toEqual([0, 500, 1_500, 3_500]);
    expect(rows.map((row) => row.minElapsed)).toEqual([0, 0, 0, 0]);
  });

  it("shows round numbers where the unluckiest random number makes crooked ones", () => {
    const rows = previewPolicy({ stop: stopAfterAttempt(5), wait: waitDecorrelatedJitter({ base: 100, max: 1_000 }) });

    expect(rows.map((row) => row.maxDelay)).toEqual([300, 900, 1_000, 1_000, 0]);
    expect(rows.map((row) => row.maxElapsed)).toEqual([0, 300, 1_200, 2_200, 3_200]);
  });

  it.each([0.001, 0.5, 1.125, 3_600_000.5, 1e15, 1e25])("keeps a wait of %d ms as it is", (delay) => {
    const [row] = previewPolicy({ stop: stopAfterAttempt(2), wait: waitFixed(delay), attemptTimeout: delay });

    expect(row).toMatchObject({ minDelay: delay, maxDelay: delay, minElapsed: 0, maxElapsed: delay });
  });

  it("draws random numbers that a source in [0, 1) can give", () => {
    const drawn = new Set<number>();
    const wait = (state: { random: () => number }) => {
      drawn.add(state.random());
      return 0;
    };

    previewPolicy({ wait });

    expect(Math.min(...drawn)).toBe(0);
    expect(Math.max(...drawn)).toBe(1 - 2 ** -53);
  });

  it("puts the smaller delay first where a wait grows shorter with a larger random number", () => {
    const [row] = previewPolicy({ wait: (state) => 100 - 50 * state.random() });

    expect(row!.minDelay).toBeCloseTo(50);
    expect(row!.maxDelay).toBe(100);
  });

  it("puts the smaller time first where a wait grows shorter with a larger random number", () => {
    const rows = previewPolicy({ wait: (state) => 100 - 50 * state.random() });

    expect(rows[1]!.minElapsed).toBeCloseTo(50);
    expect(rows[1]!.maxElapsed).toBe(100);
  });

  it("follows a wait that looks at the previous delay", () => {
    const rows = previewPolicy({ stop: stopAfterAttempt(4), wait: waitDecorrelatedJitter({ base: 100, max: 1_000 }) });

    expect(rows.map((row) => Math.round(row.maxDelay))).toEqual([300, 900, 1_000, 0]);
    expect(rows.map((row) => row.minDelay)).toEqual([100, 100, 100, 0]);
  });

  it("lets a strategy see the time slept so far", () => {
    const rows = previewPolicy({ stop: (state) => state.idle >= 200, wait: waitFixed(100) });

    expect(rows).toHaveLength(3);
  });

  it("shows where the policy may stop, and goes on until it must", () => {
    const rows = previewPolicy({ stop: stopAfterDelay(150), wait: waitRandom(50, 100) });

    expect(rows.map((row) => [row.attempt, row.mayStop])).toEqual([
      [1, false],
      [2, false],
      [3, true],
      [4, true],
    ]);
    expect(rows[2]!.minDelay).toBe(50);
  });

  it("shows no time of an attempt that the policy never begins", () => {
    const rows = previewPolicy({ stop: stopBeforeDelay(1_000), wait: waitRandom(0, 600) });

    expect(Math.max(...rows.map((row) => row.maxElapsed))).toBeLessThan(1_000);
    expect(rows).toHaveLength(20);
  });

  it("shows attempts that take their whole attemptTimeout as the slowest case", () => {
    const rows = previewPolicy({ stop: stopAfterAttempt(3), wait: waitFixed(100), attemptTimeout: 1_000 });

    expect(rows.map((row) => [row.minElapsed, row.maxElapsed])).toEqual([
      [0, 1_000],
      [100, 2_100],
      [200, 3_200],
    ]);
  });

  it("never shows a time past totalTimeout", () => {
    const rows = previewPolicy({ stop: stopNever, wait: waitFixed(100), totalTimeout: 250 });

    expect(Math.max(...rows.map((row) => row.maxElapsed))).toBe(250);
  });

  it("does not begin a sleep that would pass totalTimeout", () => {
    const rows = previewPolicy({ stop: stopNever, wait: waitFixed(100), totalTimeout: 1_000, attemptTimeout: 1 });
    const last = rows.at(-1)!;

    expect(last).toMatchObject({ attempt: 10, minElapsed: 900, maxElapsed: 910, minDelay: 0, mayStop: true });
  });

  it("shows 20 rows of a policy that goes on for ever, or as many as asked for", () => {
    const forever = { stop: stopNever, wait: waitNone };

    expect(previewPolicy(forever)).toHaveLength(20);
    expect(previewPolicy(forever, 3)).toHaveLength(3);
    expect(previewPolicy(forever, 3).at(-1)!.mayStop).toBe(false);
  });

  it("gives the last row its delay where asked for fewer attempts than the policy makes", () => {
    expect(previewPolicy({ wait: waitFixed(100) }, 2).at(-1)).toMatchObject({ attempt: 2, maxDelay: 100 });
  });

  it("follows combined stops", () => {
    const stop = stopAny(stopAfterAttempt(5), stopAll(stopAfterAttempt(2), stopAfterDelay(300)));

    expect(previewPolicy({ stop, wait: waitFixed(100) })).toHaveLength(4);
  });

  it("asks neither retryIf nor the budget, and calls no hook", () => {
    const refuse = () => {
      throw new Error("nobody asked you");
    };
    const budget = { acquire: refuse, recordSuccess: refuse, recordFailure: refuse, refund: refuse, balance: 0 };
    const hooks = { onAttempt: refuse, onRetry: refuse, onSuccess: refuse, onGiveUp: refuse, fallback: refuse };

    expect(previewPolicy({ ...hooks, retryIf: refuse, budget })).toHaveLength(4);
  });

  it("shows what would follow where retryIf wants another attempt", () => {
    expect(previewPolicy({ retryIf: retryNever })).toHaveLength(4);
    expect(previewPolicy({ retryIf: retryIfResult(() => false) })).toHaveLength(4);
  });

  it("shows strategies a failed attempt without arguments", () => {
    const seen: unknown[] = [];
    const stop = (state: object) => seen.push(state) > 0;

    previewPolicy({ stop });

    expect(seen[0]).toMatchObject({
      name: "preview",
      attempt: 1,
      args: [],
      previousDelay: 0,
      idle: 0,
      outcome: { ok: false },
    });
    expect((seen[0] as { outcome: { error: unknown } }).outcome.error).toBeInstanceOf(Error);
  });

  it("takes the options of a sync policy with its clock", () => {
    const clock = { now: () => 0, sleepSync: () => {} };

    expect(previewPolicy({ clock })).toHaveLength(4);
  });

  it("reads no clock and sleeps on none", () => {
    const refuse = () => {
      throw new Error("no time here");
    };

    expect(previewPolicy({ clock: { now: refuse, setTimer: refuse }, totalTimeout: 60_000 })).toHaveLength(4);
  });

  it("throws the StrategyError that a call would end in", () => {
    expect(() => previewPolicy({ wait: () => Number.NaN })).toThrow(StrategyError);
  });

  it("refuses options that make no sense", () => {
    expect(() => previewPolicy({ attemptTimeout: 0 })).toThrow(RangeError);
    expect(() => previewPolicy({ attempts: 3 } as never)).toThrow(/there is no option "attempts"/);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("refuses %s rows", (attempts) => {
    expect(() => previewPolicy({}, attempts)).toThrow(
      new RangeError(`previewPolicy: attempts must be a whole number from 1, got ${attempts}`),
    );
  });

  it("refuses a number of rows that is no number", () => {
    expect(() => previewPolicy({}, "3" as never)).toThrow(TypeError);
  });

  it("returns a single row where it is asked for one", () => {
    expect(previewPolicy({}, 1)).toHaveLength(1);
  });

  it.each([null, 5, () => ({})])("refuses %s as options", (options) => {
    expect(() => previewPolicy(options as never)).toThrow(/^previewPolicy: options must be an object, got /);
  });
});
