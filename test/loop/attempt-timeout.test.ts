import {
  AttemptTimeoutError,
  currentAttempt,
  type Outcome,
  retry,
  retryIfErrorType,
  stopAfterAttempt,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { busy, never, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

describe("attemptTimeout", () => {
  it("fails an attempt that takes no notice, and tries again", async () => {
    const clock = virtualClock();
    const hang = flaky<unknown>([never, "ok"]);
    const errors: unknown[] = [];
    const call = retry(hang, {
      clock,
      attemptTimeout: 50,
      wait: waitNone,
      onRetry: (state) => errors.push(!state.outcome.ok && state.outcome.error),
    });

    const result = call();
    await clock.advance(49);
    expect(hang.calls).toHaveLength(1);
    await clock.advance(1);

    expect(await result).toBe("ok");
    expect(errors).toEqual([expect.any(AttemptTimeoutError)]);
    expect(errors[0]).toMatchObject({ code: "ERR_ATTEMPT_TIMEOUT", timeout: 50, attempt: 1 });
    expect(clock.pending).toBe(0);
  });

  it("throws an error that retryIf may refuse, and in which the call then ends", async () => {
    const clock = virtualClock();
    const result = retry(never, { clock, attemptTimeout: 50, retryIf: retryIfErrorType(RangeError) })();
    result.catch(() => {});

    await clock.advance(50);

    await expect(result).rejects.toBeInstanceOf(AttemptTimeoutError);
  });

  it("aborts the attempt's signal with its error", async () => {
    const clock = virtualClock();
    let signal: AbortSignal | undefined;
    const call = retry(
      () => {
        signal = currentAttempt().signal;
        return never();
      },
      { clock, attemptTimeout: 50, stop: stopAfterAttempt(1) },
    );

    const result = call();
    result.catch(() => {});
    await clock.advance(50);

    await expect(result).rejects.toBe(signal!.reason);
    expect(signal!.reason).toBeInstanceOf(AttemptTimeoutError);
  });

  it("counts anew for every attempt and not in the sleep between", async () => {
    const clock = virtualClock();
    const slow = () => new Promise((_, reject) => clock.setTimer(() => reject(busy), 40));
    const result = retry(slow, { clock, attemptTimeout: 50, wait: waitFixed(1_000), stop: stopAfterAttempt(3) })();
    result.catch(() => {});

    await clock.runAll();

    await expect(result).rejects.toBe(busy);
    expect(clock.now()).toBe(2_120);
  });

  it("turns what a timed-out attempt still does into a late result, not an outcome", async () => {
    const clock = virtualClock();
    const late: Outcome[] = [];
    const settleLate = (settle: (resolve: (value: string) => void, reject: (error: unknown) => void) => void) => () =>
      new Promise<string>((resolve, reject) => clock.setTimer(() => settle(resolve, reject), 100));
    const call = retry(
      flaky([
        settleLate((resolve) => resolve("late")),
        settleLate((_, reject) => reject(busy)),
        () => "ok",
      ]) as () => Promise<string>,
      { clock, attemptTimeout: 60, wait: waitNone, onLateResult: (outcome) => late.push(outcome) },
    );

    const result = call();
    await clock.runAll();

    expect(await result).toBe("ok");
    expect(late).toEqual([
      { ok: true, value: "late" },
      { ok: false, error: busy },
    ]);
  });

  it("leaves no unhandled rejection of a timed-out attempt without onLateResult", async () => {
    const clock = virtualClock();
    const call = retry(() => new Promise((_, reject) => clock.setTimer(() => reject(busy), 100)), {
      clock,
      attemptTimeout: 60,
      stop: stopAfterAttempt(1),
    });

    const result = call();
    result.catch(() => {});
    await clock.runAll();

    await expect(result).rejects.toBeInstanceOf(AttemptTimeoutError);
  });

  it("reports what onLateResult throws to onHookError", async () => {
    const clock = virtualClock();
    const reported: unknown[] = [];
    const call = retry(() => new Promise((resolve) => clock.setTimer(() => resolve("late"), 100)), {
      clock,
      attemptTimeout: 60,
      stop: stopAfterAttempt(1),
      onLateResult: () => {
        throw busy;
      },
      onHookError: (error) => reported.push(error),
    });

    const result = call();
    result.catch(() => {});
    await clock.runAll();

    await expect(result).rejects.toBeInstanceOf(AttemptTimeoutError);
    expect(reported).toEqual([busy]);
  });

  it("leaves no timer behind a success", async () => {
    const clock = virtualClock();

    expect(await retry(async () => "ok", { clock, attemptTimeout: 50, totalTimeout: 90 })()).toBe("ok");
    expect(clock.pending).toBe(0);
  });

  it("sets no timer for an attemptTimeout of Infinity", async () => {
    const clock = virtualClock();

    retry(never, { clock, attemptTimeout: Number.POSITIVE_INFINITY, totalTimeout: Number.POSITIVE_INFINITY })();

    expect(clock.pending).toBe(0);
  });
});
