import {
  NonRetryableError,
  RetryExhaustedError,
  retry,
  retryIfNotResult,
  retryIfOutcome,
  returnLastResult,
  runWithRetry,
  runWithRetrySync,
  stopAfterAttempt,
  TotalTimeoutError,
  throwRetryExhausted,
  waitFixed,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");
const twice = { ...instant, stop: stopAfterAttempt(2) };
const retryIf = retryIfNotResult((job) => job === "done");

describe("throwRetryExhausted", () => {
  it("ends the call in a RetryExhaustedError whose cause is the last error", async () => {
    const load = retry(flaky([new Error("first"), busy]), { ...twice, name: "load", fallback: throwRetryExhausted });

    const error = await load("secret").catch((thrown: any) => thrown);

    expect(error).toBeInstanceOf(RetryExhaustedError);
    expect(error).toMatchObject({ task: "load", attempts: 2, args: ["secret"], outcome: { ok: false } });
    expect(error.cause).toBe(busy);
  });

  it("names the cause that a NonRetryableError was thrown for", async () => {
    const load = retry(flaky([new NonRetryableError("", { cause: busy })]), { fallback: throwRetryExhausted });

    await expect(load()).rejects.toMatchObject({ code: "ERR_RETRY_EXHAUSTED", cause: busy });
  });

  it("names the deadline where that ended the call", async () => {
    const load = retry(flaky([busy]), {
      wait: waitFixed(100),
      totalTimeout: 50,
      fallback: throwRetryExhausted,
      clock: virtualClock(),
    });

    const error = await load().catch((thrown: any) => thrown);

    expect(error).toBeInstanceOf(RetryExhaustedError);
    expect(error.cause).toBeInstanceOf(TotalTimeoutError);
  });

  it("keeps the value in the error's outcome where no attempt returned what was wanted", async () => {
    const poll = retry(flaky(["pending", "late"]), { ...twice, retryIf, fallback: throwRetryExhausted });

    await expect(poll()).rejects.toMatchObject({
      code: "ERR_RETRY_EXHAUSTED",
      outcome: { ok: true, value: "late" },
    });
  });

  it("serves a sync policy too", () => {
    expect(() => runWithRetrySync(flaky([busy, busy]), { ...twice, fallback: throwRetryExhausted })).toThrow(
      RetryExhaustedError,
    );
  });
});

describe("returnLastResult", () => {
  it("returns the last value although retryIf did not want it", async () => {
    const poll = retry(flaky(["pending", "late"]), { ...twice, retryIf, fallback: returnLastResult });

    expect(await poll()).toBe("late");
  });

  it.each([undefined, null, 0, ""])("returns a last value of %s", async (value) => {
    const poll = retry(() => value, { ...twice, retryIf, fallback: returnLastResult });

    expect(await poll()).toBe(value);
  });

  it("leaves the error of a last attempt that failed as it is", async () => {
    const poll = retry(flaky(["pending", busy]), {
      ...twice,
      retryIf: retryIfOutcome(() => true),
      fallback: returnLastResult,
    });

    await expect(poll()).rejects.toBe(busy);
  });

  it("ends in the deadline's error where the last attempt failed", async () => {
    const options = { wait: waitFixed(100), totalTimeout: 50, fallback: returnLastResult, clock: virtualClock() };

    await expect(runWithRetry(flaky([busy]), options)).rejects.toBeInstanceOf(TotalTimeoutError);
  });

  it("counts the call as a failure", async () => {
    const poll = retry(flaky(["pending", "late"]), { ...twice, retryIf, fallback: returnLastResult });

    await poll();

    expect(poll.stats).toMatchObject({ calls: 1, successes: 0, failures: 1 });
  });
});
