import { TotalTimeoutError, waitNone } from "undaunted";
import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { type Client, clients, event, headers, serving } from "./real-clients.js";
import { respond, type ScriptedServer } from "./servers/index.js";

const busy = (status = 429, seconds = 10) => respond(status, { headers: { "retry-after": `${seconds}` } });

/**
 * A client that pauses origins; each request says when it was sent. `told(n)` resolves once responses have told for the
 * n-th time to come back later.
 */
function pausing(client: Client, options: RetryFetchOptions = {}) {
  const clock = virtualClock();
  const retries = [event(), event()];
  let seen = 0;
  const api = retryFetch({
    fetch: client.fetch,
    clock,
    pauseOrigin: true,
    wait: waitNone,
    random: () => 0,
    prepare: (request) => request.headers.set("x-sent-at", `${clock.now()}`),
    onRetry: () => retries[seen++]?.happen(),
    ...options,
  });
  return { api, clock, told: (n: number) => retries[n - 1]!.happened };
}

/** When each request was sent, on the client's clock. */
const sentAt = (server: ScriptedServer) => headers(server, "x-sent-at").map(Number);

describe.each(clients)("%s", (_, client) => {
  it.each([429, 503])("is not called at an origin before the time that a %i told, by any call", async (status) => {
    const { api, clock, told } = pausing(client);
    const server = await serving([busy(status), respond(200)], { now: clock.now });
    const calls = [api(server.url("/1"))];
    await told(1);
    for (const path of ["/2", "/3", "/4"]) calls.push(api(server.url(path)));

    await clock.advance(10_000);

    expect((await Promise.all(calls)).map((response) => response.status)).toEqual([200, 200, 200, 200]);
    expect(sentAt(server)).toEqual([0, 10_000, 10_000, 10_000, 10_000]);
    expect(clock.pending).toBe(0);
  });

  it("is called up to half as late again, so that not all calls come at once", async () => {
    const { api, clock, told } = pausing(client, { random: () => 0.5 });
    const server = await serving([busy(), respond(200)]);
    const calls = [api(server.url("/1"))];
    await told(1);
    calls.push(api(server.url("/2")));

    await clock.advance(12_500);
    await Promise.all(calls);

    expect(sentAt(server)).toEqual([0, 12_500, 12_500]);
  });

  it("is called at another origin meanwhile", async () => {
    const { api, clock, told } = pausing(client);
    const [server, other] = [await serving([busy(), respond(200)]), await serving([respond(200)])];
    const first = api(server.url("/"));
    await told(1);

    const { status } = await api(other.url("/"));

    expect(status).toBe(200);
    expect(sentAt(other)).toEqual([0]);
    await clock.advance(10_000);
    expect((await first).status).toBe(200);
  });

  it("is called again later where the origin asks for more time in the meantime", async () => {
    const { api, clock, told } = pausing(client);
    const server = await serving([busy(), busy(), respond(200)]);
    const calls = [api(server.url("/1"))];
    await told(1);
    calls.push(api(server.url("/2")));
    await clock.advance(10_000);
    await told(2);
    calls.push(api(server.url("/3")));

    await clock.advance(10_000);

    await Promise.all(calls);
    expect(sentAt(server)).toEqual([0, 10_000, 10_000, 20_000, 20_000]);
  });

  it("is called later still by a call that was being held back when the origin asked for more time", async () => {
    const numbers = [0, 0.9];
    const { api, clock, told } = pausing(client, { random: () => numbers.shift() ?? 0 });
    const server = await serving([busy(), busy(), respond(200)]);
    const calls = [api(server.url("/1"))];
    await told(1);
    calls.push(api(server.url("/2")));
    await clock.advance(10_000);
    await told(2);

    await clock.advance(10_000);

    await Promise.all(calls);
    expect(sentAt(server)).toEqual([0, 10_000, 20_000, 20_000]);
  });

  it("is called meanwhile by a client that does not pause origins", async () => {
    const { api, clock, told } = pausing(client, { pauseOrigin: false });
    const server = await serving([busy(), respond(200)]);
    const first = api(server.url("/1"));
    await told(1);

    await api(server.url("/2"));
    await clock.advance(10_000);
    await first;

    expect(sentAt(server)).toEqual([0, 0, 10_000]);
  });

  it("holds nobody back where the time is longer than maxRetryAfter", async () => {
    const { api } = pausing(client);
    const server = await serving([busy(429, 61), respond(200)]);
    const { status } = await api(server.url("/1"));

    await api(server.url("/2"));

    expect(status).toBe(429);
    expect(sentAt(server)).toEqual([0, 0]);
  });

  it("sends nothing for a call that is aborted while it is held back", async () => {
    const { api, clock, told } = pausing(client);
    const server = await serving([busy(), respond(200)]);
    const caller = new AbortController();
    const reason = new Error("the user left");
    const first = api(server.url("/1"));
    await told(1);
    const second = expect(api(server.url("/2"), { signal: caller.signal })).rejects.toBe(reason);
    await clock.advance(1_000);

    caller.abort(reason);

    await second;
    expect(clock.pending).toBe(1);
    await clock.advance(10_000);
    await first;
    expect(server.requests.map(({ path }) => path)).toEqual(["/1", "/1"]);
  });

  it("sends nothing for a call whose totalTimeout ends while it is held back", async () => {
    const { api, clock, told } = pausing(client);
    const server = await serving([busy(), respond(200)]);
    const first = api(server.url("/1"));
    await told(1);
    const second = expect(api.with({ totalTimeout: 5_000 })(server.url("/2"))).rejects.toThrow(TotalTimeoutError);

    await clock.advance(5_000);

    await second;
    await clock.advance(20_000);
    await first;
    expect(server.requests.map(({ path }) => path)).toEqual(["/1", "/1"]);
  });
});
