import {
  type RetryState,
  runWithRetrySync,
  stopAfterAttempt,
  type Wait,
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
import { flaky, retryState, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const A_DAY = 86_400_000;

/** A first attempt whose every random number is `random`. */
const drawing = (random: number, fields: Partial<RetryState> = {}) => retryState({ random: () => random, ...fields });

/** What `wait` answers after attempts 1 to `attempts`. */
const delaysOf = (wait: Wait, attempts: number, random = 0.5) =>
  Array.from({ length: attempts }, (_, index) => wait(drawing(random, { attempt: index + 1 })));

describe("waitNone", () => {
  it("waitNone returns 0", () => {
    expect(delaysOf(waitNone, 3)).toEqual([0, 0, 0]);
  });
});

describe("waitFixed", () => {
  it("waitFixed returns the same each time", () => {
    expect(delaysOf(waitFixed(200), 3)).toEqual([200, 200, 200]);
  });

  it("takes fractions of a ms", () => {
    expect(waitFixed(0.5)(retryState())).toBe(0.5);
  });
});

describe("waitRandom", () => {
  it.each([
    [0, 100],
    [0.25, 150],
    [0.5, 200],
    [0.75, 250],
  ])("waitRandom(100, 300), drawing %d, returns %d ms", (random, delay) => {
    expect(waitRandom(100, 300)(drawing(random))).toBe(delay);
  });

  it("returns the one ms between equal ends", () => {
    expect(waitRandom(70, 70)(drawing(0.9))).toBe(70);
  });

  it("draws anew each time", () => {
    const numbers = [0.25, 0.75];
    const state = retryState({ random: () => numbers.shift()! });
    const wait = waitRandom(0, 100);

    expect([wait(state), wait(state)]).toEqual([25, 75]);
  });
});

describe("waitIncrementing", () => {
  it("adds the increment after each attempt", () => {
    expect(delaysOf(waitIncrementing({ start: 100, increment: 50 }), 4)).toEqual([100, 150, 200, 250]);
  });

  it("rises to max and no further", () => {
    expect(delaysOf(waitIncrementing({ start: 100, increment: 50, max: 180 }), 4)).toEqual([100, 150, 180, 180]);
  });

  it("sinks to 0 and no further", () => {
    expect(delaysOf(waitIncrementing({ start: 100, increment: -60 }), 4)).toEqual([100, 40, 0, 0]);
  });

  it("keeps a start above max at max", () => {
    expect(delaysOf(waitIncrementing({ start: 500, increment: 0, max: 180 }), 2)).toEqual([180, 180]);
  });

  it("rises to a day unless told otherwise", () => {
    expect(delaysOf(waitIncrementing({ start: A_DAY - 1, increment: 1 }), 3)).toEqual([A_DAY - 1, A_DAY, A_DAY]);
  });
});

describe("waitExponential", () => {
  it.each([
    [1, 100],
    [2, 200],
    [3, 400],
    [4, 800],
    [6, 3_200],
    [7, 5_000],
    [8, 5_000],
  ])("waitExponential of base 100 and max 5,000 returns after attempt %i: %i ms", (attempt, delay) => {
    expect(waitExponential({ base: 100, max: 5_000 })(retryState({ attempt }))).toBe(delay);
  });

  it.each([
    [1, [100, 100, 100, 100]],
    [1.5, [100, 150, 225, 337.5]],
    [2, [100, 200, 400, 800]],
    [3, [100, 300, 900, 2_700]],
  ])("multiplies with the factor %d", (factor, delays) => {
    expect(delaysOf(waitExponential({ base: 100, factor }), 4)).toEqual(delays);
  });

  it("doubles unless told otherwise", () => {
    expect(delaysOf(waitExponential({ base: 100 }), 4)).toEqual([100, 200, 400, 800]);
  });

  it("rises to a day unless told otherwise", () => {
    expect(delaysOf(waitExponential({ base: A_DAY / 3 }), 3)).toEqual([A_DAY / 3, (A_DAY / 3) * 2, A_DAY]);
  });

  it("returns min where the formula is below it", () => {
    expect(delaysOf(waitExponential({ base: 100, min: 350 }), 4)).toEqual([350, 350, 400, 800]);
  });

  it("lets min be max", () => {
    expect(delaysOf(waitExponential({ base: 100, min: 300, max: 300 }), 4)).toEqual([300, 300, 300, 300]);
  });

  it("keeps a base above max at max", () => {
    expect(waitExponential({ base: 900, max: 300 })(retryState())).toBe(300);
  });

  it("does without randomness", () => {
    const random = vi.fn(() => 0.5);

    waitExponential({ base: 100 })(retryState({ random }));

    expect(random).not.toHaveBeenCalled();
  });
});

describe("waitFibonacci", () => {
  it("returns base times the Fibonacci numbers", () => {
    const delays = [100, 100, 200, 300, 500, 800, 1_300, 2_100];

    expect(delaysOf(waitFibonacci({ base: 100 }), 8)).toEqual(delays);
  });

  it("rises to max and no further", () => {
    expect(delaysOf(waitFibonacci({ base: 100, max: 450 }), 7)).toEqual([100, 100, 200, 300, 450, 450, 450]);
  });

  it("keeps a base above max at max", () => {
    expect(waitFibonacci({ base: 900, max: 300 })(retryState())).toBe(300);
  });

  it("rises to a day unless told otherwise", () => {
    expect(delaysOf(waitFibonacci({ base: A_DAY / 4 }), 5).slice(2)).toEqual([A_DAY / 2, (A_DAY / 4) * 3, A_DAY]);
  });
});

describe("waitFullJitter", () => {
  it.each([
    [1, 0, 0],
    [1, 0.5, 50],
    [4, 0, 0],
    [4, 0.25, 200],
    [4, 0.75, 600],
    [9, 0.5, 2_500],
  ])("of base 100 and max 5,000 after attempt %i, drawing %d, answers %d ms", (attempt, random, delay) => {
    expect(waitFullJitter({ base: 100, max: 5_000 })(drawing(random, { attempt }))).toBe(delay);
  });

  it("draws from min upwards", () => {
    const wait = waitFullJitter({ base: 100, min: 200 });

    expect([0, 0.5, 0.75].map((random) => wait(drawing(random, { attempt: 4 })))).toEqual([200, 500, 650]);
  });

  it("returns min until the formula has outgrown it", () => {
    expect(delaysOf(waitFullJitter({ base: 100, min: 200 }), 3, 0.5)).toEqual([200, 200, 300]);
  });

  it("multiplies with the factor", () => {
    expect(delaysOf(waitFullJitter({ base: 100, factor: 3 }), 3)).toEqual([50, 150, 450]);
  });

  it("rises to a window of a day unless told otherwise", () => {
    expect(waitFullJitter({ base: 100 })(drawing(0.5, { attempt: 40 }))).toBe(A_DAY / 2);
  });
});

describe("waitEqualJitter", () => {
  it.each([
    [1, 0, 50],
    [1, 0.5, 75],
    [4, 0, 400],
    [4, 0.25, 500],
    [4, 0.75, 700],
    [9, 0, 2_500],
    [9, 0.5, 3_750],
  ])("of base 100 and max 5,000 after attempt %i, drawing %d, answers %d ms", (attempt, random, delay) => {
    expect(waitEqualJitter({ base: 100, max: 5_000 })(drawing(random, { attempt }))).toBe(delay);
  });

  it("multiplies with the factor", () => {
    expect(delaysOf(waitEqualJitter({ base: 100, factor: 3 }), 3)).toEqual([75, 225, 675]);
  });

  it("rises to a window of a day unless told otherwise", () => {
    expect(waitEqualJitter({ base: 100 })(drawing(0, { attempt: 40 }))).toBe(A_DAY / 2);
  });
});

describe("waitDecorrelatedJitter", () => {
  it.each([
    [0, 0, 100],
    [0, 0.5, 200],
    [0, 0.75, 250],
    [100, 0.5, 200],
    [200, 0, 100],
    [200, 0.5, 350],
    [200, 0.75, 475],
    // Another wait, or a TryAgainError, may have slept less than base: the window is never empty.
    [10, 0.5, 200],
  ])(
    "waitDecorrelatedJitter of base 100 after a sleep of %d ms, drawing %d, returns %d ms",
    (previousDelay, random, delay) => {
      expect(waitDecorrelatedJitter({ base: 100 })(drawing(random, { previousDelay }))).toBe(delay);
    },
  );

  it.each([
    [0, 100],
    [0.5, 175],
    [0.75, 212.5],
  ])("clamps its window to max: drawing %d returns %d ms", (random, delay) => {
    expect(waitDecorrelatedJitter({ base: 100, max: 250 })(drawing(random, { previousDelay: 1_000 }))).toBe(delay);
  });

  it("never gathers clients at max", () => {
    const wait = waitDecorrelatedJitter({ base: 100, max: 1_000 });

    const delays = Array.from({ length: 100 }, (_, index) => wait(drawing(index / 100, { previousDelay: 1_000 })));

    expect(new Set(delays).size).toBe(100);
    expect(Math.max(...delays)).toBeLessThan(1_000);
  });

  it("lets base be max", () => {
    expect(waitDecorrelatedJitter({ base: 100, max: 100 })(drawing(0.9, { previousDelay: 1_000 }))).toBe(100);
  });

  it("rises to a window of a day unless told otherwise", () => {
    expect(waitDecorrelatedJitter({ base: 0 })(drawing(0.5, { previousDelay: A_DAY }))).toBe(A_DAY / 2);
  });
});

describe("waitJittered", () => {
  it.each([
    [0, 800],
    [0.5, 1_000],
    [0.75, 1_100],
  ])("waitJittered of 1,000 ms times 0.8 to 1.2, drawing %d, returns %d ms", (random, delay) => {
    expect(waitJittered(waitFixed(1_000), { from: 0.8, to: 1.2 })(drawing(random))).toBe(delay);
  });

  it.each([
    [0, 800],
    [0.5, 900],
    [0.75, 950],
  ])("clamps its window to max: drawing %d returns %d ms", (random, delay) => {
    expect(waitJittered(waitFixed(1_000), { from: 0.8, to: 1.2, max: 1_000 })(drawing(random))).toBe(delay);
  });

  it("returns max where the whole window lies above it", () => {
    expect(waitJittered(waitFixed(1_000), { from: 0.8, to: 1.2, max: 500 })(drawing(0.3))).toBe(500);
  });

  it("clamps its window to a day unless told otherwise", () => {
    expect(waitJittered(waitFixed(A_DAY), { from: 0.5, to: 9 })(drawing(0.5))).toBe(A_DAY * 0.75);
  });

  it("leaves a wait as it is where from and to are 1", () => {
    expect(delaysOf(waitJittered(waitExponential({ base: 100 }), { from: 1, to: 1 }), 3)).toEqual([100, 200, 400]);
  });
});

describe("waitChain", () => {
  it("returns the n-th wait after the n-th attempt, then the last one", () => {
    expect(delaysOf(waitChain(waitNone, waitFixed(50), waitFixed(500)), 5)).toEqual([0, 50, 500, 500, 500]);
  });

  it("calls only the wait whose turn it is", () => {
    const [first, second] = [vi.fn(() => 1), vi.fn(() => 2)];

    waitChain(first, second)(retryState({ attempt: 2 }));

    expect(first).not.toHaveBeenCalled();
    expect(second).toHaveBeenCalledOnce();
  });
});

describe("waitSum, waitMax and waitMin", () => {
  it.each<[string, number, Wait]>([
    ["waitSum of one", 30, waitSum(waitFixed(30))],
    ["waitSum of three", 135, waitSum(waitFixed(30), waitFixed(5), waitFixed(100))],
    ["waitMax of one", 30, waitMax(waitFixed(30))],
    ["waitMax of three", 100, waitMax(waitFixed(30), waitFixed(100), waitFixed(5))],
    ["waitMin of one", 30, waitMin(waitFixed(30))],
    ["waitMin of three", 5, waitMin(waitFixed(30), waitFixed(5), waitFixed(100))],
  ])("%s returns %i ms", (_, delay, wait) => {
    expect(wait(retryState())).toBe(delay);
  });

  it("waitMax and waitMin give a floor and a ceiling to another wait", () => {
    const wait = waitMax(waitFixed(150), waitMin(waitFixed(500), waitExponential({ base: 100 })));

    expect(delaysOf(wait, 5)).toEqual([150, 200, 400, 500, 500]);
  });
});

describe("waitFromError", () => {
  const wait = waitFromError((error) => (error as { after?: unknown } | undefined)?.after, waitFixed(500));

  it.each<[string, number, unknown]>([
    ["a number", 3_000, 3_000],
    ["0", 0, 0],
    ["undefined", 500, undefined],
    ["NaN", 500, Number.NaN],
    ["null", 500, null],
    ["a string of digits", 500, "3000"],
    ["a Date", 500, new Date(3_000)],
    ["a boolean", 500, true],
  ])("that reads %s answers %i ms", (_, delay, after) => {
    expect(wait(retryState({ outcome: { ok: false, error: { after } } }))).toBe(delay);
  });

  it("reads what was thrown, even undefined", () => {
    expect(wait(retryState({ outcome: { ok: false, error: undefined } }))).toBe(500);
  });

  it("waitFromError reads no value", () => {
    const read = vi.fn(() => 3_000);

    expect(waitFromError(read, waitFixed(500))(retryState({ outcome: { ok: true, value: 1 } }))).toBe(500);
    expect(read).not.toHaveBeenCalled();
  });

  it("asks otherwise only where it reads nothing", () => {
    const otherwise = vi.fn(() => 500);

    waitFromError(() => 0, otherwise)(retryState());

    expect(otherwise).not.toHaveBeenCalled();
  });
});

describe("waitFromResult", () => {
  const wait = waitFromResult((value: { after?: unknown } | undefined) => value?.after, waitFixed(500));

  it.each<[string, number, unknown]>([
    ["a number", 3_000, 3_000],
    ["0", 0, 0],
    ["undefined", 500, undefined],
    ["NaN", 500, Number.NaN],
    ["null", 500, null],
    ["a string of digits", 500, "3000"],
    ["a boolean", 500, true],
  ])("that reads %s answers %i ms", (_, delay, after) => {
    expect(wait(retryState({ outcome: { ok: true, value: { after } } }))).toBe(delay);
  });

  it("reads what was returned, even undefined", () => {
    expect(wait(retryState({ outcome: { ok: true, value: undefined } }))).toBe(500);
  });

  it("waitFromResult reads no error", () => {
    const read = vi.fn(() => 3_000);

    expect(waitFromResult(read, waitFixed(500))(retryState({ outcome: { ok: false, error: { after: 1 } } }))).toBe(500);
    expect(read).not.toHaveBeenCalled();
  });

  it("asks otherwise only where it reads nothing", () => {
    const otherwise = vi.fn(() => 500);

    waitFromResult(() => 0, otherwise)(retryState({ outcome: { ok: true, value: 1 } }));

    expect(otherwise).not.toHaveBeenCalled();
  });
});

describe("every combinator", () => {
  it.each<[string, (part: Wait) => Wait]>([
    ["waitJittered", (part) => waitJittered(part, { from: 1, to: 1 })],
    ["waitChain", (part) => waitChain(part)],
    ["waitSum", (part) => waitSum(part)],
    ["waitMax", (part) => waitMax(part)],
    ["waitMin", (part) => waitMin(part)],
    ["waitFromError", (part) => waitFromError(() => undefined, part)],
    ["waitFromResult", (part) => waitFromResult(() => undefined, part)],
  ])("%s hands the state on as it is", (_, combine) => {
    const part = vi.fn(() => 10);
    const state = retryState();

    combine(part)(state);

    expect(part.mock.calls).toEqual([[state]]);
    expect((part.mock.calls as unknown[][])[0]![0]).toBe(state);
  });
});

describe("after attempt 10,000", () => {
  const MOST = Number.MAX_VALUE;

  it.each<[string, number, Wait]>([
    ["waitIncrementing", A_DAY, waitIncrementing({ start: 1, increment: 1e308 })],
    ["waitIncrementing, sinking", 0, waitIncrementing({ start: 1, increment: -1e308 })],
    ["waitExponential", A_DAY, waitExponential({ base: 1 })],
    ["waitExponential, barely capped", MOST, waitExponential({ base: 1, max: MOST })],
    ["waitExponential, a giant factor", 700, waitExponential({ base: 1, factor: MOST, max: 700 })],
    ["waitExponential, base 0", 0, waitExponential({ base: 0 })],
    ["waitExponential, base 0 and min", 70, waitExponential({ base: 0, min: 70 })],
    ["waitExponential, max 0", 0, waitExponential({ base: 100, max: 0 })],
    ["waitFibonacci", A_DAY, waitFibonacci({ base: 1 })],
    ["waitFibonacci, barely capped", MOST, waitFibonacci({ base: 1, max: MOST })],
    ["waitFibonacci, base 0", 0, waitFibonacci({ base: 0 })],
    ["waitFibonacci, max 0", 0, waitFibonacci({ base: 100, max: 0 })],
    ["waitFullJitter", A_DAY / 2, waitFullJitter({ base: 1 })],
    ["waitFullJitter, base 0", 0, waitFullJitter({ base: 0 })],
    ["waitFullJitter, base 0 and min", 70, waitFullJitter({ base: 0, min: 70 })],
    ["waitEqualJitter", (A_DAY / 4) * 3, waitEqualJitter({ base: 1 })],
    ["waitEqualJitter, base 0", 0, waitEqualJitter({ base: 0 })],
    ["waitDecorrelatedJitter, base 0", 0, waitDecorrelatedJitter({ base: 0 })],
    ["waitJittered", A_DAY, waitJittered(waitExponential({ base: 1, max: MOST }), { from: 0.5, to: MOST })],
    ["waitJittered, factor 0", 0, waitJittered(waitExponential({ base: 1, max: MOST }), { from: 0, to: 0 })],
    ["waitChain", 2, waitChain(waitFixed(1), waitFixed(2))],
  ])("%s returns %d ms after attempt 10,000", (_, delay, wait) => {
    expect(wait(drawing(0.5, { attempt: 10_000 }))).toBe(delay);
  });
});

// A policy reads no clock where no strategy says that it looks at `elapsed`: one that kept quiet would see 0 for ever.
describe("in a policy", () => {
  const elapsed: Wait = (state) => state.elapsed;

  it.each<[string, Wait]>([
    ["a function of the user's", elapsed],
    ["waitJittered of it", waitJittered(elapsed, { from: 1, to: 1 })],
    ["waitChain of it", waitChain(elapsed, waitNone)],
    ["waitSum of it", waitSum(waitNone, elapsed)],
    ["waitMax of it", waitMax(waitNone, elapsed)],
    ["waitMin of it", waitMin(waitFixed(1_000), elapsed)],
    ["waitFromError of it", waitFromError(() => undefined, elapsed)],
    ["waitFromResult of it", waitFromResult(() => undefined, elapsed)],
  ])("%s sees the time that has passed", (_, wait) => {
    const clock = virtualClock();
    const busy = () => {
      clock.sleepSync(60);
      throw new Error("busy");
    };

    runWithRetrySync(flaky([busy, "ok"]), { wait, clock });

    expect(clock.now()).toBe(120);
  });

  it.each<[string, Wait]>([
    ["waitNone", waitNone],
    ["waitFixed", waitFixed(1)],
    ["waitRandom", waitRandom(1, 2)],
    ["waitIncrementing", waitIncrementing({ start: 1, increment: 1 })],
    ["waitExponential", waitExponential({ base: 1 })],
    ["waitFibonacci", waitFibonacci({ base: 1 })],
    ["waitFullJitter", waitFullJitter({ base: 1 })],
    ["waitEqualJitter", waitEqualJitter({ base: 1 })],
    ["waitDecorrelatedJitter", waitDecorrelatedJitter({ base: 1 })],
    ["waitJittered", waitJittered(waitFixed(1), { from: 1, to: 1 })],
    ["waitChain", waitChain(waitFixed(1))],
    ["waitSum", waitSum(waitFixed(1))],
    ["waitMax", waitMax(waitFixed(1))],
    ["waitMin", waitMin(waitFixed(1))],
    ["waitFromError", waitFromError(() => 1, waitFixed(1))],
    ["waitFromResult", waitFromResult(() => 1, waitFixed(1))],
  ])("%s leaves the clock unread", (_, wait) => {
    const now = vi.fn(() => 0);
    const task = flaky([new Error("busy"), "ok"]);

    runWithRetrySync(task, { wait, stop: stopAfterAttempt(2), clock: { now, sleepSync() {} } });

    expect(now).not.toHaveBeenCalled();
  });
});
