import { once } from "node:events";
import { type IncomingMessage, Agent as KeepAliveAgent, request } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, createServer } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { retry, stopAfterAttempt, waitChain, waitFixed } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { Agent, fetch as fetchWith } from "undici";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  certificate,
  closeKeptAlive,
  deadPort,
  drive,
  endlessBody,
  expiredCertificate,
  goaway,
  hang,
  hangInBody,
  oneMegabyte,
  openSockets,
  refuseStream,
  resetBeforeHeaders,
  resetInBody,
  respond,
  respondThenClose,
  type Script,
  type ServerOptions,
  scriptedServer,
  socketsClosed,
  unresolvable,
  whileUploading,
} from "./servers/index.js";

async function serving(script: Script, options?: ServerOptions) {
  const server = await scriptedServer(script, options);
  onTestFinished(() => server.close().catch(() => {}));
  return server;
}

/** A client of the test's own, closed when the test ends. */
function client(options: Agent.Options = {}) {
  // With more than one connection a pool may open the next before it knows that the last is free.
  const agent = new Agent({ connections: 1, ...options });
  onTestFinished(() => agent.destroy());
  return agent;
}

const trusting = () => client({ connect: { ca: certificate } });
const speakingHttp2 = () => client({ allowH2: true, connect: { ca: certificate } });

function sessionWith(origin: string) {
  const session = connectHttp2(origin, { ca: certificate });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** What a call of fetch failed for. */
async function causeOf(call: Promise<unknown>): Promise<{ code?: string }> {
  const error = await call.then(
    () => expect.fail("the call has succeeded"),
    (thrown: Error) => thrown,
  );
  return error.cause as { code?: string };
}

describe("a script", () => {
  it("answers the n-th request by its n-th step, and those that follow by its last", async () => {
    const server = await serving([respond(503), respond(429), respond(200)]);

    const statuses: number[] = [];
    for (let n = 1; n <= 4; n++) statuses.push((await fetch(server.url("/"))).status);

    expect(statuses).toEqual([503, 429, 200, 200]);
  });

  it("can be a function of the request", async () => {
    const server = await serving((seen) => respond(seen.path === "/here" ? 200 : 404));

    const [here, there] = [await fetch(server.url("/here")), await fetch(server.url("/there"))];

    expect([here.status, there.status]).toEqual([200, 404]);
  });

  it("that throws fails the request, and the server's close", async () => {
    const mistake = new Error("a mistake in the script");
    const server = await serving(() => {
      throw mistake;
    });

    await expect(fetch(server.url("/"))).rejects.toThrow("fetch failed");

    await expect(server.close()).rejects.toBe(mistake);
  });

  it("without a step is a mistake", async () => {
    const server = await serving([]);

    await expect(fetch(server.url("/"))).rejects.toThrow("fetch failed");

    await expect(server.close()).rejects.toThrow("the script has no step for request 1");
  });
});

describe("the record of a request", () => {
  it("has its method, path and headers", async () => {
    const server = await serving([respond(200)]);

    await fetch(server.url("/users?page=2"), { method: "PUT", headers: { "x-tenant": "7" } });

    expect(server.requests).toMatchObject([
      { number: 1, method: "PUT", path: "/users?page=2", headers: { "x-tenant": "7" } },
    ]);
  });

  it("has the bytes of its body", async () => {
    const server = await serving([respond(200)]);
    const body = Buffer.alloc(300_000, Uint8Array.from([0, 255, 10, 13, 128]));

    await fetch(server.url("/"), { method: "POST", body });

    expect(server.requests[0]!.body.equals(body)).toBe(true);
    expect(server.requests[0]!.complete).toBe(true);
  });

  it("has the bytes that came of a body that was cut", async () => {
    const server = await serving([respond(200)]);
    const upload = connect(server.port, "127.0.0.1");
    upload.end("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf");

    const seen = await server.arrival(1);
    await server.settled();

    expect(seen.body.toString()).toBe("half");
    expect(seen.complete).toBe(false);
  });

  it("is dated by the clock that the test gives", async () => {
    let time = 1_000;
    const server = await serving([respond(200)], { now: () => time });

    await fetch(server.url("/"));
    time = 1_250;
    await fetch(server.url("/"));

    expect(server.requests.map((seen) => seen.at)).toEqual([1_000, 1_250]);
  });

  it("is dated by the system's clock otherwise", async () => {
    const server = await serving([respond(200)]);
    const before = performance.now();

    await fetch(server.url("/"));

    expect(server.requests[0]!.at).toBeGreaterThanOrEqual(before);
    expect(server.requests[0]!.at).toBeLessThanOrEqual(performance.now());
  });

  it("tells whether its connection was used before", async () => {
    const server = await serving([respond(200), respond(200, { headers: { connection: "close" } }), respond(200)]);
    const dispatcher = client();

    for (let n = 1; n <= 3; n++) await (await fetchWith(server.url("/"), { dispatcher })).text();

    expect(server.requests.map(({ connection, reused }) => ({ connection, reused }))).toEqual([
      { connection: 1, reused: false },
      { connection: 1, reused: true },
      { connection: 2, reused: false },
    ]);
  });

  it("is there to wait for while the answer is not", async () => {
    const server = await serving([hang()]);
    const caller = new AbortController();
    const call = fetch(server.url("/slow"), { signal: caller.signal });

    const seen = await server.arrival(1);
    caller.abort(new Error("enough"));

    expect(seen.path).toBe("/slow");
    await expect(call).rejects.toThrow("enough");
  });
});

describe("the n-th arrival", () => {
  it("comes after those before it", async () => {
    const server = await serving([respond(200)]);
    const second = server.arrival(2);

    await fetch(server.url("/first"));
    await fetch(server.url("/second"));

    expect((await second).path).toBe("/second");
  });

  it("can have come already", async () => {
    const server = await serving([respond(200)]);
    await fetch(server.url("/first"));

    expect((await server.arrival(1)).path).toBe("/first");
  });
});

describe("a step", () => {
  it("respond sends its headers and its body", async () => {
    const server = await serving([respond(429, { headers: { "retry-after": "3" }, body: "later" })]);

    const response = await fetch(server.url("/"));

    expect(response.headers.get("retry-after")).toBe("3");
    expect(response.headers.get("content-length")).toBe("5");
    expect(await response.text()).toBe("later");
  });

  it("respond says nothing of a timeout of idle connections: there is none", async () => {
    const server = await serving([respond(200)]);

    const response = await fetch(server.url("/"));

    expect(response.headers.get("connection")).toBe("keep-alive");
    expect(response.headers.has("keep-alive")).toBe(false);
  });

  it.each([204, 304])("respond sends no length where the status is %i and allows no body", async (status) => {
    const server = await serving([respond(status)]);

    const response = await fetch(server.url("/"));

    expect(response.headers.has("content-length")).toBe(false);
  });

  it("respond sends a large body whole", async () => {
    const server = await serving([respond(200, { body: oneMegabyte })]);

    const response = await fetch(server.url("/"));

    expect(Buffer.from(await response.arrayBuffer()).equals(oneMegabyte)).toBe(true);
  });

  it("plays once the body of the request has come", async () => {
    const bodies: string[] = [];
    const { play } = respond(200);
    const server = await serving([
      {
        play: (exchange) => {
          bodies.push(exchange.seen.body.toString());
          play(exchange);
        },
      },
    ]);
    const upload = request(server.url("/"), { method: "POST" });
    const answered = once(upload, "response");
    upload.write("first, ");
    await server.arrival(1);

    upload.end("second");
    await answered;

    expect(bodies).toEqual(["first, second"]);
  });

  it("whileUploading plays before the body of the request has come", async () => {
    const server = await serving([whileUploading(respond(413))]);
    const upload = request(server.url("/"), { method: "POST" });
    upload.write("first, ");

    const [response] = (await once(upload, "response")) as [IncomingMessage];

    expect(response.statusCode).toBe(413);
    expect(server.requests[0]!.complete).toBe(false);
    upload.destroy();
  });

  it("respondThenClose ends a connection that it did not say it would end", async () => {
    const server = await serving([respondThenClose(200, { body: "bye" })]);
    const dispatcher = client();

    const response = await fetchWith(server.url("/"), { dispatcher });

    expect(response.headers.get("connection")).toBe("keep-alive");
    expect(await response.text()).toBe("bye");
    await server.settled();
  });

  it("resetBeforeHeaders resets the connection", async () => {
    const server = await serving([resetBeforeHeaders()]);

    const cause = await causeOf(fetch(server.url("/")));

    expect(cause).toMatchObject({ code: "ECONNRESET", syscall: "read" });
  });

  it("resetInBody sends half of what it promised, then resets the connection", async () => {
    const server = await serving([resetInBody(200, { body: "abcdefgh" })]);
    const [response] = (await once(request(server.url("/")).end(), "response")) as [IncomingMessage];
    const came: string[] = [];

    const reading = (async () => {
      for await (const chunk of response) came.push(String(chunk));
    })();

    await expect(reading).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(response.headers["content-length"]).toBe("8");
    expect(came.join("")).toBe("abcd");
  });

  it("resetInBody needs a body that can be cut", async () => {
    const server = await serving([resetInBody(200, { body: "a" })]);

    await expect(fetch(server.url("/"))).rejects.toThrow("fetch failed");

    await expect(server.close()).rejects.toThrow("a body of 1 bytes cannot be cut in half");
  });

  it("hangInBody sends half of what it promised, and leaves the connection open", async () => {
    const server = await serving([hangInBody(200, { body: "abcdefgh" })]);

    const response = await fetch(server.url("/"));
    const { value } = await response.body!.getReader().read();

    expect(response.headers.get("content-length")).toBe("8");
    expect(Buffer.from(value!).toString()).toBe("abcd");
    expect(server.connections.open).toBe(1);
  });

  it("hang leaves the connection open", async () => {
    const server = await serving([hang(), respond(200, { headers: { connection: "close" } })]);
    const caller = new AbortController();
    const call = fetch(server.url("/"), { signal: caller.signal });
    await server.arrival(1);

    await fetch(server.url("/"));
    caller.abort(new Error("enough"));

    await expect(call).rejects.toThrow("enough");
    await server.settled();
  });

  it("endlessBody goes on until the client has had enough", async () => {
    const server = await serving([endlessBody(503)]);
    const response = await fetch(server.url("/"));
    const reader = response.body!.getReader();

    let bytes = 0;
    while (bytes < 8 * oneMegabyte.length) bytes += (await reader.read()).value!.length;
    await reader.cancel();

    expect(response.status).toBe(503);
    await server.settled();
  });

  it("closeKeptAlive ends the connection under the next request, without an answer", async () => {
    const server = await serving([respond(200), closeKeptAlive()]);
    const dispatcher = client();
    await (await fetchWith(server.url("/"), { dispatcher })).text();

    const cause = await causeOf(fetchWith(server.url("/"), { dispatcher }));

    expect(cause).toMatchObject({ code: "UND_ERR_SOCKET", message: "other side closed" });
    expect(server.requests[1]).toMatchObject({ connection: 1, reused: true });
  });

  it("closeKeptAlive does not wait for the body of the request", async () => {
    const server = await serving([respond(200), closeKeptAlive()]);
    const socket = connect(server.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    await once(socket, "data");

    socket.write("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n");

    await once(socket, "end");
  });

  it("closeKeptAlive on a new connection is a mistake in the script", async () => {
    const server = await serving([closeKeptAlive()]);

    await expect(fetch(server.url("/"))).rejects.toThrow("fetch failed");

    await expect(server.close()).rejects.toThrow("closeKeptAlive: request 1 came over a new connection");
  });
});

describe("the connections of a server", () => {
  it("are counted, those that were opened and those that are open", async () => {
    const server = await serving([respond(200, { headers: { connection: "close" } }), hang()]);
    const caller = new AbortController();

    await (await fetch(server.url("/"))).text();
    await server.settled();
    const call = fetch(server.url("/"), { signal: caller.signal }).catch(() => {});
    await server.arrival(2);

    expect(server.connections).toMatchObject({ opened: 2, open: 1 });
    caller.abort();
    await call;
  });

  it("are settled once the last is closed", async () => {
    const server = await serving([respond(200)]);
    const sockets = [connect(server.port, "127.0.0.1"), connect(server.port, "127.0.0.1")];
    for (const socket of sockets) {
      socket.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
      await once(socket, "data");
    }
    const open: number[] = [];

    const settled = server.settled().then(() => open.push(server.connections.open));
    for (const socket of sockets) {
      open.push(server.connections.open);
      socket.end();
      await once(socket, "close");
    }
    await settled;

    expect(open).toEqual([2, 1, 0]);
  });

  it("end by endIdle where nothing is under way", async () => {
    const server = await serving([respond(200)]);
    const socket = connect(server.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    await once(socket, "data");

    server.endIdle();

    await once(socket, "close");
    await server.settled();
  });

  it("do not end by endIdle while an answer is due", async () => {
    let finish = () => {};
    const server = await serving([{ play: ({ answer }) => (finish = () => answer.end(Buffer.from("done"))) }]);
    const call = fetch(server.url("/"));
    await server.arrival(1);

    server.endIdle();
    finish();

    expect((await call).status).toBe(200);
  });

  it("count as open for as long as the client keeps its end", async () => {
    const server = await serving([respond(200)]);
    const leaky = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    leaky.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    await once(leaky, "data");

    server.endIdle();
    await once(leaky, "end");

    expect(server.connections.open).toBe(1);
    leaky.end();
    await server.settled();
  });

  it("are reset when it is killed", async () => {
    const server = await serving([hang()]);
    const cause = causeOf(fetch(server.url("/")));
    await server.arrival(1);

    await server.kill();

    expect(server.connections.open).toBe(0);
    expect(await cause).toMatchObject({ code: "ECONNRESET" });
  });
});

describe("a server that was killed", () => {
  it("refuses connections", async () => {
    const server = await serving([respond(200)]);

    await server.kill();

    expect(await causeOf(fetch(server.url("/")))).toMatchObject({ code: "ECONNREFUSED" });
  });

  it("goes on with its script at the same port when it is started again", async () => {
    const server = await serving([respond(503), respond(200)]);
    const { port } = server;
    await fetch(server.url("/"));

    await server.kill();
    await server.restart();

    expect(server.port).toBe(port);
    expect((await fetch(server.url("/"))).status).toBe(200);
    expect(server.requests).toHaveLength(2);
  });
});

it("a server can be closed again and again", async () => {
  const server = await serving([respond(200)]);

  await server.kill();
  await server.close();

  await expect(server.close()).resolves.toBeUndefined();
});

describe("with TLS, a server", () => {
  it("answers a client that trusts its certificate", async () => {
    const server = await serving([respond(200, { body: "sealed" })], { protocol: "https" });

    const response = await fetchWith(server.url("/"), { dispatcher: trusting() });

    expect(server.url("/")).toMatch(/^https:/);
    expect(await response.text()).toBe("sealed");
  });

  it("is not trusted by others", async () => {
    const server = await serving([respond(200)], { protocol: "https" });

    const cause = await causeOf(fetch(server.url("/")));

    expect(cause.code).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(server.requests).toEqual([]);
  });

  it("can show a certificate that has expired", async () => {
    const server = await serving([respond(200)], { protocol: "https", cert: expiredCertificate });
    const dispatcher = client({ connect: { ca: expiredCertificate } });

    const cause = await causeOf(fetchWith(server.url("/"), { dispatcher }));

    expect(cause.code).toBe("CERT_HAS_EXPIRED");
  });
});

describe.each([
  ["https", trusting],
  ["h2", speakingHttp2],
] as const)("over %s, a server", (protocol, trustingClient) => {
  it("keeps its connection from one request to the next", async () => {
    const server = await serving([respond(200)], { protocol });
    const dispatcher = trustingClient();

    for (let n = 1; n <= 2; n++) await (await fetchWith(server.url("/"), { dispatcher })).text();

    expect(server.requests.map((seen) => seen.reused)).toEqual([false, true]);
    expect(server.connections).toMatchObject({ opened: 1, open: 1 });
  });

  it("tells its connections apart", async () => {
    const server = await serving([respond(200)], { protocol });

    for (let n = 1; n <= 2; n++) await (await fetchWith(server.url("/"), { dispatcher: trustingClient() })).text();

    expect(server.requests.map((seen) => seen.connection)).toEqual([1, 2]);
    expect(server.connections).toMatchObject({ opened: 2, open: 2 });
  });

  it("resets a connection before the headers", async () => {
    const server = await serving([resetBeforeHeaders()], { protocol });

    const call = fetchWith(server.url("/"), { dispatcher: trustingClient() });

    await expect(call).rejects.toThrow("fetch failed");
    await server.settled();
  });

  it("resets a connection in mid-body", async () => {
    const server = await serving([resetInBody()], { protocol });

    const response = await fetchWith(server.url("/"), { dispatcher: trustingClient() });

    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow("terminated");
    await server.settled();
  });

  it("ends what is idle", async () => {
    const server = await serving([respond(200)], { protocol });
    await (await fetchWith(server.url("/"), { dispatcher: trustingClient() })).text();

    server.endIdle();

    await server.settled();
  });

  it("can be killed and started again", async () => {
    const server = await serving([hang(), respond(200)], { protocol });
    const dispatcher = trustingClient();
    const cut = expect(fetchWith(server.url("/"), { dispatcher })).rejects.toThrow("fetch failed");
    await server.arrival(1);

    await server.kill();
    await cut;
    await server.restart();

    expect((await fetchWith(server.url("/"), { dispatcher })).status).toBe(200);
  });
});

describe("over HTTP/2, a server", () => {
  it("records requests as over HTTP/1.1", async () => {
    const server = await serving([respond(200, { body: "ok" })], { protocol: "h2" });

    const call = { method: "PUT", body: "a body", dispatcher: speakingHttp2() };
    const response = await fetchWith(server.url("/users"), call);

    expect(await response.text()).toBe("ok");
    expect(server.requests).toMatchObject([{ method: "PUT", path: "/users", complete: true }]);
    expect(server.requests[0]!.headers[":scheme"]).toBe("https");
    expect(server.requests[0]!.body.toString()).toBe("a body");
  });

  it("refuses a stream and keeps the session", async () => {
    const server = await serving([refuseStream(), respond(200)], { protocol: "h2" });
    const session = sessionWith(server.origin);

    const refused = session.request({ ":path": "/" });
    const [error] = await once(refused, "error");
    const [headers] = await once(session.request({ ":path": "/" }), "response");

    expect(error.message).toBe("Stream closed with error code NGHTTP2_REFUSED_STREAM");
    expect(headers[":status"]).toBe(200);
    expect(server.requests[1]!.reused).toBe(true);
  });

  it("ends an idle session as the protocol does", async () => {
    const server = await serving([respond(200)], { protocol: "h2" });
    const session = sessionWith(server.origin);
    await text(session.request({ ":path": "/" }));

    server.endIdle();

    const [code] = await once(session, "goaway");
    expect(code).toBe(constants.NGHTTP2_NO_ERROR);
    await server.settled();
  });

  it("says by goaway that the last request was not processed", async () => {
    const server = await serving([respond(200), goaway()], { protocol: "h2" });
    const session = sessionWith(server.origin);
    const goneAway = once(session, "goaway");
    await text(session.request({ ":path": "/" }));

    const refused = session.request({ ":path": "/" });
    const refusal = once(refused, "error");
    const [code, lastStream] = await goneAway;

    expect(code).toBe(constants.NGHTTP2_NO_ERROR);
    expect(lastStream).toBe(refused.id! - 2);
    await refusal;
  });

  it("cannot say so of the first request of a session", async () => {
    const server = await serving([goaway()], { protocol: "h2" });

    await expect(fetchWith(server.url("/"), { dispatcher: speakingHttp2() })).rejects.toThrow("fetch failed");

    await expect(server.close()).rejects.toThrow("goaway: no request has come over this session before");
  });

  it.each([
    ["refuseStream", refuseStream()],
    ["goaway", goaway()],
  ])("alone has a use for the step %s", async (name, step) => {
    const server = await serving([step]);

    await expect(fetch(server.url("/"))).rejects.toThrow("fetch failed");

    await expect(server.close()).rejects.toThrow(`${name}: the request came over HTTP/1.1`);
  });
});

describe("a dead port", () => {
  it("refuses connections", async () => {
    const nobody = await deadPort();
    onTestFinished(nobody.close);

    const cause = await causeOf(fetch(nobody.url("/")));

    expect(cause).toMatchObject({ code: "ECONNREFUSED", port: nobody.port });
  });

  it("is in use, so that no server gets it by chance", async () => {
    const nobody = await deadPort();
    onTestFinished(nobody.close);
    const server = createServer().listen(nobody.port, "127.0.0.1");

    const [error] = await once(server, "error");

    expect(error.code).toBe("EADDRINUSE");
  });
});

it("a host under .invalid does not resolve", async () => {
  const cause = await causeOf(fetch(`http://${unresolvable}/`));

  expect(["ENOTFOUND", "EAI_AGAIN"]).toContain(cause.code);
});

describe("the open sockets of this process", () => {
  it("are counted by the port that they lead to", async () => {
    const [one, other] = [await serving([respond(200)]), await serving([respond(200)])];
    const dispatcher = client();

    await (await fetchWith(one.url("/"), { dispatcher })).text();

    expect([openSockets(one.port), openSockets(other.port)]).toEqual([1, 0]);
  });

  it.each([
    ["Node's fetch", (url: string) => fetch(url)],
    ["undici's fetch over TLS", (url: string) => fetchWith(url, { dispatcher: trusting() })],
    ["undici's fetch over HTTP/2", (url: string) => fetchWith(url, { dispatcher: speakingHttp2() })],
  ])("include those of %s that a pool keeps idle", async (name, call) => {
    const protocol = name.includes("TLS") ? "https" : name.includes("HTTP/2") ? "h2" : "http";
    const server = await serving([respond(200)], { protocol });

    await (await call(server.url("/"))).text();

    expect(openSockets(server.port)).toBe(1);
  });

  it("include those of node:http's agents", async () => {
    const server = await serving([respond(200)]);
    const agent = new KeepAliveAgent({ keepAlive: true });
    onTestFinished(() => agent.destroy());

    const [response] = (await once(request(server.url("/"), { agent }).end(), "response")) as [IncomingMessage];
    await buffer(response);

    expect(openSockets(server.port)).toBe(1);
  });

  it("are fewer by those that have closed", async () => {
    const server = await serving([respond(200)]);
    const dispatcher = client();
    await (await fetchWith(server.url("/"), { dispatcher })).text();

    server.endIdle();
    await socketsClosed(server.port);

    expect(openSockets(server.port)).toBe(0);
  });

  it("are not closed while one is open", async () => {
    const server = await serving([respond(200)]);
    const sockets = [connect(server.port, "127.0.0.1"), connect(server.port, "127.0.0.1")];
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    const open: number[] = [];

    const closed = socketsClosed(server.port).then(() => open.push(openSockets(server.port)));
    for (const socket of sockets) {
      open.push(openSockets(server.port));
      socket.destroy();
      await once(socket, "close");
    }
    await closed;

    expect(open).toEqual([2, 1, 0]);
  });
});

describe("a virtual clock that is driven", () => {
  it("lets calls sleep without real time, and keeps the delays", async () => {
    const clock = virtualClock();
    const { hooks, delays } = drive(clock);
    const server = await serving([respond(503), respond(503), respond(200)], { now: clock.now });
    const wait = waitChain(waitFixed(1_000), waitFixed(3_600_000));
    const load = retry(
      async () => {
        const response = await fetch(server.url("/"));
        if (!response.ok) throw new Error(`status ${response.status}`);
        return response.status;
      },
      { wait, clock, ...hooks },
    );

    const status = await load();

    expect(status).toBe(200);
    expect(delays).toEqual([1_000, 3_600_000]);
    expect(server.requests.map((seen) => seen.at)).toEqual([0, 1_000, 3_601_000]);
  });

  it("does not go on while a call does not sleep", async () => {
    const clock = virtualClock();
    const { hooks, delays } = drive(clock);
    const nobody = await deadPort();
    onTestFinished(nobody.close);
    const stop = stopAfterAttempt(1);

    await expect(retry(() => fetch(nobody.url("/")), { stop, clock, ...hooks })()).rejects.toThrow("fetch failed");

    expect(delays).toEqual([]);
    expect(clock.now()).toBe(0);
  });
});
