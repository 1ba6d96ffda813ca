import { retryIfErrorCode, waitNone } from "undaunted";
import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { flaky } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { status } from "./fetching.js";

const A = "https://example.com/";
const post = { method: "POST", body: "x" };

/** How often a POST is sent that is answered so, and then with a 201. */
async function sent(first: Response, options: RetryFetchOptions = {}, init: object = post): Promise<number> {
  const server = flaky([first, status(201)]);
  await retryFetch({ fetch: server, wait: waitNone, ...options })(A, init);
  return server.calls.length;
}

/** A response that came after a redirect. */
const redirected = (code: number) => Object.defineProperty(status(code), "redirected", { value: true });

describe("a POST that was refused", () => {
  it.each([421, 425, 429])("with a %i is sent again, since nothing was done", async (code) => {
    expect(await sent(status(code))).toBe(2);
  });

  it.each([408, 500, 502, 503, 504])("with a %i is not: it may have been done", async (code) => {
    expect(await sent(status(code, { "retry-after": "0" }))).toBe(1);
  });

  it("is sent again for the statuses that unexecuted lists", async () => {
    expect(await sent(status(503), { unexecuted: [503] })).toBe(2);
    expect(await sent(status(429), { unexecuted: [] })).toBe(1);
  });

  it("is sent again where the function says so of the status and its response", async () => {
    const unexecuted = (code: number, { headers }: Response) => code === 503 && headers.has("retry-after");

    expect(await sent(status(503, { "retry-after": "0" }), { unexecuted })).toBe(2);
    expect(await sent(status(503), { unexecuted })).toBe(1);
  });

  it("is only where statuses or retryIf wants it", async () => {
    expect(await sent(status(429), { statuses: [503] })).toBe(1);
    expect(await sent(status(429), { retryIf: retryIfErrorCode(503) })).toBe(1);
    expect(await sent(status(429), { statuses: [503], throwOnFailure: true, retryIf: retryIfErrorCode(429) })).toBe(2);
  });

  it("is not where x-should-retry says no", async () => {
    expect(await sent(status(429, { "x-should-retry": "false" }))).toBe(1);
  });

  it("is not where its body is a stream", async () => {
    expect(await sent(status(429), {}, { ...post, body: new Blob(["x"]).stream() })).toBe(1);
  });

  it("is not where its key was used with another payload", async () => {
    const keyed = { idempotencyKey: true, unexecuted: [422], statuses: [422] };

    expect(await sent(status(422), keyed)).toBe(1);
  });

  it("is not after a redirect: the first server did what it was asked to", async () => {
    expect(await sent(redirected(429))).toBe(1);
  });

  it("ends in a StrategyError where unexecuted fails", async () => {
    const unexecuted = () => {
      throw new Error("broken");
    };

    await expect(sent(status(429), { unexecuted })).rejects.toMatchObject({ strategy: "retryIf" });
  });
});

it.each([421, 425, 413])("a %i is no failure of a breaker, and is retried", async (code) => {
  const seen: unknown[] = [];
  const breaker = {
    wrap: (fn: (...args: never[]) => Promise<unknown>) =>
      async function (this: unknown, ...args: never[]) {
        return fn.apply(this, args).then(
          (value) => {
            seen.push("success");
            return value;
          },
          (error) => {
            seen.push("failure");
            throw error;
          },
        );
      },
  };
  const server = flaky([status(code, { "retry-after": "0" }), status(200)]);

  const response = await retryFetch({ fetch: server, wait: waitNone, breaker: breaker as never })(A);

  expect(response.status).toBe(200);
  expect(seen).toEqual(["success", "success"]);
});

it.each([
  [{ "retry-after": "0" }, 2],
  [{}, 1],
])("a 413 with the headers %j is sent %i times", async (headers, times) => {
  expect(await sent(status(413, headers), {}, { method: "PUT", body: "x" })).toBe(times);
});
