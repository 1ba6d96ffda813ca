import { waitNone } from "undaunted";
import { type AttemptRequest, HttpStatusError, type RetryFetchOptions, retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { networkError, receiver, status } from "./fetching.js";

const A = "https://example.com/a";

/** What a server receives that fails once, from a client with this `prepare`. */
async function receivedBy(
  prepare: NonNullable<RetryFetchOptions["prepare"]>,
  input: string | URL | Request = A,
  init: object = {},
) {
  const { fetch, received } = receiver([status(503), status(204)]);
  await retryFetch({ fetch, wait: waitNone, prepare })(input, init);
  return received;
}

describe("prepare", () => {
  it("is called before each attempt, with its number and what the one before it failed with", async () => {
    const seen: unknown[] = [];

    await receivedBy(({ attempt, previousError }) => seen.push(attempt, previousError));

    expect(seen).toEqual([1, undefined, 2, expect.any(HttpStatusError)]);
    expect(seen[3]).toMatchObject({ status: 503 });
  });

  it("sees the request as it is going to be sent", async () => {
    const seen: AttemptRequest[] = [];

    await receivedBy((request) => seen.push(request), A, { method: "put", headers: { a: "1" }, body: "text" });

    expect(seen[0]).toMatchObject({ method: "PUT", url: new URL(A), body: "text" });
    expect(seen[0]!.headers.get("a")).toBe("1");
  });

  it("sees the idempotency key", async () => {
    const { fetch } = receiver([status(200)]);
    const keys: unknown[] = [];
    const prepare = ({ headers }: AttemptRequest) => keys.push(headers.get("idempotency-key"));

    await retryFetch({ fetch, prepare, idempotencyKey: () => "a" })(A, { method: "POST" });

    expect(keys).toEqual(['"a"']);
  });

  it("may set and delete headers, of that attempt alone", async () => {
    const received = await receivedBy(
      ({ headers, attempt }) => {
        if (attempt === 1) headers.delete("a");
        headers.set(`x-${attempt}`, "1");
      },
      A,
      { headers: { a: "1" } },
    );

    expect(received.map(({ headers }) => Object.fromEntries(headers))).toEqual([
      { "x-1": "1" },
      { a: "1", "x-2": "1" },
    ]);
  });

  it("may delete headers of a Request", async () => {
    const request = new Request(A, { headers: { authorization: "secret" } });

    const received = await receivedBy(({ headers }) => headers.delete("authorization"), request);

    expect(received.map(({ headers }) => headers.has("authorization"))).toEqual([false, false]);
    expect(request.headers.has("authorization")).toBe(true);
  });

  it.each([
    ["set", (request: AttemptRequest) => request.url.searchParams.append("n", `${request.attempt}`)],
    [
      "replaced",
      (request: AttemptRequest) => {
        request.url = new URL(`?n=${request.attempt}`, request.url);
      },
    ],
    [
      "replaced by a string",
      (request: AttemptRequest) => {
        request.url = `${A}?n=${request.attempt}` as never;
      },
    ],
  ])("may move the request, for that attempt alone: its url %s", async (_, prepare) => {
    const inputs = [A, new URL(A), new Request(A)];

    for (const input of inputs) {
      const received = await receivedBy(prepare, input);
      expect(received.map(({ url }) => url)).toEqual([`${A}?n=1`, `${A}?n=2`]);
    }
  });

  it("leaves a Request as it is where it does not move it", async () => {
    const request = new Request(A, { headers: { a: "1" } });
    const inputs: unknown[] = [];
    const fetch = async (input: Request) => {
      inputs.push(input);
      return status(200);
    };

    await retryFetch({ fetch, prepare: ({ headers }) => headers.set("a", "2") })(request);

    expect(inputs[0]).toBe(request);
  });

  it("may not move the request to what is no URL", async () => {
    const { fetch, received } = receiver([]);
    const prepare = (request: AttemptRequest) => {
      request.url = "nowhere" as never;
    };

    await expect(retryFetch({ fetch, prepare })(A)).rejects.toBeInstanceOf(TypeError);

    expect(received).toEqual([]);
  });

  it("moves a Request with all that it has", async () => {
    const request = new Request(A, { method: "PUT", body: "text", headers: { a: "1" }, redirect: "manual" });

    const received = await receivedBy(({ url }) => {
      url.pathname = "/b";
    }, request);

    for (const { url, method, body, headers } of received) {
      expect([url, method, body, headers.get("a")]).toEqual(["https://example.com/b", "PUT", "text", "1"]);
    }
    expect(received).toHaveLength(2);
  });

  it("moves a Request whose body init replaces", async () => {
    const request = new Request(A, { method: "PUT", body: "text" });

    const received = await receivedBy(
      ({ url }) => {
        url.pathname = "/b";
      },
      request,
      { body: "other" },
    );

    expect(received.map(({ url, body }) => [url, body])).toEqual([
      ["https://example.com/b", "other"],
      ["https://example.com/b", "other"],
    ]);
  });

  it("may replace the body, of that attempt alone", async () => {
    const seen: unknown[] = [];
    const received = await receivedBy(
      (request) => {
        seen.push(request.body);
        request.body = `${request.body}, part ${request.attempt}`;
      },
      A,
      { method: "PUT", body: "text" },
    );

    expect(seen).toEqual(["text", "text"]);
    expect(received.map(({ body }) => body)).toEqual(["text, part 1", "text, part 2"]);
  });

  it("may drop the body", async () => {
    const received = await receivedBy(
      (request) => {
        request.body = undefined;
      },
      A,
      { method: "PUT", body: "text" },
    );

    expect(received.map(({ body }) => body)).toEqual(["", ""]);
  });

  it("may give a Request another body", async () => {
    const seen: unknown[] = [];
    const received = await receivedBy(
      (request) => {
        seen.push(request.body);
        request.body = "other";
      },
      new Request(A, { method: "PUT", body: "text" }),
    );

    expect(seen).toEqual([undefined, undefined]);
    expect(received.map(({ body }) => body)).toEqual(["other", "other"]);
  });

  it("may give a body that is a stream", async () => {
    const received = await receivedBy(
      (request) => {
        request.body = new Blob(["text"]).stream();
      },
      A,
      { method: "PUT" },
    );

    expect(received.map(({ body }) => body)).toEqual(["text", "text"]);
  });

  it.each([
    ["parameters", new URLSearchParams({ a: "1" }), (body: any) => body.append("n", "2"), "a=1&n=2"],
    [
      "bytes",
      Uint8Array.of(65),
      (body: any) => {
        new Uint8Array(body)[0]! += 1;
      },
      "B",
    ],
  ])("may change the body itself, of that attempt alone: %s", async (_, body, change, sent) => {
    const received = await receivedBy((request) => change(request.body), A, { method: "PUT", body });

    expect(received.map((request) => request.body)).toEqual([sent, sent]);
  });

  it("may be async, and what it answers counts for nothing", async () => {
    const received = await receivedBy(async ({ headers }) => {
      await null;
      headers.set("a", "1");
      return { headers: {} };
    });

    expect(received.map(({ headers }) => headers.get("a"))).toEqual(["1", "1"]);
  });

  it.each([
    [
      "throws",
      (error: Error) => () => {
        throw error;
      },
    ],
    ["rejects", (error: Error) => () => Promise.reject(error)],
  ])("fails the attempt where it %s: nothing is sent", async (_, failing) => {
    const error = new Error("no token");
    const { fetch, received } = receiver([]);
    const api = retryFetch({ fetch, prepare: failing(error) });

    await expect(api(A)).rejects.toBe(error);

    expect(received).toEqual([]);
    expect(api.stats.attempts).toBe(1);
  });

  it("is tried again after an error of the network, with a POST where that never left", async () => {
    const errors = [networkError("ECONNREFUSED"), networkError("ECONNRESET")];
    const { fetch, received } = receiver([]);
    const prepare = () => {
      throw errors.shift();
    };

    await expect(retryFetch({ fetch, prepare, wait: waitNone })(A, { method: "POST" })).rejects.toThrow("fetch failed");

    expect(errors).toEqual([]);
    expect(received).toEqual([]);
  });

  it("gets a signal that aborts with the call", async () => {
    const controller = new AbortController();
    const reason = new Error("the user left");
    const signals: AbortSignal[] = [];
    const prepare = ({ signal }: AttemptRequest) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const call = retryFetch({ fetch: receiver([]).fetch, prepare })(A, { signal: controller.signal });
    call.catch(() => {});
    await Promise.resolve();

    controller.abort(reason);

    await expect(call).rejects.toBe(reason);
    expect(signals[0]!.reason).toBe(reason);
  });
});
