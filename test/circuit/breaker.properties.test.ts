import fc from "fast-check";
import {
  type CircuitBreaker,
  CircuitOpenError,
  circuitBreaker,
  NonRetryableError,
  type Outcome,
  retry,
} from "undaunted";
import { seededRandom, type VirtualClock, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { admit, elapse, type Result, type Rules, record, release, type State } from "../../src/circuit/machine.js";
import { type Answer, answer, FAILURE, history, options, outcomeOf, play, share, verdictOf } from "./history.js";
import { CircuitModel, limitsOf } from "./model.js";

const hang = () => new Promise<never>(() => {});

/** Says nothing, by anyone's judgement. */
const wrong = Object.assign(new NonRetryableError("wrong"), { answer: { verdict: "ignored" } });

const pause = fc.oneof(fc.constant(0), fc.nat(60));

/** A call that ends at once, so many ms after the one before. */
const shortCall = fc.record({ after: pause, answer });

/** Makes the call through each of the breakers, and answers what they did and where they stand. */
async function inTurn(
  clock: VirtualClock,
  { after, answer }: { readonly after: number; readonly answer: Answer },
  ...breakers: readonly CircuitBreaker[]
): Promise<unknown[]> {
  // Nobody asks not to be called: that is not taken along.
  const outcome = outcomeOf({ ...answer, retryAfter: undefined });
  await clock.advance(after);
  return Promise.all(
    breakers.map(async (breaker) => {
      const call = breaker.run(() => (outcome.ok ? outcome.value : Promise.reject(outcome.error)));
      const answer = await call.catch(({ retryAfter }) => ({ retryAfter }));
      return { answer, state: breaker.state };
    }),
  );
}

/** Lets calls hang until their leases have ended. */
async function hangAll(breaker: CircuitBreaker, clock: VirtualClock, lease = 60_000): Promise<void> {
  for (let n = 0; n < 100; n++) breaker.run(hang).catch(() => {});
  await clock.advance(lease);
  void breaker.state;
}

/** Lets functions through until there is no permit left, which must be soon, and answers how many. */
function permitsLeft(breaker: CircuitBreaker, fn: () => unknown): number {
  let made = 0;
  const refused = breaker.stats.refused;
  while (breaker.stats.refused === refused && made < 100) {
    breaker
      .run(() => {
        made++;
        return fn();
      })
      .catch(() => {});
  }
  return made;
}

// Time enough to shrink what fails.
describe("a circuit breaker", () => {
  it("counts how long an abandoned attempt lasted from its own start, whatever came before", async () => {
    const span = fc.oneof(fc.nat(50), fc.nat(59_999), fc.integer({ min: 60_001, max: 7_200_000 }));
    const abandoned = fc.record({
      rest: span,
      before: fc.array(fc.constantFrom("success" as const, "in a policy" as const), { maxLength: 8 }),
      lasts: span,
      limit: fc.constantFrom(undefined, "attemptTimeout" as const, "totalTimeout" as const),
      more: fc.integer({ min: 1, max: 3_600_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(abandoned, { minLength: 1, maxLength: 4 }), async (calls) => {
        const clock = virtualClock();
        const breaker = circuitBreaker({ consecutiveFailures: 99, clock });
        let failures = 0;
        let slow = 0;
        for (const { rest, before, lasts, limit, more } of calls) {
          const caller = new AbortController();
          const options = { signal: caller.signal, clock, ...(limit && { [limit]: lasts + more }) };
          for (const how of before) {
            const succeeds = async () => {};
            await (how === "success" ? breaker.run(succeeds) : retry(breaker.wrap(succeeds), options)());
          }
          await clock.advance(rest);

          const call = retry(breaker.wrap(hang), options)().catch(() => {});
          await clock.advance(lasts);
          caller.abort();
          await call;

          if (lasts <= 60_000) continue;
          failures++;
          // Its lease ended.
          if (!limit) slow++;
        }
        expect(breaker.stats).toMatchObject({ failures, slow, ignored: calls.length - failures });
      }),
      { numRuns: 500 },
    );
  });

  it("a circuit breaker does what a naive model does, whatever is called, ends, hangs, is aborted, saved and restored", async () => {
    await fc.assert(
      fc.asyncProperty(history, async (history) => {
        await play(history);
      }),
      { numRuns: 600 },
    );
  });

  it("loses no permit: after any history, once it is half-open again, halfOpen.calls get through", async () => {
    await fc.assert(
      fc.asyncProperty(history, async (history) => {
        const { halfOpen, lease } = limitsOf(history.options);
        const { real } = await play(history);
        const { breaker, clock } = real;
        for (const end of real.ends) end(outcomeOf(FAILURE));
        await clock.advance(0);
        if (breaker.state === "isolated" || breaker.state === "closed") breaker.close();
        // If all that it lets through hangs, it opens, whatever it knew of its probes.
        await hangAll(breaker, clock, lease);
        await clock.advance(3_600_000);

        const first = permitsLeft(breaker, () => Promise.reject(wrong));
        await clock.advance(0);
        const second = permitsLeft(breaker, hang);

        expect([first, second]).toEqual([halfOpen.calls, halfOpen.calls]);
      }),
      { numRuns: 150 },
    );
  });

  it("a circuit breaker counts nothing of calls from before a change of state", async () => {
    await fc.assert(
      fc.asyncProperty(
        options,
        fc.array(answer, { minLength: 1, maxLength: 10 }),
        fc.constantFrom("isolated" as const, "closed" as const, "open" as const, "half-open" as const),
        fc.boolean(),
        async (options, answers, to, inHalfOpen) => {
          const clock = virtualClock();
          const breaker = circuitBreaker({ ...options, openFor: 100, maxOpenFor: 100, clock });
          if (inHalfOpen) {
            await hangAll(breaker, clock, options.lease);
            await clock.advance(100);
          }
          const ends: ((outcome: Outcome<unknown>) => void)[] = [];
          for (const _ of answers) {
            const call = new Promise((resolve, reject) => {
              ends.push((end) => (end.ok ? resolve(end.value) : reject(end.error)));
            });
            call.catch(() => {});
            breaker.run(() => call).catch(() => {});
          }
          if (to === "isolated") breaker.isolate();
          else breaker.close();
          if (to === "open" || to === "half-open") await hangAll(breaker, clock, options.lease);
          if (to === "half-open") await clock.advance(100);
          expect(breaker.state).toBe(to);
          const before = [breaker.toJSON(), { ...breaker.stats }];

          for (const [index, answer] of answers.entries()) ends[index]!(outcomeOf(answer));
          await clock.advance(0);

          expect(breaker.state).toBe(to);
          expect([breaker.toJSON(), { ...breaker.stats }]).toEqual(before);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("ends no lease early, and none more than a sixteenth of it late", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2_000 }),
        fc.array(
          fc.record({
            after: fc.oneof(fc.constant(0), fc.nat(20), fc.nat(200)),
            call: fc.constantFrom("hangs" as const, "hangs" as const, "returns" as const, "is wrong" as const),
          }),
          { maxLength: 60 },
        ),
        async (lease, calls) => {
          const clock = virtualClock();
          const breaker = circuitBreaker({ consecutiveFailures: 1_000, lease, clock });
          const leases: number[] = [];
          const look = () => {
            const now = clock.now();
            expect(breaker.state).toBe("closed");
            expect(breaker.stats.failures).toBeLessThanOrEqual(leases.filter((end) => end <= now).length);
            expect(breaker.stats.failures).toBeGreaterThanOrEqual(
              leases.filter((end) => end + lease / 16 <= now).length,
            );
          };

          for (const { after, call } of calls) {
            await clock.advance(after);
            look();
            if (call === "hangs") {
              leases.push(clock.now() + lease);
              breaker.run(hang);
            } else if (call === "returns") await breaker.run(() => "value");
            else await breaker.run(() => Promise.reject(wrong)).catch(() => {});
            look();
          }
          for (const end of leases.flatMap((end) => [end, end + lease / 16]).sort((a, b) => a - b)) {
            await clock.advance(Math.max(0, end - clock.now()));
            look();
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it("a circuit breaker does what the model does, where nobody looks at it between calls that follow each other", async () => {
    await fc.assert(
      fc.asyncProperty(
        options,
        fc.array(fc.record({ after: pause, ms: pause, answer }), { maxLength: 40 }),
        async (given, calls) => {
          const clock = virtualClock();
          const options = { ...given, lease: 60_000 };
          const breaker = circuitBreaker({ ...options, clock });
          const model = new CircuitModel(limitsOf(options));

          for (const { after, ms, answer } of calls) {
            await clock.advance(after);
            const asked = model.ask(clock.now());
            const outcome = outcomeOf(answer);
            const call = breaker.run(async () => {
              await clock.advance(ms);
              return outcome.ok ? outcome.value : Promise.reject(outcome.error);
            });
            const error: any = await call.catch((reason) => reason);

            if ("retryAfter" in asked) {
              expect(error).toBeInstanceOf(CircuitOpenError);
              expect(error.retryAfter).toBe(asked.retryAfter);
            } else {
              const verdict = verdictOf(answer, options.classify !== undefined);
              const { retryAfter } = answer.returns ? FAILURE : answer;
              model.end(asked, verdict, error, retryAfter, clock.now());
            }
            expect(breaker.stats).toEqual(model.stats);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("goes on in another process as it would have here", async () => {
    await fc.assert(
      fc.asyncProperty(
        options,
        fc.integer({ min: 1, max: 50 }),
        fc.array(shortCall, { maxLength: 30 }),
        fc.array(shortCall, { maxLength: 30 }),
        fc.nat(1_000),
        async (options, openFor, before, after, ahead) => {
          const clock = virtualClock();
          // Where the buckets of a window in ms begin is each clock's own affair.
          const window = options.window && "ms" in options.window ? { calls: 10 } : options.window;
          const here = {
            ...options,
            window,
            halfOpen: { calls: 1 },
            openFor: (openings: number) => openFor * openings,
            clock,
          };
          const breaker = circuitBreaker(here);
          for (const each of before) await inTurn(clock, each, breaker);
          const initialState = JSON.parse(JSON.stringify(breaker));
          const restored = circuitBreaker({ ...here, initialState, clock: { now: () => clock.now() + ahead } });

          for (const each of after) {
            const [one, other] = await inTurn(clock, each, breaker, restored);

            expect(other).toEqual(one);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("notices with the next call that a lease has ended, however many calls came and went in between", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 16, max: 2_000 }),
        fc.array(fc.oneof(fc.constant(0), fc.nat(300)), { minLength: 1, maxLength: 60 }),
        async (lease, pauses) => {
          const clock = virtualClock();
          const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 3_600_000, lease, clock });
          breaker.run(hang).catch(() => {});
          // The first call has a slice of its own.
          await clock.advance(lease / 16 + 1);

          for (const pause of pauses) {
            await clock.advance(pause);
            const call = breaker.run(() => "made").catch(() => "refused");

            expect(await call).toBe(clock.now() < lease ? "made" : "refused");
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("lets at most halfOpen.calls of 1,000 callers through while half-open, whatever settles when", async () => {
    let full = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 10 }),
        fc.option(share, { nil: undefined }),
        fc.integer(),
        async (halfOpenCalls, failureRate, seed) => {
          const random = seededRandom(seed);
          const clock = virtualClock();
          const breaker = circuitBreaker({
            consecutiveFailures: 1,
            failureRate,
            halfOpen: { calls: halfOpenCalls },
            lease: 500,
            clock,
          });
          await hangAll(breaker, clock, 500);
          await clock.advance(30_000);
          // What is out or has counted; what is ignored makes room for another.
          let taken = 0;
          let most = 0;
          let failed = false;
          const probe = () => {
            if (breaker.state !== "half-open") return "late";
            most = Math.max(most, ++taken);
            return new Promise((resolve, reject) => {
              clock.setTimer(() => {
                if (random() < 0.02) {
                  failed = true;
                  return reject(new Error("fails"));
                }
                if (random() < 0.02) return resolve("value");
                taken--;
                reject(wrong);
              }, random() * 60);
            });
          };

          for (let n = 0; n < 1_000; n++) clock.setTimer(() => breaker.run(probe).catch(() => {}), random() * 900);
          await clock.advance(1_000);

          expect(most).toBeLessThanOrEqual(halfOpenCalls);
          // Only a failure, which opens it again, may keep places from being taken.
          if (most < halfOpenCalls) expect(failed).toBe(true);
          else full++;
        },
      ),
      { numRuns: 20 },
    );
    // Nearly always they are all taken.
    expect(full).toBeGreaterThan(10);
  });
});

describe("the state machine of a circuit breaker", () => {
  const number = fc.integer({ min: 0, max: 1_000 });
  const at = fc.oneof(number, fc.constant(-Infinity));
  const base = { generation: number, openings: number };
  const probes = { taken: number, recorded: number, failures: number, slow: number, comeBackAt: at };
  const state: fc.Arbitrary<State> = fc.oneof(
    fc.record({ name: fc.constant("closed" as const), ...base, forgetAt: number, failures: number, comeBackAt: at }),
    fc.record({ name: fc.constant("open" as const), ...base, since: number, until: number }),
    fc.record({ name: fc.constant("half-open" as const), ...base, openFor: number, ...probes }),
    fc.record({ name: fc.constant("isolated" as const), generation: number }),
  );
  const limit = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Infinity));
  const rate = fc.oneof(share, fc.constant(Infinity));
  const rules: fc.Arbitrary<Rules> = fc.record({
    consecutiveFailures: limit,
    failureRate: rate,
    slowRate: rate,
    minimumCalls: fc.integer({ min: 1, max: 20 }),
    halfOpen: fc.record({ calls: fc.integer({ min: 1, max: 20 }), failureRate: rate, slowRate: rate }),
    openFor: fc.constantFrom(
      () => 100,
      (openings: number) => openings * 10,
    ),
    maxOpenFor: number,
  });
  const result: fc.Arbitrary<Result> = fc.record({ failed: fc.boolean(), slow: fc.boolean(), comeBackAt: at });
  const seen = fc.option(fc.record({ calls: number, failures: number, slow: number }), { nil: undefined });
  type Event = (rules: Rules, state: State) => State | undefined;
  const event: fc.Arbitrary<Event> = fc.oneof(
    fc.tuple(result, seen, number).map(([result, seen, now]): Event => {
      Object.freeze(result);
      return (rules, state) => record(rules, state, result, seen, now);
    }),
    number.map(
      (now): Event =>
        (_, state) =>
          elapse(state, now),
    ),
    fc.constant<Event>(admit),
    fc.constant<Event>((_, state) => release(state)),
  );

  it("answers any state and event, the same each time, changing nothing that it is given", () => {
    fc.assert(
      fc.property(rules, state, event, (rules, state, happens) => {
        Object.freeze(state);

        const next = happens(Object.freeze(rules), state);
        const again = happens(rules, state);

        expect(again).toEqual(next);
        if (!next) return;
        expect(["closed", "open", "half-open", "isolated"]).toContain(next.name);
        expect(Object.values(next)).not.toContain(NaN);
        expect(next.generation - state.generation).toBe(next.name === state.name ? 0 : 1);
      }),
      { numRuns: 2_000 },
    );
  });

  it("opens for no less than what a failure asks for, and for no longer than maxOpenFor", () => {
    fc.assert(
      fc.property(rules, state, result, number, (rules, state, result, now) => {
        const next = record({ ...rules, consecutiveFailures: 1 }, state, { ...result, failed: true }, undefined, now);

        if (next.name !== "open" || state.name === "open") return;
        expect(next.until).toBeLessThanOrEqual(now + rules.maxOpenFor);
        expect(next.until).toBeGreaterThanOrEqual(Math.min(result.comeBackAt, now + rules.maxOpenFor));
        expect(next.until).toBeGreaterThanOrEqual(Math.min(rules.openFor(next.openings), rules.maxOpenFor) + now);
      }),
      { numRuns: 1_000 },
    );
  });
});
