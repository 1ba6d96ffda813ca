import { once as eventOf } from "node:events";
import { type AddressInfo, connect } from "node:net";
import express from "express";
import { memoryIdempotencyStore } from "undaunted/idempotency";
import { type IdempotentServerOptions, idempotentMiddleware } from "undaunted/server";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deferred } from "../idempotency/deferred.js";
import { type App, FRAMEWORKS, type Reply, type Work } from "./apps.js";

let app: App | undefined;

afterEach(async () => {
  await app?.close();
  app = undefined;
});

it("behind a router of Express, a path is the whole one: two routers with one path share no answer", async () => {
  const once = idempotentMiddleware({ name: "all", store: memoryIdempotencyStore(), scope: "public" });
  const router = express.Router().post("/new", once, (req, res) => void res.send(req.baseUrl));
  const server = express().use("/a", router).use("/b", router).listen(0, "127.0.0.1");
  await eventOf(server, "listening");
  const { port } = server.address() as AddressInfo;
  const post = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers: { "idempotency-key": "k1" } });

  expect(await (await post("/a/new")).text()).toBe("/a");
  expect((await post("/b/new")).status).toBe(422);
  server.closeAllConnections();
  server.close();
});

describe.each(FRAMEWORKS)("behind %s, a request with a key", (_name, start) => {
  const open = async (
    work: (body: unknown) => Reply | Promise<Reply>,
    more: Partial<IdempotentServerOptions<any>> = {},
  ) => {
    const handler = vi.fn<Work>(async (body) => work((body as { is?: string }).is ?? body));
    const errors: unknown[] = [];
    app = await start(handler, {
      ...{ name: "orders", store: memoryIdempotencyStore(), scope: "public" },
      ...{ onError: (error) => void errors.push(error), onStoreError: (error) => void errors.push(error) },
      ...more,
    });
    const { url } = app;
    const post = (body: unknown = { item: "tea" }, key = "k1", headers: object = {}) =>
      fetch(url, {
        method: "POST",
        body: JSON.stringify(typeof body === "string" ? { is: body } : body),
        headers: { "content-type": "application/json", ...(key && { "idempotency-key": key }), ...headers },
      });
    return { handler, errors, post, url };
  };

  it("is carried out once, and its answer is sent again byte for byte, without cookies", async () => {
    const { handler, post } = await open((body) => ({
      status: 201,
      headers: { location: "/orders/1", "set-cookie": ["a=1", "b=2"] },
      body: { of: body, note: "é🔑" },
    }));

    const [first, again] = [await post(), await post()];

    expect([first.status, again.status]).toEqual([201, 201]);
    expect([first.headers.get("location"), again.headers.get("location")]).toEqual(["/orders/1", "/orders/1"]);
    expect(first.headers.get("content-type")).toBe(again.headers.get("content-type"));
    expect([first.headers.getSetCookie(), again.headers.getSetCookie()]).toEqual([["a=1", "b=2"], []]);
    expect([first.headers.get("idempotent-replayed"), again.headers.get("idempotent-replayed")]).toEqual([
      null,
      "true",
    ]);
    const bytes = new Uint8Array(await first.arrayBuffer());
    expect(new Uint8Array(await again.arrayBuffer())).toEqual(bytes);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual({ of: { item: "tea" }, note: "é🔑" });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("runs as ever without a key, and is refused where one is required or malformed", async () => {
    const { handler, post } = await open(() => ({ body: { is: "done" } }), {});
    await post("x", "");
    expect(await (await post("x", "")).json()).toEqual({ is: "done" });
    expect((await post("x", '"a", "b"')).status).toBe(400);
    expect(handler).toHaveBeenCalledTimes(2);
    await app!.close();

    const strict = await open(() => ({}), { required: true });
    expect((await strict.post("x", "")).status).toBe(400);
    expect(strict.handler).not.toHaveBeenCalled();
  });

  it("is refused with another body, with another query, and while the first one runs", async () => {
    const work = deferred<Reply>();
    const { handler, post, url } = await open(() => work.promise);
    const first = post();
    await vi.waitFor(() => expect(handler).toHaveBeenCalled());

    const running = await post();
    expect([running.status, running.headers.get("content-type")]).toEqual([409, "application/problem+json"]);
    expect(Number(running.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    work.resolve({ body: { is: "done" } });
    await first;
    expect((await post({ item: "coffee" })).status).toBe(422);
    const headers = { "content-type": "application/json", "idempotency-key": "k1" };
    expect((await fetch(`${url}?a=1`, { method: "POST", body: '{"item":"tea"}', headers })).status).toBe(422);
    expect((await post()).status).toBe(200);
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("is stored where it fails with 503 or throws, with x-should-retry: false", async () => {
    const { handler, post } = await open((body) =>
      body === "throws" ? { throws: new Error("bug") } : { status: 503, body: { is: "down" } },
    );

    for (const body of ["throws", "answers"]) {
      const [first, again] = [await post(body, body), await post(body, body)];
      expect([first.status, first.headers.get("x-should-retry")]).toEqual([body === "throws" ? 500 : 503, "false"]);
      expect([again.status, again.headers.get("x-should-retry")]).toEqual([first.status, "false"]);
      expect(again.headers.get("idempotent-replayed")).toBe("true");
      expect(await again.text()).toBe(await first.text());
    }
    expect(handler).toHaveBeenCalledTimes(2);
  });

  it("is carried out again after a 429, and after what was marked as not done", async () => {
    const { handler, post } = await open((body) =>
      body === "busy" ? { status: 429 } : { status: 503, notDone: true },
    );

    for (const body of ["busy", "marked"]) {
      const statuses = [await post(body, body), await post(body, body)].map(({ status, headers }) => [
        status,
        headers.get("idempotent-replayed"),
      ]);
      expect(statuses).toEqual(Array(2).fill([body === "busy" ? 429 : 503, null]));
    }
    expect(handler).toHaveBeenCalledTimes(4);
  });

  it("is done and not kept where the answer is too large: a repeat gets 409, never a second run", async () => {
    const large = "x".repeat(5_000);
    const { handler, post } = await open(() => ({ body: { large } }), { maxBody: 1_000 });

    expect(await (await post()).json()).toEqual({ large });
    const again = await post();

    expect([again.status, again.headers.get("x-should-retry")]).toEqual([409, "false"]);
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("runs to its end and is recorded where the client is gone", async () => {
    const work = deferred<Reply>();
    const { handler, post } = await open(() => work.promise);
    const client = new AbortController();
    const { url } = app!;
    const first = fetch(url, {
      ...{ method: "POST", body: '{"item":"tea"}', signal: client.signal },
      headers: { "content-type": "application/json", "idempotency-key": "k1" },
    }).catch(() => {});
    await vi.waitFor(() => expect(handler).toHaveBeenCalled());

    client.abort();
    await first;
    work.resolve({ body: { is: "done" } });

    await vi.waitFor(async () => expect(await (await post()).json()).toEqual({ is: "done" }));
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("is not begun where its deadline has passed", async () => {
    const { handler, post } = await open(() => ({}));

    expect((await post("x", "k1", { "grpc-timeout": "0m" })).status).toBe(504);
    expect(handler).not.toHaveBeenCalled();
  });

  it("with two headers is refused: there is one key", async () => {
    const { handler, url } = await open(() => ({}));
    const { port } = new URL(url);
    const socket = connect(Number(port), "127.0.0.1");
    await eventOf(socket, "connect");
    socket.write(
      "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" +
        "Idempotency-Key: a\r\nIdempotency-Key: b\r\nConnection: close\r\n\r\n{}",
    );
    let text = "";
    for await (const chunk of socket) text += chunk;

    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(handler).not.toHaveBeenCalled();
  });

  it("of maxRun's end gets 504, and the late answer is for whoever comes again", async () => {
    const work = deferred<Reply>();
    const { handler, post } = await open(() => work.promise, { maxRun: 50 });

    expect((await post()).status).toBe(504);
    expect((await post()).status).toBe(409);
    work.resolve({ body: { is: "late" } });

    await vi.waitFor(async () => expect(await (await post()).json()).toEqual({ is: "late" }));
    expect(handler).toHaveBeenCalledTimes(1);
  });
});
