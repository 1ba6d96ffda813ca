import { getEventListeners } from "node:events";
import { AttemptTimeoutError, TotalTimeoutError, waitFixed } from "undaunted";
import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { bodies, type Client, clients, driven, event, gaps, serving } from "./real-clients.js";
import { hang, openSockets, respond } from "./servers/index.js";

const reason = new Error("the user left");

type Call = (client: Client, options: RetryFetchOptions, url: string, signal: AbortSignal) => Promise<Response>;

const WAYS: readonly [string, Call][] = [
  ["init.signal", (_, options, url, signal) => retryFetch(options)(url, { signal })],
  ["the signal of a Request", ({ Request }, options, url, signal) => retryFetch(options)(new Request(url, { signal }))],
  ["the policy's signal", (_, options, url, signal) => retryFetch({ ...options, signal })(url)],
];

describe.each(clients)("%s", (_, client) => {
  it("is called again where no headers come within attemptTimeout", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([hang(), respond(200, { body: "hello" })], { now: clock.now });
    const call = retryFetch({ ...policy, wait: waitFixed(1_000), attemptTimeout: 5_000 })(server.url("/"));
    await server.arrival(1);

    await clock.advance(5_000);
    const response = await call;

    expect(await response.text()).toBe("hello");
    expect(gaps(server)).toEqual([6_000]);
    expect(clock.pending).toBe(0);
  });

  it("closes the connection of an attempt that timed out", async () => {
    const clock = virtualClock();
    const server = await serving([hang()]);
    const retry = event();
    const caller = new AbortController();
    const options = { fetch: client.fetch, clock, attemptTimeout: 5_000, onRetry: retry.happen };
    const call = retryFetch(options)(server.url("/"), { signal: caller.signal });
    await server.arrival(1);

    await clock.advance(5_000);
    await retry.happened;
    await server.settled();

    expect(openSockets(server.port)).toBe(0);
    caller.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it("rejects with an AttemptTimeoutError where every attempt times out", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([hang()]);
    const call = retryFetch({ ...policy, wait: waitFixed(1_000), attemptTimeout: 5_000 })(server.url("/"));
    const rejected = expect(call).rejects.toThrow(AttemptTimeoutError);

    for (let n = 1; n <= 4; n++) {
      await server.arrival(n);
      await clock.advance(5_000);
    }

    await rejected;
    expect(server.requests).toHaveLength(4);
  });

  it("sends a POST once where no headers come within attemptTimeout", async () => {
    const { clock, delays, policy } = driven(client);
    const server = await serving([hang()]);
    const call = retryFetch({ ...policy, attemptTimeout: 5_000 })(server.url("/"), { method: "POST", body: "order" });
    const rejected = expect(call).rejects.toThrow(AttemptTimeoutError);
    await server.arrival(1);

    await clock.advance(5_000);

    await rejected;
    expect(bodies(server)).toEqual(["order"]);
    expect(delays).toEqual([]);
  });

  it("may take as long as it likes for the body", async () => {
    const { clock, policy } = driven(client);
    let finish = () => {};
    const server = await serving([
      {
        play: ({ answer }) => {
          answer.writeHead(200, {});
          answer.write(Buffer.from("first, "));
          finish = () => answer.end(Buffer.from("second"));
        },
      },
    ]);
    const response = await retryFetch({ ...policy, attemptTimeout: 5_000, totalTimeout: 9_000 })(server.url("/"));
    const text = response.text();

    await clock.advance(3_600_000);
    finish();

    expect(await text).toBe("first, second");
  });

  it("rejects with a TotalTimeoutError where no headers come within totalTimeout", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(503), hang()], { now: clock.now });
    const call = retryFetch({ ...policy, wait: waitFixed(1_000), totalTimeout: 5_000 })(server.url("/"));
    const rejected = expect(call).rejects.toMatchObject({ name: "TotalTimeoutError", cause: { status: 503 } });
    await server.arrival(2);

    await clock.advance(4_000);

    await rejected;
    await expect(call).rejects.toBeInstanceOf(TotalTimeoutError);
    expect(gaps(server)).toEqual([1_000]);
    expect(clock.pending).toBe(0);
  });

  describe.each(WAYS)("aborted by %s", (_way, call) => {
    it("rejects with its reason and closes the connection where no headers come", async () => {
      const { clock, policy } = driven(client);
      const server = await serving([hang()]);
      const caller = new AbortController();
      const answer = call(client, policy, server.url("/"), caller.signal);
      const rejected = expect(answer).rejects.toBe(reason);
      await server.arrival(1);

      caller.abort(reason);

      await rejected;
      await server.settled();
      expect(server.requests).toHaveLength(1);
      expect(clock.pending).toBe(0);
    });

    it("rejects with its reason while it sleeps, and leaves no timer", async () => {
      const clock = virtualClock();
      const server = await serving([respond(503, { body: "an error" })]);
      const caller = new AbortController();
      const retry = event();
      const options = { fetch: client.fetch, clock, wait: waitFixed(1_000), onRetry: retry.happen };
      const answer = call(client, options, server.url("/"), caller.signal);
      const rejected = expect(answer).rejects.toBe(reason);
      await retry.happened;
      await clock.advance(50);

      caller.abort(reason);

      await rejected;
      await clock.advance(0);
      expect(clock.pending).toBe(0);
      await clock.advance(1_000);
      expect(server.requests).toHaveLength(1);
    });

    it("sends nothing where that was before", async () => {
      const server = await serving([respond(200)]);

      const answer = call(client, { fetch: client.fetch }, server.url("/"), AbortSignal.abort(reason));

      await expect(answer).rejects.toBe(reason);
      expect(server.connections.opened).toBe(0);
    });
  });

  it.each([
    ["in an attempt", hang()],
    ["in a sleep", respond(503, { body: "an error" })],
  ])("leaves no listener on init.signal where it is aborted %s", async (when, step) => {
    const clock = virtualClock();
    const server = await serving([step]);
    const caller = new AbortController();
    const retry = event();
    const options = { fetch: client.fetch, clock, wait: waitFixed(1_000), onRetry: retry.happen };
    const call = retryFetch(options)(server.url("/"), { signal: caller.signal });
    const rejected = expect(call).rejects.toBe(reason);
    await (when === "in a sleep" ? retry.happened : server.arrival(1));

    caller.abort(reason);

    await rejected;
    expect(getEventListeners(caller.signal, "abort")).toEqual([]);
  });

  it("leaves no listener on init.signal when it has succeeded after a failure with a body", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503, { body: "an error" }), respond(204)]);
    const { signal } = new AbortController();

    await retryFetch({ ...policy, wait: waitFixed(50) })(server.url("/"), { signal });

    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
