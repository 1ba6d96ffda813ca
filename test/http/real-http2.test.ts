import { type GiveUpReason, waitFixed } from "undaunted";
import { retryFetch } from "undaunted/http";
import { virtualClock } from "undaunted/testing";
import { Agent, fetch } from "undici";
import { describe, expect, it } from "vitest";
import { bodies, gaps, headers, serving } from "./real-clients.js";
import {
  certificate,
  drive,
  goaway,
  hang,
  refuseStream,
  resetBeforeHeaders,
  resetInBody,
  respond,
  type Script,
} from "./servers/index.js";

const post = { method: "POST", body: "order" };

async function speakingHttp2(script: Script) {
  const clock = virtualClock();
  const { hooks, delays } = drive(clock);
  const server = await serving(script, { protocol: "h2", now: clock.now });
  const dispatcher = new Agent({ allowH2: true, connections: 1, connect: { ca: certificate } });
  const api = retryFetch({
    fetch: (url: string, init?: Parameters<typeof fetch>[1]) => fetch(url, { ...init, dispatcher }),
    clock,
    wait: waitFixed(1_000),
    ...hooks,
  });
  return { api, clock, delays, server };
}

describe("undici's fetch over HTTP/2", () => {
  it("is called again after a 503, in the same session", async () => {
    const { api, server } = await speakingHttp2([respond(503, { body: "busy" }), respond(200, { body: "hello" })]);

    const response = await api(server.url("/"));

    expect(await response.text()).toBe("hello");
    expect(server.requests.map(({ headers }) => headers[":scheme"])).toEqual(["https", "https"]);
    expect(server.connections.opened).toBe(1);
    expect(gaps(server)).toEqual([1_000]);
  });

  it.each(["GET", "POST"])("sends a %s again whose stream was refused: it was not executed", async (method) => {
    const { api, server } = await speakingHttp2([refuseStream(), respond(201)]);

    const { status } = await api(server.url("/"), method === "GET" ? {} : post);

    expect(status).toBe(201);
    expect(server.requests.map((seen) => seen.method)).toEqual([method, method]);
    expect(server.requests[1]!.body.toString()).toBe(method === "GET" ? "" : "order");
    expect(gaps(server)).toEqual([1_000]);
  });

  it("rejects with its own error where every stream is refused", async () => {
    const { api, delays, server } = await speakingHttp2([refuseStream()]);

    const call = api(server.url("/"), post);

    await expect(call).rejects.toMatchObject({
      message: "fetch failed",
      cause: { message: "Stream closed with error code NGHTTP2_REFUSED_STREAM" },
    });
    expect(delays).toEqual([1_000, 1_000, 1_000]);
    expect(server.requests).toHaveLength(4);
  });

  it("sends a GET again that met a GOAWAY, over a new connection", async () => {
    const { api, server } = await speakingHttp2([respond(200), goaway(), respond(200, { body: "hello" })]);
    await (await api(server.url("/"))).text();

    const response = await api(server.url("/"));

    expect(await response.text()).toBe("hello");
    expect(server.requests.map(({ connection }) => connection)).toEqual([1, 1, 2]);
    expect(gaps(server)).toEqual([0, 1_000]);
  });

  it("sends a POST once that met a GOAWAY: undici keeps to itself whether it was processed", async () => {
    const { api, delays, server } = await speakingHttp2([respond(200), goaway(), respond(201)]);
    await (await api(server.url("/"))).text();

    const call = api(server.url("/"), post);

    await expect(call).rejects.toMatchObject({
      cause: { code: "UND_ERR_SOCKET", message: expect.stringContaining("GOAWAY") },
    });
    expect(server.requests.map(({ method }) => method)).toEqual(["GET", "POST"]);
    expect(delays).toEqual([]);
  });

  it("sends a POST with an idempotency key again that met a GOAWAY", async () => {
    const { api, server } = await speakingHttp2([respond(200), goaway(), respond(201)]);
    await (await api(server.url("/"))).text();

    const { status } = await api.with({ idempotencyKey: () => "order-42" })(server.url("/"), post);

    expect(status).toBe(201);
    expect(bodies(server)).toEqual(["", "order", "order"]);
    expect(headers(server, "idempotency-key")).toEqual([undefined, '"order-42"', '"order-42"']);
  });

  it("sends a PUT again whose session was reset", async () => {
    const { api, server } = await speakingHttp2([resetBeforeHeaders(), respond(201)]);

    const { status } = await api(server.url("/"), { method: "PUT", body: "new" });

    expect(status).toBe(201);
    expect(bodies(server)).toEqual(["new", "new"]);
  });

  it("sends a POST once whose session was reset: it may have been executed", async () => {
    const { api, delays, server } = await speakingHttp2([resetBeforeHeaders(), respond(201)]);

    const call = api(server.url("/"), post);

    await expect(call).rejects.toMatchObject({ message: "fetch failed" });
    expect(bodies(server)).toEqual(["order"]);
    expect(delays).toEqual([]);
  });

  it("sends a stream once, though it was refused", async () => {
    const { api, server } = await speakingHttp2([refuseStream(), respond(201)]);
    const reasons: GiveUpReason[] = [];
    const body = new Blob(["order"]).stream();

    const call = api.with({ onGiveUp: ({ reason }) => reasons.push(reason) })(server.url("/"), { ...post, body });

    await expect(call).rejects.toMatchObject({ message: "fetch failed" });
    expect(server.requests).toHaveLength(1);
    expect(reasons).toEqual(["body-not-replayable"]);
  });

  it("is called again where no headers come within attemptTimeout", async () => {
    const { api, clock, server } = await speakingHttp2([hang(), respond(200)]);
    const call = api.with({ attemptTimeout: 5_000 })(server.url("/"));
    await server.arrival(1);

    await clock.advance(5_000);

    expect((await call).status).toBe(200);
    expect(gaps(server)).toEqual([6_000]);
  });

  it("has succeeded once the headers are there: a reset in the body fails the reading", async () => {
    const { api, server } = await speakingHttp2([resetInBody()]);

    const response = await api(server.url("/"));

    await expect(response.text()).rejects.toThrow("terminated");
    expect(server.requests).toHaveLength(1);
  });
});
