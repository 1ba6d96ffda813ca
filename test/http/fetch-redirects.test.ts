import { stopAfterAttempt, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import * as undici from "undici";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deadPort, oneMegabyte, respond, type ScriptedServer, scriptedServer } from "./servers/index.js";

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  vi.unstubAllGlobals();
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

async function serving(...script: Parameters<typeof scriptedServer>[0] & unknown[]): Promise<ScriptedServer> {
  const server = await scriptedServer(script);
  opened.push(server);
  return server;
}

async function nobody(): Promise<string> {
  const dead = await deadPort();
  opened.push(dead);
  return dead.url("/");
}

const seenBy = ({ requests }: ScriptedServer) =>
  requests.map(({ method, path, body }) => `${method} ${path} ${body}`.trim());
const policy = { stop: stopAfterAttempt(3), wait: waitNone };

describe.each([
  ["Node's fetch", undefined],
  ["undici's fetch", undici.fetch as unknown as typeof fetch],
])("with %s", (_, fetch) => {
  const api = retryFetch({ ...policy, ...(fetch && { fetch }) });

  it("a POST that was redirected to where nobody listens is not sent again: the first server had it", async () => {
    const server = await serving(respond(303, { headers: { location: await nobody() } }));

    await expect(api(server.url("/pay"), { method: "POST", body: "100" })).rejects.toThrow("fetch failed");

    expect(seenBy(server)).toEqual(["POST /pay 100"]);
  });

  it("a POST to where nobody listens is tried again: nobody had it", async () => {
    await expect(api(await nobody(), { method: "POST", body: "100" })).rejects.toThrow("fetch failed");

    expect(api.stats.attempts).toBeGreaterThanOrEqual(3);
  });

  it.each([301, 302, 303])("a POST is followed by a GET after a %i", async (status) => {
    const server = await serving(
      respond(status, { headers: { location: "/done#here" } }),
      respond(200, { body: "ok" }),
    );

    const response = await api(server.url("/pay"), {
      method: "POST",
      body: "100",
      headers: { "content-language": "en" },
    });

    expect(await response.text()).toBe("ok");
    expect([response.redirected, response.url]).toEqual([true, server.url("/done")]);
    expect(seenBy(server)).toEqual(["POST /pay 100", "GET /done"]);
    expect(server.requests[1]!.headers).not.toHaveProperty("content-type");
    expect(server.requests[1]!.headers).not.toHaveProperty("content-language");
  });

  it.each([307, 308])("a POST is sent to the new place after a %i, with its body", async (status) => {
    const server = await serving(respond(status, { headers: { location: "/there" } }), respond(201));

    const { status: last } = await api(server.url("/pay"), { method: "POST", body: "100" });

    expect(last).toBe(201);
    expect(seenBy(server)).toEqual(["POST /pay 100", "POST /there 100"]);
  });

  it("a PATCH stays one after a 302", async () => {
    const server = await serving(respond(302, { headers: { location: "/there" } }), respond(204));

    await api(server.url("/a"), { method: "PATCH", body: "x" });

    expect(seenBy(server)).toEqual(["PATCH /a x", "PATCH /there x"]);
  });

  it("credentials do not go to another origin, and do to the same", async () => {
    const other = await serving(respond(200));
    const server = await serving(
      respond(307, { headers: { location: "/again" } }),
      respond(307, { headers: { location: other.url("/") } }),
    );
    const init = { method: "POST", body: "x", headers: { authorization: "Bearer 1", cookie: "a=b", "x-kept": "1" } };

    await api(server.url("/"), init);
    await api(server.url("/"), init);

    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer 1", "Bearer 1", "Bearer 1"]);
    expect(other.requests[0]!.headers).toMatchObject({ "x-kept": "1" });
    expect(other.requests[0]!.headers).not.toHaveProperty("authorization");
    expect(other.requests[0]!.headers).not.toHaveProperty("cookie");
  });

  it("later redirects are followed as well", async () => {
    const server = await serving(
      respond(303, { headers: { location: "/1" } }),
      respond(302, { headers: { location: "/2" } }),
      respond(200),
    );

    const { status } = await api(server.url("/"), { method: "POST", body: "x" });

    expect(status).toBe(200);
    expect(seenBy(server)).toEqual(["POST / x", "GET /1", "GET /2"]);
  });

  it("a redirect without a place to go to is a response", async () => {
    const server = await serving(respond(303));

    const response = await api(server.url("/"), { method: "POST", body: "x" });

    expect([response.status, response.redirected]).toEqual([303, false]);
  });

  it.each(["data:text/plain,evil", "about:blank", "ftp://example.com/", "http://"])(
    "a redirect to %s is not followed, and leaves no socket",
    async (location) => {
      const server = await serving(respond(307, { headers: { location }, body: oneMegabyte }));

      const error = await api(server.url("/pay"), { method: "POST", body: "100" }).catch((error: Error) => error);
      await server.settled();

      expect(error).toMatchObject({ name: "TypeError", message: "fetch failed" });
      expect(seenBy(server)).toEqual(["POST /pay 100"]);
    },
  );

  it("redirect: manual is the caller's", async () => {
    const server = await serving(respond(303, { headers: { location: "/done" } }));

    const { status } = await api(server.url("/"), { method: "POST", redirect: "manual" });

    expect(status).toBe(303);
  });

  it.each(["POST", "PUT"])(
    "a function that makes a %s's stream is asked for it again by a redirect",
    async (method) => {
      const server = await serving(respond(307, { headers: { location: "/there" } }), respond(201));
      const body = () => new Blob(["x"]).stream();

      expect((await api(server.url("/"), { method, body })).status).toBe(201);

      expect(seenBy(server)).toEqual([`${method} / x`, `${method} /there x`]);
    },
  );

  it("a stream that prepare puts in place of the body cannot be sent again by a redirect", async () => {
    const server = await serving(respond(307, { headers: { location: "/there" } }));
    const prepare = (request: { body: unknown }) => {
      request.body = new Blob(["y"]).stream();
    };

    const error = await api
      .with({ prepare })(server.url("/"), { method: "POST", body: "x" })
      .catch((error) => error);

    expect(error.cause.message).toContain("can be read only once");
    expect(seenBy(server)).toEqual(["POST / y"]);
  });
});

it("in a page, where redirects do not show, a POST is never taken for one that never left", async () => {
  vi.stubGlobal("navigator", { userAgent: "Mozilla/5.0 (X11)" });
  const api = retryFetch(policy);

  await expect(api(await nobody(), { method: "POST", body: "100" })).rejects.toThrow("fetch failed");

  expect(api.stats.attempts).toBe(1);
});
