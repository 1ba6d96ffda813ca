import { Readable } from "node:stream";
import { retry, TryAgainError, waitNone } from "undaunted";
import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { networkError, receiver, status } from "./fetching.js";

const A = "https://example.com/";
const TEXT = "line 1\nzwei £\n";
const BYTES = Uint8Array.of(0, 255, 10, 13, 128);
const asRead = (bytes: string | Uint8Array) => Buffer.from(bytes).toString("latin1");
function shared(bytes: Uint8Array): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return buffer;
}
const inMiddle = () => Uint8Array.of(1, ...BYTES, 2).subarray(1, -1);

/** A client whose server fails once, and what that receives. */
function failingOnce(options: RetryFetchOptions = {}) {
  const server = receiver([status(503), status(204)]);
  return { ...server, api: retryFetch({ fetch: server.fetch, wait: waitNone, ...options }) };
}

describe("a body that can be read again", () => {
  it.each<[string, BodyInit, string, string | null]>([
    ["a string", TEXT, asRead(TEXT), "text/plain;charset=UTF-8"],
    ["an empty string", "", "", "text/plain;charset=UTF-8"],
    ["bytes", BYTES, asRead(BYTES), null],
    ["bytes in the middle of a buffer", inMiddle(), asRead(BYTES), null],
    ["a view of other numbers", new Uint16Array([1, 65_535]), "\u0001\u0000\u00ff\u00ff", null],
    ["a DataView", new DataView(inMiddle().buffer, 1, 5), asRead(BYTES), null],
    ["an ArrayBuffer", BYTES.slice().buffer, asRead(BYTES), null],
    ["a SharedArrayBuffer", shared(BYTES) as never, asRead(BYTES), null],
    ["a Buffer", Buffer.from(TEXT), asRead(TEXT), null],
    ["a Blob", new Blob([BYTES], { type: "image/png" }), asRead(BYTES), "image/png"],
    ["a File", new File([TEXT], "a.txt", { type: "text/css" }), asRead(TEXT), "text/css"],
    [
      "URLSearchParams",
      new URLSearchParams({ q: "a b&c" }),
      "q=a+b%26c",
      "application/x-www-form-urlencoded;charset=UTF-8",
    ],
  ])("is sent twice, byte for byte: %s", async (_, body, sent, type) => {
    const { api, received } = failingOnce();

    await api(A, { method: "PUT", body });

    expect(received.map((request) => request.body)).toEqual([sent, sent]);
    expect(received.map(({ headers }) => headers.get("content-type"))).toEqual([type, type]);
  });

  it("is sent twice with all its parts: a FormData", async () => {
    const form = new FormData();
    form.append("name", "Ada");
    form.append("name", "Grace");
    form.append("file", new File([BYTES], "a.bin", { type: "image/png" }));
    const { api, received } = failingOnce();

    await api(A, { method: "PUT", body: form });

    expect(received).toHaveLength(2);
    for (const { headers, body } of received) {
      const bytes = Buffer.from(body, "latin1");
      const read = await new Response(bytes, { headers }).formData();
      const file = read.get("file") as File;
      expect(read.getAll("name")).toEqual(["Ada", "Grace"]);
      expect([file.name, file.type, asRead(new Uint8Array(await file.arrayBuffer()))]).toEqual([
        "a.bin",
        "image/png",
        asRead(BYTES),
      ]);
    }
  });

  it.each([
    ["nothing", undefined],
    ["null", null],
  ])("may be %s", async (_, body) => {
    const { api, received } = failingOnce();

    await api(A, { method: "PUT", body: body as null });

    expect(received.map((request) => request.body)).toEqual(["", ""]);
  });
});

describe("a body that can be read only once", () => {
  const streams: readonly [string, () => any][] = [
    ["a stream", () => new Blob([TEXT]).stream()],
    ["an async iterable", () => inPieces()],
    ["a Readable of Node's", () => Readable.from([Buffer.from(TEXT)])],
    ["a Request's", () => new Request(A, { method: "POST", body: TEXT }).body],
  ];
  async function* inPieces() {
    for (const character of TEXT) yield Buffer.from(character);
  }

  it.each(streams)("is sent once, and the response returned: %s", async (_, body) => {
    const { api, received } = failingOnce();

    const response = await api(A, { method: "PUT", body: body() });

    expect(response.status).toBe(503);
    expect(received.map((request) => request.body)).toEqual([asRead(TEXT)]);
  });

  it.each(streams)("is sent once, and the error thrown unchanged: %s", async (_, body) => {
    const reset = networkError("ECONNRESET");
    const { fetch, received } = receiver([reset]);

    await expect(retryFetch({ fetch, wait: waitNone })(A, { method: "PUT", body: body() })).rejects.toBe(reset);

    expect(received.map((request) => request.body)).toEqual([asRead(TEXT)]);
  });

  it.each([42, true, {}])("is also what fetch itself would make a string of: %j", async (body) => {
    const { api, received } = failingOnce();

    await api(A, { method: "PUT", body: body as never });

    expect(received.map((request) => request.body)).toEqual([`${body}`]);
  });

  it("is also a stream that calls itself a form, as there are for Node", async () => {
    const form = Object.assign(Readable.from([Buffer.from(TEXT)]), { [Symbol.toStringTag]: "FormData" });
    const { api, received } = failingOnce();

    await api(A, { method: "PUT", body: form as never });

    expect(received.map((request) => request.body)).toEqual([asRead(TEXT)]);
  });

  it("is sent as it is, as it may be long", async () => {
    const body = new Blob([TEXT]).stream();
    const sent: unknown[] = [];
    const fetch = async (_: string, init: RequestInit) => {
      sent.push(init.body);
      return status(200);
    };

    await retryFetch({ fetch })(A, { method: "PUT", body });

    expect(sent[0]).toBe(body);
  });

  /** What onGiveUp is told for a request whose first attempt ends so. */
  async function reasonFor(first: unknown, init: RequestInit): Promise<string | undefined> {
    const { fetch } = receiver([first]);
    let told: string | undefined;
    const onGiveUp = ({ reason }: { reason: string }) => {
      told = reason;
    };
    await retryFetch({ fetch, wait: waitNone, onGiveUp })(A, init).catch(() => {});
    return told;
  }
  const stream = () => ({ body: new Blob([TEXT]).stream(), duplex: "half" });

  it("is told to onGiveUp where a retry would have been due", async () => {
    expect(await reasonFor(status(503), { method: "PUT", ...stream() })).toBe("body-not-replayable");
    expect(await reasonFor(networkError("ECONNRESET"), { method: "PUT", ...stream() })).toBe("body-not-replayable");
    expect(await reasonFor(networkError("ECONNREFUSED"), { method: "POST", ...stream() })).toBe("body-not-replayable");
  });

  it("is no reason where the method alone forbids a retry", async () => {
    expect(await reasonFor(status(503), { method: "POST", ...stream() })).toBe("not-retryable");
  });

  it("is no reason where nothing is worth a retry", async () => {
    expect(await reasonFor(new Error("broken"), { method: "PUT", ...stream() })).toBe("not-retryable");
    expect(await reasonFor(status(404), { method: "PUT", ...stream() })).toBeUndefined();
  });

  it("is told to fallback too", async () => {
    const { fetch } = receiver([status(503)]);
    const reasons: string[] = [];
    const fallback = ({ reason }: { reason: string }) => {
      reasons.push(reason);
      return status(200);
    };

    await retryFetch({ fetch, fallback })(A, { method: "PUT", ...stream() });

    expect(reasons).toEqual(["body-not-replayable"]);
  });

  it("leaves an outer retry free to make the stream anew", async () => {
    const { fetch } = receiver([networkError("ECONNRESET"), status(200)]);
    const api = retryFetch({ fetch });
    const upload = retry(() => api(A, { method: "PUT", ...stream() }), { wait: waitNone });

    expect((await upload()).status).toBe(200);
  });

  it.each(streams)("is not sent again even where a TryAgainError asks for it: %s", async (_, body) => {
    const { fetch, received } = receiver([new TryAgainError(), status(200)]);

    await expect(retryFetch({ fetch, wait: waitNone })(A, { method: "PUT", body: body() })).rejects.toThrow(
      "retryFetch: the body was sent before, and can be read only once",
    );
    expect(received).toHaveLength(1);
  });
});

describe("a body made by a function", () => {
  it.each<[string, () => unknown]>([
    ["a string", () => TEXT],
    ["a promise of a string", async () => TEXT],
    ["a stream", () => new Blob([TEXT]).stream()],
    ["a promise of a Readable", async () => Readable.from([Buffer.from(TEXT)])],
    ["a Blob", () => new Blob([TEXT])],
  ])("is made anew for each attempt: %s", async (_, make) => {
    let made = 0;
    const body = () => {
      made++;
      return make();
    };
    const { api, received } = failingOnce();

    await api(A, { method: "PUT", body });

    expect(received.map((request) => request.body)).toEqual([asRead(TEXT), asRead(TEXT)]);
    expect(made).toBe(2);
  });

  it("may be different each time", async () => {
    let made = 0;
    const { api, received } = failingOnce();

    await api(A, { method: "PUT", body: () => `part ${++made}` });

    expect(received.map((request) => request.body)).toEqual(["part 1", "part 2"]);
  });

  it.each([undefined, null])("may be nothing: %s", async (nothing) => {
    const { api, received } = failingOnce();

    await api(A, { method: "PUT", body: () => nothing });

    expect(received.map((request) => request.body)).toEqual(["", ""]);
  });

  it("is called without arguments", async () => {
    const seen: unknown[][] = [];
    const { api } = failingOnce();

    await api(A, { method: "PUT", body: (...args: unknown[]) => `${seen.push(args)}` } as never);

    expect(seen).toEqual([[], []]);
  });

  it.each([
    [
      "throws",
      (error: Error) => {
        throw error;
      },
    ],
    ["rejects", (error: Error) => Promise.reject(error)],
  ])("is not sent where the function %s: the call rejects with that", async (_, fail) => {
    const error = new Error("no file");
    const { api, received } = failingOnce();

    await expect(api(A, { method: "PUT", body: () => fail(error) })).rejects.toBe(error);

    expect(received).toEqual([]);
  });

  it("is not sent twice where the method forbids it", async () => {
    const { api, received } = failingOnce();

    await api(A, { method: "POST", body: () => TEXT });

    expect(received).toHaveLength(1);
  });
});
