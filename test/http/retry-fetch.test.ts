import { retry, stopAfterAttempt, waitFixed, waitNone } from "undaunted";
import { type HttpStatusError, retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { networkError, status, statuses } from "./fetching.js";

const URL_1 = "https://example.com/a?token=1";
const reset = networkError("ECONNRESET");

describe("retryFetch", () => {
  it("returns a response that is no failure as it is, after one call", async () => {
    const response = status(200);
    const server = flaky([response]);

    await expect(retryFetch({ fetch: server })(URL_1)).resolves.toBe(response);

    expect(server).toHaveBeenCalledTimes(1);
  });

  it("hands on what it was called with", async () => {
    const server = flaky([status(200)]);
    const init = { headers: { accept: "text/plain" }, cache: "no-store", dispatcher: {} } as const;

    await retryFetch({ fetch: server })(URL_1, init);

    const [input, sent] = server.calls[0] as [unknown, RequestInit];
    expect(input).toBe(URL_1);
    expect({ ...sent, headers: Object.fromEntries(new Headers(sent.headers)) }).toEqual(init);
  });

  it("makes up to 4 attempts", async () => {
    const server = flaky(statuses(503, 9));

    await retryFetch({ fetch: server, wait: waitNone })(URL_1);

    expect(server).toHaveBeenCalledTimes(4);
  });

  it("returns the last response, which can still be read, where all are failures", async () => {
    const server = flaky(["one", "two"].map((text) => status(503, {}, text)));
    const api = retryFetch({ fetch: server, wait: waitNone, stop: stopAfterAttempt(2) });

    const response = await api(URL_1);

    expect(response.status).toBe(503);
    expect(await response.text()).toBe("two");
  });

  it("returns the response that follows a failure", async () => {
    const server = flaky([status(503), reset, new Response("hello")]);

    const response = await retryFetch({ fetch: server, wait: waitNone })(URL_1);

    expect(await response.text()).toBe("hello");
  });

  it("rejects with the very error of the last attempt where that had no response", async () => {
    const server = flaky([status(503), networkError("ECONNRESET"), reset]);
    const api = retryFetch({ fetch: server, wait: waitNone, stop: stopAfterAttempt(3) });

    await expect(api(URL_1)).rejects.toBe(reset);
  });

  it("returns the last response where only the attempts before it had none", async () => {
    const last = status(503);
    const api = retryFetch({ fetch: flaky([reset, last]), wait: waitNone, stop: stopAfterAttempt(2) });

    await expect(api(URL_1)).resolves.toBe(last);
  });

  it("does not retry an error that is not of the network", async () => {
    const broken = new TypeError("x is not a function");
    const server = flaky([broken]);

    await expect(retryFetch({ fetch: server })(URL_1)).rejects.toBe(broken);

    expect(server).toHaveBeenCalledTimes(1);
  });

  it("rejects, and does not throw, where the URL makes no sense", async () => {
    const server = flaky([]);
    const ended = retryFetch({ fetch: server })("https://");

    await expect(ended).rejects.toBeInstanceOf(TypeError);
    expect(server).not.toHaveBeenCalled();
  });

  it("calls the global fetch as it is at each attempt", async () => {
    const original = globalThis.fetch;
    onTestFinished(() => {
      globalThis.fetch = original;
    });
    const second = flaky([status(200)]);
    globalThis.fetch = flaky([
      () => {
        globalThis.fetch = second;
        return status(503);
      },
    ]);

    const response = await retryFetch({ wait: waitNone })(URL_1);

    expect(response.status).toBe(200);
    expect(second).toHaveBeenCalledTimes(1);
  });

  it("calls fetch with no receiver, as browsers want it", async () => {
    const receivers: unknown[] = [];
    async function fetch(this: unknown, _: string) {
      receivers.push(this);
      return status(200);
    }

    await retryFetch({ fetch })(URL_1);

    expect(receivers).toEqual([undefined]);
  });

  it("keeps concurrent calls apart", async () => {
    const answers: Record<string, Response[]> = {
      "https://a.example/": [status(503, { "retry-after": "9999" })],
      "https://b.example/": [status(503), status(200)],
    };
    const api = retryFetch({ fetch: async (url: string) => answers[url]!.shift()!, wait: waitNone });

    const responses = await Promise.all(Object.keys(answers).map((url) => api(url)));

    expect(responses.map((response) => response.status)).toEqual([503, 200]);
  });

  it("is not retried again by a retry around it", async () => {
    const server = flaky([reset, reset, reset, reset]);
    const load = retry(retryFetch({ fetch: server, wait: waitNone }), { wait: waitNone });

    await expect(load(URL_1)).rejects.toBe(reset);

    expect(server).toHaveBeenCalledTimes(4);
  });

  it.each([
    ["of the first attempt", 1, {}],
    ["of a later attempt", 3, {}],
    ["of a later attempt that has a time limit", 3, { attemptTimeout: 10_000 }],
  ])("shows the caller in the stack of an error %s", async (_, attempts, options) => {
    const fetch = async (_: string): Promise<Response> => {
      await null;
      throw networkError("ECONNRESET");
    };
    async function callerOfFetch() {
      await retryFetch({ fetch, wait: waitNone, stop: stopAfterAttempt(attempts), ...options })(URL_1);
    }

    const error = await callerOfFetch().catch((thrown: Error) => thrown);

    expect((error as Error).stack).toContain("callerOfFetch");
  });
});

describe("hooks and strategies", () => {
  it("need not be given: the client's own do not fail", async () => {
    const errors: unknown[] = [];
    const onHookError = (error: unknown) => errors.push(error);

    await retryFetch({ fetch: flaky([reset, ...statuses(503, 3)]), wait: waitNone, onHookError })(URL_1);

    expect(errors).toEqual([]);
  });

  it("see a failed response as an HttpStatusError, and an accepted one as it is", async () => {
    const [failed, accepted] = [status(503), status(200)];
    const outcomes: unknown[] = [];
    const api = retryFetch({
      fetch: flaky([failed, accepted]),
      wait: waitNone,
      onRetry: ({ outcome }) => outcomes.push(outcome.ok || (outcome.error as HttpStatusError).response),
      onSuccess: ({ outcome }) => outcomes.push(outcome.ok && outcome.value),
    });

    await api(URL_1);

    expect(outcomes).toEqual([failed, accepted]);
  });

  it.each([
    ["a string", URL_1, undefined, "GET https://example.com"],
    ["a URL", new URL(URL_1), { method: "post" }, "POST https://example.com"],
    ["a Request", new Request(URL_1, { method: "PUT" }), undefined, "PUT https://example.com"],
    ["a Request and init", new Request(URL_1, { method: "PUT" }), { method: "DELETE" }, "DELETE https://example.com"],
    ["a method that fetch leaves as it is", URL_1, { method: "patch" }, "patch https://example.com"],
  ])("name a call by its method and origin: %s", async (_, input, init, name) => {
    const names: string[] = [];
    const api = retryFetch({ fetch: flaky([status(200)]), onAttempt: (start) => names.push(start.name) });

    await api(input, init);

    expect(names).toEqual([name]);
  });

  it.each(["get", "head", "post", "put", "delete", "options"])(
    "name a call by its method as sent: %s",
    async (method) => {
      const names: string[] = [];
      const api = retryFetch({ fetch: flaky([status(200)]), onAttempt: (start) => names.push(start.name) });

      await api(URL_1, { method });

      expect(names).toEqual([`${method.toUpperCase()} https://example.com`]);
    },
  );

  it("name a call as the policy does", async () => {
    const names: string[] = [];
    const api = retryFetch({
      fetch: flaky([status(200)]),
      name: "users",
      onAttempt: (start) => names.push(start.name),
    });

    await api(URL_1);

    expect(names).toEqual(["users"]);
  });

  it("see the call's own arguments", async () => {
    const input = new URL(URL_1);
    const init = { method: "PUT" };
    const seen: unknown[] = [];
    const api = retryFetch({ fetch: flaky([status(200)]), onSuccess: ({ args }) => seen.push(...args) });

    await api(input, init);

    expect(seen[0]).toBe(input);
    expect(seen[1]).toBe(init);
  });
});

describe("stats", () => {
  it("count calls, attempts, retries and sleep", async () => {
    const clock = virtualClock();
    const api = retryFetch({ fetch: flaky([status(503), status(200)]), wait: waitFixed(300), clock });

    const call = api(URL_1);
    await clock.runAll();
    await call;

    expect({ ...api.stats }).toEqual({ calls: 1, attempts: 2, retries: 1, successes: 1, failures: 0, idle: 300 });
  });

  it("count a call that ends in a failed response as a failure, and one that ends in a 404 as a success", async () => {
    const api = retryFetch({ fetch: flaky([status(501), status(503)]), stop: stopAfterAttempt(1) });

    await api(URL_1);
    await api(URL_1);

    expect(api.stats).toMatchObject({ calls: 2, successes: 1, failures: 1 });
  });

  it("are shared with the clients made by with()", async () => {
    const api = retryFetch({ fetch: flaky([status(200)]) });

    await api.with({ wait: waitNone })(URL_1);

    expect(api.stats.calls).toBe(1);
  });
});
