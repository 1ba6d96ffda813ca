import axios, { AxiosError, type AxiosResponse, type InternalAxiosRequestConfig } from "axios";
import { circuitBreaker, retry, stopAfterAttempt, waitNone } from "undaunted";
import { type RetryAxiosOptions, retryAxios } from "undaunted/axios";
import { attemptsOf, retryIfResponse } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const A = "https://a.example/";

/** An instance whose server plays a script of statuses and bodies, and what it was sent. */
function scripted(script: readonly (number | readonly [number, string] | Error)[], options: RetryAxiosOptions = {}) {
  const sent: InternalAxiosRequestConfig[] = [];
  const left = [...script];
  const adapter = async (config: InternalAxiosRequestConfig) => {
    sent.push(config);
    const next = left.length > 1 ? left.shift()! : left[0]!;
    if (next instanceof Error) throw next;
    const [status, data] = typeof next === "number" ? [next, ""] : next;
    const response = { status, data, statusText: "", headers: {}, config };
    if (status < 400) return response;
    throw new AxiosError(`status ${status}`, "ERR_BAD_REQUEST", config, {}, response);
  };
  const api = axios.create({ adapter });
  const retries = retryAxios(api, { wait: waitNone, ...options });
  return { api, sent, retries };
}

const failure = (call: Promise<unknown>): Promise<any> =>
  call.then(
    () => expect.fail("the call has succeeded"),
    (error: unknown) => error,
  );
const hanging = ({ signal }: InternalAxiosRequestConfig) =>
  new Promise<never>((_, reject) => signal?.addEventListener?.("abort", () => reject(new Error("ended"))));

describe("config.retry", () => {
  it("false makes one attempt", async () => {
    const { api, sent } = scripted([503]);

    expect((await failure(api.get(A, { retry: false }))).response.status).toBe(503);
    expect(sent).toHaveLength(1);
  });

  it("replaces options for that request alone", async () => {
    const { api, sent } = scripted([503]);

    await failure(api.get(A, { retry: { stop: stopAfterAttempt(2) } }));
    await failure(api.get(A));

    expect(sent).toHaveLength(6);
  });

  it("refuses what makes no sense", async () => {
    const { api } = scripted([200]);

    await expect(api.get(A, { retry: { retires: 3 } as never })).rejects.toThrow(
      'retryAxios: retry: there is no option "retires"',
    );
  });
});

describe("what a call ends in", () => {
  const options = { stop: stopAfterAttempt(1) };

  it("is an AxiosError around the breaker's refusal, which an outer retry does not try again", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    const { api } = scripted([503], { ...options, breaker });
    await failure(api.get(A));
    const outer = vi.fn(() => api.get(A));

    const error = await failure(retry(outer, { wait: waitNone })());

    expect(axios.isAxiosError(error)).toBe(true);
    expect(error).toMatchObject({ code: "ERR_CIRCUIT_OPEN", config: { url: A }, cause: { name: "CircuitOpenError" } });
    expect(outer).toHaveBeenCalledTimes(1);
  });

  it("is an AxiosError around the failure of a strategy", async () => {
    const retryIf = () => {
      throw new Error("mine");
    };

    const error = await failure(scripted([503], { retryIf }).api.get(A));

    expect(error).toMatchObject({ isAxiosError: true, code: "ERR_RETRY_STRATEGY", cause: { name: "StrategyError" } });
  });

  it("is an AxiosError with the response that nobody wanted", async () => {
    const retryIf = retryIfResponse<AxiosResponse>(() => true);
    const { api } = scripted([[200, '{"a":1}']], {
      ...options,
      retryIf,
      fallback: ({ error }) => Promise.reject(error),
    });

    const error = await failure(api.get(A));

    expect(error).toMatchObject({
      isAxiosError: true,
      code: "ERR_RETRY_EXHAUSTED",
      response: { status: 200, data: { a: 1 } },
    });
  });

  it("is a timeout as axios users know it, by either code", async () => {
    const codeOf = async (transitional: object) => {
      const clock = virtualClock();
      const api = axios.create({ adapter: hanging, transitional });
      retryAxios(api, { clock, totalTimeout: 20 });
      const ended = failure(api.get(A));
      await clock.advance(20);
      const { code, message } = await ended;
      return [code, message];
    };

    expect(await codeOf({})).toEqual(["ECONNABORTED", "timeout of 20ms exceeded"]);
    expect(await codeOf({ clarifyTimeoutError: true })).toEqual(["ETIMEDOUT", "timeout of 20ms exceeded"]);
  });

  it("knows how many attempts there were", async () => {
    const { api } = scripted([503, 503, 200]);

    expect(attemptsOf(await api.get(A))).toBe(3);
    expect(attemptsOf(await failure(scripted([503]).api.get(A)))).toBe(4);
  });

  it("is whatever else was thrown, as it was", async () => {
    const broken = new Error("broken");

    expect(await failure(scripted([broken]).api.get(A))).toBe(broken);
  });
});

describe("conditions see response.data parsed", () => {
  it("in an error, as axios-retry's do", async () => {
    const retryIf = (error: any) => error.response?.data.code === "LOCKED";
    const { api } = scripted(
      [
        [409, '{"code":"LOCKED"}'],
        [200, '{"code":"OK"}'],
      ],
      { retryIf },
    );

    expect((await api.get(A)).data).toEqual({ code: "OK" });
  });

  it("and a transformation of the caller's own runs once for the response that comes out", async () => {
    const transformResponse = vi.fn((data: string) => ({ seen: data }));
    const retryIf = retryIfResponse<AxiosResponse>(({ data }) => data.seen === "1");
    const { api } = scripted(
      [
        [200, "1"],
        [200, "2"],
      ],
      { retryIf },
    );

    const { data } = await api.get(A, { transformResponse });

    expect(data).toEqual({ seen: "2" });
    expect(transformResponse.mock.calls.map(([text]) => text)).toEqual(["1", "2"]);
  });

  it("or as it came, where it cannot be parsed: axios itself throws", async () => {
    const seen: unknown[] = [];
    const retryIf = retryIfResponse<AxiosResponse>(({ data }) => {
      seen.push(data);
      return false;
    });
    const strict = { responseType: "json" as const, transitional: { silentJSONParsing: false } };

    await expect(scripted([[200, "no JSON"]], { retryIf }).api.get(A, strict)).rejects.toThrow();

    expect(seen).toEqual(["no JSON"]);
  });
});

it.each([
  ["/a", undefined],
  ["/a", "/api"],
  ["a", undefined],
])("a relative URL %s with the base %s is retried, for adapters that take them", async (url, baseURL) => {
  const { api, sent } = scripted([503, 200]);

  const { status } = await api.get(url, baseURL ? { baseURL } : {});

  expect(status).toBe(200);
  expect(sent).toHaveLength(2);
});

it("a POST that was refused with a 429 is sent again, and a 401 is renewed", async () => {
  const { api, sent } = scripted([429, 401, 201], {
    authorize: ({ renew }) => ({ authorization: renew ? "new" : "old" }),
  });

  const { status } = await api.post(A, "x");

  expect(status).toBe(201);
  expect(sent.map(({ headers }) => headers.get("authorization"))).toEqual(["old", "old", "new"]);
});

it("an unread stub of a response is still one: a script of axios' own answers", async () => {
  const api = axios.create({
    adapter: flaky([
      { status: 503, data: "" },
      { status: 200, data: "hello" },
    ]) as never,
  });
  retryAxios(api, { wait: waitNone });

  expect((await api.get(A)).data).toBe("hello");
});
