import {
  type GiveUpState,
  type RetryOptions,
  retry,
  runWithRetry,
  stopAfterAttempt,
  stopNever,
  TotalTimeoutError,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { busy, never, now, recordingBudget, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

describe("totalTimeout", () => {
  it("ends a first attempt that hangs, with itself as the outcome and no cause", async () => {
    const clock = virtualClock();
    const seen: GiveUpState[] = [];
    const result = retry(never, { clock, totalTimeout: 100, onGiveUp: (state) => seen.push(state) })();
    result.catch(() => {});

    await clock.advance(100);

    const error = await result.catch((thrown: unknown) => thrown as TotalTimeoutError);
    expect(error).toBeInstanceOf(TotalTimeoutError);
    expect(error).toMatchObject({ timeout: 100, attempts: 1, outcome: { ok: false, error } });
    expect("cause" in error).toBe(false);
    expect(seen).toMatchObject([
      { reason: "deadline", attempt: 1, error, elapsed: 100, outcome: { ok: false, error } },
    ]);
    expect(clock.pending).toBe(0);
  });

  it("ends a later attempt that hangs, with the last error as its cause", async () => {
    const clock = virtualClock();
    const result = retry(flaky([busy, never]), { clock, totalTimeout: 100, wait: waitFixed(30) })();
    result.catch(() => {});

    await clock.advance(100);

    await expect(result).rejects.toMatchObject({ attempts: 2, cause: busy, outcome: { ok: false, error: busy } });
  });

  it("aborts the attempt's signal with its error", async () => {
    const clock = virtualClock();
    let signal: AbortSignal | undefined;
    const result = runWithRetry(
      (context) => {
        signal = context.signal;
        return never();
      },
      { clock, totalTimeout: 100 },
    );
    result.catch(() => {});

    await clock.advance(100);

    await expect(result).rejects.toBe(signal!.reason);
  });

  const phases: Record<string, RetryOptions> = {
    onAttempt: { onAttempt: never },
    onRetry: { onRetry: never },
    retryIf: { retryIf: never },
    "a budget": { budget: { acquire: never, recordSuccess() {}, refund() {}, balance: 0 } },
  };

  it.each(Object.keys(phases))("ends a call that %s holds up for ever", async (phase) => {
    const clock = virtualClock();
    const result = retry(flaky([busy]), { clock, totalTimeout: 100, wait: waitNone, ...phases[phase] })();
    result.catch(() => {});

    await clock.advance(100);

    expect(await now(result)).toMatchObject({ error: { code: "ERR_TOTAL_TIMEOUT" } });
    expect(clock.pending).toBe(0);
  });

  it("does not wait for an onGiveUp that never ends, and keeps the reason", async () => {
    const clock = virtualClock();
    const result = retry(flaky([busy]), {
      clock,
      totalTimeout: 100,
      stop: stopAfterAttempt(1),
      onGiveUp: never,
      fallback: (state) => state.reason,
    })();

    await clock.advance(99);
    expect(await now(result)).toBe("pending");
    await clock.advance(1);

    expect(await now(result)).toEqual({ value: "stopped" });
  });

  it("does not wait for an onGiveUp that is called when the time is up", async () => {
    const clock = virtualClock();
    const result = retry(never, { clock, totalTimeout: 100, onGiveUp: never })();
    result.catch(() => {});

    await clock.advance(100);

    expect(await now(result)).toMatchObject({ error: { code: "ERR_TOTAL_TIMEOUT" } });
  });

  it("cannot take an accepted value back: the deadline only abandons the hook", async () => {
    const clock = virtualClock();
    const call = retry(flaky(["ok"]), { clock, totalTimeout: 100, onSuccess: never });

    const result = call();
    await clock.advance(100);

    expect(await now(result)).toEqual({ value: "ok" });
    expect(call.stats).toMatchObject({ successes: 1, failures: 0 });
  });

  it("sets no bound to a fallback, which may take longer", async () => {
    const clock = virtualClock();
    const result = retry(never, {
      clock,
      totalTimeout: 100,
      fallback: () => new Promise<string>((resolve) => clock.setTimer(() => resolve("cached"), 500)) as Promise<never>,
    })();

    await clock.advance(600);

    expect(await now(result)).toEqual({ value: "cached" });
  });

  it("returns the fallback's value also when the coming sleep would pass the deadline", async () => {
    const call = retry(flaky([busy]), {
      clock: virtualClock(),
      totalTimeout: 100,
      wait: waitFixed(100),
      fallback: (state) => [state.reason, (state.error as Error).name],
    });

    expect(await call()).toEqual(["deadline", "TotalTimeoutError"]);
  });

  it("bounds the call, not an attempt", async () => {
    const clock = virtualClock();
    const slow = () => new Promise((_, reject) => clock.setTimer(() => reject(busy), 40));
    const result = retry(slow, { clock, totalTimeout: 100, wait: waitNone, stop: stopNever })();
    result.catch(() => {});

    await clock.runAll();

    await expect(result).rejects.toMatchObject({ code: "ERR_TOTAL_TIMEOUT", attempts: 3 });
    expect(clock.now()).toBe(120);
  });
});

describe("a sleep that would pass totalTimeout", () => {
  it("begins no sleep for which retryIf took the time, and gives the budget its tokens back", async () => {
    const clock = virtualClock();
    const { budget, log } = recordingBudget(() => 1);
    const result = retry(flaky([busy]), {
      clock,
      budget,
      totalTimeout: 100,
      wait: waitFixed(50),
      retryIf: () => new Promise<boolean>((resolve) => clock.setTimer(() => resolve(true), 80)),
    })();
    result.catch(() => {});

    await clock.advance(80);

    expect(await now(result)).toMatchObject({ error: { code: "ERR_TOTAL_TIMEOUT", cause: busy } });
    expect(log).toEqual(["acquire", "refund 1"]);
    expect(clock.pending).toBe(0);
  });
});
