import axios, { type AxiosAdapter, AxiosError } from "axios";
import { stopAfterAttempt, stopNever, waitFixed } from "undaunted";
import { retryAxios } from "undaunted/axios";
import { retryIfHttpFailure, retryIfResponse } from "undaunted/http";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  deadPort,
  refuseStream,
  resetBeforeHeaders,
  resetInBody,
  respond,
  unresolvable,
} from "../http/servers/index.js";
import { failureOf, retried, serving } from "./api.js";

const json = (value: unknown) => ({ headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

describe.each(["http", "fetch"])("with the %s adapter", (adapter) => {
  it.each(["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])("a %s is made again after a 503", async (method) => {
    const server = await serving([respond(503), respond(200)]);
    const { api } = retried({ adapter });

    const { status } = await api.request({ method, url: server.url("/") });

    expect(status).toBe(200);
    expect(server.requests.map((seen) => seen.method)).toEqual([method, method]);
  });

  it.each(["POST", "PATCH"])("a %s is not made again after a 503", async (method) => {
    const server = await serving([respond(503), respond(200)]);
    const { api, reasons } = retried({ adapter });

    const error = await failureOf(api.request({ method, url: server.url("/"), data: "paid" }));

    expect(error.response.status).toBe(503);
    expect(server.requests).toHaveLength(1);
    expect(reasons).toEqual(["not-retryable"]);
  });

  it("a POST with an idempotency key is made again, under one key", async () => {
    const server = await serving([respond(503), resetBeforeHeaders(), respond(201)]);
    const { api } = retried({ adapter }, { idempotencyKey: true });

    const { status } = await api.post(server.url("/"), { sum: 1 });

    const keys = server.requests.map((seen) => seen.headers["idempotency-key"]);
    expect(status).toBe(201);
    expect(keys[0]).toMatch(/^".{36}"$/);
    expect(keys).toEqual([keys[0], keys[0], keys[0]]);
  });

  it("a key of the caller's own stands, and makes a POST repeatable without any option", async () => {
    const server = await serving([respond(503), respond(201)]);
    const { api } = retried({ adapter });

    await api.post(server.url("/"), "x", { headers: { "idempotency-key": "mine" } });

    expect(server.requests.map((seen) => seen.headers["idempotency-key"])).toEqual(["mine", "mine"]);
  });

  it.each([false, null, ""])("a key that is %j is none", async (key) => {
    const server = await serving([respond(503), respond(201)]);
    const { api } = retried({ adapter });

    const error = await failureOf(api.post(server.url("/"), "x", { headers: { "Idempotency-Key": key as string } }));

    expect(error.response.status).toBe(503);
    expect(server.requests).toHaveLength(1);
  });

  it("a POST to a port where nobody listens is made again", async () => {
    const dead = await deadPort();
    onTestFinished(() => dead.close());
    // The fetch adapter does not tell of redirects: only without them it is sure that nobody had it.
    const { api, retries } = retried({ adapter, maxRedirects: 0 }, { stop: stopAfterAttempt(3) });

    const error = await failureOf(api.post(dead.url("/"), "x"));

    expect(error).toBeInstanceOf(AxiosError);
    expect(retries.stats.attempts).toBe(3);
  });

  it("a POST to a host that has no address is made again", async () => {
    const { api, retries } = retried({ adapter, maxRedirects: 0 }, { stop: stopAfterAttempt(2) });

    const error = await failureOf(api.post(`http://${unresolvable}/`, "x"));

    expect(error).toBeInstanceOf(AxiosError);
    expect(retries.stats.attempts).toBe(2);
  });

  it("a GET whose connection is reset before the headers is made again", async () => {
    const server = await serving([resetBeforeHeaders(), respond(200)]);
    const { api } = retried({ adapter });

    const { status } = await api.get(server.url("/"));

    expect(status).toBe(200);
  });

  it("a POST whose connection is reset before the headers is not made again", async () => {
    const server = await serving([resetBeforeHeaders(), respond(200)]);
    const { api } = retried({ adapter });

    const error = await failureOf(api.post(server.url("/"), "x"));

    expect(error).toBeInstanceOf(AxiosError);
    expect(server.requests).toHaveLength(1);
  });

  it("a GET whose connection is reset in the body is made again", async () => {
    const server = await serving([resetInBody(), respond(200, { body: "whole" })]);
    const { api } = retried({ adapter });

    const { data } = await api.get(server.url("/"));

    expect(data).toBe("whole");
    expect(server.requests).toHaveLength(2);
  });

  it("a POST whose connection is reset in the body is not made again", async () => {
    const server = await serving([resetInBody(), respond(200)]);
    const { api } = retried({ adapter });

    await failureOf(api.post(server.url("/"), "x"));

    expect(server.requests).toHaveLength(1);
  });

  it("a hint counts also where the connection is reset in the body", async () => {
    const busy = { headers: { "retry-after": "20" }, body: "too busy" };
    const server = await serving([resetInBody(503, busy), respond(200)]);
    const { api, delays } = retried({ adapter });

    await api.get(server.url("/"));

    // Only Node's client keeps the headers of what broke off.
    if (adapter === "http") expect(delays).toEqual([20_000]);
    else expect(delays).toHaveLength(1);
  });

  it("a 404 ends the call in the error that axios has for it, its data transformed once", async () => {
    const server = await serving([respond(404, json({ message: "none such" }))]);
    const transformResponse = vi.fn((text: string) => JSON.parse(text));
    const { api, reasons } = retried({ adapter, transformResponse });

    const error = await failureOf(api.get(server.url("/")));

    expect(error).toBeInstanceOf(AxiosError);
    expect(error).toMatchObject({ message: "Request failed with status code 404", code: "ERR_BAD_REQUEST" });
    expect(error.response.data).toEqual({ message: "none such" });
    expect(transformResponse).toHaveBeenCalledTimes(1);
    expect(server.requests).toHaveLength(1);
    expect(reasons).toEqual(["not-retryable"]);
  });

  it("the last 503 ends the call in the error that axios has for it, its data transformed once", async () => {
    const server = await serving([respond(503, json({ n: 1 })), respond(503, json({ n: 2 }))]);
    const transformResponse = vi.fn((text: string) => JSON.parse(text));
    const { api, reasons } = retried({ adapter, transformResponse }, { stop: stopAfterAttempt(2) });

    const error = await failureOf(api.get(server.url("/")));

    expect(error).toBeInstanceOf(AxiosError);
    expect(error.response.data).toEqual({ n: 2 });
    expect(transformResponse).toHaveBeenCalledTimes(1);
    expect(reasons).toEqual(["stopped"]);
  });

  it("a 503 that validateStatus lets pass is retried, and the last one is the response", async () => {
    const server = await serving([respond(503, json({ n: 1 })), respond(503, json({ n: 2 }))]);
    const { api } = retried({ adapter, validateStatus: () => true }, { stop: stopAfterAttempt(2) });

    const response = await api.get(server.url("/"));

    expect(response).toMatchObject({ status: 503, data: { n: 2 } });
    expect(server.requests).toHaveLength(2);
  });

  it("a 404 that validateStatus lets pass is the response at once", async () => {
    const server = await serving([respond(404, json({ n: 1 }))]);
    const { api } = retried({ adapter, validateStatus: () => true });

    const response = await api.get(server.url("/"));

    expect(response).toMatchObject({ status: 404, data: { n: 1 } });
    expect(server.requests).toHaveLength(1);
  });

  it("a 429 is retried no earlier than its Retry-After says", async () => {
    const server = await serving([respond(429, { headers: { "retry-after": "7" } }), respond(200)]);
    const { api, delays } = retried({ adapter }, { random: () => 0.5, wait: waitFixed(10) });

    await api.get(server.url("/"));

    expect(delays).toEqual([7_000 * 1.25]);
  });

  it("a Retry-After above maxRetryAfter is not waited for", async () => {
    const server = await serving([respond(429, { headers: { "retry-after": "61" } }), respond(200)]);
    const { api, reasons } = retried({ adapter });

    const error = await failureOf(api.get(server.url("/")));

    expect(error.response.status).toBe(429);
    expect(reasons).toEqual(["stopped"]);
    expect(server.requests).toHaveLength(1);
  });

  it("a server that says not to come again is heeded", async () => {
    const server = await serving([respond(503, { headers: { "x-should-retry": "false" } }), respond(200)]);
    const { api } = retried({ adapter });

    await failureOf(api.get(server.url("/")));

    expect(server.requests).toHaveLength(1);
  });

  it("a server that asks for another attempt gets one, also where validateStatus lets its answer pass", async () => {
    const again = { headers: { "x-should-retry": "true" } };
    const server = await serving([respond(400, again), respond(400, again), respond(200)]);
    const { api } = retried({ adapter, validateStatus: (status) => status === 400 || status === 200 });

    const { status } = await api.get(server.url("/"));

    expect(status).toBe(200);
  });

  it("a bad certificate is never tried again", async () => {
    const server = await serving([respond(200)], { protocol: "https" });
    const { api, retries } = retried({ adapter }, { stop: stopNever });

    const error = await failureOf(api.get(server.url("/")));

    expect(error.cause.code).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(retries.stats.attempts).toBe(1);
  });

  it("a 409 is retried where a key was sent", async () => {
    const server = await serving([respond(409), respond(201)]);
    const { api } = retried({ adapter }, { idempotencyKey: true });

    const { status } = await api.post(server.url("/"), "x");

    expect(status).toBe(201);
  });

  it("statuses decides by the response, whatever axios thinks of it", async () => {
    const server = await serving([respond(200, { headers: { "x-state": "building" } }), respond(200)]);
    const { api } = retried({ adapter }, { statuses: (_, response) => response.headers["x-state"] === "building" });

    const response = await api.get(server.url("/"));

    expect(response.headers["x-state"]).toBeUndefined();
    expect(server.requests).toHaveLength(2);
  });

  it("a last response that statuses lists is the response where axios lets it pass", async () => {
    const server = await serving([respond(202, json("wait"))]);
    const { api } = retried({ adapter }, { statuses: [202], stop: stopAfterAttempt(2) });

    const response = await api.get(server.url("/"));

    expect(response).toMatchObject({ status: 202, data: "wait" });
  });

  it("a condition on the response sees its data parsed, and the last response is returned", async () => {
    const server = await serving([respond(200, json({ state: "busy" }))]);
    const seen: unknown[] = [];
    const isBusy = retryIfResponse(({ data }: { status: number; headers: object; data?: unknown }) => {
      seen.push(data);
      return true;
    });
    const { api } = retried({ adapter }, { retryIf: isBusy, stop: stopAfterAttempt(2) });

    const { data } = await api.get(server.url("/"));

    expect(seen).toEqual([{ state: "busy" }, { state: "busy" }]);
    expect(data).toEqual({ state: "busy" });
  });
});

it("a POST over HTTP/2 whose stream the server refused is made again", async () => {
  const server = await serving([refuseStream(), respond(201)], { protocol: "h2" });
  const http2Options = { rejectUnauthorized: false, sessionTimeout: 1 };
  const { api } = retried({ httpVersion: 2, http2Options });

  const { status } = await api.post(server.url("/"), "x");

  expect(status).toBe(201);
  expect(server.requests).toHaveLength(2);
});

it("a POST that was redirected before its connection was refused is not made again", async () => {
  const dead = await deadPort();
  onTestFinished(() => dead.close());
  const server = await serving([respond(303, { headers: { location: dead.url("/") } })]);
  const { api } = retried({});

  const error = await failureOf(api.post(server.url("/"), "x"));

  expect(error.code).toBe("ECONNREFUSED");
  expect(server.requests).toHaveLength(1);
});

it("a POST with a key that was redirected before its connection was refused is made again", async () => {
  const dead = await deadPort();
  onTestFinished(() => dead.close());
  const server = await serving([respond(303, { headers: { location: dead.url("/") } }), respond(201)]);
  const { api } = retried({}, { idempotencyKey: true });

  const { status } = await api.post(server.url("/"), "x");

  expect(status).toBe(201);
});

it("a GET that was redirected before its connection was refused is made again", async () => {
  const dead = await deadPort();
  onTestFinished(() => dead.close());
  const server = await serving([respond(302, { headers: { location: dead.url("/") } }), respond(200)]);
  const { api } = retried({});

  const { status } = await api.get(server.url("/"));

  expect(status).toBe(200);
});

it("a POST by the fetch adapter, which does not tell of redirects, is not made again", async () => {
  const dead = await deadPort();
  onTestFinished(() => dead.close());
  const server = await serving([respond(303, { headers: { location: dead.url("/") } })]);
  const { api } = retried({ adapter: "fetch" });

  await failureOf(api.post(server.url("/"), "x"));

  expect(server.requests).toHaveLength(1);
});

it("the caller's own beforeRedirect is called as ever", async () => {
  const server = await serving([respond(302, { headers: { location: "/there" } }), respond(200)]);
  const beforeRedirect = vi.fn();
  const { api } = retried({ beforeRedirect });

  await api.get(server.url("/here"));

  expect(beforeRedirect).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ path: "/there" }),
    expect.objectContaining({ statusCode: 302 }),
    expect.anything(),
  );
});

it("too many redirects are no reason for another attempt", async () => {
  const server = await serving([respond(302, { headers: { location: "/" } })]);
  const { api } = retried({ maxRedirects: 2 });

  const error = await failureOf(api.get(server.url("/")));

  expect(error.code).toBe("ERR_FR_TOO_MANY_REDIRECTS");
  expect(server.requests).toHaveLength(3);
});

it("a redirect that is not followed is the response", async () => {
  const server = await serving([respond(302, { headers: { location: "/" } })]);
  const { api } = retried({ maxRedirects: 0, validateStatus: (status) => status === 302 });

  const { status } = await api.get(server.url("/"));

  expect(status).toBe(302);
});

it("a body that cannot be unpacked is no reason for another attempt, and axios' error ends the call", async () => {
  const server = await serving([respond(200, { headers: { "content-encoding": "gzip" }, body: "not packed" })]);
  const { api } = retried({});

  const error = await failureOf(api.get(server.url("/")));

  expect(error).toMatchObject({ code: "Z_DATA_ERROR", response: { status: 200 } });
  expect(server.requests).toHaveLength(1);
});

it("a body that axios finds too long is no reason for another attempt", async () => {
  const server = await serving([respond(200, { body: "far too long" })]);
  const { api } = retried({ maxContentLength: 5 });

  const error = await failureOf(api.get(server.url("/")));

  expect(error.message).toContain("maxContentLength");
  expect(server.requests).toHaveLength(1);
});

describe("a custom adapter", () => {
  it("may answer without a status and headers", async () => {
    const adapter = (async () => ({ data: "as it is" })) as unknown as AxiosAdapter;
    const { api } = retried({ adapter });

    const { data } = await api.get("https://example.com/");

    expect(data).toBe("as it is");
  });

  it("may answer with a failure without headers", async () => {
    const adapter = vi.fn().mockResolvedValueOnce({ status: 503 }).mockResolvedValueOnce({ status: 200, data: "then" });
    const { api } = retried({ adapter });

    const { data } = await api.get("https://example.com/");

    expect(data).toBe("then");
  });

  it("may answer with a thenable that is no promise", async () => {
    const thenable = {
      then: (resolve: (value: unknown) => void) => resolve({ status: 200, data: "thenable", headers: {} }),
    };
    const { api } = retried({ adapter: (() => thenable) as unknown as AxiosAdapter });

    const { data } = await api.get("https://example.com/");

    expect(data).toBe("thenable");
  });

  it("may answer with headers of any kind: a hint is found in them", async () => {
    const adapter = vi.fn();
    adapter.mockResolvedValueOnce({ status: 503, data: "", headers: { "Retry-After": "3" } });
    adapter.mockResolvedValueOnce({ status: 503, data: "", headers: new Headers({ "Retry-After": "5" }) });
    adapter.mockResolvedValueOnce({ status: 200, data: "", headers: {} });
    const { api, delays } = retried({ adapter });

    await api.get("https://example.com/");

    expect(delays).toEqual([3_000, 5_000]);
  });

  it("may throw instead of rejecting", async () => {
    const adapter = vi.fn<AxiosAdapter>();
    adapter.mockImplementationOnce(() => {
      throw new AxiosError("reset", "ECONNRESET");
    });
    adapter.mockResolvedValueOnce({ status: 200, data: "then", headers: {}, statusText: "", config: {} as never });
    const { api } = retried({ adapter });

    const { data } = await api.get("https://example.com/");

    expect(data).toBe("then");
  });

  it("that rejects with what is no error ends the call in just that", async () => {
    const adapter = vi.fn<AxiosAdapter>().mockRejectedValue(undefined);
    const { api } = retried({ adapter });

    await expect(api.get("https://example.com/")).rejects.toBeUndefined();

    expect(adapter).toHaveBeenCalledTimes(1);
  });

  it("may be given for one request", async () => {
    const adapter = vi.fn<AxiosAdapter>();
    adapter.mockRejectedValueOnce(new AxiosError("reset", "ECONNRESET"));
    adapter.mockResolvedValueOnce({ status: 200, data: "mine", headers: {}, statusText: "", config: {} as never });
    const { api } = retried({});

    const { data } = await api.get("https://example.com/", { adapter });

    expect(data).toBe("mine");
  });

  it("that is unknown ends the call in axios' own error", async () => {
    const { api } = retried({});

    const error = await failureOf(api.get("https://example.com/", { adapter: "carrier pigeon" }));

    expect(error).toBeInstanceOf(AxiosError);
    expect(error.message).toBe("Unknown adapter 'carrier pigeon'");
  });

  it("is axios' own where neither request nor instance names one", async () => {
    const server = await serving([respond(503), respond(200)]);
    const api = new axios.Axios({ validateStatus: (status) => status === 200 }) as typeof axios;
    retryAxios(api, { wait: waitFixed(0) });

    const { status } = await api.get(server.url("/"));

    expect(status).toBe(200);
  });
});

it("a hint is told in the error that hooks see of a response that validateStatus lets pass", async () => {
  const server = await serving([respond(503, { headers: { "retry-after": "7" } }), respond(200)]);
  const errors: unknown[] = [];
  const { api } = retried(
    { validateStatus: () => true },
    { onRetry: ({ outcome }) => void errors.push((outcome as { error: unknown }).error) },
  );

  await api.get(server.url("/"));

  expect(errors).toEqual([expect.objectContaining({ code: "ERR_HTTP_STATUS", status: 503, retryAfter: 7_000 })]);
});

it("retryIf may join conditions with the usual ones", async () => {
  const server = await serving([respond(501), respond(200)]);
  const { api } = retried(
    {},
    {
      retryIf: (error, state) => retryIfHttpFailure(error, state) || (error as AxiosError).status === 501,
    },
  );

  const { status } = await api.get(server.url("/"));

  expect(status).toBe(200);
});
