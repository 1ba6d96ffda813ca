import { stopAfterAttempt, waitFixed, waitNone } from "undaunted";
import { type HttpRequest, type RetryFetchOptions, retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { status, statuses } from "./fetching.js";

const A = "https://example.com/a";

describe("options as a function", () => {
  it("are asked for each call, about its request", async () => {
    const asked: HttpRequest[] = [];
    const options = { fetch: flaky(statuses(200, 2)) };
    const api = retryFetch((request) => {
      asked.push(request);
      return options;
    });

    await api(`${A}?q=1`, { method: "put", headers: { a: "1" } });
    await api(new Request(A, { headers: { a: "2" } }));

    expect(asked).toMatchObject([
      { method: "PUT", url: new URL(`${A}?q=1`) },
      { method: "GET", url: new URL(A) },
    ]);
    expect(asked.map(({ headers }) => headers.get("a"))).toEqual(["1", "2"]);
  });

  it("are a policy for each host or path", async () => {
    const fetch = async (_: string) => status(503);
    const once = { fetch, stop: stopAfterAttempt(1) };
    const twice = { fetch, stop: stopAfterAttempt(2), wait: waitNone };
    const api = retryFetch(({ url }) => (url.hostname === "once.example" ? once : twice));

    await api("https://once.example/");
    await api("https://twice.example/");

    expect(api.stats.attempts).toBe(3);
  });

  it("are compiled once for each object", async () => {
    let reads = 0;
    const options: RetryFetchOptions = {
      get fetch() {
        reads++;
        return async () => status(200);
      },
    };
    const api = retryFetch(() => options);

    await api(A);
    await api(A);

    expect(reads).toBe(1);
  });

  it("are compiled once for each object under with() too", async () => {
    let reads = 0;
    const options: RetryFetchOptions = {
      get fetch() {
        reads++;
        return async () => status(200);
      },
    };
    const api = retryFetch(() => options).with({ wait: waitNone });

    await api(A);
    await api(A);

    expect(reads).toBe(1);
  });

  it("reject the call with what they throw", async () => {
    const error = new Error("no such tenant");
    const api = retryFetch(() => {
      throw error;
    });

    await expect(api(A)).rejects.toBe(error);
  });

  it("reject the call where they make no sense", async () => {
    const api = retryFetch(() => ({ maxRetryAfter: -1 }));

    await expect(api(A)).rejects.toThrow(
      new RangeError("retryFetch: maxRetryAfter must be a number of ms from 0, got -1"),
    );
  });

  it.each([
    ["nothing", undefined, "undefined"],
    ["null", null, "null"],
    ["a promise", Promise.resolve({}), "[object Promise]"],
    ["a list", [], "[]"],
    ["a function", () => {}, "a function"],
  ])("reject the call where they are %s", async (_, answer, shown) => {
    await expect(retryFetch((() => answer) as never)(A)).rejects.toThrow(
      new TypeError(`retryFetch: what the options function returned must be an object, got ${shown}`),
    );
  });

  it("are not a strategy by mistake", () => {
    expect(() => retryFetch(stopAfterAttempt(3) as never)).toThrow(
      new TypeError("retryFetch: options must be an object, got a strategy: give it a name"),
    );
  });
});

describe("with()", () => {
  it("replaces some options and keeps the others", async () => {
    const clock = virtualClock();
    const server = flaky(statuses(503, 9));
    const api = retryFetch({ fetch: server, stop: stopAfterAttempt(2), wait: waitFixed(1), clock });
    const delays: number[] = [];

    const call = api.with({ wait: waitFixed(7), onRetry: ({ delay }) => delays.push(delay) })(A);
    await clock.runAll();
    await call;

    expect(delays).toEqual([7]);
  });

  it("leaves the client as it was", async () => {
    const api = retryFetch({ fetch: flaky(statuses(503, 9)), wait: waitNone });
    api.with({ stop: stopAfterAttempt(1) });

    await api(A);

    expect(api.stats.attempts).toBe(4);
  });

  it("may be repeated", async () => {
    const api = retryFetch({ fetch: flaky(statuses(404, 9)), wait: waitNone });

    await api.with({ statuses: [404] }).with({ stop: stopAfterAttempt(2) })(A);

    expect(api.stats.attempts).toBe(2);
  });

  it("leaves an option as it is that is undefined", async () => {
    const api = retryFetch({ fetch: flaky(statuses(503, 9)), stop: stopAfterAttempt(2), wait: waitNone });

    await api.with({ stop: undefined })(A);

    expect(api.stats.attempts).toBe(2);
  });

  it("works on options that are a function", async () => {
    const options = { fetch: flaky(statuses(503, 9)), wait: waitNone };
    const api = retryFetch(() => options).with({ stop: stopAfterAttempt(2) });

    await api(A);

    expect(api.stats.attempts).toBe(2);
  });

  it("joins a signal to the one that is there, also under a function", async () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const options = { fetch: (_: string) => new Promise<Response>(() => {}), signal: one.signal };
    const clients = [retryFetch(options), retryFetch(() => options)];

    const calls = clients.map((api) => api.with({ signal: other.signal })(A));
    one.abort("the first");

    expect(await Promise.allSettled(calls)).toEqual(calls.map(() => ({ status: "rejected", reason: "the first" })));
  });

  it("refuses what makes no sense at once", () => {
    expect(() => retryFetch().with({ retries: 3 } as never)).toThrow(
      /^with: there is no option "retries"; allowed are /,
    );
    expect(() => retryFetch().with({ maxRetryAfter: Number.NaN })).toThrow(
      new RangeError("with: maxRetryAfter must be a number of ms from 0, got NaN"),
    );
  });
});

it("statuses may be any from 100 to 999", () => {
  expect(() => retryFetch({ statuses: [100, 999] })).not.toThrow();
});

it("every option may be undefined", async () => {
  const names = ["methods", "statuses", "maxRetryAfter", "idempotencyKey", "prepare", "budget", "breaker", "bulkhead"];
  const nothing = Object.fromEntries([...names, "pauseOrigin", "throwOnFailure", "fallback"].map((name) => [name]));

  const response = await retryFetch({ ...nothing, fetch: flaky([status(503), status(200)]), wait: waitNone })(A);

  expect(response.status).toBe(200);
});
