import { AttemptTimeoutError, currentAttempt, retry, retryIfError, waitFixed } from "undaunted";
import { isNetworkError, type RetryFetchOptions, retryFetch } from "undaunted/http";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { type Client, clients, driven, event, gaps, serving } from "./real-clients.js";
import { hangInBody, openSockets, resetInBody, respond } from "./servers/index.js";

const reason = new Error("the user left");
const ada = { body: '{"name":"Ada"}' };

type Call = (client: Client, options: RetryFetchOptions, url: string, signal: AbortSignal) => Promise<Response>;

const WAYS: readonly [string, Call][] = [
  ["init.signal", (_, options, url, signal) => retryFetch(options)(url, { signal })],
  ["the signal of a Request", ({ Request }, options, url, signal) => retryFetch(options)(new Request(url, { signal }))],
  [
    "the signal of a Request beside init's",
    ({ Request }, options, url, signal) =>
      retryFetch(options)(new Request(url, { signal }), { signal: new AbortController().signal }),
  ],
  [
    "init.signal beside that of a Request",
    ({ Request }, options, url, signal) =>
      retryFetch(options)(new Request(url, { signal: new AbortController().signal }), { signal }),
  ],
  ["the policy's signal", (_, options, url, signal) => retryFetch({ ...options, signal })(url)],
  ["a signal given to with()", (_, options, url, signal) => retryFetch(options).with({ signal })(url)],
];

/** Reads a response until its first bytes are there; answers the reading of what is left. */
async function begun(response: Response) {
  const reader = response.body!.getReader();
  await reader.read();
  return reader.read();
}

/** As `docs/http.md` has it: a retry around the call and the reading. */
function userGetter(client: Client, origin: string) {
  const { clock, policy } = driven(client);
  const headers = event();
  const api = retryFetch({ fetch: client.fetch, clock });
  const { onRetry } = policy;
  const getUser = retry(
    async (id: string) => {
      const { signal } = currentAttempt();
      const response = await api(`${origin}/users/${id}`, { signal });
      headers.happen();
      return response.json();
    },
    { retryIf: retryIfError(isNetworkError), attemptTimeout: 10_000, wait: waitFixed(1_000), clock, onRetry },
  );
  return { api, clock, getUser, headers };
}

describe.each(clients)("%s", (_, client) => {
  it("has succeeded once the headers are there: a reset in the body fails the reading", async () => {
    const { delays, policy } = driven(client);
    const server = await serving([resetInBody()]);
    const api = retryFetch(policy);

    const response = await api(server.url("/"));

    expect(response.status).toBe(200);
    expect(api.stats).toMatchObject({ attempts: 1, successes: 1 });
    await expect(response.text()).rejects.toSatisfy(isNetworkError);
    expect(server.requests).toHaveLength(1);
    expect(delays).toEqual([]);
  });

  it("is called again after a failure whose body is reset, too", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([resetInBody(503), respond(200)], { now: clock.now });

    const { status } = await retryFetch({ ...policy, wait: waitFixed(1_000) })(server.url("/"));

    expect(status).toBe(200);
    expect(gaps(server)).toEqual([1_000]);
  });

  it("has a reset in the body retried by a retry around the reading", async () => {
    const server = await serving([resetInBody(200, ada), respond(200, ada)]);
    const { api, getUser } = userGetter(client, server.origin);

    const user = await getUser("42");

    expect(user).toEqual({ name: "Ada" });
    expect(server.requests.map(({ path }) => path)).toEqual(["/users/42", "/users/42"]);
    expect(api.stats).toMatchObject({ calls: 2, retries: 0 });
    expect(getUser.stats).toMatchObject({ attempts: 2, idle: 1_000 });
  });

  it("has a body that stalls cut off and retried by a retry around the reading", async () => {
    const server = await serving([hangInBody(200, ada), respond(200, ada)]);
    const { clock, getUser, headers } = userGetter(client, server.origin);
    const user = getUser("42");
    await headers.happened;

    await clock.advance(10_000);

    expect(await user).toEqual({ name: "Ada" });
    expect(server.requests).toHaveLength(2);
  });

  it("has a body that stalls every time end in an AttemptTimeoutError of the retry around the reading", async () => {
    const server = await serving([hangInBody(200, ada)]);
    const { clock, getUser } = userGetter(client, server.origin);
    const rejected = expect(getUser("42")).rejects.toThrow(AttemptTimeoutError);

    for (let n = 1; n <= 4; n++) {
      await server.arrival(n);
      await clock.advance(10_000);
    }

    await rejected;
  });

  it("is not called again by a retry around the reading where it gave up itself", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(503)]);
    const api = retryFetch({ ...policy, throwOnFailure: true });

    const call = retry(() => api(server.url("/")), { clock, onRetry: policy.onRetry })();

    await expect(call).rejects.toMatchObject({ status: 503 });
    expect(server.requests).toHaveLength(4);
  });

  describe.each(WAYS)("with %s aborted while the body is read", (_way, call) => {
    it("fails the reading with its reason, and closes the connection", async () => {
      const server = await serving([hangInBody()]);
      const caller = new AbortController();
      const response = await call(client, { fetch: client.fetch }, server.url("/"), caller.signal);
      const reading = begun(response);
      const rejected = expect(reading).rejects.toBe(reason);

      caller.abort(reason);

      await rejected;
      await server.settled();
      expect(openSockets(server.port)).toBe(0);
    });

    it("fails the reading of a last response after retries, too", async () => {
      const { policy } = driven(client);
      const server = await serving([respond(503, { body: "an error" }), hangInBody()]);
      const caller = new AbortController();
      const response = await call(client, { ...policy, wait: waitFixed(1) }, server.url("/"), caller.signal);
      const rejected = expect(begun(response)).rejects.toBe(reason);

      caller.abort(reason);

      await rejected;
      expect(server.requests).toHaveLength(2);
    });
  });

  it("closes the connection of a body that nobody has begun to read where it is aborted", async () => {
    const server = await serving([hangInBody()]);
    const caller = new AbortController();
    const api = retryFetch({ fetch: client.fetch, clock: virtualClock() });
    const response = await api(server.url("/"), { signal: caller.signal });

    caller.abort(reason);

    await server.settled();
    await expect(response.text()).rejects.toThrow();
  });
});
