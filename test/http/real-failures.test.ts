import { setImmediate as turn } from "node:timers/promises";
import { waitFixed, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { describe, expect, it, onTestFinished } from "vitest";
import { bodies, clients, driven, gaps, headers, serving } from "./real-clients.js";
import {
  closeKeptAlive,
  deadPort,
  openSockets,
  resetBeforeHeaders,
  respond,
  respondThenClose,
  unresolvable,
  whileUploading,
} from "./servers/index.js";

const post = { method: "POST", body: "order" };

describe.each(clients)("%s", (_, client) => {
  it("is called again after a reset before the headers, when the policy's wait is over", async () => {
    const { clock, policy } = driven(client);
    const script = [resetBeforeHeaders(), resetBeforeHeaders(), respond(200, { body: "hello" })];
    const server = await serving(script, { now: clock.now });

    const response = await retryFetch({ ...policy, wait: waitFixed(1_000) })(server.url("/"));

    expect(await response.text()).toBe("hello");
    expect(gaps(server)).toEqual([1_000, 1_000]);
    expect(server.connections.opened).toBe(3);
  });

  it("rejects with its own error where every attempt is reset", async () => {
    const { policy } = driven(client);
    const server = await serving([resetBeforeHeaders()]);

    const call = retryFetch({ ...policy, wait: waitNone })(server.url("/"));

    await expect(call).rejects.toMatchObject({
      name: "TypeError",
      message: "fetch failed",
      cause: { code: "ECONNRESET" },
    });
    expect(server.requests).toHaveLength(4);
  });

  it("sends the same body again after a reset where the method is PUT", async () => {
    const { policy } = driven(client);
    const server = await serving([resetBeforeHeaders(), respond(201)]);

    await retryFetch({ ...policy, wait: waitNone })(server.url("/"), { method: "PUT", body: "new" });

    expect(bodies(server)).toEqual(["new", "new"]);
  });

  it("sends a POST once where it was reset: it may have been executed", async () => {
    const { delays, policy } = driven(client);
    const server = await serving([resetBeforeHeaders(), respond(201)]);

    const call = retryFetch(policy)(server.url("/"), post);

    await expect(call).rejects.toMatchObject({ cause: { code: "ECONNRESET" } });
    expect(bodies(server)).toEqual(["order"]);
    expect(delays).toEqual([]);
  });

  it("sends a POST with an idempotency key again where it was reset", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([resetBeforeHeaders(), respond(201)], { now: clock.now });

    const api = retryFetch({ ...policy, wait: waitFixed(1_000), idempotencyKey: () => "order-42" });
    const { status } = await api(server.url("/"), post);

    expect(status).toBe(201);
    expect(bodies(server)).toEqual(["order", "order"]);
    expect(headers(server, "idempotency-key")).toEqual(['"order-42"', '"order-42"']);
    expect(gaps(server)).toEqual([1_000]);
  });

  it("sends an upload again that was reset in the middle", async () => {
    const { policy } = driven(client);
    const server = await serving([whileUploading(resetBeforeHeaders()), respond(200)]);
    const body = Buffer.alloc(4_000_000, "upload");

    const { status } = await retryFetch({ ...policy, wait: waitNone })(server.url("/"), { method: "PUT", body });

    expect(status).toBe(200);
    expect(server.requests.map(({ complete }) => complete)).toEqual([false, true]);
    expect(server.requests[1]!.body.equals(body)).toBe(true);
  });

  it("sends a GET again that met the end of its kept-alive connection", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(200), closeKeptAlive(), respond(200, { body: "hello" })], {
      now: clock.now,
    });
    const api = retryFetch({ ...policy, wait: waitFixed(1_000) });
    await (await api(server.url("/"))).text();
    await turn();

    const response = await api(server.url("/"));

    expect(await response.text()).toBe("hello");
    expect(server.requests.map(({ connection }) => connection)).toEqual([1, 1, 2]);
    expect(gaps(server)).toEqual([0, 1_000]);
  });

  it("sends a POST once that met the end of its kept-alive connection", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(200), closeKeptAlive(), respond(201)]);
    const api = retryFetch({ ...policy, wait: waitNone });
    await (await api(server.url("/"))).text();
    await turn();

    const call = api(server.url("/"), post);

    await expect(call).rejects.toMatchObject({ cause: { code: "UND_ERR_SOCKET" } });
    expect(server.requests.map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  it("sends a POST with an idempotency key again that met the end of its kept-alive connection", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(200), closeKeptAlive(), respond(201)]);
    const api = retryFetch({ ...policy, wait: waitNone, idempotencyKey: () => "order-42" });
    await (await api(server.url("/"))).text();
    await turn();

    const { status } = await api(server.url("/"), post);

    expect(status).toBe(201);
    expect(headers(server, "idempotency-key")).toEqual([undefined, '"order-42"', '"order-42"']);
    expect(server.requests[2]!.body.toString()).toBe("order");
  });

  it("gets past a server that ends the connection after every answer", async () => {
    const { policy } = driven(client);
    const server = await serving([respondThenClose(503), respondThenClose(503), respondThenClose(200, { body: "ok" })]);

    const response = await retryFetch({ ...policy, wait: waitNone, budget: false })(server.url("/"));

    expect(await response.text()).toBe("ok");
  });

  it.each(["GET", "POST"])("tries a %s 4 times where nobody listens: nothing was sent", async (method) => {
    const { delays, policy } = driven(client);
    const nobody = await deadPort();
    onTestFinished(nobody.close);

    const call = retryFetch({ ...policy, wait: waitFixed(1_000) })(nobody.url("/"), { method });

    await expect(call).rejects.toMatchObject({ message: "fetch failed", cause: { code: "ECONNREFUSED" } });
    expect(delays).toEqual([1_000, 1_000, 1_000]);
    expect(openSockets(nobody.port)).toBe(0);
  });

  it("sends a POST, once, to a server that is up again", async () => {
    const { clock } = driven(client);
    const server = await serving([respond(201)]);
    await server.kill();
    const api = retryFetch({
      fetch: client.fetch,
      clock,
      wait: waitFixed(1_000),
      onRetry: async ({ delay }) => {
        await server.restart();
        void clock.advance(delay);
      },
    });

    const { status } = await api(server.url("/orders"), post);

    expect(status).toBe(201);
    expect(bodies(server)).toEqual(["order"]);
    expect(api.stats.attempts).toBe(2);
  });

  it.each(["GET", "POST"])("tries a %s 4 times where the name does not resolve", async (method) => {
    const { delays, policy } = driven(client);

    const call = retryFetch({ ...policy, wait: waitFixed(1_000) })(`http://${unresolvable}/`, { method });

    await expect(call).rejects.toMatchObject({
      message: "fetch failed",
      cause: { code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) },
    });
    expect(delays).toEqual([1_000, 1_000, 1_000]);
  });
});
