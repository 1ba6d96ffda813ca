import { waitFixed, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { bodies, clients, driven, gaps, headers, serving } from "./real-clients.js";
import { respond } from "./servers/index.js";

const post = { method: "POST", body: '{"amount":100}' };

describe.each(clients)("%s", (_, client) => {
  it.each(["POST", "PATCH"])("sends a %s with a key again, with the same key and body", async (method) => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(503), respond(500), respond(201)], { now: clock.now });
    const api = retryFetch({ ...policy, wait: waitFixed(1_000), idempotencyKey: true });

    const { status } = await api(server.url("/orders"), { method, body: post.body });

    const [key] = headers(server, "idempotency-key");
    expect(status).toBe(201);
    expect(key).toMatch(/^"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}"$/);
    expect(headers(server, "idempotency-key")).toEqual([key, key, key]);
    expect(bodies(server)).toEqual([post.body, post.body, post.body]);
    expect(gaps(server)).toEqual([1_000, 1_000]);
  });

  it("gives each call a key of its own", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(201)]);
    const api = retryFetch({ ...policy, idempotencyKey: true });

    await api(server.url("/orders"), post);
    await api(server.url("/orders"), post);

    expect(new Set(headers(server, "idempotency-key")).size).toBe(2);
  });

  it("sends a key under the header, and without the quotes, that the service wants", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(201)]);
    const idempotencyKey = { header: "X-Request-Id", value: () => "order-42", quoted: false };

    await retryFetch({ ...policy, wait: waitNone, idempotencyKey })(server.url("/orders"), post);

    expect(headers(server, "x-request-id")).toEqual(["order-42", "order-42"]);
    expect(headers(server, "idempotency-key")).toEqual([undefined, undefined]);
  });

  it("sends a POST again by the key that the caller set, though none was asked for", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(201)]);
    const init = { ...post, headers: { "idempotency-key": "mine" } };

    await retryFetch({ ...policy, wait: waitNone })(server.url("/orders"), init);

    expect(headers(server, "idempotency-key")).toEqual(["mine", "mine"]);
  });

  it("leaves the caller's own key as it is", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(201)]);
    const init = { ...post, headers: { "idempotency-key": "mine" } };

    await retryFetch({ ...policy, idempotencyKey: true })(server.url("/orders"), init);

    expect(headers(server, "idempotency-key")).toEqual(["mine"]);
  });

  it("sends a Request of method POST again where it gets a key, with body and headers", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(201)]);
    const request = new client.Request(server.url("/orders"), { ...post, headers: { "x-tenant": "7" } });

    const { status } = await retryFetch({ ...policy, wait: waitNone, idempotencyKey: () => "order-42" })(request);

    expect(status).toBe(201);
    expect(bodies(server)).toEqual([post.body, post.body]);
    expect(headers(server, "x-tenant")).toEqual(["7", "7"]);
    expect(headers(server, "idempotency-key")).toEqual(['"order-42"', '"order-42"']);
  });

  it("gives a PUT no key", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(200)]);

    await retryFetch({ ...policy, idempotencyKey: true })(server.url("/"), { method: "PUT", body: "new" });

    expect(headers(server, "idempotency-key")).toEqual([undefined]);
  });

  it("is called again after a 409 where a key was sent: the first call with it still runs", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(409, { headers: { "retry-after": "2" } }), respond(201)], {
      now: clock.now,
    });

    const { status } = await retryFetch({ ...policy, idempotencyKey: true })(server.url("/orders"), post);

    expect(status).toBe(201);
    expect(gaps(server)).toEqual([2_000]);
  });

  it("is called once where a 422 says that the key was used before, whatever else it says", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(422, { headers: { "x-should-retry": "true" } }), respond(201)]);

    const { status } = await retryFetch({ ...policy, idempotencyKey: true })(server.url("/orders"), post);

    expect(status).toBe(422);
    expect(server.requests).toHaveLength(1);
  });
});
