import fc from "fast-check";
import {
  NonRetryableError,
  type RetryOptions,
  retry,
  retryIfError,
  retryIfOutcome,
  retrySync,
  type SyncRetryOptions,
  stopAfterAttempt,
  stopNever,
  TryAgainError,
  waitExponential,
  waitFullJitter,
} from "undaunted";
import { flaky, seededRandom, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

/** What one attempt does. */
const step = fc.oneof(
  fc.constantFrom("fail", "refused", "give up", "again", "again soon"),
  fc.integer({ min: 0, max: 3 }).map((value) => ({ value })),
);
const script = fc.array(step, { minLength: 1, maxLength: 12 });

type Step = string | { value: number };

function play(steps: readonly Step[]) {
  return flaky([
    ...steps.map((each) => {
      if (typeof each === "object") return each.value;
      if (each === "refused") return new TypeError("refused");
      if (each === "give up") return new NonRetryableError("give up");
      if (each === "again") return new TryAgainError();
      if (each === "again soon") return new TryAgainError({ after: 1 });
      return new Error("fail");
    }),
    "the end",
  ]);
}

const policy = fc.record({
  attempts: fc.integer({ min: 1, max: 14 }),
  base: fc.integer({ min: 0, max: 50 }),
  seed: fc.integer(),
  totalTimeout: fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }),
  unwanted: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
  fallback: fc.boolean(),
  tokens: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
});

/** Both kinds of options from one description, and a log of all that can be seen from outside. */
function observe({
  attempts,
  base,
  seed,
  totalTimeout,
  unwanted,
  fallback,
  tokens,
}: typeof policy extends fc.Arbitrary<infer P> ? P : never) {
  const log: unknown[] = [];
  const clock = virtualClock();
  let left = tokens ?? 0;
  const budget = {
    acquire: () => (left > 0 ? left-- && 1 : 0),
    recordSuccess: (taken: number) => log.push(["success", taken]),
    refund: (taken: number) => log.push(["refund", taken]),
    balance: 0,
  };
  const options: RetryOptions & SyncRetryOptions = {
    clock,
    random: seededRandom(seed),
    stop: stopAfterAttempt(attempts),
    wait: waitFullJitter({ base, max: 100 }),
    totalTimeout,
    retryIf: retryIfOutcome(({ outcome }) =>
      outcome.ok ? outcome.value === unwanted : !(outcome.error instanceof TypeError),
    ),
    ...(tokens === undefined ? {} : { budget }),
    ...(fallback ? { fallback: (state) => `fallback ${state.reason}` } : {}),
    onAttempt: ({ attempt }) => log.push(["attempt", attempt]),
    onRetry: ({ random: _, ...state }) => log.push(["retry", state]),
    onSuccess: ({ random: _, ...state }) => log.push(["success", state]),
    onGiveUp: ({ random: _, error, ...state }) => log.push(["give up", state, String(error)]),
  };
  return { log, clock, options };
}

describe("the loops", () => {
  it("the async and the sync loop decide alike on any script", async () => {
    await fc.assert(
      fc.asyncProperty(script, policy, async (steps, chosen) => {
        const a = observe(chosen);
        const s = observe(chosen);

        const result = retry(play(steps), { ...a.options, name: "f" })("x").then(
          (value: unknown) => ["value", value],
          (error: unknown) => ["error", String(error)],
        );
        await a.clock.runAll();
        let sync: unknown;
        try {
          sync = ["value", retrySync(play(steps), { ...s.options, name: "f" })("x")];
        } catch (error) {
          sync = ["error", String(error)];
        }

        expect(await result).toEqual(sync);
        expect(a.log).toEqual(s.log);
        expect(a.clock.now()).toBe(s.clock.now());
      }),
      { numRuns: 300 },
    );
  });

  it("a loop calls once more than it sleeps, and the counters add up", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 30 }), async (failures, attempts) => {
        const clock = virtualClock();
        const load = flaky([...Array.from({ length: failures }, () => new Error("fail")), "ok"]);
        const call = retry(load, {
          clock,
          stop: stopAfterAttempt(attempts),
          wait: waitExponential({ base: 1, max: 1_000 }),
          retryIf: retryIfError(),
        });

        const result = call().catch(() => {});
        const sleeps = await clock.runAll();
        await result;

        const calls = Math.min(failures + 1, attempts);
        expect(load.calls).toHaveLength(calls);
        expect(sleeps).toBe(calls - 1);
        const succeeded = failures < attempts;
        expect({ ...call.stats }).toEqual({
          calls: 1,
          attempts: calls,
          retries: sleeps,
          successes: succeeded ? 1 : 0,
          failures: succeeded ? 0 : 1,
          idle: clock.now(),
        });
      }),
      { numRuns: 100 },
    );
  });

  it("an abort at any instant rejects with the reason, and leaves no timer and no listener", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 300 }),
        fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        async (instant, durations, asyncHooks) => {
          const clock = virtualClock();
          const controller = new AbortController();
          const listeners = new Set<unknown>();
          const { signal } = controller;
          const { addEventListener, removeEventListener } = signal;
          signal.addEventListener = (type: string, listener: never) => {
            listeners.add(listener);
            addEventListener.call(signal, type, listener);
          };
          signal.removeEventListener = (type: string, listener: never) => {
            listeners.delete(listener);
            removeEventListener.call(signal, type, listener);
          };
          const reason = new Error("abort");
          let calls = 0;
          const slow = () => {
            const ms = durations[calls++ % durations.length]!;
            return new Promise((_, reject) => clock.setTimer(() => reject(new Error("fail")), ms));
          };
          const hook = () => (asyncHooks ? new Promise<void>((resolve) => clock.setTimer(resolve, 3)) : undefined);
          clock.setTimer(() => controller.abort(reason), instant);

          const call = retry(slow, {
            clock,
            signal,
            stop: stopNever,
            wait: waitExponential({ base: 1, max: 20 }),
            attemptTimeout: 25,
            onAttempt: hook,
            onRetry: hook,
          });
          const result = call().then(
            () => "value",
            (error) => error,
          );
          await clock.advance(instant);

          expect(await result).toBe(reason);
          expect(listeners.size).toBe(0);
          const callsAtAbort = calls;
          await clock.runAll();
          expect(calls).toBe(callsAtAbort);
          expect(call.stats).toMatchObject({ calls: 1, failures: 1 });
        },
      ),
      { numRuns: 200 },
    );
  });

  it("a call never sees another's state, however calls of one function overlap", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ failures: fc.nat(5), duration: fc.nat(20), start: fc.nat(40) }), {
          minLength: 2,
          maxLength: 8,
        }),
        async (calls) => {
          const clock = virtualClock();
          const seen: number[][] = calls.map(() => []);
          const call = retry(
            async (id: number) => {
              const { failures, duration } = calls[id]!;
              await new Promise<void>((resolve) => clock.setTimer(resolve, duration));
              if (seen[id]!.length < failures) throw new Error(`${id}`);
              return id;
            },
            {
              clock,
              stop: stopNever,
              wait: (state) => state.attempt,
              onRetry: (state) => {
                const id = state.args[0] as number;
                seen[id]!.push(state.attempt);
                expect(state.outcome).toMatchObject({ error: new Error(`${id}`) });
                expect(state.idle).toBe((state.attempt * (state.attempt - 1)) / 2);
              },
            },
          );

          const results = calls.map(
            ({ start }, id) => new Promise((resolve) => clock.setTimer(() => resolve(call(id)), start)),
          );
          await clock.runAll();

          expect(await Promise.all(results)).toEqual(calls.map((_, id) => id));
          expect(seen).toEqual(calls.map(({ failures }) => Array.from({ length: failures }, (_, n) => n + 1)));
        },
      ),
      { numRuns: 60 },
    );
  });
});
