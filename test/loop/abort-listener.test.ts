import { type RetryOptions, retry, retryIfOutcome, runWithRetry, waitFixed } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { busy, countedSignal, never, reason, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

describe("the listener on a signal", () => {
  it("adds no listener where the call is over before anything else can happen", async () => {
    const { signal, added } = countedSignal();
    const call = retry(async () => "ok", { signal });

    for (let i = 0; i < 100; i++) await call();

    expect(added()).toBe(0);
  });

  it.each([
    ["takes its time", never, {}],
    ["fails at once", async () => Promise.reject(busy), { wait: waitFixed(1_000) }],
    ["waits for its first hook", async () => "ok", { onAttempt: never }],
    ["looks at its values", async () => "pending", { retryIf: retryIfOutcome(() => true), wait: waitFixed(1_000) }],
  ])(
    "is added at the end of the turn in which calls began whose function %s, once for all of them",
    async (_what, fn, options) => {
      const { signal, added, listeners, abort } = countedSignal();
      const call = retry(fn as () => Promise<string>, { signal, clock: virtualClock(), ...options });

      const results = Promise.allSettled([call(), call(), call()]);
      await new Promise((resolve) => setImmediate(resolve));
      expect([added(), listeners.size]).toEqual([1, 1]);
      abort();

      expect(await results).toEqual(Array(3).fill({ status: "rejected", reason }));
      expect(listeners.size).toBe(0);
    },
  );

  it("adds the listener at once where the attempt asks for its signal", () => {
    const { signal, added, abort } = countedSignal();
    let inner: AbortSignal | undefined;

    runWithRetry(
      (context) => {
        inner = context.signal;
        return never();
      },
      { signal },
    ).catch(() => {});
    expect(added()).toBe(1);
    abort();

    expect(inner?.reason).toBe(reason);
  });

  it("notices an abort that comes before the listener: a value of that moment is late", async () => {
    const { signal, added, abort } = countedSignal();
    const late: unknown[] = [];
    const gaveUp: string[] = [];
    const hooks: RetryOptions = { onLateResult: (o) => late.push(o), onGiveUp: (s) => gaveUp.push(s.reason) };
    const call = retry(async () => "ok", { signal, ...hooks });

    const result = call();
    abort();

    await expect(result).rejects.toBe(reason);
    expect([late, gaveUp, added()]).toEqual([[{ ok: true, value: "ok" }], ["aborted"], 0]);
    expect(call.stats).toMatchObject({ calls: 1, attempts: 1, successes: 0, failures: 1 });
  });

  it("notices an abort that comes before the listener, in the same moment as a failure", async () => {
    const { signal, abort } = countedSignal();
    const asked: unknown[] = [];
    const retryIf = () => {
      asked.push("retryIf");
      return true;
    };

    const result = retry(async () => Promise.reject(busy), { signal, retryIf })();
    abort();

    await expect(result).rejects.toBe(reason);
    expect(asked).toEqual([]);
  });
});
