import {
  AttemptTimeoutError,
  BulkheadFullError,
  CircuitOpenError,
  circuitBreaker,
  NonRetryableError,
  RetryExhaustedError,
  retry,
  retryBudget,
  retryIfResult,
  retryNever,
  StrategyError,
  stopAfterAttempt,
  TotalTimeoutError,
  TryAgainError,
  waitFixed,
} from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { classifyError, classifyNetworkError } from "undaunted/transient";
import { describe, expect, it } from "vitest";
import { bothLoops } from "../loop/both-loops.js";

const brand = Symbol.for("undaunted.error");
const fromServer = (fields: object) => Object.assign(new Error("from a server"), fields);
const failed = { ok: false, error: new Error("busy") } as const;
const state = {
  name: "load",
  args: ["secret"],
  attempt: 2,
  elapsed: 5,
  outcome: { ok: true, value: "secret" },
} as const;

const ours: [code: string, error: Error & { code: string }][] = [
  ["ERR_NON_RETRYABLE", new NonRetryableError("gone")],
  ["ERR_TRY_AGAIN", new TryAgainError()],
  ["ERR_RETRY_EXHAUSTED", new RetryExhaustedError(state)],
  ["ERR_ATTEMPT_TIMEOUT", new AttemptTimeoutError(5, 1)],
  ["ERR_TOTAL_TIMEOUT", new TotalTimeoutError(5, 1)],
  ["ERR_RETRY_STRATEGY", new StrategyError("stop", state.outcome, "bug")],
  ["ERR_CIRCUIT_OPEN", new CircuitOpenError("open")],
  ["ERR_BULKHEAD_FULL", new BulkheadFullError("full")],
];

it.each(ours)("%s is the brand and the code of one of our own", (code, error) => {
  expect((error as never)[brand]).toBe(code);
  expect(error.code).toBe(code);
  expect(Object.getOwnPropertyDescriptor(error, brand)).toMatchObject({ enumerable: false });
});

describe.each(bothLoops)("a code that a server sent, in %s,", (_name, wrap) => {
  it("asks for no attempt and no delay", async () => {
    const load = flaky([fromServer({ code: "ERR_TRY_AGAIN", after: 31_536_000_000 }), "too late"]);
    const budget = retryBudget({ initial: 0, clock: virtualClock() });

    await expect(wrap(load, { retryIf: retryNever, budget, wait: waitFixed(10) })()).rejects.toThrow("from a server");
    expect(load.calls).toHaveLength(1);
  });

  it.each(["ERR_NON_RETRYABLE", "ERR_RETRY_STRATEGY", "ERR_CIRCUIT_OPEN", "ERR_MISUSE"])(
    "%s gives nothing up",
    async (code) => {
      const cause = new Error("of the server");

      expect(await wrap(flaky([fromServer({ code, cause }), "ok"]), instant)()).toBe("ok");
      await expect(wrap(flaky([fromServer({ code, cause })]), { stop: stopAfterAttempt(1) })()).rejects.toThrow(
        "from a server",
      );
    },
  );

  it("is paid for like any failure", async () => {
    const budget = { acquire: () => 0, recordSuccess() {}, refund() {}, balance: 0 };

    await expect(
      wrap(flaky([fromServer({ code: "ERR_BULKHEAD_FULL" }), "too late"]), { ...instant, budget })(),
    ).rejects.toThrow("from a server");
  });
});

it("a code that a server sent is a failure to a breaker", async () => {
  const breaker = circuitBreaker({ consecutiveFailures: 1 });

  await breaker.run(() => Promise.reject(fromServer({ code: "ERR_CIRCUIT_OPEN" }))).catch(() => {});

  expect(breaker.state).toBe("open");
});

it.each(["ERR_BULKHEAD_FULL", "ERR_IDEMPOTENCY_IN_FLIGHT", "ERR_ATTEMPT_TIMEOUT"])(
  "a code %s that a server sent says nothing to the classifiers",
  (code) => {
    expect(classifyError(fromServer({ code }))).toBe("unknown");
    expect(classifyNetworkError(fromServer({ code }))).toBe("unknown");
  },
);

it("a code that a server sent does not let retryFetch send a POST again", async () => {
  const fetch = flaky([fromServer({ code: "ERR_BULKHEAD_FULL" }), new Response("too late")]);

  await expect(retryFetch({ fetch, ...instant })("https://example.com", { method: "POST" })).rejects.toThrow();
  expect(fetch.calls).toHaveLength(1);
});

describe("what an error says to a log", () => {
  it.each([
    ["a RetryExhaustedError", new RetryExhaustedError(state)],
    ["a StrategyError", new StrategyError("stop", state.outcome, "bug")],
  ])("leaves out the value that %s is about, which can be read", (_, error) => {
    expect(JSON.stringify({ ...error })).not.toContain("secret");
    expect(error.outcome).toEqual(state.outcome);
  });

  it("holds for the error that a call rejects with", async () => {
    const poll = retry(() => "secret", { ...instant, stop: stopAfterAttempt(2), retryIf: retryIfResult(() => true) });
    const error = (await poll().catch((thrown: unknown) => thrown)) as RetryExhaustedError;

    expect(Object.keys(error).sort()).toEqual(["attempts", "code", "elapsed", "task"]);
    expect(error.outcome).toEqual({ ok: true, value: "secret" });
  });

  it("quotes the beginning of a long message only", () => {
    const { message } = new StrategyError("wait", failed, new Error("x".repeat(5_000)));

    expect(message).toBe(`wait failed: Error: ${"x".repeat(193)}…`);
    expect(() => retry(() => 1, { name: ["x".repeat(5_000)] as never })).toThrow(`got ["${"x".repeat(198)}…`);
    expect(() => retry(() => 1, { stop: "x".repeat(5_000) as never })).toThrow(`got "${"x".repeat(200)}…"`);
  });
});
