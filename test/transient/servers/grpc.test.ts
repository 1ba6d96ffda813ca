import { type ServiceError, status } from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { startGrpc } from "./index.js";

async function serving() {
  const server = await startGrpc();
  onTestFinished(() => server.close());
  return server;
}

it("answers the n-th call by the n-th step, and those that follow by the last", async () => {
  const server = await serving();
  const client = server.client();
  server.script({ code: status.UNAVAILABLE }, { value: "yes" });

  const answers = [];
  for (let n = 1; n <= 3; n++) answers.push(await client.call(n).catch((error) => error.code));

  expect(answers).toEqual([status.UNAVAILABLE, "yes", "yes"]);
  expect(server.calls).toEqual([1, 2, 3]);
});

it("sends details and trailers", async () => {
  const server = await serving();
  server.script({ code: status.UNAVAILABLE, details: "busy", trailers: { "grpc-retry-pushback-ms": "100" } });

  const failed = server.client().call("hello");
  const error = await failed.then(
    () => expect.fail("the call has succeeded"),
    (thrown: ServiceError) => thrown,
  );

  expect(error.details).toBe("busy");
  expect(error.metadata.get("grpc-retry-pushback-ms")).toEqual(["100"]);
});

it("hangs until it is stopped", async () => {
  const server = await serving();
  const client = server.client();
  server.script("hang", { value: "ok" });
  const hung = client.call("hello");
  const failed = expect(hung).rejects.toMatchObject({ code: status.CANCELLED });
  await server.called(1);
  await client.call("hello");

  server.stop();

  await failed;
});

it("starts again on the same port", async () => {
  const server = await serving();
  const { port } = server;
  server.stop();

  await server.start();

  expect(server.port).toBe(port);
  expect(await server.client().call("hello")).toBe("ok");
});

it("does not know the method that is missing", async () => {
  const server = await serving();

  await expect(server.client().callMissing()).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
});
