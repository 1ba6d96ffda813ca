import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { memoryIdempotencyStore } from "undaunted/idempotency";
import { answerFailure, deadlineOf, idempotentHandler } from "undaunted/server";
import { afterEach, describe, expect, it, vi } from "vitest";

// Three services in a row over real sockets, each with four attempts at the next one. What the last one does is the test's.

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0).reverse()) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

type Handle = (request: Request) => Response | Promise<Response>;

async function listen(handle: Handle): Promise<string> {
  const app = new Hono();
  app.all("*", (c) => handle(c.req.raw));
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
  servers.push(server);
  if (!server.listening) await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`;
}

const caller = () => retryFetch({ wait: waitNone, budget: false, idempotencyKey: true });

interface Chain {
  /** How many requests reached the last service. */
  readonly reached: () => number;
  readonly post: (init?: RequestInit) => Promise<Response>;
}

/** How the two services between answer, given what calls the next one. */
type Between = (callNext: (request: Request) => Promise<Response>) => Handle;

async function chain(between: Between, last: Handle): Promise<Chain> {
  const counted = vi.fn(last);
  let next = await listen(counted);
  for (let service = 0; service < 2; service++) {
    const [call, url] = [caller(), next];
    next = await listen(
      between(async (request) =>
        call(url, { method: request.method, body: await request.text(), signal: request.signal }),
      ),
    );
  }
  const client = caller();
  return {
    reached: () => counted.mock.calls.length,
    post: (init) => client(next, { method: "POST", body: "tea", ...init }),
  };
}

const down: Handle = () => new Response("down", { status: 503 });
/** The same, in another way: the connection breaks. */
const options = () =>
  ({ name: "orders", store: memoryIdempotencyStore(), scope: "public", onError: () => {} }) as const;

describe("of three services in a row, each with four attempts,", () => {
  it("the last one gets 64 requests for one when it is down, where nobody says that it has given up", async () => {
    const { reached, post } = await chain(
      (callNext) => async (request) => {
        const { status } = await callNext(request);
        return new Response("down", { status });
      },
      down,
    );

    expect((await post()).status).toBe(503);
    expect(reached()).toBe(64);
  });

  it("the last one gets four requests where answerFailure says so", async () => {
    const { reached, post } = await chain(
      (callNext) => async (request) => {
        const response = await callNext(request);
        return response.ok ? response : answerFailure(response);
      },
      down,
    );

    const response = await post();

    expect([response.status, response.headers.get("x-should-retry")]).toEqual([503, "false"]);
    expect(reached()).toBe(4);
  });

  it("the last one gets four requests where what is thrown reaches the handlers, with a key and without", async () => {
    for (const method of ["POST", "PUT"]) {
      const { reached, post } = await chain(
        (callNext) =>
          idempotentHandler(async (request) => {
            const response = await callNext(request);
            if (!response.ok) throw Object.assign(new Error("upstream"), { response });
            return response;
          }, options()),
        down,
      );

      const response = await post({ method });

      expect([response.status, response.headers.get("x-should-retry")]).toEqual([502, "false"]);
      expect(reached()).toBe(4);
    }
  });

  it("a client that is gone ends the work in the last one, without a key", async () => {
    let signal: AbortSignal | undefined;
    const { post } = await chain(
      (callNext) => idempotentHandler((request) => callNext(request), options()),
      idempotentHandler((request) => {
        signal = request.signal;
        return new Promise(() => {});
      }, options()),
    );
    const client = new AbortController();
    // PUT needs no key to be retried.
    const first = post({ method: "PUT", signal: client.signal });
    await vi.waitFor(() => expect(signal).toBeDefined());

    client.abort();

    await expect(first).rejects.toThrow();
    await vi.waitFor(() => expect(signal!.aborted).toBe(true));
  });

  it("a client that is gone does not end work that has begun under a key: it is recorded, and the next one gets it", async () => {
    let finish = () => {};
    const begun = vi.fn();
    const { post } = await chain(
      (callNext) => idempotentHandler((request) => callNext(request), options()),
      idempotentHandler(async () => {
        begun();
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        return new Response("done");
      }, options()),
    );
    const headers = { "idempotency-key": '"k1"' };
    const client = new AbortController();
    const first = post({ headers, signal: client.signal }).catch(() => {});
    await vi.waitFor(() => expect(begun).toHaveBeenCalled());

    client.abort();
    await first;
    finish();

    await vi.waitFor(async () => expect(await (await post({ headers })).text()).toBe("done"));
    expect(begun).toHaveBeenCalledTimes(1);
  });

  it("each has no longer than the one before it still waits, which retryFetch sends with each attempt", async () => {
    const seen: number[] = [];
    const own = (request: Request) => {
      const left = deadlineOf(request, { max: 60_000 });
      seen.push(left);
      return left;
    };
    const last = await listen((request) => new Response(String(own(request))));
    const middle = await listen((request) => {
      const call = retryFetch({ deadlineHeader: "grpc-timeout", totalTimeout: own(request) });
      return call(last);
    });
    const client = retryFetch({ deadlineHeader: "x-envoy-expected-rq-timeout-ms", totalTimeout: 5_000 });

    await client(middle);

    const [ofMiddle, ofLast] = seen as [number, number];
    expect(ofMiddle).toBeLessThanOrEqual(5_000);
    expect(ofLast).toBeLessThanOrEqual(ofMiddle);
    expect(ofLast).toBeGreaterThan(0);
  });
});
