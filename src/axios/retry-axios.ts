import type { AxiosAdapter, AxiosInstance, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import type { RetryStats } from "../common/attempt.js";
import { readField } from "../common/inspect.js";
import type { SharedPauses } from "../common/pause.js";
import { check, type Rule } from "../common/validate.js";
import { HttpClient } from "../http/client.js";
import { attemptOf, GUARDED } from "../http/http-call.js";
import { HTTP_TABLE, type HttpOptions } from "../http/options.js";
import type { RetryPerCall } from "../http/per-call.js";
import { type HttpKind, httpSourceOf } from "../http/policy.js";
import type { AttemptRequest } from "../http/request.js";
import type { AxiosRequest } from "./axios-transport.js";
import { axios, getAdapter } from "./peer.js";
import { sendRetried } from "./send-retried.js";

declare module "axios" {
  interface AxiosRequestConfig {
    /** What holds for the retries of this request alone, where `retryAxios` is in force; `false`: none. */
    retry?: RetryPerCall<AxiosResponse> | undefined;
  }
}

/** The options of `retryAxios`. */
export interface RetryAxiosOptions extends Omit<HttpOptions<AxiosResponse>, "prepare"> {
  /** Called before each attempt: may change the request, as to sign it or to renew its token. What it throws fails the attempt. */
  prepare?: ((request: AttemptRequest & AxiosRequest) => unknown) | undefined;
  pauseOrigin?: boolean | SharedPauses<AxiosRequest> | undefined;
}

/** What `retryAxios` answers. */
export interface AxiosRetries {
  readonly stats: RetryStats;
  /** Takes these retries off the instance again. */
  eject(): void;
}

/**
 * Lets an axios instance retry its requests under the rules of `retryFetch`: only what may be sent twice, never a body that
 * cannot be, no sooner than the server asks, and within a budget per origin. It stands between interceptors and adapter, so
 * that interceptors and transformations run once for each call, and axios' own `timeout` holds for each attempt; strategies
 * and hooks see `response.data` before it is transformed. A call ends as axios would have it end. `data` may also be a
 * function that makes it for each attempt. `options` may be a function of the request. Called again for an instance, it takes
 * the place of the retries there; instances that are made from it have none. Throws a `TypeError` or `RangeError` at once for
 * an option that makes no sense.
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
  check(AXIOS.owner, "instance", instance, INSTANCE);
  const client = new HttpClient(AXIOS.owner, attemptOf);
  const source = httpSourceOf<AxiosRequest>(AXIOS, options);
  const onRequest = (config: InternalAxiosRequestConfig) => {
    const given = givenAdapter(config);
    const adapter = getAdapter(given || axios.defaults.adapter, config);
    const retrying: AxiosAdapter = (sent) =>
      sendRetried({ kind: AXIOS, client, source }, { instance, adapter, given }, sent);
    givenTo.set(retrying, given);
    config.adapter = retrying;
    return config;
  };
  const id = instance.interceptors.request.use(onRequest, null, {
    synchronous: true,
    runWhen: () => inForce.get(instance) === client,
  });
  inForce.set(instance, client);
  return { stats: client.target.stats, eject: () => instance.interceptors.request.eject(id) };
}

const AXIOS: HttpKind = { ...GUARDED, owner: "retryAxios", table: HTTP_TABLE };

const INSTANCE: Rule = [
  "an axios instance",
  "function|object",
  (instance) => typeof readField(readField(readField(instance, "interceptors"), "request"), "use") === "function",
];

/** By whom an instance's requests are retried: who came last. */
const inForce = /* @__PURE__ */ new WeakMap<AxiosInstance, HttpClient>();

/** What a retrying adapter was made of. */
const givenTo = /* @__PURE__ */ new WeakMap<object, InternalAxiosRequestConfig["adapter"]>();

/** What is retried already is not retried twice: an interceptor may send a config anew, also by another instance. */
function givenAdapter({ adapter }: InternalAxiosRequestConfig): InternalAxiosRequestConfig["adapter"] {
  return typeof adapter === "function" && givenTo.has(adapter) ? givenTo.get(adapter) : adapter;
}
