import { setImmediate } from "node:timers/promises";
import axios, { type AxiosAdapter, AxiosError, type InternalAxiosRequestConfig } from "axios";
import { bulkheads, circuitBreakers, retry, retryBudget, stopAfterAttempt, waitFixed } from "undaunted";
import { type AxiosRequest, type RetryAxiosOptions, retryAxios } from "undaunted/axios";
import { originOf } from "undaunted/http";
import { describe, expect, it, vi } from "vitest";
import { hang, respond } from "../http/servers/index.js";
import { failureOf, released, retried, serving, unwaiting } from "./api.js";

const reset = () => new AxiosError("reset", "ECONNRESET");
const answer = (data: unknown) => ({ status: 200, data, headers: {}, statusText: "", config: {} as never });
const failing = () => vi.fn<AxiosAdapter>(() => Promise.reject(reset()));

describe("interceptors", () => {
  it("run once for a call, of whatever number of attempts", async () => {
    const server = await serving([respond(503), respond(503), respond(200)]);
    const { api } = retried({});
    const onRequest = vi.fn((config: InternalAxiosRequestConfig) => config);
    const onResponse = vi.fn((response) => response);
    api.interceptors.request.use(onRequest);
    api.interceptors.response.use(onResponse);

    await api.get(server.url("/"));

    expect(server.requests).toHaveLength(3);
    expect(onRequest).toHaveBeenCalledTimes(1);
    expect(onResponse).toHaveBeenCalledTimes(1);
  });

  it("of responses see only the last error", async () => {
    const server = await serving([respond(503), respond(502)]);
    const { api } = retried({}, { stop: stopAfterAttempt(2) });
    const onError = vi.fn(({ response }) => response.status);
    api.interceptors.response.use(null, onError);

    const answered = await api.get(server.url("/"));

    expect(answered).toBe(502);
    expect(onError).toHaveBeenCalledTimes(1);
  });

  it.each(["before", "after"])("may replace the config, be they added %s the retries", async (when) => {
    const server = await serving([respond(503), respond(200)]);
    const api = axios.create();
    const replace = (config: InternalAxiosRequestConfig) => ({ ...config, url: server.url("/replaced") });
    if (when === "before") api.interceptors.request.use(replace);
    retryAxios(api, unwaiting().options);
    if (when === "after") api.interceptors.request.use(replace);

    await api.get("https://example.com/");

    expect(server.requests.map((seen) => seen.path)).toEqual(["/replaced", "/replaced"]);
  });

  it("that are synchronous stay so", async () => {
    const { api } = retried({ adapter: failing() }, { stop: stopAfterAttempt(1) });
    const onRequest = vi.fn((config: InternalAxiosRequestConfig) => config);
    api.interceptors.request.use(onRequest, null, { synchronous: true });

    const failure = failureOf(api.get("https://example.com/"));

    expect(onRequest).toHaveBeenCalledTimes(1);
    await failure;
  });

  it("may send the request of an error anew, with a new token: each sending has its attempts, and no more", async () => {
    const server = await serving([respond(503), respond(401), respond(503), respond(503), respond(503)]);
    const { api, retries } = retried({}, { stop: stopAfterAttempt(2) });
    let renewed = false;
    api.interceptors.response.use(null, (error) => {
      if (error.response.status !== 401 || renewed) throw error;
      renewed = true;
      error.config.headers.set("Authorization", "Bearer new");
      return api.request(error.config);
    });

    const error = await failureOf(api.get(server.url("/")));

    expect(error.response.status).toBe(503);
    expect(server.requests.map((seen) => seen.headers.authorization)).toEqual([
      undefined,
      undefined,
      "Bearer new",
      "Bearer new",
    ]);
    expect(retries.stats).toMatchObject({ calls: 2, attempts: 4 });
  });

  it("that send a POST anew do so under its key", async () => {
    const server = await serving([respond(401), respond(201)]);
    const { api } = retried({}, { idempotencyKey: true });
    api.interceptors.response.use(null, ({ config }) => api.request(config));

    await api.post(server.url("/"), { sum: 1 });

    const [first, second] = server.requests;
    expect(second!.headers["idempotency-key"]).toBe(first!.headers["idempotency-key"]);
    expect(second!.body).toEqual(first!.body);
  });

  it("that send a config under way by another retried instance do not have it retried by both", async () => {
    const adapter = failing();
    const { api: other, retries: others } = retried({}, { stop: stopAfterAttempt(2) });
    const api = axios.create({ adapter });
    // Axios calls the interceptor that was added first last.
    api.interceptors.request.use((config) => other.request(config) as never);
    const retries = retryAxios(api, unwaiting().options);

    await failureOf(api.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(2);
    expect(others.stats.attempts).toBe(2);
    expect(retries.stats.attempts).toBe(0);
  });
});

describe("the config of an error", () => {
  it("names the adapter as it was given", async () => {
    const adapter = failing();
    const { api } = retried({}, { stop: stopAfterAttempt(1) });
    adapter.mockImplementation((config) => Promise.reject(new AxiosError("reset", "ECONNRESET", config)));

    const error = await failureOf(api.get("https://example.com/", { adapter }));

    expect(error.config.adapter).toBe(adapter);
  });

  it("can be sent by an instance that is not retried", async () => {
    const server = await serving([respond(404), respond(503), respond(200)]);
    const { api } = retried({});
    const { config } = await failureOf(api.get(server.url("/")));

    const error = await failureOf(axios.request(config));

    expect(error.response.status).toBe(503);
  });

  it("has url, baseURL and params as they were given, whatever prepare made of them", async () => {
    const server = await serving([respond(404)]);
    const sign: RetryAxiosOptions["prepare"] = ({ url }) => url.searchParams.set("sig", "s3cret");
    const { api } = retried({ baseURL: server.origin }, { prepare: sign });

    const { config } = await failureOf(api.get("/here", { params: { page: 2 } }));

    expect(server.requests[0]!.path).toBe("/here?page=2&sig=s3cret");
    expect(config).toMatchObject({ url: "/here", baseURL: server.origin, params: { page: 2 } });
  });

  it("has the caller's own beforeRedirect, if any", async () => {
    const server = await serving([respond(404)]);
    const beforeRedirect = () => {};
    const { api } = retried({});

    const own = await failureOf(api.get(server.url("/"), { beforeRedirect }));
    const none = await failureOf(api.get(server.url("/")));

    expect(own.config.beforeRedirect).toBe(beforeRedirect);
    expect(none.config.beforeRedirect).toBeUndefined();
  });
});

describe("the URL", () => {
  it("is made of baseURL, params and paramsSerializer, the same in each attempt", async () => {
    const server = await serving([respond(503), respond(200)]);
    const { api } = retried({
      baseURL: `${server.origin}/v1`,
      paramsSerializer: { serialize: (params) => params.ids.join(";") },
    });

    await api.get("users", { params: { ids: [1, 2] } });

    expect(server.requests.map((seen) => seen.path)).toEqual(["/v1/users?1;2", "/v1/users?1;2"]);
  });

  it("is, without its query, what names a call", async () => {
    const server = await serving([respond(503), respond(200)]);
    const names: string[] = [];
    const { api } = retried({ baseURL: server.origin }, { onRetry: ({ name }) => names.push(name) });

    await api.get("/users", { params: { token: "s3cret" } });

    expect(names).toEqual([`GET ${server.origin}`]);
  });

  it("is without its query in what hooks see of a failed response", async () => {
    const server = await serving([respond(503), respond(200)]);
    const messages: string[] = [];
    const { api } = retried(
      { baseURL: server.origin, validateStatus: () => true },
      { onRetry: ({ outcome }) => void messages.push(String((outcome as { error: unknown }).error)) },
    );

    await api.get("/users", { params: { token: "s3cret" } });

    expect(messages).toEqual([`HttpStatusError: GET ${server.origin}/users answered 503`]);
  });

  it("that is relative to nothing ends the call in axios' own error", async () => {
    const { api, retries } = retried({});

    const error = await failureOf(api.get("/users"));

    const plain = await failureOf(axios.get("/users"));
    expect(error).toBeInstanceOf(TypeError);
    expect([error.message, error.code]).toEqual([plain.message, plain.code]);
    expect(retries.stats.retries).toBe(0);
  });

  it("may be a path alone where the socket has a name", async () => {
    const adapter = failing();
    const { api } = retried({ adapter, socketPath: "/var/run/docker.sock" }, { stop: stopAfterAttempt(2) });

    await failureOf(api.get("/containers"));

    expect(adapter.mock.calls.map(([{ url }]) => url)).toEqual(["/containers", "/containers"]);
  });
});

describe("prepare", () => {
  it("may set headers, which hold for its attempt only", async () => {
    const server = await serving([respond(503), respond(200)]);
    const { api } = retried(
      {},
      { prepare: ({ attempt, headers }) => headers.set(`X-Attempt-${attempt}`, String(attempt)) },
    );

    await api.get(server.url("/"));

    const [first, second] = server.requests.map((seen) => seen.headers);
    expect(first).toMatchObject({ "x-attempt-1": "1" });
    expect(second).toMatchObject({ "x-attempt-2": "2" });
    expect(second).not.toHaveProperty("x-attempt-1");
  });

  it("may change the URL, which for the next attempt is as it was", async () => {
    const server = await serving([respond(503), respond(200)]);
    const { api } = retried(
      { baseURL: server.origin },
      { prepare: ({ attempt, url }) => url.searchParams.append("attempt", String(attempt)) },
    );

    await api.get("/a", { params: { b: "c d" } });

    expect(server.requests.map((seen) => seen.path)).toEqual(["/a?b=c+d&attempt=1", "/a?b=c+d&attempt=2"]);
  });

  it("may replace the URL", async () => {
    const server = await serving([respond(200)]);
    const { api } = retried(
      { baseURL: "https://example.com/api" },
      {
        prepare: (request) => {
          request.url = new URL(server.url("/elsewhere"));
        },
      },
    );

    await api.get("/here");

    expect(server.requests.map((seen) => seen.path)).toEqual(["/elsewhere"]);
  });

  it("may replace the URL where axios takes no absolute one", async () => {
    const server = await serving([respond(200)]);
    const { api } = retried(
      { baseURL: server.url("/v1"), allowAbsoluteUrls: false },
      {
        prepare: ({ url }) => url.searchParams.set("signed", "1"),
      },
    );

    await api.get("/here");

    expect(server.requests.map((seen) => seen.path)).toEqual(["/v1/here?signed=1"]);
  });

  it("holds for all that an adapter reads of the config, be it later", async () => {
    const adapter: AxiosAdapter = async (config) => {
      await setImmediate();
      return answer(config.url);
    };
    const { api } = retried({ adapter }, { prepare: ({ url }) => url.searchParams.set("signed", "1") });

    const { data } = await api.get("https://example.com/");

    expect(data).toBe("https://example.com/?signed=1");
  });

  it("may replace the body", async () => {
    const server = await serving([respond(503), respond(200)]);
    const { api } = retried(
      {},
      {
        prepare: (request) => {
          request.body = `${request.body}, attempt ${request.attempt}`;
        },
      },
    );

    await api.put(server.url("/"), "text");

    expect(server.requests.map((seen) => seen.body.toString())).toEqual(["text, attempt 1", "text, attempt 2"]);
  });

  it("is told method, config, and what the attempt before failed with", async () => {
    const server = await serving([respond(503), respond(200)]);
    const seen: unknown[] = [];
    const { api } = retried(
      {},
      {
        prepare: ({ method, config, previousError }) => {
          seen.push([method, config.timeout, (previousError as AxiosError | undefined)?.status]);
        },
      },
    );

    await api.get(server.url("/"), { timeout: 5_000 });

    expect(seen).toEqual([
      ["GET", 5_000, undefined],
      ["GET", 5_000, 503],
    ]);
  });

  it("that is asynchronous is waited for", async () => {
    const server = await serving([respond(200)]);
    const { api } = retried(
      {},
      {
        prepare: async ({ headers }) => {
          await setImmediate();
          headers.set("Authorization", "Bearer renewed");
        },
      },
    );

    await api.get(server.url("/"));

    expect(server.requests[0]!.headers.authorization).toBe("Bearer renewed");
  });

  it("that fails ends the call in its error, and nothing is sent", async () => {
    const adapter = failing();
    const broken = new Error("no key");
    const { api } = retried(
      { adapter },
      {
        prepare: () => {
          throw broken;
        },
      },
    );

    const error = await failureOf(api.get("https://example.com/"));

    expect(error).toBe(broken);
    expect(adapter).not.toHaveBeenCalled();
  });
});

describe("options as a function", () => {
  it("are those of the request, by its config", async () => {
    const adapter = failing();
    const once = { stop: stopAfterAttempt(1) };
    const thrice = { stop: stopAfterAttempt(3), wait: waitFixed(0) };
    const api = axios.create({ adapter });
    retryAxios(api, ({ config }) => (config.params?.patient ? thrice : once));

    await failureOf(api.get("https://example.com/"));
    await failureOf(api.get("https://example.com/", { params: { patient: true } }));

    expect(adapter).toHaveBeenCalledTimes(1 + 3);
  });

  it("see method, URL and headers as they are going to be sent", async () => {
    const adapter = vi.fn<AxiosAdapter>().mockResolvedValue(answer(""));
    const seen: AxiosRequest[] = [];
    const api = axios.create({ adapter, baseURL: "https://example.com/v1", headers: { "X-Tenant": "a" } });
    retryAxios(api, (request) => {
      seen.push(request);
      return {};
    });

    await api.put("users", "x", { params: { page: 2 } });

    const [{ method, url, headers }] = seen as [AxiosRequest];
    expect([method, url.href, headers.get("x-tenant")]).toEqual(["PUT", "https://example.com/v1/users?page=2", "a"]);
  });

  it("that throw end the call in their error", async () => {
    const unknown = new Error("no such tenant");
    const api = axios.create({ adapter: failing() });
    retryAxios(api, () => {
      throw unknown;
    });

    expect(await failureOf(api.get("https://example.com/"))).toBe(unknown);
  });
});

describe("what makes no sense", () => {
  it.each([
    [{ stop: 3 }, "retryAxios: stop must be a function, got 3"],
    [{ statuses: [99] }, "retryAxios: statuses must be a list of statuses from 100 to 999, or a function"],
    [{ retries: 3 }, 'retryAxios: there is no option "retries"'],
    [{ fetch: () => {} }, 'retryAxios: there is no option "fetch"'],
    [{ throwOnFailure: true }, 'retryAxios: there is no option "throwOnFailure"'],
    [null, "retryAxios: options must be an object, got null"],
  ])("as the options %o is refused at once", (options, message) => {
    const api = axios.create();

    expect(() => retryAxios(api, options as never)).toThrow(message);
  });

  it("as a number in place of the instance is a TypeError", () => {
    expect(() => retryAxios(5 as never)).toThrow(
      new TypeError("retryAxios: instance must be an axios instance, got 5"),
    );
  });

  it("as a number is a RangeError", () => {
    expect(() => retryAxios(axios.create(), { maxRetryAfter: -1 })).toThrow(RangeError);
  });

  it.each([undefined, null, {}, { interceptors: { request: {} } }, () => {}])(
    "as the instance %o is refused at once",
    (instance) => {
      expect(() => retryAxios(instance as never)).toThrow(/^retryAxios: instance must be an axios instance, got /);
    },
  );

  it("leaves the instance as it was", async () => {
    const adapter = failing();
    const api = axios.create({ adapter });
    expect(() => retryAxios(api, { stop: 3 } as never)).toThrow(TypeError);

    await failureOf(api.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(1);
  });
});

describe("an instance", () => {
  it("is not retried any more after eject", async () => {
    const adapter = failing();
    const { api, retries } = retried({ adapter });

    retries.eject();
    await failureOf(api.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(1);
  });

  it.each(["before", "after"])("made from another %s that was retried is not", async (when) => {
    const adapter = failing();
    const base = axios.create({ adapter }) as typeof axios;
    const early = base.create();
    retryAxios(base);
    const made = when === "before" ? early : base.create();

    await failureOf(made.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(1);
  });

  it("that is retried anew goes by the newer options alone", async () => {
    const adapter = failing();
    const { api, retries: older } = retried({ adapter }, { stop: stopAfterAttempt(4) });

    const newer = retryAxios(api, { stop: stopAfterAttempt(2), wait: waitFixed(0) });
    await failureOf(api.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(2);
    expect(older.stats.calls).toBe(0);
    expect(newer.stats.calls).toBe(1);
  });

  it("that was retried anew is not retried at all once the newer retries are ejected", async () => {
    const adapter = failing();
    const { api } = retried({ adapter });

    retryAxios(api).eject();
    await failureOf(api.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(1);
  });

  it("that was retried anew stays so when the older retries are ejected", async () => {
    const adapter = failing();
    const { api, retries: older } = retried({ adapter });
    retryAxios(api, { stop: stopAfterAttempt(2), wait: waitFixed(0) });

    older.eject();
    await failureOf(api.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(2);
  });

  it("can be retried again after all its interceptors were cleared", async () => {
    const adapter = failing();
    const { api } = retried({ adapter });
    api.interceptors.request.clear();

    retryAxios(api, { stop: stopAfterAttempt(2), wait: waitFixed(0) });
    await failureOf(api.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(2);
  });

  it("has stats", async () => {
    const server = await serving([respond(503), respond(200), respond(404)]);
    const { api, retries } = retried({});

    await api.get(server.url("/"));
    await failureOf(api.get(server.url("/")));

    expect(retries.stats).toMatchObject({ calls: 2, attempts: 3, retries: 1, successes: 1, failures: 1 });
  });
});

describe("guards", () => {
  it("a breaker per origin opens by what statuses lists", async () => {
    const server = await serving([respond(503)]);
    const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 2 });
    const { api } = retried({ baseURL: server.origin }, { breaker, stop: stopAfterAttempt(2) });

    await failureOf(api.get("/", { params: { page: 1 } }));

    expect(breaker.get(server.origin).state).toBe("open");
  });

  it.each([
    ["as an error", undefined],
    ["as a response", () => true],
  ])("a 404 is no failure to a breaker, be it taken %s", async (_, validateStatus) => {
    const server = await serving([respond(404)]);
    const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 1 });
    const { api } = retried({ ...(validateStatus && { validateStatus }) }, { breaker });

    await api.get(server.url("/")).catch(() => {});

    expect(breaker.get(server.origin).stats).toMatchObject({ successes: 1, failures: 0 });
  });

  it("a bulkhead per origin lets no more than its limit through", async () => {
    const server = await serving([hang()]);
    const bulkhead = bulkheads({ key: originOf, limit: 1 });
    const { api } = retried({ baseURL: server.origin }, { bulkhead, stop: stopAfterAttempt(1) });
    const controller = new AbortController();
    const first = failureOf(api.get("/", { signal: controller.signal }));
    await server.arrival(1);

    const error = await failureOf(api.get("/"));

    expect(error.code).toBe("ERR_BULKHEAD_FULL");
    controller.abort();
    await first;
    await released(server);
    expect(server.requests).toHaveLength(1);
  });

  it("retries are paid from a budget of their origin", async () => {
    const server = await serving([respond(503)]);
    const other = await serving([respond(503), respond(200)]);
    const { api, reasons } = retried({});

    for (let call = 0; call < 4; call++) await failureOf(api.get(server.url("/")));
    const { status } = await api.get(other.url("/"));

    // Ten tokens: three retries for each of three calls, and one more.
    expect(server.requests).toHaveLength(4 + 10);
    expect(reasons.at(-1)).toBe("budget");
    expect(status).toBe(200);
  });

  it("a budget of one's own takes the place of those", async () => {
    const adapter = failing();
    const { api, reasons } = retried({ adapter }, { budget: retryBudget({ capacity: 1 }) });

    await failureOf(api.get("https://example.com/"));

    expect(adapter).toHaveBeenCalledTimes(2);
    expect(reasons).toEqual(["budget"]);
  });
});

it("a fallback's answer is the response", async () => {
  const server = await serving([respond(503)]);
  const { api } = retried({}, { stop: stopAfterAttempt(1), fallback: () => answer('{"from":"cache"}') });

  const { data } = await api.get(server.url("/"));

  expect(data).toEqual({ from: "cache" });
});

it("an outer retry does not make a call again that has exhausted its attempts", async () => {
  const adapter = failing();
  const { api } = retried({ adapter }, { stop: stopAfterAttempt(2) });
  await failureOf(retry(() => api.get("https://example.com/"), { wait: waitFixed(0) })());

  expect(adapter).toHaveBeenCalledTimes(2);
});
