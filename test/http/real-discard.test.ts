import { setImmediate as turn } from "node:timers/promises";
import { TotalTimeoutError, waitFixed } from "undaunted";
import { HttpStatusError, retryFetch } from "undaunted/http";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { clients, driven, event, gaps, serving, socketsLeftTo } from "./real-clients.js";
import { endlessBody, hangInBody, oneMegabyte, openSockets, respond, type Step } from "./servers/index.js";

/** Sent as chunks, so that no header tells how long it is. */
function chunked(status: number, body: Uint8Array): Step {
  return {
    play: ({ answer }) => {
      answer.writeHead(status, {});
      answer.write(Buffer.from(body.subarray(0, 1)));
      answer.end(Buffer.from(body.subarray(1)));
    },
  };
}

// Below the 100 ms for which a body is read away: in virtual time that limit is then out of reach.
const wait = waitFixed(99);
// undici learns in the next turn of the event loop that a connection is free; virtual time leaves it none.
const prepare = () => turn();

describe.each(clients)("%s", (_, client) => {
  it.each([
    ["no body", respond(503)],
    ["a small body", respond(503, { body: "busy" })],
    ["64 kB", respond(503, { body: oneMegabyte.subarray(0, 65_536) })],
    ["64 kB of which no header tells", chunked(503, oneMegabyte.subarray(0, 65_536))],
  ])("uses the connection again after a failure with %s", async (_what, failure) => {
    const { clock, policy } = driven(client);
    const server = await serving([failure, failure, respond(200, { body: "hello" })], { now: clock.now });

    const response = await retryFetch({ ...policy, wait, prepare })(server.url("/"));

    expect(await response.text()).toBe("hello");
    expect(server.requests.map(({ connection }) => connection)).toEqual([1, 1, 1]);
    expect(gaps(server)).toEqual([99, 99]);
  });

  it("uses the connection again after a failure whose body took 99 ms to come", async () => {
    const { policy } = driven(client);
    let finish = () => {};
    const slow: Step = {
      play: ({ answer }) => {
        answer.writeHead(503, {});
        answer.write(Buffer.from("first, "));
        finish = () => answer.end(Buffer.from("second"));
      },
    };
    const server = await serving([slow, respond(200)]);
    const onAttempt = ({ attempt }: { attempt: number }) => {
      if (attempt === 2) finish();
    };

    await retryFetch({ ...policy, wait, prepare, onAttempt })(server.url("/"));

    expect(server.requests.map(({ connection }) => connection)).toEqual([1, 1]);
  });

  it.each([
    ["1 MB", respond(503, { body: oneMegabyte })],
    ["1 MB of which no header tells", chunked(503, oneMegabyte)],
    ["64 kB and a byte", respond(503, { body: oneMegabyte.subarray(0, 65_537) })],
    ["an endless body", endlessBody(503)],
  ])("closes the connection after a failure with %s", async (_what, failure) => {
    const { clock, policy } = driven(client);
    const server = await serving([failure, failure, respond(200, { body: "hello" })], { now: clock.now });

    const response = await retryFetch({ ...policy, wait, prepare })(server.url("/"));

    expect(await response.text()).toBe("hello");
    expect(server.requests.map(({ reused }) => reused)).toEqual([false, false, false]);
    expect(gaps(server)).toEqual([99, 99]);
    expect(await socketsLeftTo(server)).toBe(0);
  });

  it("closes the connection after a failure whose body stalls for 100 ms", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([hangInBody(503), respond(200, { body: "hello" })], { now: clock.now });

    const response = await retryFetch({ ...policy, wait: waitFixed(100), prepare })(server.url("/"));

    expect(await response.text()).toBe("hello");
    expect(server.requests.map(({ reused }) => reused)).toEqual([false, false]);
    expect(gaps(server)).toEqual([100]);
    expect(clock.pending).toBe(0);
  });

  it.each([
    ["an endless body", endlessBody(503)],
    ["a body that stalls", hangInBody(503)],
  ])("closes the connection of a response with %s where a fallback takes its place", async (_what, failure) => {
    const { policy } = driven(client);
    const server = await serving([failure]);
    const cached = new Response("cached");
    const api = retryFetch({ ...policy, stop: () => true, fallback: () => cached });

    const response = await api(server.url("/"));

    expect(await response.text()).toBe("cached");
    await server.settled();
    expect(openSockets(server.port)).toBe(0);
  });

  it("leaves the last response open to who wants to read it, endless or not", async () => {
    const { policy } = driven(client);
    const server = await serving([endlessBody(503)]);

    const response = await retryFetch({ ...policy, stop: () => true })(server.url("/"));
    const reader = response.body!.getReader();
    let bytes = 0;
    while (bytes < 1_000_000) bytes += (await reader.read()).value!.length;
    await reader.cancel();

    await server.settled();
    expect(server.requests).toHaveLength(1);
  });

  it("leaves an endless response open where it is thrown as an error, and closes it as the caller wants", async () => {
    const { policy } = driven(client);
    const server = await serving([endlessBody(404)]);

    const error = await retryFetch({ ...policy, throwOnFailure: true })(server.url("/")).catch((thrown) => thrown);
    const open = server.connections.open;
    await (error as HttpStatusError).response.body!.cancel();

    expect(error).toBeInstanceOf(HttpStatusError);
    expect(open).toBe(1);
    await server.settled();
  });

  it.each([
    ["while onRetry is under way", () => new Promise<void>(() => {})],
    ["while its body is read away", () => {}],
  ])("closes the connection of a failure whose body stalls where the call is aborted %s", async (_when, hook) => {
    const clock = virtualClock();
    const server = await serving([hangInBody(503)]);
    const caller = new AbortController();
    const reason = new Error("the user left");
    const retry = event();
    const onRetry = () => {
      retry.happen();
      return hook();
    };
    const api = retryFetch({ fetch: client.fetch, clock, wait: waitFixed(1_000), onRetry });
    const rejected = expect(api(server.url("/"), { signal: caller.signal })).rejects.toBe(reason);
    await retry.happened;
    await clock.advance(50);

    caller.abort(reason);

    await rejected;
    await server.settled();
    expect(openSockets(server.port)).toBe(0);
  });

  it("closes the connection of a response that stalls where a TotalTimeoutError takes its place", async () => {
    const { policy } = driven(client);
    const server = await serving([hangInBody(503)]);
    const api = retryFetch({ ...policy, wait: waitFixed(1_000), totalTimeout: 500, throwOnFailure: true });

    await expect(api(server.url("/"))).rejects.toThrow(TotalTimeoutError);

    await server.settled();
    expect(openSockets(server.port)).toBe(0);
  });
});
