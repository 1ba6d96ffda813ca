import {
  type AxiosAdapter,
  type AxiosInstance,
  type AxiosResponse,
  getAdapter,
  type InternalAxiosRequestConfig,
} from "axios";
import type { RetryStats } from "../attempt.js";
import { HttpClient } from "../http/client.js";
import { type HttpKind, httpSourceOf } from "../http/http-policy.js";
import { HTTP_TABLE, type HttpOptions } from "../http/options.js";
import type { AttemptRequest, HttpRequest } from "../http/request.js";
import { sendRetried } from "./axios-exchange.js";

/** A request as options that are functions see it: also with what axios was given. */
export interface AxiosRequest extends HttpRequest {
  readonly config: InternalAxiosRequestConfig;
}

/** The options of `retryAxios`. */
export interface RetryAxiosOptions extends Omit<HttpOptions<AxiosResponse>, "prepare"> {
  /** Called before each attempt: may change the request, as to sign it or to renew its token. What it throws fails the attempt. */
  prepare?: ((request: AttemptRequest & AxiosRequest) => unknown) | undefined;
}

/** What `retryAxios` answers. */
export interface AxiosRetries {
  readonly stats: RetryStats;
  /** Takes the retries off the instance again. */
  eject(): void;
}

/**
 * Lets an axios instance retry its requests under the rules of `retryFetch`: only what may be sent twice, never a body that
 * cannot be, no sooner than the server asks, and within a budget per origin. It stands between interceptors and adapter, so
 * that interceptors and transformations run once for each call, and axios' own `timeout` holds for each attempt. A call ends
 * as axios would have it end. `options` may be a function of the request. Throws a `TypeError` or `RangeError` at once for an
 * option that makes no sense.
 *
 * @example
 * import axios, { AxiosError } from "axios";
 * import { waitNone } from "undaunted";
 * import { retryAxios } from "undaunted/axios";
 * import { flaky } from "undaunted/testing";
 *
 * const server = flaky([new AxiosError("reset", "ECONNRESET"), { status: 200, data: "hello" }]);
 * const api = axios.create({ adapter: server });
 * retryAxios(api, { wait: waitNone });
 *
 * const { data } = await api.get("https://example.com/greeting");
 * data; // => "hello"
 */
export function retryAxios(
  instance: AxiosInstance,
  options: RetryAxiosOptions | ((request: AxiosRequest) => RetryAxiosOptions) = {},
): AxiosRetries {
  const client = new HttpClient(AXIOS.owner);
  const source = httpSourceOf<AxiosRequest>(AXIOS, options);
  // What is retried already is not retried twice: a config is used again where an interceptor sends its request anew.
  const adapters = new WeakMap<object, AxiosAdapter>();
  const onRequest = (config: InternalAxiosRequestConfig) => {
    const given = config.adapter ?? instance.defaults.adapter;
    const adapter = (typeof given === "function" && adapters.get(given)) || getAdapter(given, config);
    const retried: AxiosAdapter = (sent) => sendRetried(client, source, instance, adapter, sent);
    adapters.set(retried, adapter);
    config.adapter = retried;
    return config;
  };
  const id = instance.interceptors.request.use(onRequest, null, { synchronous: true });
  return { stats: client.target.stats, eject: () => instance.interceptors.request.eject(id) };
}

const AXIOS: HttpKind = { owner: "retryAxios", table: HTTP_TABLE };
