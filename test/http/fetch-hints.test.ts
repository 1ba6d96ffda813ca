import { stopBeforeDelay, TotalTimeoutError, waitFixed, waitNone } from "undaunted";
import { HttpStatusError, type RetryFetchOptions, retryFetch, retryIfResponse } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { delays, status } from "./fetching.js";

const A = "https://example.com/";

/** A 429 that asks for so many ms. */
const busy = (ms: number) => status(429, { "retry-after-ms": `${ms}` });

describe("a server's hint", () => {
  it.each([
    ["retry-after-ms", 429, { "retry-after-ms": "4000" }],
    ["x-ms-retry-after-ms", 503, { "x-ms-retry-after-ms": "4000" }],
    ["Retry-After in seconds", 503, { "retry-after": "4" }],
    [
      "Retry-After as a date, by the response's own Date",
      503,
      { "retry-after": "Thu, 01 Jan 2026 00:00:04 GMT", date: "Thu, 01 Jan 2026 00:00:00 GMT" },
    ],
    ["x-amz-retry-after", 500, { "x-amz-retry-after": "4000" }],
    ["RateLimit on a 429", 429, { ratelimit: '"default";r=0;t=4' }],
    ["X-RateLimit-Reset on a 429", 429, { "x-ratelimit-reset": "4" }],
  ])("is heeded: %s", async (_, code, headers) => {
    expect(await delays([status(code, headers)])).toEqual([5_000]);
  });

  it("of a quota is not heeded but on a 429", async () => {
    expect(await delays([status(500, { "x-ratelimit-reset": "4" })])).toEqual([250]);
  });

  it.each([
    [0, 4_000],
    [0.5, 5_000],
    [0.999, 5_998],
  ])("is spread upwards, never below what was asked: random %d", async (random, delay) => {
    expect(await delays([busy(4_000)], { wait: waitNone, random: () => random })).toEqual([delay]);
  });

  it("is spread by a random number of its own", async () => {
    const numbers = [0.2, 0.8];

    expect(await delays([busy(4_000)], { random: () => numbers.shift()! })).toEqual([5_600]);
  });

  it("does not shorten a wait of the policy's own", async () => {
    expect(await delays([busy(4_000)], { wait: waitFixed(7_000) })).toEqual([7_000]);
  });

  it("does not shorten the usual wait, which is from 500 ms there", async () => {
    expect(await delays([busy(10)])).toEqual([250]);
  });

  it("of 0 is a hint", async () => {
    expect(await delays([busy(0)])).toEqual([250]);
  });

  it("holds for the attempt that it came with only", async () => {
    expect(await delays([busy(4_000), status(500)], { wait: waitFixed(1) })).toEqual([5_000, 1]);
  });

  it("is heeded on a response that is no failure where retryIf wants another", async () => {
    const retryIf = retryIfResponse((response) => response.status === 200);

    expect(await delays([status(200, { "retry-after": "4" })], { wait: waitFixed(1), retryIf })).toEqual([5_000]);
  });

  it("is seen by stop as the coming delay", async () => {
    const clock = virtualClock();
    const api = retryFetch({ fetch: flaky([busy(4_000)]), clock, stop: stopBeforeDelay(4_000), wait: waitNone });

    expect((await api(A)).status).toBe(429);
  });

  it("can be read in hooks", async () => {
    const hints: unknown[] = [];

    await delays([busy(4_000)], {
      onRetry: ({ outcome }) => hints.push(outcome.ok || (outcome.error as HttpStatusError).retryAfter),
    });

    expect(hints).toEqual([4_000]);
  });
});

describe("maxRetryAfter", () => {
  /** What becomes of a call whose first answer asks for so many ms. */
  async function callFor(ms: number, options: RetryFetchOptions = {}) {
    const clock = virtualClock();
    const reasons: string[] = [];
    const api = retryFetch({
      fetch: flaky([busy(ms), status(204)]),
      clock,
      random: () => 0.999,
      onGiveUp: ({ reason }) => reasons.push(reason),
      ...options,
    });
    const call = api(A);
    call.catch(() => {});
    await clock.advance(0);
    const isWaiting = clock.pending > 0;
    await clock.runAll();
    return { call, isWaiting, reasons };
  }

  it.each([
    ["60 s by default", 60_000, {}],
    ["any number", 100, { maxRetryAfter: 100 }],
    ["0", 0, { maxRetryAfter: 0, wait: waitFixed(1) }],
    ["Infinity", 1e12, { maxRetryAfter: Infinity }],
  ])("is what is waited for at most, before it is spread: %s", async (_, ms, options) => {
    const { call, isWaiting } = await callFor(ms, options);

    expect(isWaiting).toBe(true);
    expect((await call).status).toBe(204);
  });

  it.each([
    ["60 s by default", 60_001, {}],
    ["any number", 101, { maxRetryAfter: 100 }],
    ["0", 1, { maxRetryAfter: 0 }],
    ["whatever stop says", 101, { maxRetryAfter: 100, stop: () => false }],
  ])("brings the response back at once where more is asked: %s", async (_, ms, options) => {
    const { call, isWaiting, reasons } = await callFor(ms, options);

    expect(isWaiting).toBe(false);
    expect((await call).status).toBe(429);
    expect(reasons).toEqual(["stopped"]);
  });

  it("brings it back as an error that tells the hint, with throwOnFailure", async () => {
    const { call } = await callFor(90_000, { throwOnFailure: true });

    await expect(call).rejects.toMatchObject({ name: "HttpStatusError", retryAfter: 90_000 });
  });
});

describe("x-should-retry", () => {
  /** Attempts that a call takes whose first answer is this one. */
  async function attempts(first: Response, init?: RequestInit): Promise<number> {
    const api = retryFetch({ fetch: flaky([first, status(204)]), wait: waitNone });
    await api(A, init);
    return api.stats.attempts;
  }

  it.each([400, 404, 409, 501])("true has a %i retried", async (code) => {
    expect(await attempts(status(code, { "x-should-retry": "true" }))).toBe(2);
  });

  it("false has a 503 returned at once", async () => {
    expect(await attempts(status(503, { "x-should-retry": "false", "retry-after": "1" }))).toBe(1);
  });

  it("may be in any case of letters", async () => {
    expect(await attempts(status(404, { "x-should-retry": "True" }))).toBe(2);
  });

  it("that is neither true nor false says nothing", async () => {
    expect(await attempts(status(404, { "x-should-retry": "1" }))).toBe(1);
    expect(await attempts(status(503, { "x-should-retry": "no" }))).toBe(2);
  });

  it("does not bring a success back", async () => {
    expect(await attempts(status(200, { "x-should-retry": "true" }))).toBe(1);
  });

  it("never overrules the rule of methods", async () => {
    expect(await attempts(status(503, { "x-should-retry": "true" }), { method: "POST" })).toBe(1);
  });

  it("comes with a hint of when", async () => {
    const answer = status(404, { "x-should-retry": "true", "retry-after": "4" });

    expect(await delays([answer])).toEqual([5_000]);
  });
});

describe("totalTimeout", () => {
  it("returns the response at once where a hint would pass it", async () => {
    const clock = virtualClock();
    const response = busy(4_000);
    const reasons: string[] = [];
    const onGiveUp = ({ reason }: { reason: string }) => reasons.push(reason);
    const api = retryFetch({ fetch: flaky([response]), clock, totalTimeout: 4_000, random: () => 0, onGiveUp });

    await expect(api(A)).resolves.toBe(response);

    expect(reasons).toEqual(["deadline"]);
    expect(clock.pending).toBe(0);
  });

  it("throws where it would, with throwOnFailure", async () => {
    const clock = virtualClock();
    const api = retryFetch({ fetch: flaky([busy(4_000)]), clock, totalTimeout: 4_000, throwOnFailure: true });

    const error = await api(A).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(TotalTimeoutError);
    expect((error as TotalTimeoutError).cause).toBeInstanceOf(HttpStatusError);
  });

  it("rejects where it ends an attempt: the response before it is gone", async () => {
    const clock = virtualClock();
    const server = flaky([status(503), () => new Promise(() => {})]);
    const call = retryFetch({ fetch: server, clock, totalTimeout: 1_000, wait: waitFixed(10) })(A);
    call.catch(() => {});

    await clock.advance(1_000);

    await expect(call).rejects.toBeInstanceOf(TotalTimeoutError);
  });
});
