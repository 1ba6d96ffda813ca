import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import axios from "axios";
import { stopAfterAttempt, waitFixed } from "undaunted";
import { retryAxios } from "undaunted/axios";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { endlessBody, hangInBody, oneMegabyte, respond } from "../http/servers/index.js";
import { failureOf, released, retried, serving } from "./api.js";

const sent = (body: string | Uint8Array) => ({ headers: { "content-length": Buffer.byteLength(body) }, body });

describe.each(["http", "fetch"])("with the %s adapter", (adapter) => {
  const asStream = { adapter, responseType: "stream" } as const;

  it("a response that is asked for as a stream can be read after a retry", async () => {
    const server = await serving([respond(503, { body: "busy" }), respond(200, { body: "at last" })]);
    const { api } = retried(asStream);

    const { data } = await api.get(server.url("/"));

    expect(String(await buffer(data))).toBe("at last");
  });

  it.each([
    ["that is long", () => respond(503, sent(oneMegabyte))],
    ["that is long and does not say so", () => endlessBody(503)],
  ])("a discarded stream %s is cancelled", async (_, long) => {
    const server = await serving([long(), respond(200)]);
    const { api } = retried(asStream);

    const { data } = await api.get(server.url("/"));
    await buffer(data);

    await released(server);
  });

  it("a discarded stream that stalls is cancelled after 100 ms", async () => {
    const server = await serving([hangInBody(503), respond(200)]);
    const { api } = retried(asStream, { wait: waitFixed(100) });

    const { data } = await api.get(server.url("/"));
    await buffer(data);

    await released(server);
  });

  it("the stream of the last failure is for the caller to read", async () => {
    const server = await serving([respond(503, { body: "why" })]);
    const { api } = retried(asStream, { stop: stopAfterAttempt(2) });

    const { response } = await failureOf(api.get(server.url("/")));

    expect(String(await buffer(response.data))).toBe("why");
  });

  it("the stream of a last 503 that validateStatus lets pass is for the caller to read", async () => {
    const server = await serving([respond(503, { body: "why" })]);
    const { api } = retried({ ...asStream, validateStatus: () => true }, { stop: stopAfterAttempt(2) });

    const { data } = await api.get(server.url("/"));

    expect(String(await buffer(data))).toBe("why");
  });

  it("a signal that aborts while the stream is read ends the reading", async () => {
    const server = await serving([hangInBody(200)]);
    const controller = new AbortController();
    const { api } = retried(asStream);
    const { data } = await api.get(server.url("/"), { signal: controller.signal });

    const reading = failureOf(buffer(data));
    controller.abort();

    expect(axios.isCancel(await reading)).toBe(true);
    await released(server);
  });

  it("a cancel token that is used while the stream is read ends the reading", async () => {
    const server = await serving([hangInBody(200)]);
    const { token, cancel } = axios.CancelToken.source();
    const { api } = retried(asStream);
    const { data } = await api.get(server.url("/"), { cancelToken: token });

    const reading = failureOf(buffer(data));
    cancel("read enough");

    expect(axios.isCancel(await reading)).toBe(true);
    await released(server);
  });

  it("attemptTimeout ends with the headers: the stream may take longer", async () => {
    const server = await serving([hangInBody(200)]);
    const { api, clock } = retried(asStream, { attemptTimeout: 1_000 });

    const { data } = await api.get(server.url("/"));
    await clock.advance(5_000);

    expect(data.destroyed ?? false).toBe(false);
    expect(clock.pending).toBe(0);
    server.connections.reset();
    await failureOf(buffer(data));
  });

  it("a fallback that answers otherwise lets go of the last stream", async () => {
    const server = await serving([hangInBody(503)]);
    const cached = { status: 200, data: "cached", headers: {}, statusText: "", config: {} as never };
    const { api } = retried(asStream, { stop: stopAfterAttempt(1), fallback: () => cached });

    const { data } = await api.get(server.url("/"));

    expect(data).toBe("cached");
    await released(server);
  });
});

it("a discarded stream is read to its end, so that its connection serves the next attempt", async () => {
  const server = await serving([respond(503, sent("busy")), respond(200, sent("at last"))]);
  const { api } = retried({ responseType: "stream" });

  const { data } = await api.get(server.url("/"));
  await buffer(data);

  expect(server.connections.opened).toBe(1);
  await released(server);
});

// axios' fetch adapter passes a cancellation on only when the next piece of the body comes.
it("a signal that aborts while a discarded stream is drained ends that too", async () => {
  const server = await serving([hangInBody(503)]);
  const controller = new AbortController();
  const clock = virtualClock();
  const api = axios.create({ responseType: "stream" });
  retryAxios(api, { clock, onRetry: () => void setImmediate(() => controller.abort()) });

  const error = await failureOf(api.get(server.url("/"), { signal: controller.signal }));

  expect(axios.isCancel(error)).toBe(true);
  await released(server);
  expect(clock.pending).toBe(0);
});

it("a stream is destroyed without an error that nobody hears", async () => {
  const server = await serving([hangInBody(503)]);
  const streams: { once(): unknown }[] = [];
  const { api } = retried(
    { responseType: "stream" },
    {
      stop: stopAfterAttempt(1),
      onGiveUp: ({ outcome }) => void streams.push((outcome as { error: any }).error.response.data),
      fallback: () => ({ status: 200, data: "", headers: {}, statusText: "", config: {} as never }),
    },
  );

  await api.get(server.url("/"));

  await once(streams[0] as never, "close");
});
