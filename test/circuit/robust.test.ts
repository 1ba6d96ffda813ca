import {
  bulkhead,
  circuitBreaker,
  circuitBreakers,
  currentAttempt,
  retry,
  retryBudget,
  type SavedCircuit,
  stopAfterAttempt,
  TryAgainError,
} from "undaunted";
import { instant, retryState, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { down } from "./calls.js";

const failing = () => Promise.reject(down);

describe("a function of the user's that answers with a promise where it must not", () => {
  const rejects = (async () => {
    throw new Error("nobody hears this");
  }) as unknown as () => number;

  it.each(["openFor", "retryAfter"] as const)(
    "is reported as %s, and its rejection is not unhandled",
    async (option) => {
      const onHookError = vi.fn();
      const breaker = circuitBreaker({ consecutiveFailures: 1, [option]: rejects, onHookError });

      await breaker.run(failing).catch(() => {});

      expect(onHookError).toHaveBeenCalledExactlyOnceWith(
        expect.objectContaining({ message: `${option} must be synchronous; it returned a promise` }),
      );
      expect(breaker.toJSON()).toMatchObject({ state: "open", openFor: 30_000 });
    },
  );

  it("a function of the user's that answers with a promise where it must not is an error of isOverload's, and takes no pay away", () => {
    const budget = retryBudget({
      initial: 0,
      isOverload: rejects as unknown as () => boolean,
      clock: { now: () => 0 },
    });

    expect(() => budget.recordSuccess(1, retryState())).toThrow(
      "isOverload must be synchronous; it returned a promise",
    );
    expect(budget.balance).toBe(0.2);
  });
});

it("polling with TryAgainError says nothing about what is polled", async () => {
  const breaker = circuitBreaker({ consecutiveFailures: 1 });
  const poll = breaker.wrap(async () => {
    if (currentAttempt().attempt < 5) throw new TryAgainError();
    return "done";
  });

  expect(await retry(poll, { ...instant, stop: stopAfterAttempt(5) })()).toBe("done");
  expect(breaker.stats).toMatchObject({ ignored: 4, successes: 1 });
});

it("openFor is asked once for an opening that a success brings about", async () => {
  const openFor = vi.fn(() => 1_000);
  const breaker = circuitBreaker({ failureRate: 0.1, minimumCalls: 8, openFor, clock: virtualClock() });
  await breaker.run(failing).catch(() => {});

  for (let call = 0; call < 7; call++) await breaker.run(() => {});

  expect(breaker.state).toBe("open");
  expect(openFor).toHaveBeenCalledExactlyOnceWith(1);
});

describe("a clock that fails", () => {
  it("while an attempt is abandoned keeps no other guard from hearing of it", async () => {
    const clock = virtualClock();
    let broken = false;
    const onHookError = vi.fn();
    const slots = bulkhead({ limit: 1 });
    const breaker = circuitBreaker({
      onHookError,
      clock: {
        now() {
          if (broken) throw new Error("the clock");
          return clock.now();
        },
      },
    });
    let signal: AbortSignal | undefined;
    const load = retry(
      breaker.wrap(
        slots.wrap(() => {
          ({ signal } = currentAttempt());
          return new Promise(() => {});
        }),
      ),
      { attemptTimeout: 100, stop: stopAfterAttempt(1), clock },
    );

    const result = load().catch((error) => error.name);
    broken = true;
    await clock.advance(100);

    expect(await result).toBe("AttemptTimeoutError");
    expect(slots.inFlight).toBe(0);
    expect(signal?.aborted).toBe(true);
    expect(onHookError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ message: "the clock" }));
  });

  it("a clock that fails by going on for ever ends all leases there are, and comes to an end", () => {
    let now = 0;
    const breaker = circuitBreaker({ clock: { now: () => now } });
    void breaker.run(() => new Promise(() => {}));

    now = Infinity;

    expect(breaker.state).toBe("closed");
    expect(breaker.stats.failures).toBe(1);
  });
});

describe("a saved state", () => {
  it("that stays open for longer than the options allow is cut short", () => {
    const initialState: SavedCircuit = { state: "open", openings: 1, openFor: 3_600_000, remaining: 3_000_000 };

    const breaker = circuitBreaker({ openFor: 1_000, maxOpenFor: 5_000, initialState, clock: virtualClock() });

    expect(breaker.toJSON()).toEqual({ state: "open", openings: 1, openFor: 5_000, remaining: 5_000 });
  });

  it("a saved state with more calls than the window holds is taken up by its last ones, in no time", () => {
    const initialState: SavedCircuit = {
      state: "closed",
      failures: 0,
      openings: 0,
      forgetIn: 0,
      comeBackIn: 0,
      window: [[0, 1e15, 0, 0]],
    };

    const breaker = circuitBreaker({ failureRate: 0.5, window: { calls: 3 }, minimumCalls: 3, initialState });

    expect(breaker.toJSON()).toMatchObject({ window: [[0, 3, 0, 0]] });
  });
});

it("a failure that asks never to be called again is remembered in JSON, which has no Infinity", async () => {
  const breaker = circuitBreaker({ consecutiveFailures: 2, clock: virtualClock() });
  await breaker.run(() => Promise.reject(Object.assign(new Error("gone"), { retryAfter: Infinity }))).catch(() => {});

  const initialState: SavedCircuit = JSON.parse(JSON.stringify(breaker));
  const other = circuitBreaker({ consecutiveFailures: 2, initialState, clock: virtualClock() });
  await other.run(failing).catch(() => {});

  expect(other.toJSON()).toMatchObject({ state: "open", openFor: 3_600_000 });
});

it("a sync call is slow by the time it took, whatever time it is", () => {
  const clock = virtualClock();
  const breaker = circuitBreaker({ slowRate: 1, slowAfter: 100, clock });
  clock.sleepSync(1_000);

  breaker.runSync(() => clock.sleepSync(99));
  breaker.runSync(() => clock.sleepSync(100));

  expect(breaker.stats).toMatchObject({ successes: 2, slow: 1 });
});

it("what classify leaves to the defaults is judged by them, in a policy and outside", async () => {
  const breaker = circuitBreaker({ classify: () => undefined });
  const aborted = breaker.wrap(() => Promise.reject(new DOMException("aborted", "AbortError")));

  await aborted().catch(() => {});
  await retry(aborted, { stop: stopAfterAttempt(1) })().catch(() => {});

  expect(breaker.stats).toMatchObject({ ignored: 2, failures: 0 });
});

it("a generator function is refused by runSync too", () => {
  expect(() => circuitBreaker().runSync(function* () {} as () => unknown)).toThrow("must not be a generator function");
});

describe("a breaker whose clock fails as a call begins", () => {
  const broken = new Error("no time left");
  const clock = {
    now: (): number => {
      throw broken;
    },
  };
  const guarded: [string, (fn: () => Promise<unknown>) => () => Promise<unknown>][] = [
    ["wrap", (fn) => circuitBreaker({ clock }).wrap(fn)],
    ["wrap where time matters", (fn) => circuitBreaker({ clock, slowRate: 0.5, slowAfter: 10 }).wrap(fn)],
    ["run", (fn) => () => circuitBreaker({ clock }).run(fn)],
    ["the wrap of breakers by key", (fn) => circuitBreakers({ clock, key: () => "a" }).wrap(fn)],
  ];

  it.each(guarded)("rejects, throws nothing and calls nothing: %s", async (_, guard) => {
    const fn = vi.fn(failing);

    await expect(guard(fn)()).rejects.toBe(broken);
    expect(fn).not.toHaveBeenCalled();
  });
});
