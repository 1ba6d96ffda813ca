import { waitChain, waitFixed, waitNone } from "undaunted";
import { HttpStatusError, retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { bodies, clients, driven, gaps, headers, serving } from "./real-clients.js";
import { respond } from "./servers/index.js";

const IDEMPOTENT = ["GET", "OPTIONS", "PUT", "DELETE"];
const RETRIED = [408, 425, 429, 500, 502, 503, 504];
// Without 421: after one fetch itself asks again, over a new connection (Fetch, 4.6).
const RETURNED = [400, 401, 403, 404, 405, 409, 410, 412, 413, 418, 422, 423, 451, 501, 505, 507, 511];

describe.each(clients)("%s", (_, client) => {
  it("is called again after a 503, when the policy's wait is over", async () => {
    const { clock, delays, policy } = driven(client);
    const server = await serving([respond(503), respond(503), respond(200, { body: "hello" })], { now: clock.now });
    const api = retryFetch({ ...policy, wait: waitChain(waitFixed(1_000), waitFixed(3_600_000)) });

    const response = await api(server.url("/greeting?to=all"));

    expect(await response.text()).toBe("hello");
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(
      Array(3).fill("GET /greeting?to=all"),
    );
    expect(gaps(server)).toEqual([1_000, 3_600_000]);
    expect(delays).toEqual([1_000, 3_600_000]);
  });

  it.each([
    [500, [250, 500, 1_000]],
    [503, [500, 1_000, 2_000]],
  ])("is called 4 times by default, after a %i with pauses up to twice %j ms", async (status, pauses) => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(status)], { now: clock.now });

    await retryFetch({ ...policy, random: () => 0.5 })(server.url("/"));

    expect(gaps(server)).toEqual(pauses);
  });

  it.each(IDEMPOTENT)("sends a %s again after a 503", async (method) => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(200)]);

    const { status } = await retryFetch({ ...policy, wait: waitNone })(server.url("/"), { method });

    expect(status).toBe(200);
    expect(server.requests).toMatchObject([{ method }, { method }]);
  });

  it.each(["POST", "PATCH"])("sends a %s once, whatever the status", async (method) => {
    const { delays, policy } = driven(client);
    const server = await serving([respond(503), respond(200)]);

    const { status } = await retryFetch({ ...policy, wait: waitNone })(server.url("/"), { method, body: "order" });

    expect(status).toBe(503);
    expect(bodies(server)).toEqual(["order"]);
    expect(delays).toEqual([]);
  });

  it.each(RETRIED)("is called again after a %i", async (status) => {
    const { policy } = driven(client);
    const server = await serving([respond(status, { body: "an error" }), respond(200)]);

    const response = await retryFetch({ ...policy, wait: waitNone })(server.url("/"));

    expect(response.status).toBe(200);
    expect(server.requests).toHaveLength(2);
  });

  it.each(RETURNED)("is called once where it answers a %i", async (status) => {
    const { policy } = driven(client);
    const server = await serving([respond(status, { body: "an error" })]);

    const response = await retryFetch({ ...policy, wait: waitNone })(server.url("/"));

    expect(response.status).toBe(status);
    expect(await response.text()).toBe("an error");
    expect(server.requests).toHaveLength(1);
  });

  it("answers the last response, which can be read, when the attempts are used up", async () => {
    const { policy } = driven(client);
    const server = await serving(["first", "second", "third", "fourth"].map((body) => respond(503, { body })));
    const api = retryFetch({ ...policy, wait: waitNone });

    const response = await api(server.url("/"));

    expect(response.status).toBe(503);
    expect(await response.text()).toBe("fourth");
    expect(server.requests).toHaveLength(4);
    expect(api.stats).toMatchObject({ calls: 1, attempts: 4, retries: 3, failures: 1 });
  });

  it("leaves a large last response to the caller, whole", async () => {
    const { policy } = driven(client);
    const large = "x".repeat(1_000_000);
    const server = await serving([respond(503), respond(503), respond(503), respond(503, { body: large })]);

    const response = await retryFetch({ ...policy, wait: waitNone })(server.url("/"));

    expect((await response.text()) === large).toBe(true);
  });

  it("answers the last response where the next sleep would pass totalTimeout", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503, { body: "first" }), respond(503, { body: "second" })]);

    const response = await retryFetch({ ...policy, wait: waitFixed(1_000), totalTimeout: 1_500 })(server.url("/"));

    expect(await response.text()).toBe("second");
    expect(server.requests).toHaveLength(2);
  });

  it.each([
    [503, 4],
    [404, 1],
  ])("throws a %i where failures are to be thrown, and its response can be read", async (status, requests) => {
    const { policy } = driven(client);
    const server = await serving([respond(status, { body: "why not" })]);
    const api = retryFetch({ ...policy, wait: waitNone, throwOnFailure: true });

    const error = await api(server.url("/users?token=1")).catch((thrown: HttpStatusError) => thrown);

    expect(error).toBeInstanceOf(HttpStatusError);
    expect(error).toMatchObject({ status, message: `GET ${server.origin}/users answered ${status}` });
    expect(await (error as HttpStatusError).response.text()).toBe("why not");
    expect(server.requests).toHaveLength(requests);
  });

  it("sends a HEAD again, whose response has no body", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503, { body: "x".repeat(100_000) }), respond(200, { body: "hello" })]);

    const response = await retryFetch({ ...policy, wait: waitNone })(server.url("/"), { method: "HEAD" });

    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe("5");
    expect(await response.text()).toBe("");
    expect(server.requests).toMatchObject([{ method: "HEAD" }, { method: "HEAD" }]);
  });

  it.each([204, 304])("answers a %i, which has no body", async (status) => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(status, { headers: { etag: '"1"' } })]);
    const init = { headers: { "if-none-match": '"1"' } };

    const response = await retryFetch({ ...policy, wait: waitNone })(server.url("/"), init);

    expect(response).toMatchObject({ status, body: null });
    expect(response.headers.get("etag")).toBe('"1"');
    expect(headers(server, "if-none-match")).toEqual(['"1"', '"1"']);
  });
});
