import { Readable } from "node:stream";
import type { AxiosAdapter } from "axios";
import { AxiosError } from "axios";
import FormStream from "form-data";
import { stopAfterAttempt, TryAgainError } from "undaunted";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { deadPort, resetBeforeHeaders, respond, whileUploading } from "../http/servers/index.js";
import { failureOf, retried, serving } from "./api.js";

const ok = { status: 200, data: "", headers: {}, statusText: "", config: {} as never };

/** The parts of a form, whatever the boundary between them is called. */
function partsOf({ body, headers }: { body: Buffer; headers: Record<string, unknown> }): string {
  const [, boundary] = /boundary=(.+)$/.exec(String(headers["content-type"]))!;
  return body.toString().replaceAll(boundary!, "boundary");
}

function formStream(): FormStream {
  const form = new FormStream();
  form.append("name", "Ada");
  form.append("photo", Buffer.from([0, 255, 10]), { filename: "ada.png" });
  return form;
}

describe.each(["http", "fetch"])("with the %s adapter", (adapter) => {
  const bytes = new Uint8Array([0, 1, 127, 128, 255]);
  const kinds: readonly [kind: string, data: () => unknown, sent: Uint8Array][] = [
    ["JSON", () => ({ name: "Ada", tags: ["a", "b"] }), Buffer.from('{"name":"Ada","tags":["a","b"]}')],
    ["text", () => "Zürich", Buffer.from("Zürich")],
    ["a Buffer", () => Buffer.from(bytes), bytes],
    ["a slice of a Buffer", () => Buffer.from([9, ...bytes, 9]).subarray(1, 6), bytes],
    ["an ArrayBuffer", () => bytes.slice().buffer, bytes],
    ["a Blob", () => new Blob([bytes]), bytes],
    ["URLSearchParams", () => new URLSearchParams({ q: "ä b" }), Buffer.from("q=%C3%A4+b")],
    ["nothing", () => undefined, Buffer.alloc(0)],
  ];

  it.each(kinds)("%s is the same in each attempt, byte for byte", async (_, data, sent) => {
    const server = await serving([respond(503), respond(503), respond(200)]);
    const { api } = retried({ adapter });

    await api.put(server.url("/"), data());

    expect(server.requests.map((seen) => [...seen.body])).toEqual([[...sent], [...sent], [...sent]]);
    const types = server.requests.map((seen) => seen.headers["content-type"]);
    expect(types).toEqual([types[0], types[0], types[0]]);
  });

  it("a FormData has the same parts in each attempt", async () => {
    const server = await serving([respond(503), respond(200)]);
    const { api } = retried({ adapter });
    const form = new FormData();
    form.append("name", "Ada");
    form.append("photo", new Blob([bytes], { type: "image/png" }), "ada.png");

    // Without it axios' fetch adapter tells Node that it is a form of another kind.
    await api.put(server.url("/"), form, { headers: { "Content-Type": "multipart/form-data" } });

    const [first, second] = server.requests.map(partsOf);
    expect(first).toContain('name="photo"; filename="ada.png"');
    expect(second).toBe(first);
  });

  it("the form that axios makes of an object in Node is the same in each attempt, byte for byte", async () => {
    const server = await serving([respond(503), respond(200)]);
    const { api } = retried({ adapter });

    await api.putForm(server.url("/"), { name: "Ada", photo: Buffer.from(bytes) });

    const [first, second] = server.requests;
    expect(first!.headers["content-type"]).toMatch(/^multipart\/form-data; ?boundary=/);
    expect(partsOf(first!)).toContain('name="name"\r\n\r\nAda\r\n');
    expect(second!.body).toEqual(first!.body);
    expect(second!.headers["content-type"]).toBe(first!.headers["content-type"]);
  });

  it("a body that is changed after the call was made goes out as it was", async () => {
    const server = await serving([respond(503), respond(200)]);
    const data = Buffer.from("first");
    const { api } = retried({ adapter }, { onRetry: () => void data.write("later") });

    await api.put(server.url("/"), data);

    expect(server.requests.map((seen) => seen.body.toString())).toEqual(["first", "first"]);
  });

  it("a body is transformed once", async () => {
    const server = await serving([respond(503), respond(200)]);
    const transformRequest = vi.fn(() => `sent at ${transformRequest.mock.calls.length}`);
    const { api } = retried({ adapter, transformRequest });

    await api.put(server.url("/"), { a: 1 });

    expect(server.requests.map((seen) => seen.body.toString())).toEqual(["sent at 1", "sent at 1"]);
  });
});

it("what a form of the form-data package sends is what it would have sent without retries", async () => {
  const server = await serving([respond(200)]);
  const { api, retries } = retried({});
  const form = formStream();
  const bytes = form.getBuffer();

  await api.put(server.url("/"), form);
  retries.eject();
  await api.put(server.url("/"), form);

  const [ours, theirs] = server.requests;
  expect(ours!.body).toEqual(bytes);
  expect(theirs!.body).toEqual(bytes);
  expect(ours!.headers).toEqual(theirs!.headers);
});

it("a form of the form-data package with a stream in it is never sent twice", async () => {
  const server = await serving([respond(503), respond(200)]);
  const { api, reasons } = retried({});
  const form = formStream();
  form.append("log", Readable.from(["line"]), { filename: "log.txt" });

  const error = await failureOf(api.put(server.url("/"), form));

  expect(error.response.status).toBe(503);
  expect(server.requests.map(partsOf)).toEqual([expect.stringContaining("line")]);
  expect(reasons).toEqual(["body-not-replayable"]);
});

it("a stream is never sent twice, and the call ends in axios' own error", async () => {
  const server = await serving([respond(503), respond(200)]);
  const { api, reasons } = retried({});

  const error = await failureOf(api.put(server.url("/"), Readable.from(["once"])));

  expect(error).toBeInstanceOf(AxiosError);
  expect(error.response.status).toBe(503);
  expect(server.requests.map((seen) => seen.body.toString())).toEqual(["once"]);
  expect(reasons).toEqual(["body-not-replayable"]);
});

it("a stream is not sent again where the connection was reset in the middle of it", async () => {
  const server = await serving([whileUploading(resetBeforeHeaders()), respond(200)]);
  const { api, reasons } = retried({});

  const error = await failureOf(api.put(server.url("/"), Readable.from(["once"])));

  expect(error).toBeInstanceOf(AxiosError);
  expect(server.requests).toHaveLength(1);
  expect(reasons).toEqual(["body-not-replayable"]);
});

it("a stream is not sent again where nobody listened", async () => {
  const dead = await deadPort();
  onTestFinished(() => dead.close());
  const { api, reasons } = retried({});

  const error = await failureOf(api.put(dead.url("/"), Readable.from(["once"])));

  expect(error.code).toBe("ECONNREFUSED");
  expect(reasons).toEqual(["body-not-replayable"]);
});

it("a 404 for a stream is no matter of its body", async () => {
  const server = await serving([respond(404)]);
  const { api, reasons } = retried({});

  await failureOf(api.put(server.url("/"), Readable.from(["once"])));

  expect(reasons).toEqual(["not-retryable"]);
});

it("a stream is not sent again even to an adapter that asks for another attempt", async () => {
  const adapter = vi.fn<AxiosAdapter>(() => Promise.reject(new TryAgainError()));
  const { api } = retried({ adapter });

  const error = await failureOf(api.put("https://example.com/", Readable.from(["once"])));

  expect(error.message).toBe("retryAxios: the body was sent before, and can be read only once");
  expect(adapter).toHaveBeenCalledTimes(1);
});

it("a function as data makes a stream for each attempt", async () => {
  const server = await serving([respond(503), respond(200)]);
  const { api } = retried({});

  await api.put(server.url("/"), () => Readable.from(["made anew"]));

  expect(server.requests.map((seen) => seen.body.toString())).toEqual(["made anew", "made anew"]);
});

it("an adapter gets bytes of the class that the caller gave", async () => {
  const adapter: AxiosAdapter = async ({ data }) => ({ ...ok, data: Buffer.isBuffer(data) });
  const { api } = retried({ adapter });

  const { data } = await api.put("https://example.com/", Buffer.from("bytes"));

  expect(data).toBe(true);
});

it("the config of response and error has the data that axios was given", async () => {
  const data = Buffer.from("bytes");
  const server = await serving([respond(200), respond(404)]);
  const { api } = retried({});

  const response = await api.put(server.url("/"), data);
  const error = await failureOf(api.put(server.url("/"), data));

  expect(response.config.data).toBe(data);
  expect(error.config.data).toBe(data);
});

it("headers that an adapter adds in one attempt are not in the next", async () => {
  const adapter = vi.fn<AxiosAdapter>(async ({ headers }) => {
    headers.set("X-Seen", `${headers.get("X-Seen") ?? ""}.`);
    throw new AxiosError("reset", "ECONNRESET");
  });
  const { api } = retried({ adapter }, { stop: stopAfterAttempt(3) });

  const error = await failureOf(api.get("https://example.com/"));

  expect(adapter).toHaveBeenCalledTimes(3);
  expect(adapter.mock.calls.map(([{ headers }]) => headers.get("X-Seen"))).toEqual([".", ".", "."]);
  expect(error.code).toBe("ECONNRESET");
});
