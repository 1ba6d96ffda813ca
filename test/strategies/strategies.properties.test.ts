import fc from "fast-check";
import {
  type RetryIf,
  type RetryState,
  retryIfAll,
  retryIfAny,
  retryIfNot,
  type Stop,
  type SyncRetryIf,
  stopAfterAttempt,
  stopAfterDelay,
  stopAll,
  stopAny,
  stopBeforeDelay,
  type Wait,
  waitChain,
  waitDecorrelatedJitter,
  waitEqualJitter,
  waitExponential,
  waitFibonacci,
  waitFixed,
  waitFullJitter,
  waitIncrementing,
  waitJittered,
  waitMax,
  waitMin,
  waitNone,
  waitRandom,
  waitSum,
} from "undaunted";
import { retryState } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const A_DAY = 86_400_000;

const attempts = fc.integer({ min: 1, max: 10_000 });
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const times = fc.oneof(
  fc.integer({ min: 0, max: 100_000 }),
  fc.double({ min: 0, max: 2 * A_DAY, noNaN: true }),
  fc.constantFrom(0, Number.MIN_VALUE, Number.MAX_VALUE),
);
const factors = fc.oneof(fc.double({ min: 1, max: 4, noNaN: true }), fc.constantFrom(1, 2, Number.MAX_VALUE));
const ratios = fc.double({ min: 0, max: 10, noNaN: true });

const states: fc.Arbitrary<RetryState> = fc
  .record({ attempt: attempts, random: randoms, elapsed: times, delay: times, previousDelay: times })
  .map(({ random, ...fields }) => retryState({ ...fields, random: () => random }));

const inOrder = (each: fc.Arbitrary<number>) =>
  fc.tuple(each, each).map(([a, b]): [number, number] => (a <= b ? [a, b] : [b, a]));

/** A wait and the bounds that it must keep. */
interface Bounded {
  wait: Wait;
  low: number;
  high: number;
}

const maybe = (each: fc.Arbitrary<number>) => fc.option(each, { nil: undefined });

const bounded: Record<string, fc.Arbitrary<Bounded>> = {
  waitNone: fc.constant({ wait: waitNone, low: 0, high: 0 }),
  waitFixed: times.map((ms) => ({ wait: waitFixed(ms), low: ms, high: ms })),
  waitRandom: inOrder(times).map(([low, high]) => ({ wait: waitRandom(low, high), low, high })),
  waitIncrementing: fc
    .record({ start: times, increment: fc.double({ noNaN: true, noDefaultInfinity: true }), max: maybe(times) })
    .map((options) => ({ wait: waitIncrementing(options), low: 0, high: options.max ?? A_DAY })),
  waitExponential: fc
    .record({ base: times, factor: factors, range: inOrder(times) })
    .map(({ base, factor, range: [low, high] }) => ({
      wait: waitExponential({ base, factor, min: low, max: high }),
      low,
      high,
    })),
  waitFibonacci: fc
    .record({ base: times, max: maybe(times) })
    .map((options) => ({ wait: waitFibonacci(options), low: 0, high: options.max ?? A_DAY })),
  waitFullJitter: fc
    .record({ base: times, factor: factors, range: inOrder(times) })
    .map(({ base, factor, range: [low, high] }) => ({
      wait: waitFullJitter({ base, factor, min: low, max: high }),
      low,
      high,
    })),
  waitEqualJitter: fc
    .record({ base: times, factor: factors, max: maybe(times) })
    .map(({ base, factor, max = A_DAY }) => ({
      wait: waitEqualJitter({ base, factor, max }),
      low: Math.min(base, max) / 2,
      high: max,
    })),
  waitDecorrelatedJitter: inOrder(times).map(([low, high]) => ({
    wait: waitDecorrelatedJitter({ base: low, max: high }),
    low,
    high,
  })),
  waitJittered: fc
    .record({ ms: times, range: inOrder(ratios), max: maybe(times) })
    .map(({ ms, range: [from, to], max = A_DAY }) => ({
      wait: waitJittered(waitFixed(ms), { from, to, max }),
      low: Math.min(max, from * ms),
      high: Math.min(max, to * ms),
    })),
};

describe("for any options, any attempt up to 10,000 and any random number", () => {
  it.each(Object.entries(bounded))("%s keeps within its bounds", (_, each) => {
    fc.assert(
      fc.property(each, states, ({ wait, low, high }, state) => {
        const delay = wait(state);

        expect(delay).toBeGreaterThanOrEqual(low);
        expect(delay).toBeLessThanOrEqual(high);
      }),
      { numRuns: 200 },
    );
  });

  it.each<[string, (base: number, factor: number) => Wait]>([
    ["waitIncrementing", (base, factor) => waitIncrementing({ start: base, increment: factor })],
    ["waitExponential", (base, factor) => waitExponential({ base, factor })],
    ["waitFibonacci", (base) => waitFibonacci({ base })],
  ])("%s never sinks from one attempt to the next", (_, make) => {
    fc.assert(
      fc.property(times, factors, attempts, (base, factor, attempt) => {
        const wait = make(base, factor);

        expect(wait(retryState({ attempt: attempt + 1 }))).toBeGreaterThanOrEqual(wait(retryState({ attempt })));
      }),
    );
  });

  it("waitFullJitter and waitEqualJitter never exceed waitExponential", () => {
    fc.assert(
      fc.property(times, factors, times, states, (base, factor, max, state) => {
        const most = waitExponential({ base, factor, max })(state);

        expect(waitFullJitter({ base, factor, max })(state)).toBeLessThanOrEqual(most);
        expect(waitEqualJitter({ base, factor, max })(state)).toBeLessThanOrEqual(most);
        expect(waitEqualJitter({ base, factor, max })(state)).toBeGreaterThanOrEqual(most / 2);
      }),
    );
  });

  it("waitFibonacci is base times the sum of the two before", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 1, max: 60 }), (base, attempt) => {
        const wait = waitFibonacci({ base, max: Number.MAX_VALUE });
        const [first, second, third] = [0, 1, 2].map((later) => wait(retryState({ attempt: attempt + later })));

        expect(third).toBe(first! + second!);
      }),
    );
  });
});

describe("combinators of waits", () => {
  const lists = fc.array(times, { minLength: 1, maxLength: 6 });
  const fixed = (delays: readonly number[]) => delays.map((ms) => waitFixed(ms));

  it.each<[string, (...waits: Wait[]) => Wait, (delays: number[]) => number]>([
    ["waitSum", waitSum, (delays) => delays.reduce((sum, ms) => sum + ms, 0)],
    ["waitMax", waitMax, (delays) => Math.max(...delays)],
    ["waitMin", waitMin, (delays) => Math.min(...delays)],
  ])("%s returns what its definition says", (_, combine, expected) => {
    fc.assert(
      fc.property(lists, states, (delays, state) => {
        expect(combine(...fixed(delays))(state)).toBe(expected(delays));
      }),
    );
  });

  it("waitChain takes the n-th, then the last one", () => {
    fc.assert(
      fc.property(lists, states, (delays, state) => {
        expect(waitChain(...fixed(delays))(state)).toBe(delays[state.attempt - 1] ?? delays.at(-1));
      }),
    );
  });

  it.each<[string, (...waits: Wait[]) => Wait]>([
    ["waitSum", waitSum],
    ["waitMax", waitMax],
    ["waitMin", waitMin],
    ["waitChain", waitChain],
  ])("%s of one wait is that wait", (_, combine) => {
    fc.assert(
      fc.property(times, factors, states, (base, factor, state) => {
        const wait = waitExponential({ base, factor });

        expect(combine(wait)(state)).toBe(wait(state));
      }),
    );
  });

  it.each<[string, (...waits: Wait[]) => Wait]>([
    ["waitMax", waitMax],
    ["waitMin", waitMin],
  ])("%s does not care for order or nesting", (_, combine) => {
    fc.assert(
      fc.property(times, times, times, states, (a, b, c, state) => {
        const flat = combine(...fixed([a, b, c]))(state);

        expect(combine(...fixed([c, a, b]))(state)).toBe(flat);
        expect(combine(waitFixed(a), combine(...fixed([b, c])))(state)).toBe(flat);
      }),
    );
  });
});

describe("combinators of stops", () => {
  const answers = fc.array(fc.boolean(), { minLength: 1, maxLength: 6 });
  const stopsOf = (each: readonly boolean[]) =>
    each.map(
      (answer): Stop =>
        () =>
          answer,
    );

  it("stopAny is some, stopAll is every", () => {
    fc.assert(
      fc.property(answers, states, (each, state) => {
        expect(stopAny(...stopsOf(each))(state)).toBe(each.some(Boolean));
        expect(stopAll(...stopsOf(each))(state)).toBe(each.every(Boolean));
      }),
    );
  });

  it("stopBeforeDelay stops no later than stopAfterDelay", () => {
    fc.assert(
      fc.property(times, states, (ms, state) => {
        const [before, after] = [stopBeforeDelay(ms)(state), stopAfterDelay(ms)(state)];

        expect(before || !after).toBe(true);
      }),
    );
  });

  it("no stop takes its yes back in a later attempt", () => {
    fc.assert(
      fc.property(attempts, times, states, times, (n, ms, state, longer) => {
        const later = { ...state, attempt: state.attempt + 1, elapsed: state.elapsed + longer };
        for (const stop of [stopAfterAttempt(n), stopAfterDelay(ms), stopBeforeDelay(ms)]) {
          expect(stop(later) || !stop(state)).toBe(true);
        }
      }),
    );
  });
});

describe("combinators of predicates", () => {
  const answers = fc.array(fc.boolean(), { minLength: 1, maxLength: 6 });
  const outcomes = fc.oneof(
    fc.record({ ok: fc.constant(false as const), error: fc.anything() }),
    fc.record({ ok: fc.constant(true as const), value: fc.anything() }),
  );
  const predicatesOf = (each: readonly boolean[]) =>
    each.map(
      (answer): SyncRetryIf =>
        () =>
          answer,
    );
  /** The same predicates, those at the places of `async` answering with a promise. */
  const mixedOf = (each: readonly boolean[], async: readonly boolean[]) =>
    each.map(
      (answer, index): RetryIf =>
        () =>
          async[index] ? Promise.resolve(answer) : answer,
    );

  it("retryIfAny is some and retryIfAll is every of an error, and functions of a user's say no to values", () => {
    fc.assert(
      fc.property(answers, outcomes, (each, outcome) => {
        const state = retryState({ outcome });

        const asked = (of: boolean) => !outcome.ok && of;
        expect(retryIfAny(...predicatesOf(each))(undefined, state)).toBe(asked(each.some(Boolean)));
        expect(retryIfAll(...predicatesOf(each))(undefined, state)).toBe(asked(each.every(Boolean)));
      }),
    );
  });

  it("sync and async predicates in any mixture come to the same verdict", async () => {
    await fc.assert(
      fc.asyncProperty(answers, fc.array(fc.boolean()), async (each, async) => {
        expect(await retryIfAny(...mixedOf(each, async))(undefined, retryState())).toBe(each.some(Boolean));
        expect(await retryIfAll(...mixedOf(each, async))(undefined, retryState())).toBe(each.every(Boolean));
      }),
    );
  });

  it("retryIfNot turns round what is said of an error, and says no to any value", async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.boolean(), outcomes, async (answer, async, outcome) => {
        const [predicate] = mixedOf([answer], [async]);

        expect(await retryIfNot(predicate!)(undefined, retryState({ outcome }))).toBe(!outcome.ok && !answer);
      }),
    );
  });

  it("not any is all not, of an error", () => {
    fc.assert(
      fc.property(answers, (each) => {
        const predicates = predicatesOf(each);
        const negated = predicates.map((predicate) => retryIfNot(predicate));

        expect(retryIfNot(retryIfAny(...predicates))(undefined, retryState())).toBe(
          retryIfAll(...negated)(undefined, retryState()),
        );
      }),
    );
  });
});
