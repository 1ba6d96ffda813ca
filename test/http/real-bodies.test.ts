import { Readable } from "node:stream";
import { type GiveUpReason, waitFixed, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { describe, expect, it, onTestFinished } from "vitest";
import { bodies, clients, driven, gaps, headers, serving } from "./real-clients.js";
import { deadPort, resetBeforeHeaders, respond, whileUploading } from "./servers/index.js";

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const large = Buffer.alloc(8_000_000, everyByte);

const BODIES: readonly [string, () => BodyInit, Uint8Array, string | undefined][] = [
  ["a string", () => "naïve", Buffer.from("naïve"), "text/plain;charset=UTF-8"],
  ["an empty string", () => "", Buffer.alloc(0), "text/plain;charset=UTF-8"],
  ["bytes", () => everyByte, everyByte, undefined],
  ["a part of a buffer", () => everyByte.subarray(10, 20), everyByte.subarray(10, 20), undefined],
  ["an ArrayBuffer", () => everyByte.slice().buffer, everyByte, undefined],
  ["a DataView", () => new DataView(everyByte.buffer, 1, 2), everyByte.subarray(1, 3), undefined],
  ["a Blob", () => new Blob([everyByte], { type: "image/png" }), everyByte, "image/png"],
  [
    "URLSearchParams",
    () => new URLSearchParams({ q: "a&b", page: "2" }),
    Buffer.from("q=a%26b&page=2"),
    "application/x-www-form-urlencoded;charset=UTF-8",
  ],
  ["a large upload", () => large, large, undefined],
];

const streamOf = (text: string) => new Blob([text]).stream();

async function* pieces() {
  yield Buffer.from("line 1\n");
  yield Buffer.from("line 2\n");
}

const STREAMS: readonly [string, () => any][] = [
  ["a ReadableStream", () => streamOf("line 1\nline 2\n")],
  ["an async iterable", pieces],
  ["a stream of Node's", () => Readable.from(pieces())],
];

describe.each(clients)("%s", (_, client) => {
  describe.each(BODIES)("sends %s", (_what, make, bytes, type) => {
    it("byte for byte the same in every attempt of a PUT", async () => {
      const { clock, policy } = driven(client);
      const server = await serving([respond(503), resetBeforeHeaders(), respond(200)], { now: clock.now });

      const init = { method: "PUT", body: make() };
      const { status } = await retryFetch({ ...policy, wait: waitFixed(1_000) })(server.url("/"), init);

      expect(status).toBe(200);
      expect(server.requests.map(({ body }) => body.equals(bytes))).toEqual([true, true, true]);
      expect(headers(server, "content-type")).toEqual([type, type, type]);
      expect(headers(server, "content-length")).toEqual(Array(3).fill(`${bytes.byteLength}`));
      expect(gaps(server)).toEqual([1_000, 1_000]);
    });
  });

  it("sends bytes as they were when it was called", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(200)]);
    const body = Buffer.from("first");
    const call = retryFetch({ ...policy, wait: waitNone })(server.url("/"), { method: "PUT", body });

    body.fill("x");
    await call;

    expect(bodies(server)).toEqual(["first", "first"]);
  });

  it("sends a form with the same fields and files in every attempt", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(200)]);
    const body = new client.FormData();
    body.append("name", "Ada");
    body.append("photo", new Blob([everyByte], { type: "image/png" }), "ada.png");

    await retryFetch({ ...policy, wait: waitNone })(server.url("/"), { method: "PUT", body });

    expect(server.requests).toHaveLength(2);
    for (const seen of server.requests) {
      const received = { headers: { "content-type": seen.headers["content-type"]! } };
      const form = await new Response(Uint8Array.from(seen.body), received).formData();
      const photo = form.get("photo") as File;
      expect(form.get("name")).toBe("Ada");
      expect(photo).toMatchObject({ name: "ada.png", type: "image/png" });
      expect(Buffer.from(await photo.arrayBuffer()).equals(everyByte)).toBe(true);
    }
  });

  it("sends a Request with its body in every attempt of a PUT", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), resetBeforeHeaders(), respond(200)]);
    const request = new client.Request(server.url("/a"), { method: "PUT", body: "new", headers: { "x-tenant": "7" } });

    const { status } = await retryFetch({ ...policy, wait: waitNone })(request);

    expect(status).toBe(200);
    expect(bodies(server)).toEqual(["new", "new", "new"]);
    expect(headers(server, "x-tenant")).toEqual(["7", "7", "7"]);
  });

  it("sends a Request of method POST once, with its body", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(201)]);

    const { status } = await retryFetch(policy)(new client.Request(server.url("/"), { method: "POST", body: "order" }));

    expect(status).toBe(503);
    expect(bodies(server)).toEqual(["order"]);
  });

  it("tries a Request of method POST once, with a body, where nobody listens: that is not kept", async () => {
    const { delays, policy } = driven(client);
    const nobody = await deadPort();
    onTestFinished(nobody.close);
    const reasons: GiveUpReason[] = [];
    const api = retryFetch({ ...policy, onGiveUp: ({ reason }) => reasons.push(reason) });

    const call = api(new client.Request(nobody.url("/"), { method: "POST", body: "order" }));

    await expect(call).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    expect(reasons).toEqual(["body-not-replayable"]);
    expect(delays).toEqual([]);
  });

  describe.each(STREAMS)("sends %s", (_what, make) => {
    it("once and whole, and answers the 503 that a retry was due for", async () => {
      const { delays, policy } = driven(client);
      const server = await serving([respond(503, { body: "busy" }), respond(200)]);
      const reasons: GiveUpReason[] = [];
      const api = retryFetch({ ...policy, onGiveUp: ({ reason }) => reasons.push(reason) });

      const response = await api(server.url("/"), { method: "PUT", body: make() });

      expect(response.status).toBe(503);
      expect(await response.text()).toBe("busy");
      expect(bodies(server)).toEqual(["line 1\nline 2\n"]);
      expect(reasons).toEqual(["body-not-replayable"]);
      expect(delays).toEqual([]);
    });

    it("once and whole, and rejects with the error that a retry was due for", async () => {
      const { policy } = driven(client);
      const server = await serving([resetBeforeHeaders(), respond(200)]);
      const reasons: GiveUpReason[] = [];
      const api = retryFetch({ ...policy, onGiveUp: ({ reason }) => reasons.push(reason) });

      const call = api(server.url("/"), { method: "PUT", body: make() });

      await expect(call).rejects.toMatchObject({ message: "fetch failed" });
      expect(bodies(server)).toEqual(["line 1\nline 2\n"]);
      expect(reasons).toEqual(["body-not-replayable"]);
    });

    it("that a function makes, whole in every attempt", async () => {
      const { policy } = driven(client);
      const server = await serving([respond(503), resetBeforeHeaders(), respond(200)]);

      const { status } = await retryFetch({ ...policy, wait: waitNone })(server.url("/"), {
        method: "PUT",
        body: make,
      });

      expect(status).toBe(200);
      expect(bodies(server)).toEqual(Array(3).fill("line 1\nline 2\n"));
    });
  });

  it("sends what an async function makes for each attempt", async () => {
    const { policy } = driven(client);
    const server = await serving([respond(503), respond(200)]);
    let made = 0;
    const body = async () => `made for attempt ${++made}`;

    await retryFetch({ ...policy, wait: waitNone })(server.url("/"), { method: "PUT", body });

    expect(bodies(server)).toEqual(["made for attempt 1", "made for attempt 2"]);
  });

  it("sends a large upload again that was answered 503 before it had come", async () => {
    const { policy } = driven(client);
    const server = await serving([whileUploading(respond(503, { body: "busy" })), respond(200)]);

    const init = { method: "PUT", body: large };
    const { status } = await retryFetch({ ...policy, wait: waitNone })(server.url("/"), init);

    expect(status).toBe(200);
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]!.body.equals(large)).toBe(true);
  });

  it("sends a large stream once that was answered 503 before it had come", async () => {
    const { policy } = driven(client);
    const server = await serving([whileUploading(respond(503, { body: "busy" })), respond(200)]);

    const init = { method: "PUT", body: new Blob([large]).stream() };
    const response = await retryFetch(policy)(server.url("/"), init);

    expect(response.status).toBe(503);
    expect(await response.text()).toBe("busy");
    expect(server.requests).toHaveLength(1);
  });
});
