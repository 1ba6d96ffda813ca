import { waitFixed, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { bodies, clients, driven, gaps, headers, serving } from "./real-clients.js";
import { hang, resetBeforeHeaders, respond } from "./servers/index.js";

describe.each(clients)("%s", (_, client) => {
  it("sends the headers that prepare sets for each attempt, beside the caller's", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(503), resetBeforeHeaders(), respond(200)], { now: clock.now });
    const api = retryFetch({
      ...policy,
      wait: waitFixed(1_000),
      prepare: (request) => request.headers.set("x-signed", `${request.method} ${request.attempt} at ${clock.now()}`),
    });

    await api(server.url("/"), { headers: { "x-tenant": "7" } });

    expect(headers(server, "x-signed")).toEqual(["GET 1 at 0", "GET 2 at 1000", "GET 3 at 2000"]);
    expect(headers(server, "x-tenant")).toEqual(["7", "7", "7"]);
    expect(gaps(server)).toEqual([1_000, 1_000]);
  });

  it("begins each attempt with the request as the caller made it", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(503), respond(200)]);
    const api = retryFetch({
      ...policy,
      wait: waitNone,
      prepare: (request) => {
        if (request.attempt !== 1) return;
        request.headers.set("x-extra", "1");
        request.headers.delete("x-tenant");
        request.url.pathname = "/elsewhere";
        request.body = "changed";
      },
    });

    await api(server.url("/here"), { method: "PUT", body: "text", headers: { "x-tenant": "7" } });

    expect(server.requests.map(({ path }) => path)).toEqual(["/elsewhere", "/here", "/here"]);
    expect(bodies(server)).toEqual(["changed", "text", "text"]);
    expect(headers(server, "x-extra")).toEqual(["1", undefined, undefined]);
    expect(headers(server, "x-tenant")).toEqual([undefined, "7", "7"]);
  });

  it("sends bytes again as the caller gave them, though prepare changed them in place", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(200)]);
    const api = retryFetch({
      ...policy,
      wait: waitNone,
      prepare: ({ attempt, body }) => attempt === 1 && new Uint8Array(body as ArrayBuffer).fill(120),
    });

    await api(server.url("/"), { method: "PUT", body: Buffer.from("text") });

    expect(bodies(server)).toEqual(["xxxx", "text"]);
  });

  it("sends a new token after a 401, where that is listed", async () => {
    const { policy } = driven(client);
    const server = await serving((seen) => respond(seen.headers.authorization === "Bearer fresh" ? 200 : 401));
    const failures: unknown[] = [];
    const api = retryFetch({
      ...policy,
      wait: waitNone,
      statuses: [401, 503],
      prepare: async ({ headers, previousError }) => {
        failures.push((previousError as { status?: number } | undefined)?.status);
        headers.set("authorization", previousError ? "Bearer fresh" : "Bearer expired");
      },
    });

    const { status } = await api(server.url("/me"));

    expect(status).toBe(200);
    expect(headers(server, "authorization")).toEqual(["Bearer expired", "Bearer fresh"]);
    expect(failures).toEqual([undefined, 401]);
  });

  it("sends an attempt to the server that prepare chooses", async () => {
    const { policy } = driven(client);
    const [main, replica] = [await serving([respond(503)]), await serving([respond(200, { body: "replica" })])];
    const api = retryFetch({
      ...policy,
      wait: waitNone,
      prepare: (request) => {
        if (request.attempt > 1) request.url.port = `${replica.port}`;
      },
    });

    const response = await api(main.url("/users?page=2"), { method: "PUT", body: "text" });

    expect(await response.text()).toBe("replica");
    expect(main.requests).toMatchObject([{ path: "/users?page=2" }]);
    expect(replica.requests).toMatchObject([{ path: "/users?page=2", method: "PUT" }]);
    expect(bodies(replica)).toEqual(["text"]);
  });

  it("sends a Request with its body where prepare changes its headers and URL", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(200)]);
    const api = retryFetch({
      ...policy,
      wait: waitNone,
      prepare: (request) => {
        request.headers.set("x-attempt", `${request.attempt}`);
        request.url.searchParams.set("attempt", `${request.attempt}`);
      },
    });

    await api(new client.Request(server.url("/a"), { method: "PUT", body: "text", headers: { "x-tenant": "7" } }));

    expect(server.requests.map(({ path }) => path)).toEqual(["/a?attempt=1", "/a?attempt=2"]);
    expect(bodies(server)).toEqual(["text", "text"]);
    expect(headers(server, "x-attempt")).toEqual(["1", "2"]);
    expect(headers(server, "x-tenant")).toEqual(["7", "7"]);
  });

  it("sends nothing where prepare throws", async () => {
    const { delays, policy } = driven(client);
    const server = await serving([respond(200)]);
    const mistake = new Error("no token");
    const prepare = () => {
      throw mistake;
    };

    await expect(retryFetch({ ...policy, prepare })(server.url("/"))).rejects.toBe(mistake);

    expect(server.connections.opened).toBe(0);
    expect(delays).toEqual([]);
  });

  it("has prepare's time counted to attemptTimeout", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([hang(), respond(200)], { now: clock.now });
    const prepare = () => clock.advance(3_000);
    const call = retryFetch({ ...policy, wait: waitNone, attemptTimeout: 5_000, prepare })(server.url("/"));
    await server.arrival(1);

    await clock.advance(2_000);

    expect((await call).status).toBe(200);
    expect(gaps(server)).toEqual([5_000]);
  });
});
