import type { AxiosAdapter, AxiosInstance, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import type { GiveUpState } from "../common/attempt.js";
import type { Attempt } from "../common/current.js";
import { readField } from "../common/inspect.js";
import type { Streamed } from "../http/bodies/discard.js";
import { Draft } from "../http/draft.js";
import { HttpStatusError } from "../http/http-status-error.js";
import { isNetworkError } from "../http/network-error.js";
import type { AttemptRequest, HttpRequest } from "../http/request.js";
import type { Sent, Transport } from "../http/transport.js";
import { originOfUrl, pathOfUrl } from "../http/url-parts.js";
import { type Data, dataOf } from "./data.js";
import { isShownParsed, showParsed } from "./parsed.js";

export type Config = InternalAxiosRequestConfig;

/** A request as options that are functions see it: also with what axios was given. */
export interface AxiosRequest extends HttpRequest {
  readonly config: Config;
}

/** What the requests of an axios instance are sent by. */
export interface Sender {
  readonly instance: AxiosInstance;
  readonly adapter: AxiosAdapter;
  /** The adapter as the config said it: one, its name, a choice of them. */
  readonly given: Config["adapter"];
}

/** A call of an axios instance, between its interceptors and its adapter. */
export class AxiosTransport implements Transport<AxiosResponse> {
  readonly origin: string;
  readonly name: string;
  readonly #data: Data;
  /** What axios made of responses that `validateStatus` refuses. */
  readonly #refusals = new WeakMap<object, object>();
  #redirected = false;

  constructor(
    readonly request: AxiosRequest,
    private readonly adapter: AxiosAdapter,
    isRelative: boolean,
    private readonly prepares: boolean,
  ) {
    const { method, url, config } = request;
    this.origin = originOfUrl(url);
    this.name = `${method} ${isRelative ? pathOfUrl(url) : this.origin}`;
    this.#data = dataOf(config.data);
  }

  get replayable(): boolean {
    return this.#data.body.replayable;
  }

  async plain(): Promise<Sent> {
    return [await this.#config()];
  }

  async draft(attempt: Attempt): Promise<AttemptRequest> {
    const { method, url, config } = this.request;
    const { headers, data } = await this.#config();
    return new AxiosDraft(attempt, method, new URL(url.href), headers, data, config);
  }

  finish({ url, headers, body }: AttemptRequest): Sent {
    const { config, url: before } = this.request;
    const sent: Config = { ...config, headers: headers as Config["headers"], data: body };
    return [url.href === before.href ? sent : { ...sent, url: url.href, baseURL: "", params: undefined }];
  }

  /** What an attempt hands to the adapter: its own, since adapters write to it. */
  async #config(): Promise<Config> {
    const { config } = this.request;
    const { body, contentType } = this.#data;
    const headers = new (config.headers.constructor as new (from: object) => Config["headers"])(config.headers);
    if (contentType) headers.set("Content-Type", contentType);
    const sent: Config = { ...config, headers };
    if (config.data !== undefined && config.data !== null) sent.data = await body.next(this.prepares);
    return sent;
  }

  async send([config]: readonly [Config], signal: AbortSignal | undefined): Promise<AxiosResponse> {
    const response = await this.#dispatch(config, signal);
    showParsed(this.request.config, response);
    return response;
  }

  async #dispatch(config: Config, signal: AbortSignal | undefined): Promise<AxiosResponse> {
    try {
      return await this.#adapt(config, signal);
    } catch (error) {
      const response = readField(error, "response");
      if (!isAnswer(response)) throw error;
      this.#refusals.set(response, error as object);
      return response;
    }
  }

  async #adapt(sent: Config, abort: AbortSignal | undefined): Promise<AxiosResponse> {
    const { url, baseURL, params, data, signal, beforeRedirect } = this.request.config;
    sent.beforeRedirect = (...redirect) => {
      this.#redirected = true;
      beforeRedirect?.(...redirect);
    };
    // A cancel token stays: axios lets it cancel a body that is being read.
    if (abort) sent.signal = abort;
    try {
      return await this.adapter(sent);
    } finally {
      // The response and the error refer to it: code that sends it again means the request as it was.
      Object.assign(sent, { url, baseURL, params, data, signal, beforeRedirect });
    }
  }

  /** Adapters other than Node's own follow redirects without a word. */
  mayHaveArrived(response: AxiosResponse | undefined, error: unknown): boolean {
    if (this.#redirected) return true;
    if (this.request.config.maxRedirects === 0) return false;
    const request = readField(response ?? error, "request");
    const seen = readField(request, "responseURL");
    if (typeof seen === "string" && seen !== "") return seen !== this.request.url.href.replace(/#.*/s, "");
    return typeof readField(request, "clone") === "function";
  }

  failure(response: AxiosResponse, hint: number | undefined): object {
    const { method, url } = this.request;
    return this.#refusals.get(response) ?? new HttpStatusError(method, url, response, hint);
  }

  refuses(response: AxiosResponse): boolean {
    return this.#refusals.has(response);
  }

  /** axios puts the response also into the error of one that broke off in its body. */
  brokenBy(response: AxiosResponse): unknown {
    const error = this.#refusals.get(response);
    return isNetworkError(error) ? error : undefined;
  }

  /** What axios took for a response ends as one; what it made an error of, as that. */
  returns({ outcome }: GiveUpState): boolean {
    return outcome.ok || outcome.error instanceof HttpStatusError;
  }

  /** Of a response that was asked for as a stream. */
  streamOf(response: AxiosResponse): Streamed | undefined {
    if (isShownParsed(response)) return undefined;
    const { data } = response;
    const isStream = ["getReader", "destroy"].some((method) => typeof readField(data, method) === "function");
    return isStream ? data : undefined;
  }
}

class AxiosDraft extends Draft {
  constructor(
    attempt: Attempt,
    method: string,
    url: URL,
    headers: Config["headers"],
    data: unknown,
    readonly config: Config,
  ) {
    super(attempt, method, url, headers, data);
  }
}

/** Whether a server has answered: an adapter of the user's need not say what. */
function isAnswer(response: unknown): response is AxiosResponse {
  return typeof readField(response, "status") === "number";
}
