import { stopAfterAttempt, waitExponential } from "undaunted";
import { retryState } from "undaunted/testing";
import { describe, expect, it } from "vitest";

describe("retryState", () => {
  it("retryState is a first attempt that failed at once", () => {
    const { outcome, random, call, ...rest } = retryState();

    expect(rest).toEqual({
      name: "test",
      args: [],
      attempt: 1,
      elapsed: 0,
      attemptElapsed: 0,
      delay: 0,
      previousDelay: 0,
      idle: 0,
      exhausted: false,
    });
    expect(call).toEqual({});
    expect(outcome.ok).toBe(false);
    expect((outcome as { error: unknown }).error).toBeInstanceOf(Error);
    expect(random()).toBeGreaterThanOrEqual(0);
    expect(random()).toBeLessThan(1);
  });

  it("retryState has the fields it was given in place of its own", () => {
    const fields = {
      call: {},
      name: "load",
      args: ["42"],
      attempt: 3,
      outcome: { ok: true, value: "pending" },
      elapsed: 300,
      attemptElapsed: 90,
      delay: 100,
      previousDelay: 50,
      idle: 150,
      exhausted: true,
      random: () => 0.5,
    } as const;

    expect(retryState(fields)).toEqual(fields);
  });

  it("retryState is a new object each time", () => {
    expect(retryState()).not.toBe(retryState());
    expect(retryState().outcome).not.toBe(retryState().outcome);
  });

  it("tests one strategy alone", () => {
    expect(waitExponential({ base: 100 })(retryState({ attempt: 3 }))).toBe(400);
    expect(stopAfterAttempt(3)(retryState({ attempt: 2 }))).toBe(false);
  });
});
