import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, it, onTestFinished, vi } from "vitest";
import { type Cut, proxy, type TcpProxy } from "./index.js";

/** A server that answers each chunk with it, in capitals, behind a proxy; `seen` is what it got. */
async function shouting() {
  const seen: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      seen.push(String(chunk));
      socket.write(String(chunk).toUpperCase());
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const link = await proxy(server.address() as AddressInfo);
  onTestFinished(async () => {
    await link.close();
    server.close();
  });
  return { link, seen, port: (server.address() as AddressInfo).port };
}

/** A client that knows what it got, and how its connection ended. */
async function client(port: number) {
  const socket = connect(port, "127.0.0.1").setNoDelay();
  onTestFinished(() => void socket.destroy());
  let got = "";
  let ended = "open";
  socket.on("data", (chunk) => {
    got += chunk;
  });
  socket.on("end", () => {
    ended = "end";
  });
  socket.on("error", (error: { code?: string }) => {
    ended = error.code ?? error.constructor.name;
  });
  await once(socket, "connect");
  return {
    socket,
    say: (text: string) => void socket.write(text),
    got: (text: string) => receives(socket, () => got === text),
    end: async () => {
      if (!socket.closed) await new Promise((resolve) => void socket.once("close", resolve));
      return { got, ended };
    },
    now: () => got,
  };
}

async function receives(socket: Socket, isThere: () => boolean): Promise<void> {
  while (!isThere()) await once(socket, "data");
}

/** Talks to the server directly for much longer than what goes through the proxy needs. */
async function roundTrips(direct: Awaited<ReturnType<typeof client>>): Promise<void> {
  for (let n = 1; n <= 20; n++) {
    const wanted = `${direct.now()}X`;
    direct.say("x");
    await direct.got(wanted);
  }
}

const HOW: [Cut, string][] = [
  ["reset", "ECONNRESET"],
  ["end", "end"],
];

it("passes on what both sides say", async () => {
  const { link } = await shouting();
  const one = await client(link.port);

  one.say("hello");

  await one.got("HELLO");
});

it("refuses new connections, and leaves those that stand", async () => {
  const { link } = await shouting();
  const one = await client(link.port);
  one.say("a");
  await one.got("A");

  await link.refuse();
  one.say("b");

  await one.got("AB");
  await expect(client(link.port)).rejects.toThrow("ECONNREFUSED");
});

it("listens again after it has refused", async () => {
  const { link } = await shouting();
  await link.refuse();

  await link.passThrough();
  const one = await client(link.port);
  one.say("a");

  await one.got("A");
});

it.each(HOW)("cuts its connections (%s)", async (how, ended) => {
  const { link } = await shouting();
  const one = await client(link.port);
  one.say("a");
  await one.got("A");

  link.cut(how);

  expect(await one.end()).toEqual({ got: "A", ended });
  await expect.poll(() => link.connections).toBe(0);
});

it.each(HOW)("cuts in an answer, after so many bytes (%s)", async (how, ended) => {
  const { link } = await shouting();
  const one = await client(link.port);

  const cut = link.cutInAnswer(3, how);
  one.say("hello");
  await cut;

  expect(await one.end()).toEqual({ got: "HEL", ended });
});

it.each(HOW)("cuts after a request has been answered, and keeps the answer (%s)", async (how, ended) => {
  const { link, seen } = await shouting();
  const one = await client(link.port);
  one.say("begin");
  await one.got("BEGIN");

  const cut = link.cutAfter(/commit/, how);
  one.say("commit");
  await cut;

  expect(await one.end()).toEqual({ got: "BEGIN", ended });
  expect(seen).toEqual(["begin", "commit"]);
});

it.each(HOW)("cuts before a request has gone to the server (%s)", async (how, ended) => {
  const { link, seen } = await shouting();
  const one = await client(link.port);
  one.say("begin");
  await one.got("BEGIN");

  const cut = link.cutBefore(/commit/, how);
  one.say("commit");
  await cut;

  expect(await one.end()).toEqual({ got: "BEGIN", ended });
  expect(seen).toEqual(["begin"]);
});

it("leaves what a pattern does not match alone", async () => {
  const { link } = await shouting();
  const one = await client(link.port);

  void link.cutAfter(/commit/);
  one.say("begin");

  await one.got("BEGIN");
});

it("counts the bytes of all that is answered", async () => {
  const { link } = await shouting();
  const one = await client(link.port);

  const cut = link.cutInAnswer(7);
  one.say("hello");
  await one.got("HELLO");
  one.say("hello");
  await cut;

  expect((await one.end()).got).toBe("HELLOHE");
});

it("passes on nothing after the bytes of a cut answer", async () => {
  const { link } = await shouting();
  const one = await client(link.port);

  void link.cutInAnswer(3);
  one.say("hello");
  await one.got("HEL");
  one.say("hello");

  expect((await one.end()).got).toBe("HEL");
});

it.each([
  ["cutInAnswer", (link: TcpProxy) => link.cutInAnswer(0)],
  ["cutAfter", (link: TcpProxy) => link.cutAfter(/commit/)],
  ["cutBefore", (link: TcpProxy) => link.cutBefore(/commit/)],
])("cuts once, and lets the next connection be (%s)", async (_, plan) => {
  const { link } = await shouting();
  const [one, two] = [await client(link.port), await client(link.port)];
  const cut = plan(link);
  one.say("commit");
  await cut;

  two.say("commit");

  await two.got("COMMIT");
});

it("cuts one of two connections that say the same", async () => {
  const { link } = await shouting();
  const [one, two] = [await client(link.port), await client(link.port)];

  const cut = link.cutAfter(/commit/);
  one.say("commit");
  two.say("commit");
  await cut;

  await expect.poll(() => [one.now(), two.now()].sort()).toEqual(["", "COMMIT"]);
});

it("holds everything back while it hangs, and lets it go on afterwards", async () => {
  const { link, port, seen } = await shouting();
  const one = await client(link.port);
  one.say("a");
  await one.got("A");

  link.hang();
  one.say("b");
  // It is accepted all the same.
  const two = await client(link.port);
  two.say("c");
  await roundTrips(await client(port));
  const meanwhile = seen.filter((text) => text !== "x");
  await link.passThrough();

  expect(meanwhile).toEqual(["a"]);
  await one.got("AB");
  await two.got("C");
});

it("passes on what new connections say after it has hung", async () => {
  const { link } = await shouting();
  link.hang();

  await link.passThrough();
  const one = await client(link.port);
  one.say("a");

  await one.got("A");
});

it("delays answers", async () => {
  const { link, port } = await shouting();
  const [one, direct] = [await client(link.port), await client(port)];
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  onTestFinished(() => void vi.useRealTimers());

  link.delay(50);
  one.say("a");
  await roundTrips(direct);
  vi.advanceTimersByTime(49);
  await roundTrips(direct);
  const meanwhile = one.now();
  vi.advanceTimersByTime(1);

  expect(meanwhile).toBe("");
  await one.got("A");
});

it("cuts a client off whose server has ended", async () => {
  const server = createServer((socket) => void socket.on("data", () => socket.destroy())).listen(0, "127.0.0.1");
  await once(server, "listening");
  const link = await proxy(server.address() as AddressInfo);
  onTestFinished(async () => {
    await link.close();
    server.close();
  });
  const one = await client(link.port);

  one.say("hello");

  expect((await one.end()).got).toBe("");
});

it("cuts a client off whose server cannot be reached", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const target = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const link = await proxy(target);
  onTestFinished(() => link.close());

  const one = await client(link.port);

  expect((await one.end()).ended).toBe("ECONNRESET");
});
