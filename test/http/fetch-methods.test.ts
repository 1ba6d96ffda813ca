import { BulkheadFullError, StrategyError, waitFixed, waitNone } from "undaunted";
import { retryFetch, retryIfResponse } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { networkError, status } from "./fetching.js";

const A = "https://example.com/";
const KEY = { "idempotency-key": '"1"' };
const reset = networkError("ECONNRESET");

const mayHaveArrived: readonly [string, () => unknown][] = [
  ["a 503", () => status(503)],
  ["a 503 that asks to be retried", () => status(503, { "x-should-retry": "true" })],
  ["a connection that was reset", () => reset],
  ["a response that did not come in time", () => networkError("UND_ERR_HEADERS_TIMEOUT")],
];

const neverLeft: readonly [string, Error][] = [
  ["a refused connection", networkError("ECONNREFUSED")],
  ["a name that is not found", networkError("ENOTFOUND")],
  ["a resolver that is busy", networkError("EAI_AGAIN")],
  ["a host that is not reached", networkError("EHOSTUNREACH")],
  ["a connection that took too long", networkError("UND_ERR_CONNECT_TIMEOUT")],
  ["a connect that timed out", networkError("ETIMEDOUT", { syscall: "connect" })],
  ["a bulkhead that was full", new BulkheadFullError("full")],
];

/** Whether a request is sent again after `first`. */
async function isRepeated(first: unknown, init: RequestInit, options = {}): Promise<boolean> {
  const server = flaky([first, status(200)]);
  await retryFetch({ fetch: server, wait: waitNone, ...options })(A, init).catch(() => {});
  return server.calls.length === 2;
}

describe("a method that is idempotent", () => {
  it.each(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "QUERY", "get", "delete", "query"])(
    "is repeated: %s",
    async (method) => {
      expect(await isRepeated(status(503), { method })).toBe(true);
      expect(await isRepeated(reset, { method })).toBe(true);
    },
  );

  it("is repeated after an attempt that timed out", async () => {
    const clock = virtualClock();
    const server = flaky([() => new Promise(() => {}), status(200)]);
    const call = retryFetch({ fetch: server, attemptTimeout: 50, wait: waitFixed(1), clock })(A, { method: "PUT" });

    await clock.advance(51);

    expect((await call).status).toBe(200);
  });

  it("is GET where none is given", async () => {
    expect(await isRepeated(status(503), {})).toBe(true);
  });

  it("is told of a Request too", async () => {
    const server = flaky([status(503), status(200)]);
    const api = retryFetch({ fetch: server, wait: waitNone });

    await api(new Request(A, { method: "POST" }));

    expect(server).toHaveBeenCalledTimes(1);
  });

  it("is that of init, where a Request has another", async () => {
    const server = flaky([status(503), status(200)]);
    const api = retryFetch({ fetch: server, wait: waitNone });

    await api(new Request(A, { method: "POST" }), { method: "PUT" });

    expect(server).toHaveBeenCalledTimes(2);
  });
});

describe.each(["POST", "PATCH", "post", "patch", "LOCK"])("%s", (method) => {
  it.each(mayHaveArrived)("is not repeated after %s", async (_, first) => {
    expect(await isRepeated(first(), { method })).toBe(false);
  });

  it.each(mayHaveArrived)("is repeated after %s where it carries an idempotency key", async (_, first) => {
    expect(await isRepeated(first(), { method, headers: KEY })).toBe(true);
  });

  it.each(neverLeft)("is repeated after %s", async (_, error) => {
    expect(await isRepeated(error, { method })).toBe(true);
  });

  it("is not repeated after an attempt that timed out", async () => {
    const clock = virtualClock();
    const server = flaky([() => new Promise(() => {}), status(200)]);
    const call = retryFetch({ fetch: server, attemptTimeout: 50, wait: waitFixed(1), clock })(A, { method });
    call.catch(() => {});

    await clock.advance(51);

    await expect(call).rejects.toHaveProperty("code", "ERR_ATTEMPT_TIMEOUT");
  });
});

describe("the rule of methods", () => {
  it("stands above a retryIf that wants every error", async () => {
    const retryIf = () => true;

    expect(await isRepeated(reset, { method: "POST" }, { retryIf })).toBe(false);
    expect(await isRepeated(reset, { method: "PUT" }, { retryIf })).toBe(true);
  });

  it("stands above a retryIf that answers later", async () => {
    const retryIf = async () => true;

    expect(await isRepeated(reset, { method: "POST" }, { retryIf })).toBe(false);
    expect(await isRepeated(reset, { method: "PUT" }, { retryIf })).toBe(true);
  });

  it("stands above a condition on the response", async () => {
    const retryIf = retryIfResponse(({ headers }) => headers.has("x-stale"));

    expect(await isRepeated(status(200, { "x-stale": "1" }), { method: "POST" }, { retryIf })).toBe(false);
    expect(await isRepeated(status(200, { "x-stale": "1" }), { method: "PUT" }, { retryIf })).toBe(true);
  });

  it("leaves a retryIf its no", async () => {
    expect(await isRepeated(reset, { method: "GET" }, { retryIf: () => false })).toBe(false);
    expect(await isRepeated(reset, { method: "GET" }, { retryIf: async () => false })).toBe(false);
  });

  it("leaves a retryIf that answers a function the mistake that it is", async () => {
    const api = retryFetch({ fetch: flaky([reset]), retryIf: (() => () => true) as never });

    await expect(api(A)).rejects.toMatchObject({ name: "StrategyError", strategy: "retryIf" });
  });

  it("is told to onGiveUp as not-retryable", async () => {
    const reasons: string[] = [];
    const api = retryFetch({ fetch: flaky([status(503)]), onGiveUp: ({ reason }) => reasons.push(reason) });

    await api(A, { method: "POST" });

    expect(reasons).toEqual(["not-retryable"]);
  });
});

describe("methods", () => {
  it("may be a list, in any case of letters, which replaces the default", async () => {
    const options = { methods: ["post", "LOCK"] };

    expect(await isRepeated(reset, { method: "POST" }, options)).toBe(true);
    expect(await isRepeated(reset, { method: "lock" }, options)).toBe(true);
    expect(await isRepeated(reset, { method: "GET" }, options)).toBe(false);
  });

  it("may be an empty list: then only what never left is repeated", async () => {
    expect(await isRepeated(reset, { method: "GET" }, { methods: [] })).toBe(false);
    expect(await isRepeated(networkError("ECONNREFUSED"), { method: "GET" }, { methods: [] })).toBe(true);
  });

  it("may be a function of the method, which is written as it is sent", async () => {
    const asked: string[] = [];
    const methods = (method: string) => {
      asked.push(method);
      return method === "POST";
    };

    expect(await isRepeated(reset, { method: "post" }, { methods })).toBe(true);
    expect(await isRepeated(reset, { method: "patch" }, { methods })).toBe(false);
    expect(new Set(asked)).toEqual(new Set(["POST", "patch"]));
  });

  it("are read once", async () => {
    const methods = ["GET"];
    const server = flaky([reset]);
    const api = retryFetch({ fetch: server, methods, wait: waitNone });
    methods.push("POST");

    await expect(api(A, { method: "POST" })).rejects.toBe(reset);
  });

  it("are a StrategyError where the function throws", async () => {
    const cause = new Error("broken");
    const methods = () => {
      throw cause;
    };

    await expect(retryFetch({ fetch: flaky([reset]), methods })(A)).rejects.toMatchObject({
      name: "StrategyError",
      strategy: "retryIf",
      cause,
      outcome: { ok: false, error: reset },
    });
  });

  it("are a StrategyError where the function answers a promise", async () => {
    const methods = (async () => true) as unknown as () => boolean;

    const error = await retryFetch({ fetch: flaky([reset]), methods })(A).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(StrategyError);
    expect(error.cause).toEqual(new TypeError("methods must be synchronous; it returned a promise"));
  });
});
