import { once } from "node:events";
import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { TotalTimeoutError } from "undaunted";
import { type TestRetries, testRetries } from "undaunted/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { app as express } from "./recipes/express.js";
import { app as fastify } from "./recipes/fastify.js";
import { app as hono } from "./recipes/hono.js";
import { handler } from "./recipes/lambda.js";
import { server } from "./users.js";

// The recipes of docs/frameworks.md for servers, as they stand there, over real sockets.

const busy = Object.assign(new Error("busy"), { status: 503 });

let quick: TestRetries;
beforeEach(() => {
  quick = testRetries({ waits: false });
  server.calls = [];
});
afterEach(() => quick.restore());

const listening = async (listener: Server) => {
  if (!listener.listening) await once(listener.listen(0, "127.0.0.1"), "listening");
  return listener;
};

const frameworks: [name: string, start: () => Promise<Server>][] = [
  ["Express 5", async () => listening(createServer(express.set("env", "test")))],
  [
    "Fastify",
    async () => {
      await fastify.ready();
      return listening(fastify.server);
    },
  ],
  ["Hono", async () => listening(serve({ fetch: hono.fetch, port: 0, hostname: "127.0.0.1" }) as Server)],
];

describe.each(frameworks)("%s", (name, start) => {
  let listener: Server;
  let url: string;
  beforeAll(async () => {
    listener = await start();
    url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/users`;
  });
  afterAll(() => {
    listener?.closeAllConnections();
    listener?.close();
  });

  it(`a route of ${name} answers after a retry`, async () => {
    server.answer = async ({ id, attempt }) => (attempt < 3 ? Promise.reject(busy) : { id });

    const response = await fetch(`${url}/42`);

    expect([response.status, await response.json()]).toEqual([200, { id: "42" }]);
    expect(server.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it(`a route of ${name} that gave up says that another try is of no use`, async () => {
    server.answer = () => Promise.reject(busy);

    const response = await fetch(`${url}/42`);

    expect([response.status, response.headers.get("x-should-retry")]).toEqual([503, "false"]);
    expect(server.calls).toHaveLength(3);
  });
});

it("a route of Express 5 waits no longer than its client does", async () => {
  const listener = await listening(createServer(express));
  const { port } = listener.address() as AddressInfo;
  server.answer = () => new Promise(() => {});

  const headers = { "x-envoy-expected-rq-timeout-ms": "20" };
  const response = await fetch(`http://127.0.0.1:${port}/users/42`, { headers });

  expect(response.status).toBe(504);
  expect(server.calls[0]!.signal.aborted).toBe(true);
  listener.closeAllConnections();
  listener.close();
});

it.each(frameworks.slice(1))("a route of %s ends its attempt when the client goes", async (_, start) => {
  const listener = await start();
  const { port } = listener.address() as AddressInfo;
  const called = new Promise<AbortSignal>((resolve) => {
    server.answer = ({ signal }) => {
      resolve(signal);
      return new Promise(() => {});
    };
  });

  const request = get(`http://127.0.0.1:${port}/users/42`).on("error", () => {});
  const signal = await called;
  request.destroy();

  await expect.poll(() => signal.aborted).toBe(true);
  expect(server.calls).toHaveLength(1);
});

describe("a Lambda handler", () => {
  it("answers after a retry, with time to spare", async () => {
    server.answer = async ({ id, attempt }) => (attempt < 2 ? Promise.reject(busy) : { id });

    const answer = await handler({ id: "42" }, { getRemainingTimeInMillis: () => 10_000 });

    expect(answer).toEqual({ statusCode: 200, body: '{"id":"42"}' });
  });

  it("gives up before its time is over", async () => {
    server.answer = () => new Promise(() => {});

    await expect(handler({ id: "42" }, { getRemainingTimeInMillis: () => 520 })).rejects.toThrow(TotalTimeoutError);
  });

  it("makes no attempt where no time is left", async () => {
    await expect(handler({ id: "42" }, { getRemainingTimeInMillis: () => 400 })).rejects.toThrow(TotalTimeoutError);

    expect(server.calls).toEqual([]);
  });
});
