import {
  circuitBreaker,
  type RetryState,
  retry,
  retryIfOutcome,
  runWithRetry,
  StrategyError,
  stopAfterAttempt,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { bothLoops } from "./both-loops.js";
import { recordingBudget } from "./interrupting.ts";

const busy = new Error("busy");

describe.each(bothLoops)("state.call of %s", (_name, wrap) => {
  it("is one object in all states of a call, and another one in the next", async () => {
    const seen: object[] = [];
    const keep = ({ call }: RetryState) => seen.push(call);
    const load = wrap(flaky([busy, "stale", "ok", busy, busy]), {
      wait: (state: RetryState) => keep(state) * 0,
      stop: (state: RetryState) => keep(state) > 100,
      retryIf: retryIfOutcome((state) => keep(state) > 0 && (!state.outcome.ok || state.outcome.value === "stale")),
      onRetry: keep,
      onSuccess: keep,
      onGiveUp: keep,
    });

    await load();
    const first = new Set(seen);
    seen.length = 0;
    await load().catch(() => {});

    expect(first.size).toBe(1);
    expect(new Set(seen).size).toBe(1);
    expect(first.has(seen[0]!)).toBe(false);
    expect(typeof seen[0]).toBe("object");
  });

  it("is there for a fallback, and has nothing in it", async () => {
    const fallback = ({ call }: RetryState) => call;
    const given = await wrap(flaky([busy]), { ...instant, stop: stopAfterAttempt(1), fallback })();

    expect(Object.keys(given as object)).toEqual([]);
  });
});

it("state.call tells blocks apart that run at once", async () => {
  const seen = new Set<object>();
  const policy = { stop: stopAfterAttempt(2), wait: ({ call }: RetryState) => seen.add(call).size * 0 };
  const down = () => Promise.reject(busy);

  await Promise.allSettled([runWithRetry(down, policy), runWithRetry(down, policy)]);

  expect(seen.size).toBe(2);
});

it("state.attemptElapsed is what the attempt took, state.elapsed what the call did", async () => {
  const clock = virtualClock();
  const taking = (ms: number) => () => new Promise((_, reject) => void clock.setTimer(() => reject(busy), ms));
  const seen: [number, number][] = [];
  const stop = ({ attempt, elapsed, attemptElapsed }: RetryState) =>
    seen.push([elapsed, attemptElapsed]) > 0 && attempt >= 3;
  const result = retry(flaky([taking(10), taking(200), taking(3)]), { clock, stop, wait: waitFixed(50) })();
  result.catch(() => {});

  await clock.runAll();
  await result.catch(() => {});

  expect(seen).toEqual([
    [10, 10],
    [260, 200],
    [313, 3],
  ]);
});

describe("attemptTimeout as a function", () => {
  const never = () => new Promise<never>(() => {});

  it("gives each attempt its own, by the attempt's number, and is asked once for each", async () => {
    const clock = virtualClock();
    const asked: number[] = [];
    const took: number[] = [];
    const result = retry(never, {
      clock,
      wait: waitNone,
      stop: stopAfterAttempt(3),
      attemptTimeout: (attempt) => asked.push(attempt) && attempt * 100,
      onGiveUp: ({ attemptElapsed }) => took.push(attemptElapsed),
      onRetry: ({ attemptElapsed }) => took.push(attemptElapsed),
    })();
    result.catch(() => {});

    await clock.runAll();

    await expect(result).rejects.toMatchObject({ name: "AttemptTimeoutError", timeout: 300, attempt: 3 });
    expect(took).toEqual([100, 200, 300]);
    expect(asked).toEqual([1, 2, 3]);
  });

  it("may say Infinity", async () => {
    expect(await retry(async () => "ok", { attemptTimeout: () => Infinity })()).toBe("ok");
  });

  it("bounds an attempt by the system's clock too", async () => {
    const load = retry(never, { attemptTimeout: (attempt) => attempt, stop: stopAfterAttempt(2), wait: waitNone });

    await expect(load()).rejects.toMatchObject({ timeout: 2 });
    await expect(load()).rejects.toMatchObject({ timeout: 2 });
  });

  it("is each call's own, where it says something else each time", async () => {
    const timeouts = [1, 1, 60_000];
    let finish!: (value: string) => void;
    const work = [never, never, () => new Promise<string>((resolve) => (finish = resolve))];
    const load = retry(() => work.shift()!(), { attemptTimeout: () => timeouts.shift()!, stop: stopAfterAttempt(1) });
    await load().catch(() => {});
    await load().catch(() => {});

    const patient = load();
    // Long enough for the others' timeout to be up.
    await retry(never, { attemptTimeout: 10, stop: stopAfterAttempt(1) })().catch(() => {});
    finish("ok");

    expect(await patient).toBe("ok");
  });

  it.each([0, -1, Number.NaN, "5"])("ends the call at once where it returns %s", async (timeout) => {
    const load = flaky(["ok", "ok"]);
    const shown = typeof timeout === "string" ? '"5"' : String(timeout);

    await expect(retry(load, { ...instant, attemptTimeout: () => timeout as number })()).rejects.toThrow(
      `attemptTimeout failed: RangeError: attemptTimeout must return a number of ms above 0, got ${shown}`,
    );
    expect(load.calls).toHaveLength(0);
  });

  it("is a StrategyError that ends the call where it throws: nothing is called and no fallback asked", async () => {
    const broken = new Error("no table for this");
    const load = flaky(["ok", "ok"]);
    const fallback = vi.fn();
    const attemptTimeout = () => {
      throw broken;
    };
    const call = retry(load, { ...instant, attemptTimeout, fallback, retryIf: () => true });

    const error = await call().catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(StrategyError);
    expect(error).toMatchObject({ strategy: "attemptTimeout", cause: broken, outcome: { ok: false, error } });
    expect(call.stats).toMatchObject({ calls: 1, attempts: 0, failures: 1 });
    expect(load.calls).toHaveLength(0);
    expect(fallback).not.toHaveBeenCalled();
  });

  it("ends the call before a later attempt, too: with that before it as the outcome, and the tokens given back", async () => {
    const busy = new Error("busy");
    const load = flaky([busy, "too late"]);
    const { budget, log } = recordingBudget(() => 1);
    const attemptTimeout = (attempt: number) => (attempt === 1 ? 100 : Promise.reject(new Error("async")));

    const call = retry(load, { ...instant, budget, attemptTimeout: attemptTimeout as () => number });

    await expect(call()).rejects.toMatchObject({
      strategy: "attemptTimeout",
      message: "attemptTimeout failed: TypeError: attemptTimeout must be synchronous; it returned a promise",
      outcome: { ok: false, error: busy },
    });
    expect(load.calls).toHaveLength(1);
    expect(log).toEqual(["acquire", "refund 1"]);
    expect(call.stats).toMatchObject({ attempts: 1, retries: 0 });
  });

  it("begins its first attempt at once, like any other", async () => {
    const seen: string[] = [];
    const load = retry(() => seen.push("attempt"), { attemptTimeout: () => 100 });

    const result = load();
    seen.push("after the call");
    await result;

    expect(seen).toEqual(["attempt", "after the call"]);
  });

  it("ends the first attempt's own calls as a timeout of the outer one's", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const inner = retry(breaker.wrap(never), { attemptTimeout: () => 1_000, clock });
    const outer = retry(() => inner(), { attemptTimeout: () => 100, clock, stop: stopAfterAttempt(1) });

    const ended = expect(outer()).rejects.toMatchObject({ timeout: 100 });
    await clock.runAll();
    await ended;

    expect(breaker.state).toBe("open");
  });
});
