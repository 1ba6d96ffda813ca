import { waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { receiver, status } from "./fetching.js";

const A = "https://example.com/a";

/** What a server receives that fails once, where `change` is made as soon as the call is. */
async function receivedThough(change: () => unknown, input: any, init?: object) {
  const { fetch, received } = receiver([status(503), status(204)]);
  const call = retryFetch({ fetch, wait: waitNone })(input, init);
  change();
  await call;
  expect(received).toHaveLength(2);
  return received;
}

describe("what the caller changes after the call is not sent", () => {
  it("in bytes", async () => {
    const body = Uint8Array.of(65, 66);
    const received = await receivedThough(() => body.fill(0), A, { method: "PUT", body });

    expect(received.map((request) => request.body)).toEqual(["AB", "AB"]);
  });

  it("in an ArrayBuffer", async () => {
    const body = Uint8Array.of(65, 66);
    const received = await receivedThough(() => body.fill(0), A, { method: "PUT", body: body.buffer });

    expect(received.map((request) => request.body)).toEqual(["AB", "AB"]);
  });

  it("in URLSearchParams", async () => {
    const body = new URLSearchParams({ a: "1" });
    const received = await receivedThough(() => body.append("b", "2"), A, { method: "PUT", body });

    expect(received.map((request) => request.body)).toEqual(["a=1", "a=1"]);
  });

  it("in a FormData", async () => {
    const body = new FormData();
    body.append("a", "1");
    const received = await receivedThough(() => body.append("b", "2"), A, { method: "PUT", body });

    for (const request of received) expect(request.body).not.toContain('name="b"');
  });

  it.each([
    ["a Headers", new Headers({ a: "1" }), (headers: Headers) => headers.set("a", "2")],
    ["an object", { a: "1" }, (headers: Record<string, string>) => Object.assign(headers, { a: "2" })],
    ["a list", [["a", "1"]], (headers: string[][]) => headers.push(["a", "2"])],
  ])("in headers: %s", async (_, headers, change) => {
    const received = await receivedThough(() => change(headers as never), A, { headers });

    expect(received.map((request) => request.headers.get("a"))).toEqual(["1", "1"]);
  });

  it("in the headers of a Request", async () => {
    const request = new Request(A, { headers: { a: "1" } });
    const received = await receivedThough(() => request.headers.set("a", "2"), request);

    expect(received.map(({ headers }) => headers.get("a"))).toEqual(["1", "1"]);
  });

  it("in a URL", async () => {
    const url = new URL(A);
    const received = await receivedThough(() => {
      url.pathname = "/b";
    }, url);

    expect(received.map((request) => request.url)).toEqual([A, A]);
  });

  it("in init", async () => {
    const init = { method: "PUT", body: "a" };
    const received = await receivedThough(() => Object.assign(init, { method: "DELETE", body: "b" }), A, init);

    expect(received).toMatchObject([
      { method: "PUT", body: "a" },
      { method: "PUT", body: "a" },
    ]);
  });
});
