import fc from "fast-check";
import {
  NonRetryableError,
  type RetryOptions,
  retry,
  retryIfAny,
  retryIfErrorCode,
  retryIfResult,
  stopAfterAttempt,
  stopAfterDelay,
  stopAny,
  stopBeforeDelay,
  TryAgainError,
  waitDecorrelatedJitter,
  waitFullJitter,
  waitIncrementing,
} from "undaunted";
import { type DurableEngine, type DurableOptions, retryDurably, stopAfterErrors } from "undaunted/durable";
import { seededRandom, virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";
import { journalEngine } from "./journal.js";

const coded = (code: string | number) => () => Promise.reject(Object.assign(new Error("failed"), { code }));

/** What each attempt of a call does, and how many ms it takes. */
const scripts = fc.array(
  fc.record({
    takes: fc.nat(400),
    end: fc.constantFrom<() => Promise<string>>(
      coded("A"),
      coded("B"),
      coded(503),
      () => Promise.reject(new TryAgainError({ after: 10 })),
      () => Promise.reject(new NonRetryableError("no")),
      async () => "pending",
      async () => "done",
    ),
  }),
  { minLength: 7, maxLength: 7 },
);
type Script = readonly { readonly takes: number; readonly end: () => Promise<string> }[];

const policies = fc.record(
  {
    stop: fc.oneof(
      fc.integer({ min: 1, max: 7 }).map((n) => stopAfterAttempt(n)),
      fc.nat(2_000).map((ms) => stopAny(stopAfterDelay(ms), stopAfterAttempt(7))),
      fc.nat(2_000).map((ms) => stopAny(stopBeforeDelay(ms), stopAfterAttempt(7))),
      fc.constant(stopAny(stopAfterErrors(2, "A", 503), stopAfterAttempt(7))),
    ),
    wait: fc.constantFrom(
      waitFullJitter({ base: 100, max: 1_000 }),
      waitDecorrelatedJitter({ base: 100, max: 1_000 }),
      waitIncrementing({ start: 0, increment: 50 }),
    ),
    retryIf: fc.constantFrom(
      retryIfErrorCode("A", 503),
      retryIfAny(
        retryIfErrorCode("A", "B", 503),
        retryIfResult((value) => value === "pending"),
      ),
    ),
    fallback: fc.constant(({ reason }: { reason: string }) => `instead: ${reason}`),
  },
  { requiredKeys: ["stop"] },
);

const places = fc
  .tuple(fc.constantFrom("after call: attempt", "in sleep"), fc.integer({ min: 1, max: 6 }))
  .map(([where, n]) => `${where} ${n}`);

/** A policy's random numbers and what its hooks see; `told`, how a call under it ended. */
function watched(policy: RetryOptions, seed: number) {
  const seen: string[] = [];
  const hook = (name: string) => (state: { attempt: number; delay: number; elapsed: number; idle: number }) =>
    void seen.push(`${name} ${state.attempt} ${state.delay} ${state.elapsed} ${state.idle}`);
  const hooks = { onRetry: hook("retry"), onSuccess: hook("success"), onGiveUp: hook("give up") };
  return { seen, options: { ...policy, ...hooks, random: seededRandom(seed) } };
}

const ended = (call: Promise<unknown>) =>
  call.then(
    (value) => ({ value }),
    ({ name, message, code }) => ({ name, message, code }),
  );

async function inTheLoop(script: Script, policy: RetryOptions, seed: number) {
  const clock = virtualClock();
  const { seen, options } = watched(policy, seed);
  let attempts = 0;
  const attempt = async () => {
    const { takes, end } = script[attempts++]!;
    await new Promise<void>((resolve) => clock.setTimer(resolve, takes));
    return end();
  };
  const result = ended(retry(attempt, { ...options, name: "call", clock })());
  await clock.runAll();
  return { result: await result, seen };
}

async function inProcessesThatDie(script: Script, policy: RetryOptions, seed: number, kills: readonly string[]) {
  const left = [...kills];
  const engine = journalEngine((place) => {
    const index = left.indexOf(place);
    if (index >= 0) left.splice(index, 1);
    return index >= 0;
  }, 0);
  const { seen, options } = watched(policy, seed);
  const attempt = ({ attempt }: { attempt: number }) => {
    const { takes, end } = script[attempt - 1]!;
    engine.pass(takes);
    return end();
  };
  const durable = { ...options, name: "call" } as DurableOptions;
  const workflow = (each: DurableEngine) => retryDurably(each, attempt, durable);
  return { result: await ended(engine.run(workflow)), seen };
}

it("decides as the loop does, whatever the policy and wherever processes die", async () => {
  await fc.assert(
    fc.asyncProperty(scripts, policies, fc.integer(), fc.array(places, { maxLength: 3 }), async (...given) => {
      const [script, policy, seed, kills] = given;

      const [loop, durable] = [
        await inTheLoop(script, policy as RetryOptions, seed),
        await inProcessesThatDie(script, policy as RetryOptions, seed, kills),
      ];

      expect(durable).toEqual(loop);
    }),
  );
});
