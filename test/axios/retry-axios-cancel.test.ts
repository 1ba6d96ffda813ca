import axios, { type AxiosAdapter } from "axios";
import { AttemptTimeoutError, stopAfterAttempt, TotalTimeoutError, waitFixed } from "undaunted";
import { describe, expect, it, vi } from "vitest";
import { hang, respond } from "../http/servers/index.js";
import { failureOf, released, retried, serving } from "./api.js";

const never: AxiosAdapter = () => new Promise(() => {});

/** A signal that tells how many listen to it. */
function listenedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (type: string, listener: any, options?: any) => {
    listeners.add(listener);
    addEventListener.call(signal, type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: any) => {
    listeners.delete(listener);
    removeEventListener.call(signal, type, listener);
  };
  return { controller, signal, listeners };
}

/** How many have subscribed to a cancel token. */
function subscribersOf(token: object): number {
  return (token as { _listeners?: unknown[] | null })._listeners?.length ?? 0;
}

describe.each(["http", "fetch"])("with the %s adapter", (adapter) => {
  it("axios' timeout is for each attempt, and ends the call in axios' own error", async () => {
    const server = await serving([hang()]);
    const { api, retries, delays } = retried(
      { adapter, timeout: 20 },
      { stop: stopAfterAttempt(2), random: () => 1 - 2 ** -53 },
    );

    const error = await failureOf(api.get(server.url("/")));

    expect(error).toBeInstanceOf(axios.AxiosError);
    expect(error.message).toBe("timeout of 20ms exceeded");
    // What the server saw in that time is chance.
    expect(retries.stats.attempts).toBe(2);
    // Without a hint a timeout waits from 1,000 ms.
    expect(delays[0]).toBeCloseTo(1_000);
  });

  it("a POST that ran into axios' timeout is not made again", async () => {
    const server = await serving([hang()]);
    const { api, retries } = retried({ adapter, timeout: 20 });

    const error = await failureOf(api.post(server.url("/"), "x"));

    expect(error.message).toBe("timeout of 20ms exceeded");
    expect(retries.stats.attempts).toBe(1);
  });

  it("attemptTimeout aborts the request that takes too long, and another follows", async () => {
    const server = await serving([hang(), respond(200)]);
    const { api, clock } = retried({ adapter }, { attemptTimeout: 1_000 });

    const call = api.get(server.url("/"));
    await server.arrival(1);
    await clock.advance(1_000);
    const { status } = await call;

    expect(status).toBe(200);
    await released(server);
  });

  it("attemptTimeout ends the call in an AxiosError around an AttemptTimeoutError when there is no further attempt", async () => {
    const server = await serving([hang()]);
    const { api, clock } = retried({ adapter }, { attemptTimeout: 1_000, stop: stopAfterAttempt(1) });

    const failure = failureOf(api.get(server.url("/")));
    await server.arrival(1);
    await clock.advance(1_000);

    expect(await failure).toMatchObject({ code: "ECONNABORTED", message: "timeout of 1000ms exceeded", config: {} });
    expect((await failure).cause).toBeInstanceOf(AttemptTimeoutError);
    await released(server);
  });

  it("totalTimeout aborts the request, and ends the call in an AxiosError around a TotalTimeoutError", async () => {
    const server = await serving([hang()]);
    const { api, clock } = retried({ adapter }, { totalTimeout: 5_000 });

    const failure = failureOf(api.get(server.url("/")));
    await server.arrival(1);
    await clock.advance(5_000);

    expect(await failure).toMatchObject({ code: "ECONNABORTED", message: "timeout of 5000ms exceeded", config: {} });
    expect((await failure).cause).toBeInstanceOf(TotalTimeoutError);
    await released(server);
  });

  it("a sleep that would pass totalTimeout is not begun: the error has axios' error for a cause", async () => {
    const server = await serving([respond(503)]);
    const { api } = retried({ adapter }, { totalTimeout: 5_000, wait: waitFixed(6_000) });

    const error = await failureOf(api.get(server.url("/")));

    expect(error.cause).toBeInstanceOf(TotalTimeoutError);
    expect(error.cause.cause).toBeInstanceOf(axios.AxiosError);
    expect(error.cause.cause.response.status).toBe(503);
  });

  it("a signal that aborts during an attempt ends the request, and the call as axios cancels it", async () => {
    const server = await serving([hang()]);
    const { controller, signal, listeners } = listenedSignal();
    const { api, clock, reasons } = retried({ adapter });

    const failure = failureOf(api.get(server.url("/"), { signal }));
    await server.arrival(1);
    controller.abort();

    expect(axios.isCancel(await failure)).toBe(true);
    await released(server);
    expect(listeners.size).toBe(0);
    expect(clock.pending).toBe(0);
    expect(reasons).toEqual(["aborted"]);
  });

  it("a signal that aborts during a sleep ends the call as axios cancels it", async () => {
    const server = await serving([respond(503)]);
    const { controller, signal, listeners } = listenedSignal();
    const { api, clock } = retried({ adapter }, { onRetry: () => controller.abort() });

    const error = await failureOf(api.get(server.url("/"), { signal }));

    expect(axios.isCancel(error)).toBe(true);
    expect(server.requests).toHaveLength(1);
    expect(listeners.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("a call that succeeds leaves no listener and no timer", async () => {
    const server = await serving([respond(503), respond(200)]);
    const { signal, listeners } = listenedSignal();
    const { token } = axios.CancelToken.source();
    const { api, clock } = retried({ adapter }, { attemptTimeout: 1_000, totalTimeout: 9_000 });

    await api.get(server.url("/"), { signal, cancelToken: token });
    // axios' fetch adapter lets go a moment later.
    await clock.advance(0);

    expect(listeners.size).toBe(0);
    expect(subscribersOf(token)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("a cancel token that is used during an attempt ends the request, and the call in its own reason", async () => {
    const server = await serving([hang()]);
    const { token, cancel } = axios.CancelToken.source();
    const { api, clock, reasons } = retried({ adapter });

    const failure = failureOf(api.get(server.url("/"), { cancelToken: token }));
    await server.arrival(1);
    cancel("not wanted any more");

    const error = await failure;
    expect(axios.isCancel(error)).toBe(true);
    expect(error.message).toBe("not wanted any more");
    await released(server);
    expect(subscribersOf(token)).toBe(0);
    expect(clock.pending).toBe(0);
    expect(reasons).toEqual(["aborted"]);
  });

  it("a cancel token that is used during a sleep ends the call", async () => {
    const server = await serving([respond(503)]);
    const { token, cancel } = axios.CancelToken.source();
    const told: unknown[] = [];
    const { api } = retried(
      { adapter },
      { onRetry: () => cancel("enough"), onGiveUp: (state) => void told.push(state.error) },
    );

    const error = await failureOf(api.get(server.url("/"), { cancelToken: token }));

    expect(axios.isCancel(error)).toBe(true);
    expect(told).toEqual([error]);
    expect(server.requests).toHaveLength(1);
    expect(subscribersOf(token)).toBe(0);
  });
});

it("a signal that has aborted before the call sends nothing", async () => {
  const adapter = vi.fn(never);
  const { api } = retried({ adapter });

  const error = await failureOf(api.get("https://example.com/", { signal: AbortSignal.abort() }));

  expect(axios.isCancel(error)).toBe(true);
  expect(adapter).not.toHaveBeenCalled();
});

it("a token that was used before the call sends nothing", async () => {
  const adapter = vi.fn(never);
  const { token, cancel } = axios.CancelToken.source();
  cancel("before");
  const { api } = retried({ adapter });

  const error = await failureOf(api.get("https://example.com/", { cancelToken: token }));

  expect(error.message).toBe("before");
  expect(adapter).not.toHaveBeenCalled();
});

it("a signal ends the call although the adapter does not heed it", async () => {
  const controller = new AbortController();
  const { api } = retried({ adapter: never });

  const failure = failureOf(api.get("https://example.com/", { signal: controller.signal }));
  controller.abort();

  expect(axios.isCancel(await failure)).toBe(true);
});

it("the policy's own signal ends calls in its reason", async () => {
  const controller = new AbortController();
  const closing = new Error("closing down");
  const { api } = retried({ adapter: never }, { signal: controller.signal });

  const failure = failureOf(api.get("https://example.com/"));
  controller.abort(closing);

  expect(await failure).toBe(closing);
});

it("the config of an error has the caller's own signal and token, so that it can be sent again", async () => {
  const server = await serving([respond(404), respond(200)]);
  const { signal } = new AbortController();
  const { token } = axios.CancelToken.source();
  const { api } = retried({}, { attemptTimeout: 1_000 });

  const { config } = await failureOf(api.get(server.url("/"), { signal, cancelToken: token }));
  const { status } = await api.request(config);

  expect(config.signal).toBe(signal);
  expect(config.cancelToken).toBe(token);
  expect(status).toBe(200);
});

it("a request that options refuse leaves nothing subscribed", async () => {
  const { token } = axios.CancelToken.source();
  const { api } = retried({ adapter: never }, { idempotencyKey: () => "" });

  const error = await failureOf(api.post("https://example.com/", "x", { cancelToken: token }));

  expect(error).toBeInstanceOf(TypeError);
  expect(subscribersOf(token)).toBe(0);
});

it("a signal that is none ends the call in an error, and leaves nothing subscribed", async () => {
  const { token } = axios.CancelToken.source();
  const { api } = retried({ adapter: never });

  const error = await failureOf(api.get("https://example.com/", { signal: { aborted: false }, cancelToken: token }));

  expect(error).toBeInstanceOf(TypeError);
  expect(subscribersOf(token)).toBe(0);
});
