import { circuitBreaker, retryIfAny, stopAfterAttempt, waitFixed, waitNone } from "undaunted";
import { type DeadlineHeader, peekText, retryFetch, retryIfHttpFailure, retryIfResponse } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { endlessBody, othersRun, silentBody, status } from "./fetching.js";

const A = "https://example.com/";

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a test double", () => {
  it.each([
    [200, 1],
    [404, 1],
    [503, 4],
  ])("of status %i without headers is called %i times", async (code, times) => {
    const server = vi.fn(async () => ({ ok: code < 400, status: code }));

    const response: any = await retryFetch({ fetch: server as unknown as typeof globalThis.fetch, wait: waitNone })(A);

    expect(response.status).toBe(code);
    expect(server).toHaveBeenCalledTimes(times);
  });

  it("may have a plain object for its headers", async () => {
    const server = vi.fn(async () => ({ status: 429, headers: { "Retry-After": "61" } }));

    await retryFetch({ fetch: server as unknown as typeof globalThis.fetch })(A);

    expect(server).toHaveBeenCalledTimes(1);
  });

  it.each([null, "busy"])("may be the same response each time, with the body %j", async (body) => {
    const same = new Response(body, { status: 503 });
    const server = vi.fn(async () => same);

    expect(await retryFetch({ fetch: server as unknown as typeof globalThis.fetch, wait: waitNone })(A)).toBe(same);
    expect(server).toHaveBeenCalledTimes(4);
  });

  it("that takes relative URLs gets them as they are, and is retried", async () => {
    const server = flaky([status(503), new Response("got it")]);
    const names: string[] = [];
    const api = retryFetch({ fetch: server, wait: waitNone, onRetry: ({ name }) => names.push(name) });

    const response = await api("/api/users?token=1");

    expect(await response.text()).toBe("got it");
    expect(server.calls).toEqual([["/api/users?token=1"], ["/api/users?token=1"]]);
    expect(names).toEqual(["GET /api/users"]);
  });

  it.each([
    ["throws", () => raise()],
    ["returns nothing", () => {}],
  ])("whose body %s when it is cancelled keeps no request from being aborted", async (_, cancel) => {
    const clock = virtualClock();
    const signals: AbortSignal[] = [];
    const body = { getReader() {}, cancel };
    const server = async (_url: string, init: RequestInit) => {
      signals.push(init.signal!);
      return { status: 429, body };
    };
    const options = { hint: () => new Promise<never>(() => {}), attemptTimeout: 50, stop: stopAfterAttempt(1), clock };
    const call = retryFetch({ fetch: server as unknown as typeof globalThis.fetch, ...options })(A);
    const rejected = expect(call).rejects.toMatchObject({ name: "AttemptTimeoutError" });

    await clock.advance(50);

    await rejected;
    expect(signals[0]!.aborted).toBe(true);
  });

  it("is called in the very call, as fetch is", () => {
    const server = vi.fn(async () => status(200));

    retryFetch({ fetch: server as unknown as typeof globalThis.fetch })(A);

    expect(server).toHaveBeenCalledTimes(1);
  });

  it("that answers an opaque redirect ends the call in an error, and is left to follow by itself from then on", async () => {
    const opaque = Object.defineProperty(Response.error(), "type", { value: "opaqueredirect" });
    const server = vi.fn(async (_: string, init?: RequestInit) => (init?.redirect === "manual" ? opaque : status(200)));
    const api = retryFetch({ fetch: server as unknown as typeof globalThis.fetch, wait: waitNone });
    const post = { method: "POST", body: "x" };

    await expect(api(A, post)).rejects.toMatchObject({ message: "fetch failed" });
    const { status: second } = await api(A, post);

    expect(second).toBe(200);
    expect(server).toHaveBeenCalledTimes(2);
  });
});

describe("the global fetch", () => {
  it("may be a client that was made when another one was global", async () => {
    const server = vi.fn(async () => status(200));
    vi.stubGlobal("fetch", server);
    vi.stubGlobal("fetch", retryFetch());

    expect((await fetch(A)).status).toBe(200);
    expect(server).toHaveBeenCalledTimes(1);
  });

  it.each([
    ["at once", (inner: typeof fetch) => (input: any, init: any) => inner(input, init)],
    [
      "later",
      (inner: typeof fetch) => async (input: any, init: any) => {
        await Promise.resolve();
        return inner(input, init);
      },
    ],
  ])("may lead to a client through instrumentation that calls it %s", async (_, instrumented) => {
    const server = vi.fn(async () => status(503));
    vi.stubGlobal("fetch", server);
    const client = retryFetch({ wait: waitNone });
    vi.stubGlobal("fetch", instrumented(client as typeof fetch));

    expect((await fetch(A, { headers: { a: "1" } })).status).toBe(503);
    expect(server).toHaveBeenCalledTimes(4);
  });

  it("may be patched by a mock after the client was made", async () => {
    const api = retryFetch();
    const mock = vi.fn(async () => status(200));
    vi.stubGlobal("fetch", mock);

    await api(A);

    expect(mock).toHaveBeenCalledTimes(1);
  });
});

describe("nothing starves, leaks or blames the wrong party", () => {
  it("a prepare that outlasts its attempt sends nothing, and is no failure of the server's", async () => {
    const clock = virtualClock();
    const server = vi.fn(async () => status(200));
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    let finish = () => {};
    const prepare = () => new Promise<void>((resolve) => (finish = resolve));
    const policy = {
      fetch: server as unknown as typeof globalThis.fetch,
      breaker,
      clock,
      prepare,
      attemptTimeout: 30,
      stop: stopAfterAttempt(1),
    };

    const call = retryFetch(policy)(A);
    call.catch(() => {});
    await clock.advance(30);
    finish();
    await othersRun();

    await expect(call).rejects.toMatchObject({ name: "AttemptTimeoutError" });
    expect(server).not.toHaveBeenCalled();
    expect(breaker.state).toBe("closed");
  });

  it("reading the old response away is no part of the next attempt's time", async () => {
    const clock = virtualClock();
    const server = flaky([new Response(silentBody().stream, { status: 503 }), status(200)]);
    const api = retryFetch({ fetch: server, clock, attemptTimeout: 80, wait: waitFixed(1), stop: stopAfterAttempt(2) });

    const call = api(A);
    await clock.runAll();

    expect((await call).status).toBe(200);
  });

  it("throwOnFailure lets go of a long body, and keeps a short one to be read", async () => {
    const { stream, seen } = endlessBody();
    const api = (response: Response) => retryFetch({ fetch: flaky([response]), throwOnFailure: true })(A);

    await expect(api(new Response(stream, { status: 404 }))).rejects.toMatchObject({ status: 404 });
    const error: any = await api(new Response("why", { status: 404 })).catch((thrown: any) => thrown);

    expect(seen.cancelled).toBe(true);
    expect(await error.response.text()).toBe("why");
  });

  it("throwOnFailure does not wait longer than 100 ms for a body", async () => {
    const clock = virtualClock();
    const { stream, seen } = silentBody();
    const options = { fetch: flaky([new Response(stream, { status: 404 })]), throwOnFailure: true, clock };

    const call = retryFetch(options)(A);
    call.catch(() => {});
    await clock.advance(100);

    await expect(call).rejects.toMatchObject({ status: 404 });
    expect(seen.cancelled).toBe(true);
  });

  it("a body that retryIf peeks into without end is let go of with the call", async () => {
    const clock = virtualClock();
    const { stream, seen } = silentBody();
    const isBusy = async (response: Response) => (await peekText(response)) === "busy";
    const retryIf = retryIfAny(retryIfHttpFailure, retryIfResponse(isBusy));
    const options = { fetch: flaky([new Response(stream)]), retryIf, totalTimeout: 100, throwOnFailure: true, clock };

    const call = retryFetch(options)(A);
    call.catch(() => {});
    await clock.advance(100);

    await expect(call).rejects.toMatchObject({ name: "TotalTimeoutError" });
    expect(seen.cancelled).toBe(true);
  });

  it.each([409, 202])("pauseOrigin holds nobody back for one resource's %i", async (code) => {
    const clock = virtualClock();
    const server = flaky([status(code, { "retry-after": "50" }), status(200)]);
    const api = retryFetch({ fetch: server, clock, pauseOrigin: true, statuses: [code], stop: stopAfterAttempt(1) });

    await api(A);
    await api(A);

    expect(clock.now()).toBe(0);
    expect(server.calls).toHaveLength(2);
  });
});

describe("deadlineHeader", () => {
  /** What each attempt says of its deadline. */
  async function said(header: DeadlineHeader, options: object, init: RequestInit = {}): Promise<unknown[]> {
    const clock = virtualClock();
    const server = flaky([status(503), status(200)]);
    const call = retryFetch({ fetch: server, clock, deadlineHeader: header, wait: waitFixed(400), ...options })(
      A,
      init,
    );
    await clock.runAll();
    await call;
    return server.calls.map(([, sent]: any) => new Headers(sent?.headers).get(header));
  }

  it("sends the smaller of what is left of the total timeout and of the attempt's", async () => {
    expect(await said("grpc-timeout", { totalTimeout: 1_000, attemptTimeout: 700 })).toEqual(["700m", "600m"]);
    expect(await said("x-envoy-expected-rq-timeout-ms", { totalTimeout: 1_000 })).toEqual(["1000", "600"]);
    expect(await said("connect-timeout-ms", { attemptTimeout: 700 })).toEqual(["700", "700"]);
  });

  it("writes what has more than eight digits in seconds", async () => {
    expect(await said("grpc-timeout", { totalTimeout: 1e9, attemptTimeout: 2e8 })).toEqual(["200000S", "200000S"]);
  });

  it("sends nothing where there is no deadline", async () => {
    expect(await said("grpc-timeout", {})).toEqual([null, null]);
  });

  it("leaves the header alone that the caller set", async () => {
    const init = { headers: { "grpc-timeout": "5S" } };

    expect(await said("grpc-timeout", { totalTimeout: 1_000 }, init)).toEqual(["5S", "5S"]);
  });

  it("refuses a header whose format is not known", () => {
    expect(() => retryFetch({ deadlineHeader: "x-deadline" as never })).toThrow(
      'retryFetch: deadlineHeader must be one of grpc-timeout, x-envoy-expected-rq-timeout-ms, x-envoy-upstream-rq-timeout-ms, connect-timeout-ms, got "x-deadline"',
    );
  });
});

function raise(): never {
  throw new Error("a double that cannot");
}
