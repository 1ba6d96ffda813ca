import { status } from "@grpc/grpc-js";
import { type RetryOptions, retry, stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { classifyGrpcError, type RetryIfTransientOptions, retryIfTransient } from "undaunted/transient";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failureOf } from "./calls.js";
import { type Grpc, proxy, startGrpc, type TcpProxy } from "./servers/index.js";

describe("gRPC", () => {
  let server: Grpc;
  let link: TcpProxy;

  beforeEach(async () => {
    server = await startGrpc();
    link = await proxy(server);
  });

  afterEach(async () => {
    server.close();
    await link.close();
  });

  function policy(wants: RetryIfTransientOptions = {}, more: RetryOptions = {}): RetryOptions {
    return { stop: stopAfterAttempt(4), retryIf: retryIfTransient(wants), ...instant, ...more };
  }

  // No second attempt but ours: the driver's own would be made behind our back.
  const PLAIN = { "grpc.enable_retries": 0, "grpc.initial_reconnect_backoff_ms": 100 };

  /** One call on a client of its own, which has no memory of a server that was not there. */
  async function send(
    value: unknown,
    through: { readonly port: number } = server,
    deadline = Number.POSITIVE_INFINITY,
  ) {
    const client = server.client(PLAIN, through);
    try {
      return await client.call(value, { deadline });
    } finally {
      client.close();
    }
  }

  it("calls again what the server could not take, whatever it is", async () => {
    server.script({ code: status.UNAVAILABLE }, { code: status.UNAVAILABLE }, { value: "yes" });
    const call = retry(() => send("hello"), policy());

    expect(await call()).toBe("yes");

    expect(server.calls).toEqual(["hello", "hello", "hello"]);
  });

  it("calls again a server that was not there, whatever it is", async () => {
    server.stop();
    const call = retry(() => send("hello"), policy({}, { onRetry: () => server.start() }));

    expect(await call()).toBe("ok");

    expect(call.stats.attempts).toBe(2);
    expect(server.calls).toEqual(["hello"]);
  });

  it("calls again through a network that refused, whatever it is", async () => {
    await link.refuse();
    const call = retry(() => send("hello", link), policy({}, { onRetry: () => link.passThrough() }));

    expect(await call()).toBe("ok");

    expect(call.stats.attempts).toBe(2);
    expect(server.calls).toEqual(["hello"]);
  });

  it("calls again, after a deadline, what never got a connection, whatever it is", async () => {
    link.hang();
    const call = retry(
      () => send("hello", link, Date.now() + 1_000),
      policy({}, { onRetry: () => link.passThrough() }),
    );

    expect(await call()).toBe("ok");

    expect(call.stats.attempts).toBe(2);
  });

  it.each([
    ["UNKNOWN", status.UNKNOWN],
    ["DEADLINE_EXCEEDED", status.DEADLINE_EXCEEDED],
    ["ABORTED", status.ABORTED],
    ["INTERNAL", status.INTERNAL],
  ])("calls again after %s only what is idempotent", async (_, code) => {
    const attempts = async (idempotent: boolean) => {
      server.script({ code }, { value: "yes" });
      const call = retry(() => send("hello"), policy({ idempotent }));
      await call().catch((error) => expect(error.code).toBe(code));
      return call.stats.attempts;
    };

    expect(await attempts(true)).toBe(2);
    expect(await attempts(false)).toBe(1);
  });

  it.each([
    ["CANCELLED", status.CANCELLED],
    ["INVALID_ARGUMENT", status.INVALID_ARGUMENT],
    ["NOT_FOUND", status.NOT_FOUND],
    ["ALREADY_EXISTS", status.ALREADY_EXISTS],
    ["PERMISSION_DENIED", status.PERMISSION_DENIED],
    ["FAILED_PRECONDITION", status.FAILED_PRECONDITION],
    ["OUT_OF_RANGE", status.OUT_OF_RANGE],
    ["UNIMPLEMENTED", status.UNIMPLEMENTED],
    ["DATA_LOSS", status.DATA_LOSS],
    ["UNAUTHENTICATED", status.UNAUTHENTICATED],
    ["RESOURCE_EXHAUSTED", status.RESOURCE_EXHAUSTED],
  ])("calls once after %s, whatever may be repeated", async (_, code) => {
    server.script({ code });
    const call = retry(() => send("hello"), policy({ idempotent: true, unknown: true }));

    await expect(call()).rejects.toMatchObject({ code });

    expect(server.calls).toHaveLength(1);
  });

  it("calls again after RESOURCE_EXHAUSTED where the server says when, whatever it is", async () => {
    const trailers = { "grpc-retry-pushback-ms": "10" };
    server.script({ code: status.RESOURCE_EXHAUSTED, trailers }, { value: "yes" });
    const call = retry(() => send("hello"), policy());

    expect(await call()).toBe("yes");

    expect(call.stats.attempts).toBe(2);
  });

  it("calls once where the server asks not to be called again", async () => {
    const trailers = { "grpc-retry-pushback-ms": "-1" };
    server.script({ code: status.UNAVAILABLE, trailers });
    const call = retry(() => send("hello"), policy({ idempotent: true, unknown: true }));

    await expect(call()).rejects.toMatchObject({ code: status.UNAVAILABLE });

    expect(server.calls).toHaveLength(1);
  });

  it.each(["reset", "end"] as const)(
    "does not call again what was under way when the connection was lost (%s)",
    async (how) => {
      server.script("hang", { value: "yes" });
      const call = retry(() => send("hello", link), policy());
      const failed = failureOf(call());
      await server.called(1);

      link.cut(how);

      expect(classifyGrpcError(await failed)).toBe("idempotent");
      expect(server.calls).toHaveLength(1);
    },
  );

  it.each(["reset", "end"] as const)(
    "calls again what is idempotent when the connection was lost (%s)",
    async (how) => {
      server.script("hang", { value: "yes" });
      const call = retry(() => send("hello", link), policy({ idempotent: true }));
      const answer = call();
      await server.called(1);

      link.cut(how);

      expect(await answer).toBe("yes");
      expect(server.calls).toHaveLength(2);
    },
  );

  it("calls again what is idempotent when the server has ended under it and is back", async () => {
    server.script("hang", { value: "yes" });
    const call = retry(() => send("hello"), policy({ idempotent: true }, { onRetry: () => server.start() }));
    const answer = call();
    await server.called(1);

    server.stop();

    expect(await answer).toBe("yes");
    expect(server.calls).toHaveLength(2);
  });

  it("does not call again what was under way when the server ended", async () => {
    server.script("hang", { value: "yes" });
    const call = retry(() => send("hello"), policy());
    const failed = failureOf(call());
    await server.called(1);

    server.stop();

    expect(classifyGrpcError(await failed)).toBe("idempotent");
    expect(call.stats.attempts).toBe(1);
  });

  it("calls again what is idempotent and was not answered before its deadline", async () => {
    server.script("hang", { value: "yes" });
    const call = retry(() => send("hello", server, Date.now() + 1_000), policy({ idempotent: true }));

    expect(await call()).toBe("yes");

    expect(server.calls).toHaveLength(2);
  });

  it("calls once what the caller has cancelled", async () => {
    server.script("hang");
    const client = server.client(PLAIN);
    const call = retry(
      () => client.call("hello", {}, (under) => void server.called(1).then(() => under.cancel())),
      policy({ idempotent: true, unknown: true }),
    );

    const failed = failureOf(call());

    expect(await failed).toMatchObject({ code: status.CANCELLED });
    expect(server.calls).toHaveLength(1);
  });
});
