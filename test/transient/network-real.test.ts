// The real thing, on loopback: what clients throw when the network fails, and how it is classified.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import axios from "axios";
import * as undici from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { classifyNetworkError } from "../../src/transient/network.js";

const pem = (name: string) => readFileSync(new URL(`../http/certs/${name}.pem`, import.meta.url));
const key = pem("key");
const cert = pem("cert");
const expired = pem("expired");

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Starts the server, with every connection of its own to be cut at the test's end. */
async function portOf(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((closed) => server.close(closed));
  });
  return (server.address() as AddressInfo).port;
}

/** A port that does this to a connection once it has heard something. */
const answering = (answer: (socket: Socket) => void) =>
  portOf(net.createServer((socket) => void socket.once("data", () => answer(socket))));

const silent = () => answering(() => {});

async function deadPort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

function dispatcher(options?: undici.Agent.Options): undici.Agent {
  const agent = new undici.Agent(options);
  cleanups.push(() => agent.destroy());
  return agent;
}

function send(url: string, options: https.RequestOptions): Promise<unknown> {
  const { request } = url.startsWith("https:") ? https : http;
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, ...options }, (response) => {
      response.on("error", reject).on("end", resolve).resume();
    });
    sent.on("error", reject).end();
  });
}

const failing = (emitter: NodeJS.EventEmitter): Promise<never> =>
  new Promise((_resolve, reject) => emitter.on("error", reject));

/** The class of what the call fails with. A call that does not fail fails the test. */
async function classOf(call: Promise<unknown>): Promise<string> {
  const outcome = await call.then(
    () => ({ ok: true }) as const,
    (error: unknown) => ({ ok: false, error }) as const,
  );
  return outcome.ok ? "no failure at all" : classifyNetworkError(outcome.error);
}

interface Client {
  readonly client: string;
  readonly get: (url: string, options: { signal?: AbortSignal; ca?: Buffer }) => Promise<unknown>;
}

const nodeFetch: Client = {
  client: "Node's fetch",
  get: (url, { signal }) => fetch(url, { signal: signal ?? null }).then((response) => response.text()),
};
const axiosFetch: Client = {
  client: "axios, over fetch",
  get: (url, { signal }) => axios.get(url, { adapter: "fetch", ...(signal && { signal }) }),
};
const clientsWithCa: readonly Client[] = [
  {
    client: "undici's fetch",
    get: async (url, { signal, ca }) => {
      const response = await undici.fetch(url, { dispatcher: dispatcher({ connect: { ca } }), signal: signal ?? null });
      return response.text();
    },
  },
  {
    client: "undici's request",
    get: async (url, { signal, ca }) => {
      const response = await undici.request(url, { dispatcher: dispatcher({ connect: { ca } }), signal });
      return response.body.text();
    },
  },
  { client: "node:http and node:https", get: (url, { signal, ca }) => send(url, { signal, ca }) },
  {
    client: "axios",
    get: (url, { signal, ca }) => axios.get(url, { httpsAgent: new https.Agent({ ca }), ...(signal && { signal }) }),
  },
];
const clients = [nodeFetch, ...clientsWithCa, axiosFetch];

describe.each(clients)("$client", ({ get }) => {
  it("fails safely where nobody listens", async () => {
    const port = await deadPort();

    expect(await classOf(get(`http://127.0.0.1:${port}`, {}))).toBe("safe");
  });

  it("fails safely where a name does not resolve", async () => {
    expect(await classOf(get("http://nobody.invalid", {}))).toBe("safe");
  });

  it("may have got through where the connection is reset before the headers", async () => {
    const port = await answering((socket) => socket.resetAndDestroy());

    expect(await classOf(get(`http://127.0.0.1:${port}`, {}))).toBe("idempotent");
  });

  it("may have got through where the connection is closed before the headers", async () => {
    const port = await answering((socket) => socket.end());

    expect(await classOf(get(`http://127.0.0.1:${port}`, {}))).toBe("idempotent");
  });

  it("may have got through where the connection is closed in mid-body", async () => {
    const port = await answering((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));

    expect(await classOf(get(`http://127.0.0.1:${port}`, {}))).toBe("idempotent");
  });

  it("may have got through where a chunked body ends early", async () => {
    const port = await answering((socket) =>
      socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    );

    expect(await classOf(get(`http://127.0.0.1:${port}`, {}))).toBe("idempotent");
  });

  it("may have got through where the response is malformed", async () => {
    const port = await answering((socket) => socket.end("good day to you\r\n\r\n"));

    expect(await classOf(get(`http://127.0.0.1:${port}`, {}))).toBe("idempotent");
  });

  it("may not go on where the caller aborts", async () => {
    const caller = new AbortController();
    const port = await answering(() => caller.abort());

    expect(await classOf(get(`http://127.0.0.1:${port}`, { signal: caller.signal }))).toBe("permanent");
  });

  it("may have got through where a signal times out", async () => {
    const port = await silent();

    const call = get(`http://127.0.0.1:${port}`, { signal: AbortSignal.timeout(1) });

    expect(await classOf(call)).toBe("idempotent");
  });

  it("may not go on where the certificate is self-signed", async () => {
    const port = await portOf(https.createServer({ key, cert }));

    expect(await classOf(get(`https://127.0.0.1:${port}`, {}))).toBe("permanent");
  });

  it("may not go on where the server speaks no TLS", async () => {
    const port = await portOf(http.createServer());

    expect(await classOf(get(`https://127.0.0.1:${port}`, {}))).toBe("permanent");
  });

  it("fails safely where the connection is closed in the TLS handshake", async () => {
    const port = await answering((socket) => socket.end());

    expect(await classOf(get(`https://127.0.0.1:${port}`, {}))).toBe("safe");
  });

  // Node's error is the same as after a request was sent: nothing in it tells of the handshake.
  it("may have got through where the connection is reset in the TLS handshake", async () => {
    const port = await answering((socket) => socket.resetAndDestroy());

    expect(await classOf(get(`https://127.0.0.1:${port}`, {}))).toBe("idempotent");
  });

  it("may not go on where the URL is none", async () => {
    expect(await classOf(Promise.resolve().then(() => get("http://", {})))).toBe("permanent");
  });
});

describe.each(clientsWithCa)("$client", ({ get }) => {
  it("may not go on where the certificate has expired", async () => {
    const port = await portOf(https.createServer({ key, cert: expired }));

    expect(await classOf(get(`https://127.0.0.1:${port}`, { ca: expired }))).toBe("permanent");
  });

  it("succeeds where the certificate is good: the failures above are the certificates'", async () => {
    const port = await portOf(https.createServer({ key, cert }, (_request, response) => response.end()));

    expect(await classOf(get(`https://127.0.0.1:${port}`, { ca: cert }))).toBe("no failure at all");
  });
});

describe("a response that does not come in time", () => {
  it("may come of a request that got through: undici's headersTimeout", async () => {
    const port = await silent();

    const call = undici.request(`http://127.0.0.1:${port}`, { dispatcher: dispatcher({ headersTimeout: 1 }) });

    expect(await classOf(call)).toBe("idempotent");
  });

  it("may come of a request that got through: undici's headersTimeout, under its fetch", async () => {
    const port = await silent();

    const call = undici.fetch(`http://127.0.0.1:${port}`, { dispatcher: dispatcher({ headersTimeout: 1 }) });

    expect(await classOf(call)).toBe("idempotent");
  });

  it("may come of a request that got through: undici's bodyTimeout", async () => {
    const port = await answering((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));

    const call = undici
      .request(`http://127.0.0.1:${port}`, { dispatcher: dispatcher({ bodyTimeout: 1 }) })
      .then(({ body }) => body.text());

    expect(await classOf(call)).toBe("idempotent");
  });

  it.each(["http", "fetch"] as const)(
    "may come of a request that got through: axios' timeout, over %s",
    async (adapter) => {
      const port = await silent();

      expect(await classOf(axios.get(`http://127.0.0.1:${port}`, { adapter, timeout: 1 }))).toBe("idempotent");
    },
  );
});

describe("a response that is too large", () => {
  const large = () => answering((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmuch"));

  it("is so the next time too: undici's maxResponseSize", async () => {
    const port = await large();

    const call = undici
      .request(`http://127.0.0.1:${port}`, { dispatcher: dispatcher({ maxResponseSize: 2 }) })
      .then(({ body }) => body.text());

    expect(await classOf(call)).toBe("permanent");
  });

  it("is so the next time too: axios' maxContentLength", async () => {
    const port = await large();

    expect(await classOf(axios.get(`http://127.0.0.1:${port}`, { maxContentLength: 2 }))).toBe("permanent");
  });
});

describe("connecting", () => {
  const both: net.LookupFunction = (_host, _options, found) =>
    found(null, [
      { address: "127.0.0.1", family: 4 },
      { address: "::1", family: 6 },
    ]);
  const everyAddress = { lookup: both, autoSelectFamily: true };

  it("fails safely where nobody listens: node:net", async () => {
    const port = await deadPort();

    expect(await classOf(failing(net.connect({ host: "127.0.0.1", port })))).toBe("safe");
  });

  it("fails safely where nobody listens at any address of a name: node:net", async () => {
    const port = await deadPort();

    const call = failing(net.connect({ host: "localhost", port, ...everyAddress }));

    expect(await classOf(call)).toBe("safe");
  });

  it("fails safely where nobody listens at any address of a name: undici's fetch", async () => {
    const port = await deadPort();

    const call = undici.fetch(`http://localhost:${port}`, { dispatcher: dispatcher({ connect: everyAddress }) });

    expect(await classOf(call)).toBe("safe");
  });

  it("fails safely where nobody listens at any address of a name: axios", async () => {
    const port = await deadPort();

    const call = axios.get(`http://localhost:${port}`, { httpAgent: new http.Agent(everyAddress) });

    expect(await classOf(call)).toBe("safe");
  });

  it("fails safely where it takes too long: undici, whose resolver does not answer", async () => {
    const agent = dispatcher({ connect: { timeout: 1, lookup: () => {} } });

    expect(await classOf(undici.request("http://localhost", { dispatcher: agent }))).toBe("safe");
  });

  it("fails safely where the local port is taken", async () => {
    const port = await silent();

    const call = failing(net.connect({ host: "127.0.0.1", port, localAddress: "127.0.0.1", localPort: port }));

    expect(await classOf(call)).toBe("safe");
  });

  it("fails safely where there is no such local address", async () => {
    const port = await silent();

    // RFC 5737: an address for documentation, which no machine has.
    const call = failing(net.connect({ host: "127.0.0.1", port, localAddress: "192.0.2.1" }));

    expect(await classOf(call)).toBe("safe");
  });

  it("fails for good through an agent that was destroyed: undici", async () => {
    const agent = dispatcher();
    await agent.destroy();

    expect(await classOf(undici.request("http://127.0.0.1:1", { dispatcher: agent }))).toBe("permanent");
  });
});

it("a socket that is reset may have carried a request: node:net", async () => {
  const port = await answering((socket) => socket.resetAndDestroy());
  const socket = net.connect({ host: "127.0.0.1", port });
  socket.write("hello");

  expect(await classOf(failing(socket))).toBe("idempotent");
});

describe("an HTTP/2 stream", () => {
  const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;

  /** A server that ends each stream in this way. */
  function ending(end: (stream: http2.ServerHttp2Stream) => void): Promise<number> {
    const server = http2.createSecureServer({ key, cert });
    server.on("session", (session) => {
      session.on("error", () => {});
      cleanups.push(() => session.destroy());
    });
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      end(stream);
    });
    return portOf(server);
  }

  function request(port: number): Promise<never> {
    const session = http2.connect(`https://127.0.0.1:${port}`, { ca: cert });
    session.on("error", () => {});
    cleanups.push(() => session.destroy());
    return failing(session.request().resume());
  }

  const agent = () => dispatcher({ allowH2: true, connect: { rejectUnauthorized: false } });

  it("that is refused was never handled: node:http2", async () => {
    const port = await ending((stream) => stream.close(NGHTTP2_REFUSED_STREAM));

    expect(await classOf(request(port))).toBe("safe");
  });

  it("that is refused was never handled: undici's request", async () => {
    const port = await ending((stream) => stream.close(NGHTTP2_REFUSED_STREAM));

    expect(await classOf(undici.request(`https://127.0.0.1:${port}`, { dispatcher: agent() }))).toBe("safe");
  });

  it("that is refused was never handled: undici's fetch", async () => {
    const port = await ending((stream) => stream.close(NGHTTP2_REFUSED_STREAM));

    expect(await classOf(undici.fetch(`https://127.0.0.1:${port}`, { dispatcher: agent() }))).toBe("safe");
  });

  it("that ends in an error of the server's may have been handled: node:http2", async () => {
    const port = await ending((stream) => stream.close(NGHTTP2_INTERNAL_ERROR));

    expect(await classOf(request(port))).toBe("idempotent");
  });

  it("that ends in an error of the server's may have been handled: undici's request", async () => {
    const port = await ending((stream) => stream.close(NGHTTP2_INTERNAL_ERROR));

    expect(await classOf(undici.request(`https://127.0.0.1:${port}`, { dispatcher: agent() }))).toBe("idempotent");
  });

  it("whose session goes away with an error may have been handled: node:http2", async () => {
    const port = await ending((stream) => stream.session?.goaway(NGHTTP2_ENHANCE_YOUR_CALM));

    expect(await classOf(request(port))).toBe("idempotent");
  });

  it("whose session never connects was never handled: node:http2", async () => {
    const port = await deadPort();

    expect(await classOf(request(port))).toBe("safe");
  });
});
