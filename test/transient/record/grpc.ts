import { status } from "@grpc/grpc-js";
import { freePort, type Grpc, proxy, startGrpc, type TcpProxy } from "../servers/index.js";
import { failureOf, later, Recorder, type Scope } from "./recorder.js";
import { versionOf } from "./version-of.js";

/** Records what `@grpc/grpc-js` throws. */
export async function recordGrpc(): Promise<void> {
  const server = await startGrpc();
  const link = await proxy(server);
  const version = versionOf("@grpc/grpc-js");
  const recorder = new Recorder({ driver: "@grpc/grpc-js", version, server: `@grpc/grpc-js ${version}` });
  const record = recorder.record.bind(recorder);
  try {
    await statuses(record, server);
    await ownErrors(record, server, link);
    await lostConnections(record, server, link);
    recorder.write("grpc");
  } finally {
    server.close();
    await link.close();
  }
}

async function statuses(record: Recorder["record"], server: Grpc): Promise<void> {
  const client = server.client();
  for (const [name, code] of Object.entries(status)) {
    if (typeof code !== "number" || code === status.OK) continue;
    await record("query", `the server answers ${name}`, () => {
      server.script({ code, details: "scripted" });
      return failureOf(client.call("hello"));
    });
  }
  await record("query", "the server answers UNAVAILABLE, and when to come back", () => {
    server.script({ code: status.UNAVAILABLE, details: "scripted", trailers: { "grpc-retry-pushback-ms": "100" } });
    return failureOf(client.call("hello"));
  });
  client.close();
}

async function ownErrors(record: Recorder["record"], server: Grpc, link: TcpProxy): Promise<void> {
  await record("query", "the deadline passes, the server hangs", async (scope) => {
    server.script("hang");
    return failureOf(clientOf(scope, server).call("hello", { deadline: Date.now() + 100 }));
  });
  await record("connect", "the deadline passes before there is a connection", async (scope) => {
    link.hang();
    scope.defer(() => link.passThrough());
    return failureOf(clientOf(scope, server, link).call("hello", { deadline: Date.now() + 100 }));
  });
  await record("query", "the caller cancels", async (scope) => {
    server.script("hang");
    const arrived = server.called(server.calls.length + 1);
    return failureOf(
      clientOf(scope, server).call("hello", {}, (call) => {
        arrived.then(() => call.cancel());
      }),
    );
  });
  await record("query", "a method that is missing", async (scope) => failureOf(clientOf(scope, server).callMissing()));
  await record("query", "an answer that is too large", async ({ defer }) => {
    server.script({ value: "x".repeat(10_000) });
    const client = server.client({ "grpc.max_receive_message_length": 1_000 });
    defer(() => client.close());
    return failureOf(client.call("hello"));
  });
  await record("query", "a client that its user has closed", async () => {
    const client = server.client();
    client.close();
    return failureOf(client.call("hello"));
  });
}

function clientOf({ defer }: Scope, server: Grpc, through?: { readonly port: number }) {
  const client = server.client({}, through);
  defer(() => client.close());
  return client;
}

async function lostConnections(record: Recorder["record"], server: Grpc, link: TcpProxy): Promise<void> {
  await record("connect", "nobody listens", async (scope) =>
    failureOf(clientOf(scope, server, { port: await freePort() }).call("hello")),
  );
  for (const how of ["reset", "end"] as const) {
    await record("connect", `cut while connecting (${how})`, async (scope) => {
      void link.cutInAnswer(0, how);
      return failureOf(clientOf(scope, server, link).call("hello"));
    });
    await record("query", `cut in mid-call (${how})`, async (scope) => {
      server.script("hang");
      const arrived = server.called(server.calls.length + 1);
      const answer = later(clientOf(scope, server, link).call("hello"));
      await arrived;
      link.cut(how);
      return failureOf(answer);
    });
  }
  await record("query", "the server ends in mid-call", async (scope) => {
    scope.defer(() => server.start());
    server.script("hang");
    const arrived = server.called(server.calls.length + 1);
    const answer = later(clientOf(scope, server).call("hello"));
    await arrived;
    server.stop();
    return failureOf(answer);
  });
}
