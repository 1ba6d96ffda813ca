import * as undaunted from "undaunted";
import {
  bulkhead,
  circuitBreaker,
  currentAttempt,
  NonRetryableError,
  retry,
  retrySync,
  runWithRetry,
  stopAfterAttempt,
  stopNever,
  waitNone,
} from "undaunted";
import { flaky, instant, retryState } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { bothLoops } from "../loop/both-loops.js";

const busy = new Error("busy");
const factories: Record<string, unknown> = { ...undaunted };
const anything = (value: unknown) => value as never;
const messageOf = async (call: () => unknown): Promise<string> => {
  try {
    await call();
    return "nothing was thrown";
  } catch (error) {
    return (error as Error).message;
  }
};

class Busy extends Error {}

describe.each(bothLoops)("a mistake in a policy of %s", (_name, wrap) => {
  it("is named where a strategy takes the state for the attempt's number", async () => {
    const meant = "strategies and hooks get the state, not a number: did you mean state.attempt?";
    const compares = anything((attempt: number) => attempt > 3);
    const multiplies = anything((attempt: number) => attempt * 100);
    const formats = anything((attempt: number) => `${attempt}`.length);

    for (const strategies of [{ stop: compares, wait: waitNone }, { wait: multiplies }, { wait: formats }]) {
      expect(await messageOf(wrap(flaky([busy, "too late"]), strategies))).toContain(meant);
    }
  });

  it("is named where a hook or a fallback takes the state for the attempt's number", async () => {
    const meant = /strategies and hooks get the state, not a number: did you mean state\.attempt\?/;
    const doubles = anything((attempt: number) => attempt * 2);
    const onHookError = vi.fn();
    const hooks = { onAttempt: doubles, onRetry: doubles, onSuccess: doubles, onGiveUp: doubles, onHookError };

    await wrap(flaky([busy, "ok"]), { ...instant, ...hooks })();
    await wrap(flaky([busy]), { ...hooks, stop: stopAfterAttempt(1), fallback: () => anything(1) })();

    expect(onHookError.mock.calls.flat().map(({ message }) => meant.test(message))).toEqual(Array(6).fill(true));
    expect(await messageOf(wrap(flaky([busy]), { stop: stopAfterAttempt(1), fallback: doubles }))).toMatch(meant);
  });

  it.each([
    [TypeError, "retryIf must be a function, got a class; did you mean retryIfErrorType(TypeError)?"],
    [Error, "retryIf must be a function, got a class; did you mean retryIfErrorType(Error)?"],
    [Busy, "retryIf must be a function, got a class; did you mean retryIfErrorType(Busy)?"],
  ])("is named where retryIf is a class of errors, which would say yes to all: %o", async (retryIf, message) => {
    expect(await messageOf(() => wrap(() => 1, { retryIf: anything(retryIf) }))).toContain(message);
  });

  it("is none where retryIf is a function that can be called with new", async () => {
    expect(await wrap(flaky([busy, "ok"]), { ...instant, retryIf: Boolean })()).toBe("ok");
  });

  it("is a StrategyError that has the attempt's own error as its outcome", async () => {
    const call = wrap(flaky([busy, "too late"]), { wait: anything((attempt: number) => attempt * 100) });

    await expect(call()).rejects.toMatchObject({ strategy: "wait", outcome: { ok: false, error: busy } });
  });

  it.each([
    ["stop", "stopAfterAttempt"],
    ["stop", "stopAfterDelay"],
    ["stop", "stopAny"],
    ["wait", "waitFixed"],
    ["wait", "waitRandom"],
    ["wait", "waitExponential"],
    ["wait", "waitFullJitter"],
    ["wait", "waitIncrementing"],
    ["wait", "waitChain"],
    ["wait", "waitJittered"],
    ["retryIf", "retryIfError"],
    ["retryIf", "retryIfErrorType"],
    ["retryIf", "retryIfErrorCode"],
    ["retryIf", "retryIfErrorName"],
    ["retryIf", "retryIfErrorMessage"],
    ["retryIf", "retryIfResult"],
    ["retryIf", "retryIfOutcome"],
    ["retryIf", "retryIfAny"],
    ["retryIf", "retryIfNot"],
  ] as const)("is named where %s is a factory that was not called: %s", async (option, factory) => {
    const policy = { ...instant, [option]: factories[factory] };

    await expect(wrap(flaky([busy, "too late"]), policy)()).rejects.toMatchObject({ strategy: option });
    expect(await messageOf(wrap(flaky([busy]), policy))).toMatch(/; was a factory passed without a call\?$/);
  });

  it.each([
    [{ stop: 5 }, "stop must be a function, got 5; did you mean stopAfterAttempt(5)?"],
    [{ wait: 250 }, "wait must be a function, got 250; did you mean waitFixed(250)?"],
    [{ retries: 3 }, "; did you mean stop: stopAfterAttempt(4)?"],
    [{ maxRetries: 0 }, "; did you mean stop: stopAfterAttempt(1)?"],
    [{ attempts: 3 }, "; did you mean stop: stopAfterAttempt(3)?"],
    [{ maxAttempts: 3 }, "; did you mean stop: stopAfterAttempt(3)?"],
    [{ retryif: () => true }, "; did you mean retryIf?"],
    [{ onretry: () => {} }, "; did you mean onRetry?"],
    [{ totalTimout: 5 }, "; did you mean totalTimeout?"],
    [{ fallBack: () => 1 }, "; did you mean fallback?"],
    [{ sotp: stopNever }, "; did you mean stop?"],
    [{ wiat: waitNone }, "; did you mean wait?"],
  ])("is named with what was meant: %o", async (options, message) => {
    expect(await messageOf(() => wrap(() => 1, options as object))).toContain(message);
  });

  it("has no guess where nothing is near", async () => {
    expect(await messageOf(() => wrap(() => 1, { verbose: true } as object))).toMatch(/clock$/);
  });
});

describe("a mistake at a maker", () => {
  it.each<[string, () => unknown]>([
    [
      "circuitBreaker: options must be an object, got 5; did you mean { consecutiveFailures: 5 }?",
      () => circuitBreaker(anything(5)),
    ],
    ["bulkhead: options must be an object, got 10; did you mean { limit: 10 }?", () => bulkhead(anything(10))],
    [
      "waitExponential: options must be an object, got 100; did you mean { base: 100 }?",
      () => undaunted.waitExponential(anything(100)),
    ],
    [
      "retry: options must be an object, got 5; did you mean { stop: stopAfterAttempt(5) }?",
      () => retry(() => 1, anything(5)),
    ],
    [
      "retryIfAny: strategy 2 must be a function, got a class; did you mean retryIfErrorType(TypeError)?",
      () => undaunted.retryIfAny(() => true, anything(TypeError)),
    ],
    [
      "retryIfAll: strategy 1 must be a function, got a class; did you mean retryIfErrorType(TypeError)?",
      () => undaunted.retryIfAll(anything(TypeError)),
    ],
    [
      "retryIfNot: predicate must be a function, got a class; did you mean retryIfErrorType(TypeError)?",
      () => undaunted.retryIfNot(anything(TypeError)),
    ],
    [
      "retryIfError: test must be a function, got a class; did you mean retryIfErrorType(TypeError)?",
      () => undaunted.retryIfError(anything(TypeError)),
    ],
    ["stopAny: strategy 2 must be a function, got 3", () => undaunted.stopAny(stopAfterAttempt(1), anything(3))],
  ])("is named with what was meant: %s", async (message, make) => {
    expect(await messageOf(make)).toBe(message);
  });

  it("is named where a guard's wrap is a decorator with parentheses", async () => {
    const message = /fn must be a function, got none: as a decorator, wrap has no parentheses$/;

    expect(await messageOf(() => (circuitBreaker().wrap as () => unknown)())).toMatch(message);
    expect(await messageOf(() => (bulkhead({ limit: 1 }).wrap as () => unknown)())).toMatch(message);
  });
});

it("a state of a test's own refuses to be a number, too", () => {
  expect(() => Number(retryState())).toThrow("did you mean state.attempt?");
});

describe("a mistake that no attempt can mend", () => {
  it("is currentAttempt() after an await: tried once, whatever retryIf says", async () => {
    const reasons: string[] = [];
    const load = vi.fn(async () => {
      await null;
      return currentAttempt();
    });
    const onGiveUp = ({ reason }: { reason: string }) => reasons.push(reason);

    await expect(retry(load, { ...instant, retryIf: () => true, onGiveUp })()).rejects.toThrow(
      "before its first await",
    );
    expect(load).toHaveBeenCalledTimes(1);
    expect(reasons).toEqual(["not-retryable"]);
  });

  async function* numbers() {
    yield 1;
  }

  it.each<[string, object]>([
    ["the default policy", {}],
    ["a signal", { signal: new AbortController().signal }],
    ["an async onAttempt", { onAttempt: async () => {} }],
  ])("is a function that returns an async generator, under %s", async (_, options) => {
    const load = vi.fn(() => numbers());
    const block = vi.fn(() => numbers());

    await expect(retry(load, { ...instant, ...options })()).rejects.toThrow("fn must not return an async generator");
    await expect(runWithRetry(block, { ...instant, ...options })).rejects.toThrow(TypeError);
    expect(load).toHaveBeenCalledTimes(1);
    expect(block).toHaveBeenCalledTimes(1);
  });

  it("is a sync function that returns an async generator", () => {
    expect(() => retrySync((() => numbers()) as () => any)()).toThrow(
      "retrySync: fn must not return an async generator; use retry, runWithRetry or @Retry instead",
    );
  });

  it("is no promise of an async generator, and no other async iterable", async () => {
    const iterable = { [Symbol.asyncIterator]: () => numbers() };

    expect(await retry(() => iterable)()).toBe(iterable);
    expect(typeof (await retry(async () => numbers())()).next).toBe("function");
  });

  it("is not retried by an outer policy either", async () => {
    const load = vi.fn(() => numbers());
    const inner = retry(load, instant);

    await retry(() => inner(), instant)().catch(() => {});

    expect(load).toHaveBeenCalledTimes(1);
  });
});

it("an error of ours keeps its kind where a subclass has a code of its own", async () => {
  class UserGone extends NonRetryableError {
    override readonly code = "USER_GONE" as never;
  }
  const load = flaky([new UserGone("gone"), "too late"]);

  await expect(retry(load, instant)()).rejects.toMatchObject({ code: "USER_GONE" });
  expect(load.calls).toHaveLength(1);
});
