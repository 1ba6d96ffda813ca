import fc from "fast-check";
import {
  type AttemptStart,
  bulkhead,
  circuitBreaker,
  observe,
  type RetryOptions,
  type RetryState,
  retry,
  retrySync,
  stopAfterAttempt,
  waitFixed,
} from "undaunted";
import { virtualClock } from "undaunted/testing";
import { expect, it, vi } from "vitest";
import { runAttemptsIn } from "../../src/common/observe.js";
import type { Around } from "../../src/common/observed.js";

// What is put around attempts, and whoever listens, changes no result, no error and no order: the same program is run with and
// without it, and writes down all that its own code sees.

const attempt = fc.record({
  ms: fc.constantFrom(0, 0, 5, 20),
  ok: fc.boolean(),
  sync: fc.boolean(),
});
const call = fc.record({
  at: fc.constantFrom(0, 0, 10),
  attempts: fc.array(attempt, { minLength: 1, maxLength: 4 }),
  attemptTimeout: fc.option(fc.constantFrom(3, 12), { nil: undefined }),
  totalTimeout: fc.option(fc.constantFrom(15, 60), { nil: undefined }),
  abortAt: fc.option(fc.constantFrom(0, 7, 18), { nil: undefined }),
  guard: fc.constantFrom("none", "breaker", "bulkhead") as fc.Arbitrary<"none" | "breaker" | "bulkhead">,
  hooks: fc.boolean(),
  asyncHooks: fc.boolean(),
  late: fc.boolean(),
  fallback: fc.boolean(),
  asyncRetryIf: fc.boolean(),
});
type Call = typeof call extends fc.Arbitrary<infer C> ? C : never;

const arounds: Record<string, Around> = {
  "calls it": (_, run) => run(),
  "calls it twice": (_, run) => {
    run();
    run();
  },
  "does not call it": () => {},
  "throws before": () => {
    throw new Error("of the slot");
  },
  "throws after": (_, run) => {
    run();
    throw new Error("of the slot");
  },
  "calls it late": (_, run) => queueMicrotask(run),
};

/** All that the code of these calls sees, in order. */
async function seenBy(calls: readonly Call[]): Promise<string[]> {
  const clock = virtualClock();
  const seen: string[] = [];
  const slots = bulkhead({ limit: 1, queue: 1, clock });
  const breaker = circuitBreaker({ consecutiveFailures: 2, openFor: 10, clock });
  const all = calls.map(async (plan, index) => {
    const say = (what: string) => seen.push(`${clock.now()} call ${index}: ${what}`);
    const controller = new AbortController();
    if (plan.at > 0) await new Promise<void>((resolve) => clock.setTimer(resolve, plan.at));
    if (plan.abortAt !== undefined) clock.setTimer(() => controller.abort(new Error("left")), plan.abortAt);
    let made = 0;
    const work = (): unknown => {
      const number = made++;
      const { ok, ms, sync } = plan.attempts[number % plan.attempts.length]!;
      say(`attempt ${number}`);
      const error = new Error(`failure ${number}`);
      const end = () => {
        say(`attempt ${number} ends`);
        if (ok) return number;
        throw error;
      };
      if (sync) return end();
      return new Promise<void>((resolve) => clock.setTimer(resolve, ms)).then(end);
    };
    const guarded = { none: work, breaker: breaker.wrap(work), bulkhead: slots.wrap(work) }[plan.guard];
    const hook = (what: string) => (state: RetryState | AttemptStart) => {
      say(`${what} ${state.attempt}`);
      return plan.asyncHooks ? Promise.resolve() : undefined;
    };
    const options: RetryOptions = {
      clock,
      stop: stopAfterAttempt(3),
      wait: waitFixed(5),
      attemptTimeout: plan.attemptTimeout,
      totalTimeout: plan.totalTimeout,
      signal: plan.abortAt === undefined ? undefined : controller.signal,
      ...(plan.hooks && { onAttempt: hook("onAttempt"), onRetry: hook("onRetry"), onSuccess: hook("onSuccess") }),
      ...(plan.hooks && { onGiveUp: hook("onGiveUp") }),
      ...(plan.late && { onLateResult: (outcome) => void say(`late ${JSON.stringify(outcome)}`) }),
      ...(plan.fallback && { fallback: () => "fallback" }),
      ...(plan.asyncRetryIf && { retryIf: async (error) => !!say(`retryIf ${error}`) }),
    };
    await retry(guarded as () => Promise<unknown>, options)().then(
      (value) => say(`value ${value}`),
      (error) => say(`error ${error}`),
    );
  });
  const ended = Promise.all(all);
  await clock.advance(1_000);
  await ended;
  return seen;
}

it("what is put around attempts and a listener change no result, no error and no order", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  let heard = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { minLength: 1, maxLength: 3 }),
      fc.array(fc.constantFrom(...Object.keys(arounds)), { maxLength: 2 }),
      async (calls, around) => {
        const alone = await seenBy(calls);
        const ends = [
          observe(() => heard++),
          ...around.map((name) => runAttemptsIn((...given) => arounds[name]!(...given))),
        ];
        const observed = await seenBy(calls).finally(() => {
          for (const end of ends) end();
        });

        expect(observed).toEqual(alone);
      },
    ),
    { numRuns: 300 },
  );
  expect(heard).toBeGreaterThan(1_000);
  warn.mockRestore();
});

it.each(Object.entries(arounds))("a sync call returns and throws the same inside a slot that %s", (_, around) => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const error = new Error("busy");
  const fails = () => {
    throw error;
  };
  const end = runAttemptsIn(around);

  try {
    expect(retrySync(() => 7)()).toBe(7);
    expect(retrySync(fails, { stop: stopAfterAttempt(1) })).toThrow(error);
  } finally {
    end();
    warn.mockRestore();
  }
});

it("what is put around attempts is called with each attempt's event, the first outermost", async () => {
  const order: string[] = [];
  const ends = ["outer", "inner"].map((which) =>
    runAttemptsIn(({ attempt, name }, run) => {
      order.push(`${which} ${name} ${attempt}`);
      run();
      order.push(`${which} ends`);
    }),
  );

  await retry(async () => order.push("runs"), { name: "load" })();
  for (const end of ends) end();
  await retry(async () => order.push("runs alone"))();

  expect(order).toEqual(["outer load 1", "inner load 1", "runs", "inner ends", "outer ends", "runs alone"]);
});
