import { setImmediate as turn } from "node:timers/promises";
import { retryIfAny, stopAfterAttempt } from "undaunted";
import { peekText, type RetryFetchOptions, retryFetch, retryIfHttpFailure, retryIfResponse } from "undaunted/http";
import { virtualClock } from "undaunted/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clients, event, serving } from "./real-clients.js";
import { hangInBody, openSockets } from "./servers/index.js";

const reason = new Error("the user left");

// A copy crosses a message channel in some clients: what becomes of it is known some turns later.
const TURNS = 20;

let unhandled: unknown[];
const note = (error: unknown) => unhandled.push(error);

beforeEach(() => {
  unhandled = [];
  process.on("unhandledRejection", note);
});

afterEach(() => {
  process.off("unhandledRejection", note);
});

const turns = async () => {
  for (let left = TURNS; left > 0; left--) await turn();
};

const READERS: readonly [name: string, status: number, options: (reads: () => void) => RetryFetchOptions][] = [
  ["throughBody", 200, () => ({ throughBody: true })],
  [
    "hint",
    429,
    (reads) => ({
      hint: async (response) => {
        reads();
        await response.text();
        return 0;
      },
    }),
  ],
  [
    "a predicate",
    200,
    (reads) => ({
      retryIf: retryIfAny(
        retryIfHttpFailure,
        retryIfResponse(async (response) => {
          reads();
          return (await peekText(response)) === "busy";
        }),
      ),
    }),
  ],
  ["throwOnFailure", 404, () => ({ throwOnFailure: true })],
];

describe.each(clients)("a copy of a body that stalls, of %s", (_, client) => {
  const stalled = async (status: number, options: (reads: () => void) => RetryFetchOptions) => {
    const clock = virtualClock();
    const server = await serving([hangInBody(status)]);
    const reading = event();
    const api = retryFetch({
      ...options(reading.happen),
      clock,
      stop: stopAfterAttempt(1),
      fetch: async (input, init) => {
        const response = await (client.fetch ?? fetch)(input, init);
        turns().then(reading.happen);
        return response;
      },
    });
    return { clock, server, reading, api };
  };

  it.each(READERS)("is let go of without a word when the caller leaves: %s", async (_, status, options) => {
    const { server, reading, api } = await stalled(status, options);
    const caller = new AbortController();

    const call = api(server.url("/"), { signal: caller.signal }).catch((error) => error);
    await reading.happened;
    caller.abort(reason);

    expect(await call).toBe(reason);
    await turns();
    expect(unhandled).toEqual([]);
    await server.settled();
    expect(openSockets(server.port)).toBe(0);
  });

  it.each(READERS)("is let go of without a word when the attempt's time is up: %s", async (_, status, options) => {
    const { clock, server, reading, api } = await stalled(status, options);

    const call = api
      .with({ attemptTimeout: 1_000, totalTimeout: 2_000 })(server.url("/"))
      .catch((error) => error);
    await reading.happened;
    await clock.advance(1_000);
    await clock.advance(1_000);

    // A response that was not judged in time is the caller's.
    const ended: Response | Error = await call;
    if ("body" in ended) await ended.body?.cancel();
    await turns();
    expect(unhandled).toEqual([]);
    await server.settled();
    expect(openSockets(server.port)).toBe(0);
  });
});
