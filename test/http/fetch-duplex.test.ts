import { Readable } from "node:stream";
import { retryFetch } from "undaunted/http";
import { expect, it } from "vitest";
import { status } from "./fetching.js";

const A = "https://example.com/";

/** What fetch is told of how a body is sent: Node and Chrome want to know that it is a stream. */
async function duplexFor(init: object): Promise<unknown> {
  const inits: RequestInit[] = [];
  const fetch = async (_: string, init: any) => {
    inits.push(init);
    return status(200);
  };
  await retryFetch({ fetch })(A, { method: "PUT", ...init });
  return (inits[0] as { duplex?: unknown }).duplex;
}

it.each<[string, unknown]>([
  ["a string", "text"],
  ["bytes", Uint8Array.of(1)],
  ["a Blob", new Blob([])],
  ["a File", new File([], "a")],
  ["a FormData", new FormData()],
  ["URLSearchParams", new URLSearchParams()],
  ["a function that makes a string", () => "text"],
  ["nothing", null],
])("duplex is not set where the body is %s", async (_, body) => {
  expect(await duplexFor({ body })).toBeUndefined();
});

it.each<[string, () => unknown]>([
  ["a stream", () => new Blob([]).stream()],
  ["a Readable", () => Readable.from([])],
  ["an async iterable", async function* () {}],
  ["a form that is a stream", () => Object.assign(Readable.from([]), { [Symbol.toStringTag]: "FormData" })],
  ["a function that makes a stream", () => () => new Blob([]).stream()],
])("duplex is half where the body is %s", async (_, make) => {
  expect(await duplexFor({ body: make() })).toBe("half");
});

it("duplex of the caller's own stands", async () => {
  expect(await duplexFor({ body: new Blob([]).stream(), duplex: "full" })).toBe("full");
});
