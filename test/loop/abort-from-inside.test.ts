import { currentAttempt, type RetryOptions, retry, stopAfterAttempt, waitNone } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { busy, countedSignal, never, now, reason, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

describe("an abort by what a call waits for", () => {
  const fail = () => Promise.reject(busy);

  /** What aborts, and then returns a promise that never settles. */
  const places: Record<string, (hang: () => Promise<never>) => RetryOptions> = {
    retryIf: (hang) => ({ retryIf: hang }),
    "a budget": (hang) => ({ budget: { acquire: hang, recordSuccess() {}, refund() {}, balance: 1 } }),
    onRetry: (hang) => ({ onRetry: hang }),
    "the first onAttempt": (hang) => ({ onAttempt: hang }),
    "a later onAttempt": (hang) => ({ onAttempt: ({ attempt }) => (attempt === 2 ? hang() : undefined) }),
    onGiveUp: (hang) => ({ stop: stopAfterAttempt(1), onGiveUp: hang }),
    "a fallback": (hang) => ({ stop: stopAfterAttempt(1), fallback: hang }),
  };

  it.each(Object.keys(places))("in the synchronous part of %s ends the call", async (place) => {
    const { signal, listeners, abort } = countedSignal();
    const hang = () => {
      abort();
      return never();
    };

    const result = retry(fail, { signal, wait: waitNone, ...places[place]!(hang) })();

    expect(await now(result)).toEqual({ error: reason });
    expect(listeners.size).toBe(0);
  });

  it.each([
    ["retryIf", (fails: () => never) => ({ retryIf: fails })],
    ["a fallback", (fails: () => never) => ({ stop: stopAfterAttempt(1), fallback: fails })],
    ["the fallback of a deadline", (fails: () => never) => ({ onAttempt: never, totalTimeout: 5, fallback: fails })],
  ])("ends the call with its reason though %s then throws", async (_place, optionsOf) => {
    const clock = virtualClock();
    const { signal, abort } = countedSignal();
    const fails = () => {
      abort();
      throw busy;
    };

    const result = retry(fail, { signal, clock, wait: waitNone, ...optionsOf(fails) })();
    result.catch(() => {});
    await clock.advance(5);

    expect(await now(result)).toEqual({ error: reason });
  });

  it("in the synchronous part of onSuccess leaves the value, which was accepted", async () => {
    const { signal, abort } = countedSignal();
    const onSuccess = () => {
      abort();
      return never();
    };

    expect(await now(retry(async () => "value", { signal, onSuccess })())).toEqual({ value: "value" });
  });

  it("in the synchronous part of a linked call's hook ends that call too", async () => {
    const { signal, abort } = countedSignal();
    const ends: unknown[] = [];
    const onRetry = () => {
      abort();
      return never();
    };
    const inner = retry(fail, { wait: waitNone, onRetry });

    const result = retry(() => inner().catch((error) => Promise.reject(ends.push(error))), { signal })();

    expect(await now(result)).toEqual({ error: reason });
    expect(ends).toEqual([reason]);
  });
});

describe("a signal that is first read when the call is over", () => {
  it("leaves no listener", async () => {
    const { signal, listeners, abort } = countedSignal();
    const context = await retry(async () => currentAttempt(), { signal })();

    expect(context.signal.aborted).toBe(false);

    expect(listeners.size).toBe(0);
    abort();
  });
});

describe("what an attempt throws at once after it aborted its own call", () => {
  it.each([1, 2])("goes to onLateResult, in attempt %i", async (attempt) => {
    const { signal, abort } = countedSignal();
    const late: unknown[] = [];
    const gone = new Error("too late");
    let calls = 0;
    const throws = (): Promise<never> => {
      if (++calls < attempt) throw busy;
      abort();
      throw gone;
    };

    const result = retry(throws, { signal, wait: waitNone, onLateResult: (outcome) => late.push(outcome) })();

    expect(await now(result)).toEqual({ error: reason });
    expect(late).toEqual([{ ok: false, error: gone }]);
  });

  it("goes there too where the abort comes in the turn in which an attempt failed", async () => {
    const { signal, abort } = countedSignal();
    const late: unknown[] = [];
    const result = retry(() => Promise.reject(busy), { signal, onLateResult: (outcome) => late.push(outcome) })();

    abort();

    expect(await now(result)).toEqual({ error: reason });
    expect(late).toEqual([{ ok: false, error: busy }]);
  });

  it("goes there too where the abort comes after the attempt has settled and before the call has heard of it", async () => {
    const controller = new AbortController();
    const late: unknown[] = [];
    let settle = (_value: string) => {};
    const work = new Promise<string>((resolve) => {
      settle = resolve;
    });
    const hooks = { onLateResult: (outcome: unknown) => late.push(outcome) };
    const result = retry(() => work, { signal: controller.signal, ...hooks })();
    await new Promise((resolve) => setImmediate(resolve));

    // After the call's own reaction to the promise, and before that of its gate.
    void work.then(() => controller.abort(reason));
    settle("ok");

    await expect(result).rejects.toBe(reason);
    expect(late).toEqual([{ ok: true, value: "ok" }]);
  });
});
