import { circuitBreaker, stopAfterAttempt, waitFixed, waitNone } from "undaunted";
import { attemptsOf, retryFetch, retryIfResponse } from "undaunted/http";
import { flaky } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { delays, networkError, status, statuses } from "./fetching.js";

const A = "https://example.com/";

describe("retry in init", () => {
  it("false makes one attempt, and is not passed on", async () => {
    const server = flaky([status(503)]);

    const response = await retryFetch({ fetch: server })(A, { retry: false, cache: "no-store" });

    expect(response.status).toBe(503);
    expect(server.calls).toEqual([[A, { cache: "no-store" }]]);
  });

  it("false leaves guards, timeouts and prepare in force", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    const prepared: string[] = [];
    const prepare = ({ method }: { method: string }) => prepared.push(method);
    const api = retryFetch({ fetch: flaky([status(503)]), breaker, prepare });

    await api(A, { retry: false });

    expect(breaker.state).toBe("open");
    expect(prepared).toEqual(["GET"]);
  });

  it("replaces options for that call alone", async () => {
    const server = flaky(statuses(503, 6));
    const api = retryFetch({ fetch: server, wait: waitNone });

    await api(A, { retry: { stop: stopAfterAttempt(2) } });
    expect(server.calls).toHaveLength(2);
    await api(A);

    expect(server.calls).toHaveLength(6);
  });

  it("may have a wait, a condition and hooks", async () => {
    const seen: number[] = [];
    const server = flaky([status(404), status(200)]);
    const retry = { wait: waitFixed(0), onRetry: () => seen.push(1), retryIf: (error: any) => error.status === 404 };

    const response = await retryFetch({ fetch: server, statuses: [404] })(A, { retry });

    expect(response.status).toBe(200);
    expect(seen).toEqual([1]);
  });

  it.each([
    [0, "retryFetch: retry must be false, or an object, got 0"],
    [true, "retryFetch: retry must be false, or an object, got true"],
    [{ breaker: {} }, 'retryFetch: retry: there is no option "breaker"'],
    [{ stop: 3 }, "retryFetch: retry: stop must be a function, got 3"],
  ])("is a TypeError where it is %j", async (retry, message) => {
    const error = await retryFetch({ fetch: flaky([]) })(A, { retry: retry as never }).catch((thrown: any) => thrown);

    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(message);
  });

  it.each(["stop", "attemptTimeout", "onRetry", "throwOnFailure", "retries", "maxRetries"])(
    "%s beside it is a TypeError that says where it belongs",
    async (name) => {
      await expect(retryFetch({ fetch: flaky([]) })(A, { [name]: 3 })).rejects.toThrow(
        new TypeError(
          `retryFetch: "${name}" is no setting of a request: what holds for one call goes into retry: { … }, other options to retryFetch or with`,
        ),
      );
    },
  );

  it("other settings pass: what runtimes and frameworks take", async () => {
    const settings = { dispatcher: {}, cf: {}, next: { revalidate: 1 }, agent: {}, signal: null };
    const server = flaky([status(200)]);

    await retryFetch({ fetch: server })(A, settings as never);

    expect(server.calls).toEqual([[A, settings]]);
  });
});

it("the options function sees the init of the call", async () => {
  const server = flaky(statuses(503, 4));
  const api = retryFetch(({ init }) => ({
    fetch: server,
    wait: waitNone,
    ...(init?.cache === "no-store" && { stop: stopAfterAttempt(1) }),
  }));

  await api(A, { cache: "no-store" });

  expect(server.calls).toHaveLength(1);
});

describe("attemptsOf", () => {
  it("counts the attempts of a call that succeeded, that gave up, and that failed", async () => {
    const reset = networkError("ECONNRESET");
    const options = { wait: waitNone, stop: stopAfterAttempt(3) };
    const call = (script: readonly unknown[], more = {}) =>
      retryFetch({ fetch: flaky<Promise<Response>>(script), ...options, ...more })(A).catch((error: any) => error);

    expect(attemptsOf(await call([status(200)]))).toBe(1);
    expect(attemptsOf(await call([status(503), status(200)]))).toBe(2);
    expect(attemptsOf(await call(statuses(503, 3)))).toBe(3);
    expect(attemptsOf(await call([status(503), reset, reset]))).toBe(3);
    expect(attemptsOf(await call(statuses(503, 3), { throwOnFailure: true }))).toBe(3);
  });

  it("knows nothing of anything else", () => {
    expect([attemptsOf(new Response()), attemptsOf("x"), attemptsOf(undefined)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("hint", () => {
  const busy = (code = 429, body = '{"parameters":{"retry_after":2}}') => new Response(body, { status: code });
  const inBody = async (response: Response) => (await response.json()).parameters.retry_after * 1_000;

  it("is asked for what stands in the body, on a copy", async () => {
    expect(await delays([busy()], { hint: inBody })).toEqual([2_500]);
    const api = retryFetch({ fetch: flaky([busy()]), stop: stopAfterAttempt(1), hint: inBody });
    expect(await (await api(A)).json()).toEqual({ parameters: { retry_after: 2 } });
  });

  it("leaves it to the headers where it is undefined", async () => {
    expect(await delays([status(503, { "retry-after": "4" })], { hint: () => undefined })).toEqual([5_000]);
  });

  it("comes before the headers", async () => {
    const hint = ({ headers }: Response) => Math.min(Number(headers.get("retry-after")) * 1_000, 1_000);

    expect(await delays([status(503, { "retry-after": "40" })], { hint, wait: waitNone })).toEqual([1_250]);
  });

  it("is bounded by maxRetryAfter", async () => {
    const server = flaky([busy()]);

    expect((await retryFetch({ fetch: server, hint: () => 60_001 })(A)).status).toBe(429);
    expect(server.calls).toHaveLength(1);
  });

  it.each([
    ["NaN", () => Number.NaN],
    ["a negative number", () => -1],
    ["a string", () => "2" as never],
    ["what it throws", () => JSON.parse("no JSON")],
    ["what it rejects with", async () => JSON.parse("no JSON")],
  ])("ends the call in a StrategyError for %s", async (_, hint) => {
    const call = retryFetch({ fetch: flaky([busy()]), hint })(A);

    await expect(call).rejects.toMatchObject({ name: "StrategyError", strategy: "hint" });
  });

  it("sees no more than 64 KiB of a body", async () => {
    const lengths: number[] = [];
    const hint = async (response: Response) => {
      lengths.push((await response.text()).length);
      return 0;
    };
    const api = retryFetch({ fetch: flaky([busy(503, "x".repeat(100_000))]), hint, stop: stopAfterAttempt(1) });

    expect((await (await api(A)).text()).length).toBe(100_000);
    expect(lengths).toEqual([65_536]);
  });

  it("is asked about a response that retryIf polls for, in its body", async () => {
    const pending = new Response('{"parameters":{"retry_after":2}}', { status: 202 });
    const retryIf = retryIfResponse(({ status: code }) => code === 202);

    expect(await delays([pending], { hint: inBody, retryIf, wait: waitNone })).toEqual([2_500]);
  });

  it("is not asked about a response that is no failure", async () => {
    const api = retryFetch({ fetch: flaky([status(200)]), hint: () => expect.fail("asked") });

    expect((await api(A)).status).toBe(200);
  });
});

it("a call's first 429 that says when to come back is paid from nowhere, and its second is paid for", async () => {
  const taken: number[] = [];
  const budget = {
    acquire: ({ attempt }: { attempt: number }) => taken.push(attempt),
    recordSuccess() {},
    refund() {},
    balance: 0,
  };

  await delays([status(429, { "retry-after": "1" }), status(429, { "retry-after": "1" })], { budget });
  await delays([status(503, { "retry-after": "1" })], { budget });
  await delays([status(429)], { budget });

  expect(taken).toEqual([2, 1, 1]);
});
