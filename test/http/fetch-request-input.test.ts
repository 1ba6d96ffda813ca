import { waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { receiver, status } from "./fetching.js";

const A = "https://example.com/a";

/** What a server receives that fails once. */
async function receivedFor(input: any, init?: object) {
  const { fetch, received } = receiver([status(503), status(204)]);
  await retryFetch({ fetch, wait: waitNone })(input, init);
  expect(received).toHaveLength(2);
  return received;
}

describe("a Request", () => {
  const put = () => new Request(A, { method: "PUT", body: "text", headers: { a: "1", "content-type": "text/css" } });

  it("with a body is sent twice, byte for byte", async () => {
    const received = await receivedFor(put());

    for (const { method, url, headers, body } of received) {
      expect([method, url, headers.get("a"), headers.get("content-type"), body]).toEqual([
        "PUT",
        A,
        "1",
        "text/css",
        "text",
      ]);
    }
  });

  it("without a body is sent twice", async () => {
    const received = await receivedFor(new Request(A, { method: "DELETE", headers: { a: "1" } }));

    expect(received.map(({ method, headers }) => [method, headers.get("a")])).toEqual([
      ["DELETE", "1"],
      ["DELETE", "1"],
    ]);
  });

  it("has init's body sent in place of its own, each time", async () => {
    const received = await receivedFor(put(), { body: "other" });

    expect(received.map((request) => request.body)).toEqual(["other", "other"]);
  });

  it("has init's headers sent in place of its own", async () => {
    const received = await receivedFor(put(), { headers: { b: "2" } });

    for (const { headers } of received) expect([headers.get("a"), headers.get("b")]).toEqual([null, "2"]);
  });

  /** What fetch makes of what it is called with. */
  async function sentFor(request: Request, init?: RequestInit): Promise<Request> {
    const sent: Request[] = [];
    const fetch = async (input: any, init: any) => {
      sent.push(new Request(input, init));
      return status(200);
    };
    await retryFetch({ fetch })(request, init);
    return sent[0]!;
  }

  it("keeps the rest of what it says", async () => {
    const request = new Request(A, { referrerPolicy: "no-referrer", redirect: "manual", cache: "no-store" });

    expect(await sentFor(request)).toMatchObject({
      referrerPolicy: "no-referrer",
      redirect: "manual",
      cache: "no-store",
    });
  });

  it.each(["", "https://example.com/from"])("keeps where it says that it came from: %j", async (referrer) => {
    expect((await sentFor(new Request(A, { referrer }))).referrer).toBe(referrer);
  });

  it("forgets where it came from where init changes it, as with fetch", async () => {
    const request = new Request(A, { referrerPolicy: "no-referrer" });
    const init = { cache: "no-store" } as const;

    expect((await sentFor(request, init)).referrerPolicy).toBe(new Request(request, init).referrerPolicy);
  });

  it("that says nothing of it has nothing added", async () => {
    const { url, method, headers } = new Request(A);
    const bare = { url, method, headers, body: null, clone: () => bare };
    const inits: object[] = [];
    const fetch = async (_: any, init: any) => {
      inits.push(init);
      return status(200);
    };

    await retryFetch({ fetch })(new Request(A));
    await retryFetch({ fetch })(bare);

    expect(inits.map((init) => init && Object.keys(init))).toEqual([["signal"], undefined]);
  });

  it("may stand in for init", async () => {
    const received = await receivedFor("https://example.com/b", new Request(A, { method: "DELETE" }));

    expect(received.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "DELETE https://example.com/b",
      "DELETE https://example.com/b",
    ]);
  });

  it("is used up when the call is over, as by fetch", async () => {
    const request = put();

    await receivedFor(request);

    expect(request.bodyUsed).toBe(true);
  });

  it("is used up when the call has failed", async () => {
    const request = put();
    const { fetch } = receiver([new Error("broken")]);

    await retryFetch({ fetch })(request).catch(() => {});

    expect(request.bodyUsed).toBe(true);
  });

  it("whose method may not be repeated is sent as it is, not copied into memory", async () => {
    const request = new Request(A, { method: "POST", body: "text" });
    const inputs: unknown[] = [];
    const fetch = async (input: Request) => {
      inputs.push(input);
      return status(503);
    };

    expect((await retryFetch({ fetch, wait: waitNone })(request)).status).toBe(503);

    expect(inputs).toEqual([request]);
    expect(inputs[0]).toBe(request);
  });

  it("with a key is sent twice, whatever its method", async () => {
    const request = new Request(A, { method: "POST", body: "text", headers: { "idempotency-key": '"1"' } });

    const received = await receivedFor(request);

    expect(received.map(({ method, body }) => [method, body])).toEqual([
      ["POST", "text"],
      ["POST", "text"],
    ]);
  });

  it("whose body somebody reads meanwhile rejects, as with fetch, and no empty body is sent", async () => {
    const request = put();
    const { fetch, received } = receiver([status(200)]);
    await request.text();

    await expect(retryFetch({ fetch })(request)).rejects.toBeInstanceOf(TypeError);

    expect(received).toEqual([]);
  });

  it("without a body is repeated where it never left, whatever its method", async () => {
    const refused = new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } });
    const { fetch, received } = receiver([refused, status(204)]);

    await retryFetch({ fetch, wait: waitNone })(new Request(A, { method: "POST" }));

    expect(received).toHaveLength(2);
  });

  describe("in a browser that does not show its body", () => {
    class Opaque extends Request {
      override get body() {
        return undefined as never;
      }
    }

    it.each(["GET", "HEAD"])("is taken for one without where its method is %s", async (method) => {
      const request = new Opaque(A, { method });
      const inputs: unknown[] = [];
      const fetch = async (input: Request) => {
        inputs.push(input);
        return status(200);
      };

      await retryFetch({ fetch })(request);

      expect(inputs[0]).toBe(request);
    });

    it("is copied for a PUT, and not for a POST", async () => {
      const reasons: string[] = [];
      const server = receiver([status(503), status(204), new TypeError("", { cause: { code: "ECONNREFUSED" } })]);
      const api = retryFetch({ fetch: server.fetch, wait: waitNone, onGiveUp: ({ reason }) => reasons.push(reason) });

      await api(new Opaque(A, { method: "PUT", body: "text" }));
      await api(new Opaque(A, { method: "POST", body: "text" })).catch(() => {});

      expect(server.received.map(({ body }) => body)).toEqual(["text", "text", "text"]);
      expect(reasons).toEqual(["body-not-replayable"]);
    });
  });

  it("that is repeated where it never left tells that its body cannot be read again", async () => {
    const reasons: string[] = [];
    const refused = new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } });
    const { fetch } = receiver([refused]);
    const api = retryFetch({ fetch, onGiveUp: ({ reason }) => reasons.push(reason) });

    await expect(api(new Request(A, { method: "POST", body: "text" }))).rejects.toBe(refused);

    expect(reasons).toEqual(["body-not-replayable"]);
  });
});
