import { waitNone } from "undaunted";
import { type HttpRequest, type RetryFetchOptions, retryFetch } from "undaunted/http";
import { describe, expect, it, onTestFinished } from "vitest";
import { receiver, status, statuses } from "./fetching.js";

const A = "https://example.com/a?b=1";
const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const NAME = "idempotency-key";

/** The values of a header in the attempts of a call whose server fails once. */
async function keysOf(options: RetryFetchOptions, init: RequestInit = {}, header = NAME) {
  const { fetch, received } = receiver([status(503), status(204)]);
  await retryFetch({ fetch, wait: waitNone, ...options })(A, { method: "POST", ...init });
  return received.map(({ headers }) => headers.get(header));
}

describe("idempotencyKey: true", () => {
  it.each(["POST", "PATCH", "LOCK"])("sends one quoted UUID in all attempts of a %s", async (method) => {
    const keys = await keysOf({ idempotencyKey: true }, { method });

    expect(keys).toHaveLength(2);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[0]).toMatch(/^".+"$/);
    expect(keys[0]!.slice(1, -1)).toMatch(UUID_4);
  });

  it("sends another in another call", async () => {
    const [[one], [other]] = [await keysOf({ idempotencyKey: true }), await keysOf({ idempotencyKey: true })];

    expect(one).not.toBe(other);
  });

  it.each(["GET", "HEAD", "PUT", "DELETE"])("sends none with a %s, which needs none", async (method) => {
    expect(await keysOf({ idempotencyKey: true }, { method })).toEqual([null, null]);
  });

  it("leaves the other headers", async () => {
    const options = { idempotencyKey: true };

    expect(await keysOf(options, { headers: { accept: "a/b" } }, "accept")).toEqual(["a/b", "a/b"]);
  });

  it("gives a Request a key, and leaves its other headers and its body", async () => {
    const { fetch, received } = receiver([status(503), status(204)]);
    const request = new Request(A, { method: "POST", body: "text", headers: { accept: "a/b" } });

    await retryFetch({ fetch, wait: waitNone, idempotencyKey: true })(request);

    expect(received).toHaveLength(2);
    for (const { headers, body } of received) {
      expect([headers.get("accept"), body]).toEqual(["a/b", "text"]);
      expect(headers.get(NAME)).toBe(received[0]!.headers.get(NAME));
    }
    expect(request.headers.has(NAME)).toBe(false);
  });

  it("does not write to the caller's headers", async () => {
    const headers = new Headers();

    await keysOf({ idempotencyKey: true }, { headers });

    expect([...headers]).toEqual([]);
  });

  it("sends a UUID also in a page that did not come over https", async () => {
    Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
    onTestFinished(() => {
      delete (crypto as { randomUUID?: unknown }).randomUUID;
    });
    const [key] = await keysOf({ idempotencyKey: true });

    expect(key!.slice(1, -1)).toMatch(UUID_4);
  });
});

describe("without the option", () => {
  it.each([{}, { idempotencyKey: false }])("no key is sent, and nothing repeated: %j", async (options) => {
    expect(await keysOf(options)).toEqual([null]);
  });

  it("a key of the caller's own counts", async () => {
    expect(await keysOf({}, { headers: { "Idempotency-Key": "mine" } })).toEqual(["mine", "mine"]);
  });

  it("an empty key is none", async () => {
    expect(await keysOf({}, { headers: { "Idempotency-Key": "" } })).toEqual([""]);
  });
});

describe("idempotencyKey as a function", () => {
  it("is asked once for each call, about its request", async () => {
    const asked: HttpRequest[] = [];
    const idempotencyKey = (request: HttpRequest) => `order-${asked.push(request)}`;

    const keys = await keysOf({ idempotencyKey }, { method: "post", headers: { order: "7" } });

    expect(keys).toEqual(['"order-1"', '"order-1"']);
    expect(asked[0]).toMatchObject({ method: "POST", url: new URL(A) });
    expect(asked[0]!.headers.get("order")).toBe("7");
  });

  it("may answer undefined for a request that gets none: that is not repeated", async () => {
    expect(await keysOf({ idempotencyKey: () => undefined })).toEqual([null]);
  });

  it("is not asked where the caller has set a key", async () => {
    const idempotencyKey = () => expect.fail("asked");

    expect(await keysOf({ idempotencyKey }, { headers: { [NAME]: "mine" } })).toEqual(["mine", "mine"]);
  });

  it("has quotes and backslashes of its key escaped", async () => {
    expect((await keysOf({ idempotencyKey: () => 'a"b\\c ~' }))[0]).toBe('"a\\"b\\\\c ~"');
  });

  it("rejects the call with what it throws", async () => {
    const error = new Error("no order");
    const idempotencyKey = () => {
      throw error;
    };

    await expect(keysOf({ idempotencyKey })).rejects.toBe(error);
  });

  it.each([
    ["an empty string", "", '""'],
    ["a number", 7, "7"],
    ["null", null, "null"],
    ["a promise", Promise.resolve("a"), "[object Promise]"],
  ])("rejects the call where it answers %s", async (_, key, shown) => {
    await expect(keysOf({ idempotencyKey: (() => key) as never })).rejects.toThrow(
      new TypeError(`retryFetch: what idempotencyKey returns must be a string that is not empty, got ${shown}`),
    );
  });

  it.each(["é", "a\nb", "\u007f"])("rejects the call where its key cannot be quoted: %j", async (key) => {
    await expect(keysOf({ idempotencyKey: () => key })).rejects.toThrow(
      new TypeError(`retryFetch: what idempotencyKey returns must be printable ASCII, got ${JSON.stringify(key)}`),
    );
  });
});

describe("idempotencyKey as an object", () => {
  it("may name another header", async () => {
    const options = { idempotencyKey: { header: "X-Request-Id", value: () => "a" } };

    expect(await keysOf(options, {}, "x-request-id")).toEqual(['"a"', '"a"']);
    expect(await keysOf(options)).toEqual([null, null]);
  });

  it("has a key of the caller's own stand under that header, and under no other", async () => {
    const options = { idempotencyKey: { header: "X-Request-Id", value: () => undefined } };

    expect(await keysOf(options, { headers: { "x-request-id": "mine" } }, "x-request-id")).toEqual(["mine", "mine"]);
    expect(await keysOf(options, { headers: { [NAME]: "mine" } })).toEqual(["mine"]);
  });

  it("may leave the quotes out", async () => {
    expect(await keysOf({ idempotencyKey: { value: () => 'a"b', quoted: false } })).toEqual(['a"b', 'a"b']);
  });

  it("sends what true sends where it is empty", async () => {
    const keys = await keysOf({ idempotencyKey: {} });

    expect(keys[0]!.slice(1, -1)).toMatch(UUID_4);
    expect(keys[1]).toBe(keys[0]);
  });
});

describe("with a key", () => {
  const headers = { [NAME]: '"1"' };

  /** Attempts that a call takes whose server answers so every time. */
  async function attempts(code: number, init: RequestInit, options: RetryFetchOptions = {}, hints = {}) {
    const answers = statuses(code, 4).map(() => status(code, hints));
    const api = retryFetch({ fetch: receiver(answers).fetch, wait: waitNone, ...options });
    expect((await api(A, init)).status).toBe(code);
    return api.stats.attempts;
  }

  it("a 409 is retried: the first call with it still runs", async () => {
    expect(await attempts(409, { method: "POST", headers })).toBe(4);
    expect(await attempts(409, { method: "POST" }, { idempotencyKey: true })).toBe(4);
    expect(await attempts(409, { method: "PUT", headers })).toBe(4);
  });

  it("a 409 is not retried where the server says so", async () => {
    expect(await attempts(409, { method: "POST", headers }, {}, { "x-should-retry": "false" })).toBe(1);
  });

  it("a 422 is never retried: the key was used with another payload", async () => {
    expect(await attempts(422, { method: "POST", headers })).toBe(1);
    expect(await attempts(422, { method: "POST", headers }, { statuses: [422] })).toBe(1);
    expect(await attempts(422, { method: "POST", headers }, {}, { "x-should-retry": "true" })).toBe(1);
  });

  it("another failure of the caller's is not retried", async () => {
    expect(await attempts(400, { method: "POST", headers })).toBe(1);
  });

  it("no key: a 409 is not retried", async () => {
    expect(await attempts(409, { method: "PUT" })).toBe(1);
  });
});
