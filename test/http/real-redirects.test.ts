import { waitFixed, waitNone } from "undaunted";
import { originOf, retryFetch } from "undaunted/http";
import { describe, expect, it, onTestFinished } from "vitest";
import { bodies, clients, driven, gaps, headers, serving, socketsLeftTo } from "./real-clients.js";
import { deadPort, endlessBody, respond, type ScriptedServer, type SeenRequest, type Step } from "./servers/index.js";

const secrets = { authorization: "Bearer secret", cookie: "session=secret", "x-tenant": "7" };

const to = (location: string, status = 307): Step => respond(status, { headers: { location } });

/** "GET /a", … */
const calls = ({ requests }: ScriptedServer) => requests.map(({ method, path }) => `${method} ${path}`);

/** A script for what is redirected from /old to /new. */
const movedTo = (location: string, status?: number) => (seen: SeenRequest) =>
  seen.path === "/old" ? to(location, status) : respond(200, { body: "moved" });

const METHODS = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"];
const STATUSES = [301, 302, 303, 307, 308];

describe.each(clients)("%s", (_, client) => {
  it("goes the whole way again after a 503 behind a redirect", async () => {
    const { clock, policy } = driven(client);
    const answers = [respond(503), respond(200, { body: "moved" })];
    const script = ({ path }: SeenRequest) => (path === "/old" ? to("/new") : answers.shift()!);
    const server = await serving(script, { now: clock.now });

    const api = retryFetch({ ...policy, wait: waitFixed(1_000) });
    const response = await api(server.url("/old"), { method: "PUT", body: "text" });

    expect(await response.text()).toBe("moved");
    expect(response).toMatchObject({ redirected: true, url: server.url("/new") });
    expect(calls(server)).toEqual(["PUT /old", "PUT /new", "PUT /old", "PUT /new"]);
    expect(bodies(server)).toEqual(["text", "text", "text", "text"]);
    expect(gaps(server)).toEqual([0, 1_000, 0]);
  });

  it("keeps credentials from another origin, in every attempt", async () => {
    const { policy } = driven(client);
    const other = await serving([respond(503), respond(200)]);
    const server = await serving([to(other.url("/new"))]);

    const api = retryFetch({ ...policy, wait: waitNone });
    const { status } = await api(server.url("/old"), { headers: secrets });

    expect(status).toBe(200);
    expect(headers(server, "authorization")).toEqual([secrets.authorization, secrets.authorization]);
    expect(headers(other, "authorization")).toEqual([undefined, undefined]);
    expect(headers(other, "cookie")).toEqual([undefined, undefined]);
    expect(headers(other, "x-tenant")).toEqual(["7", "7"]);
  });

  it("keeps credentials that prepare sets from another origin", async () => {
    const { policy } = driven(client);
    const other = await serving([respond(200)]);
    const server = await serving([to(other.url("/new"))]);
    const api = retryFetch({ ...policy, prepare: (request) => request.headers.set("authorization", "Bearer secret") });

    await api(server.url("/old"));

    expect(headers(server, "authorization")).toEqual(["Bearer secret"]);
    expect(headers(other, "authorization")).toEqual([undefined]);
  });

  it("pays for its retries where the call went, not where it was redirected to", async () => {
    const { policy } = driven(client);
    const other = await serving([respond(503), respond(200)]);
    const server = await serving([to(other.url("/new"))]);
    const names: string[] = [];
    const api = retryFetch({ ...policy, wait: waitNone, onSuccess: ({ name }) => names.push(name) });

    await api(server.url("/old"));

    expect(names).toEqual([`GET ${originOf(server.origin)}`]);
  });

  describe.each(METHODS)("follows a redirect of a %s as fetch alone does", (method) => {
    const body = method === "GET" || method === "HEAD" ? {} : { body: "text" };
    const init = { method, headers: { ...secrets, "content-language": "en" }, ...body };
    const alone = client.fetch ?? fetch;

    /** What a server saw of a request, and what the client answered. */
    async function follow(send: typeof fetch, origin: "same" | "another", status: number) {
      const other = await serving([respond(200, { body: "moved" })]);
      const server = await serving(movedTo(origin === "same" ? "/new?q=1" : other.url("/new?q=1"), status));
      const response = await send(server.url("/old#part"), init);
      const { redirected } = response;
      const last = origin === "same" ? server : other;
      return {
        calls: [calls(server), calls(other)],
        headers: [...server.requests, ...other.requests].map(({ headers: { host, ...rest } }) => rest),
        bodies: [bodies(server), bodies(other)],
        answer: { redirected, status: response.status, body: await response.text() },
        url: response.url.replace(last.origin, ""),
      };
    }

    it.each(STATUSES)("to a path of the same origin, by a %i", async (status) => {
      const api = retryFetch({ fetch: client.fetch });

      expect(await follow(api, "same", status)).toEqual(await follow(alone, "same", status));
    });

    it.each(STATUSES)("to another origin, by a %i", async (status) => {
      const api = retryFetch({ fetch: client.fetch });

      expect(await follow(api, "another", status)).toEqual(await follow(alone, "another", status));
    });
  });

  it.each(["manual", "error"] as const)("leaves a redirect of a POST alone in the mode %s", async (redirect) => {
    const server = await serving(movedTo("/new"));
    const init = { method: "POST", body: "order", redirect };

    const call = retryFetch({ fetch: client.fetch })(server.url("/old"), init);

    if (redirect === "manual") await expect(call).resolves.toMatchObject({ status: 307 });
    else await expect(call).rejects.toThrow("fetch failed");
    expect(calls(server)).toEqual(["POST /old"]);
  });

  it("sends a POST once whose redirect leads to where nobody listens: it arrived before", async () => {
    const { delays, policy } = driven(client);
    const nobody = await deadPort();
    onTestFinished(nobody.close);
    const server = await serving([to(nobody.url("/new"))]);

    const call = retryFetch(policy)(server.url("/old"), { method: "POST", body: "order" });

    await expect(call).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    expect(bodies(server)).toEqual(["order"]);
    expect(delays).toEqual([]);
  });

  it("closes the connection of a redirect of a POST that has an endless body itself", async () => {
    const server = await serving(({ path }) =>
      path === "/old" ? endlessBody(307, { location: "/new" }) : respond(200, { body: "moved" }),
    );

    const response = await retryFetch({ fetch: client.fetch })(server.url("/old"), { method: "POST", body: "order" });

    expect(await response.text()).toBe("moved");
    expect(await socketsLeftTo(server)).toBe(0);
  });

  it("sends a Request of method POST on to where it is redirected, with its body", async () => {
    const server = await serving(movedTo("/new"));
    const request = new client.Request(server.url("/old"), { method: "POST", body: "order" });

    const response = await retryFetch({ fetch: client.fetch })(request);

    expect(await response.text()).toBe("moved");
    expect(bodies(server)).toEqual(["order", "order"]);
  });

  it.each(["GET", "PUT"])("sends a %s again whose redirect leads to where nobody listens", async (method) => {
    const { policy } = driven(client);
    const nobody = await deadPort();
    onTestFinished(nobody.close);
    const server = await serving([to(nobody.url("/new"))]);

    const call = retryFetch({ ...policy, wait: waitNone })(server.url("/old"), { method });

    await expect(call).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    expect(calls(server)).toEqual(Array(4).fill(`${method} /old`));
  });
});

it.each(["GET", "POST"])("follows as many redirects of a %s as fetch alone does: 20", async (method) => {
  const endless = (seen: SeenRequest) => to(`/${Number(seen.path.slice(1)) + 1}`);
  const [alone, retried] = [await serving(endless), await serving(endless)];

  const plain = await fetch(alone.url("/0"), { method }).catch((error: Error) => error);
  const ours = await retryFetch({ wait: waitNone })(retried.url("/0"), { method }).catch((error: Error) => error);

  expect(ours).toMatchObject({ name: "TypeError", message: (plain as Error).message });
  expect(calls(retried)).toEqual(calls(alone));
  expect(calls(alone)).toHaveLength(21);
});
