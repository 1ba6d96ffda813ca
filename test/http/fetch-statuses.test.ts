import { StrategyError, stopAfterAttempt, waitNone } from "undaunted";
import { HttpStatusError, type RetryFetchOptions, retryFetch } from "undaunted/http";
import { flaky } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { endlessBody, status } from "./fetching.js";

const A = "https://example.com/";

/** Attempts that a GET takes where the first answer is `first` and the second a 204. */
async function attempts(first: Response, options: RetryFetchOptions = {}): Promise<number> {
  const api = retryFetch({ fetch: flaky([first, status(204)]), wait: waitNone, ...options });
  await api(A);
  return api.stats.attempts;
}

describe("by default", () => {
  it.each([408, 425, 429, 500, 502, 503, 504])("a %i is retried", async (code) => {
    expect(await attempts(status(code))).toBe(2);
  });

  it.each([200, 202, 204, 304, 400, 401, 403, 404, 409, 410, 413, 422, 423, 499, 501, 505, 507, 525, 526, 599])(
    "a %i is returned",
    async (code) => {
      expect(await attempts(status(code))).toBe(1);
    },
  );
});

describe("statuses", () => {
  it("may be a list, which replaces the default", async () => {
    expect(await attempts(status(404), { statuses: [404] })).toBe(2);
    expect(await attempts(status(503), { statuses: [404] })).toBe(1);
  });

  it("may be an empty list: then no status is retried", async () => {
    expect(await attempts(status(503), { statuses: [] })).toBe(1);
  });

  it("may list a 409, for which no key is asked then", async () => {
    expect(await attempts(status(409), { statuses: [409] })).toBe(2);
  });

  it("may be a function of the status and its response", async () => {
    const response = status(418);
    const asked: unknown[] = [];
    const listed = (...args: unknown[]) => {
      asked.push(args);
      return args[0] === 418;
    };

    expect(await attempts(response, { statuses: listed })).toBe(2);
    expect(asked[0]).toEqual([418, response]);
    expect((asked[0] as unknown[])[1]).toBe(response);
  });

  it("ask a function about responses below 400 too", async () => {
    expect(await attempts(status(202), { statuses: (code) => code === 202 })).toBe(2);
  });

  it("may list a status below 400, whose last response is returned", async () => {
    const last = status(202);
    const api = retryFetch({ fetch: flaky([last]), statuses: [202], stop: stopAfterAttempt(1) });

    await expect(api(A)).resolves.toBe(last);
  });

  it("make an error of what they list, below 400 too", async () => {
    const errors: unknown[] = [];
    const api = retryFetch({
      fetch: flaky([status(202), status(200)]),
      statuses: [202],
      wait: waitNone,
      onRetry: ({ outcome }) => errors.push(outcome.ok || outcome.error),
    });

    await api(A);

    expect(errors).toEqual([expect.any(HttpStatusError)]);
  });

  it("are read once", async () => {
    const listed = [503];
    const server = flaky([status(404)]);
    const api = retryFetch({ fetch: server, statuses: listed, wait: waitNone });
    listed.push(404);

    await api(A);

    expect(server).toHaveBeenCalledTimes(1);
  });
});

describe("statuses that fail", () => {
  const cause = new Error("broken");
  const broken = () => {
    throw cause;
  };

  it("are a StrategyError that keeps the response", async () => {
    const response = status(200);

    const error = await retryFetch({ fetch: flaky([response]), statuses: broken })(A).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toBeInstanceOf(StrategyError);
    expect(error).toMatchObject({ strategy: "retryIf", cause, outcome: { ok: true, value: response } });
  });

  it("are a StrategyError where they answer a promise, whose rejection is nobody's", async () => {
    const statuses = (async () => {
      throw cause;
    }) as unknown as () => boolean;

    await expect(retryFetch({ fetch: flaky([status(200)]), statuses })(A)).rejects.toMatchObject({
      cause: new TypeError("statuses must be synchronous; it returned a promise"),
    });
  });

  it("are not retried", async () => {
    const server = flaky([status(503)]);

    await expect(retryFetch({ fetch: server, statuses: broken, wait: waitNone })(A)).rejects.toBeInstanceOf(
      StrategyError,
    );

    expect(server).toHaveBeenCalledTimes(1);
  });

  it("leave no connection open", async () => {
    const { stream, seen } = endlessBody();

    await retryFetch({ fetch: flaky([new Response(stream)]), statuses: broken })(A).catch(() => {});

    expect(seen.cancelled).toBe(true);
  });
});
