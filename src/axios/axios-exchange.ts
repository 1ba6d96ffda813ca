import type { AxiosAdapter, AxiosInstance, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import type { GiveUpState, Outcome } from "../common/attempt.js";
import { type Attempt, resume, theAttempt } from "../common/current.js";
import { readField } from "../common/inspect.js";
import { type AbortSource, abortSourceOf } from "../common/interrupt.js";
import type { HeaderSource } from "../hints/server-delay.js";
import type { Streamed } from "../http/bodies/discard.js";
import type { HttpClient } from "../http/client.js";
import { Draft } from "../http/draft.js";
import { type Answer, Exchange } from "../http/exchange.js";
import type { HttpPolicy, HttpPolicySource } from "../http/http-policy.js";
import { HttpStatusError } from "../http/http-status-error.js";
import { applyKey } from "../http/idempotency-key.js";
import { isNetworkError } from "../http/network-error.js";
import { urlOf } from "../http/request.js";
import { type Data, dataOf } from "./data.js";
import type { AxiosRequest } from "./retry-axios.js";

type Config = InternalAxiosRequestConfig;

/** How a request ended that a server answered: axios makes an error of what `validateStatus` refuses. */
interface Settled {
  readonly response: AxiosResponse;
  readonly error: unknown;
}

/** What the requests of an axios instance are sent by. */
export interface Sender {
  readonly client: HttpClient;
  readonly source: HttpPolicySource<AxiosRequest>;
  readonly instance: AxiosInstance;
  readonly adapter: AxiosAdapter;
  /** The adapter as the config said it: one, its name, a choice of them. */
  readonly given: Config["adapter"];
}

/** Sends what an axios instance has made of a request, again and again where that is due. */
export async function sendRetried(sender: Sender, dispatched: Config): Promise<AxiosResponse> {
  const { client, source, instance, adapter, given } = sender;
  const config: Config = { ...dispatched, adapter: given! };
  let url: URL;
  try {
    // As axios takes it: a path is enough for a socket that has a name.
    url = urlOf({ url: instance.getUri(config), baseURL: config.socketPath ? "http://localhost" : undefined });
  } catch {
    // The adapter has its own error for it.
    return adapter(config);
  }
  const method = (config.method ?? "get").toUpperCase();
  const request: AxiosRequest = { method, url, headers: config.headers, config };
  const policy = typeof source === "function" ? source(request) : source;
  const keyed = applyKey(client.owner, policy.key, request);
  const data = dataOf(config.data);
  const cancelling = cancellingOf(config);
  try {
    const exchange = new AxiosExchange(sender, policy, request, data, keyed, cancelling.abortSources);
    return (await exchange.start()) as AxiosResponse;
  } finally {
    cancelling.end();
  }
}

class AxiosExchange extends Exchange {
  constructor(
    private readonly sender: Sender,
    policy: HttpPolicy,
    private readonly request: AxiosRequest,
    private readonly data: Data,
    keyed: boolean,
    abortSources: readonly AbortSource[],
  ) {
    const { method, url, config } = request;
    super(sender.client, policy, [config], method, url.origin, keyed, data.body.replayable, abortSources);
  }

  override async attempt(): Promise<AxiosResponse> {
    const attempt = theAttempt()!;
    await this.discarded;
    const config = await this.#prepare(attempt);
    const settled = (await resume(attempt, () => this.policy.send.call(this, config))) as Settled;
    const { response, error } = settled;
    if (error === undefined && !(response.status >= 400)) return response;
    const answer = this.note(response, false);
    const failure = this.#failure(answer, error);
    if (error !== undefined || answer.retryable) throw failure;
    return response;
  }

  /** What an attempt hands to the adapter: its own, since adapters write to it. */
  async #prepare(attempt: Attempt): Promise<Config> {
    const { config, method, url } = this.request;
    const { body, contentType } = this.data;
    const { prepare } = this.policy.options;
    const headers = new (config.headers.constructor as new (from: object) => Config["headers"])(config.headers);
    if (contentType) headers.set("Content-Type", contentType);
    const sent: Config = { ...config, headers };
    if (config.data !== undefined && config.data !== null) sent.data = await body.next();
    if (!prepare) return sent;
    const draft = new AxiosDraft(attempt, method, new URL(url), headers, sent.data);
    draft.config = config;
    await prepare(draft);
    sent.data = draft.body;
    if (draft.url.href === url.href) return sent;
    return { ...sent, url: draft.url.href, baseURL: "", params: undefined };
  }

  override async send(config: Config): Promise<Settled> {
    const settled = await this.#dispatch(config);
    const { response, error } = settled;
    if (!isAnswer(response)) return settled;
    const outcome: Outcome = error === undefined ? { ok: true, value: response } : { ok: false, error };
    if (this.isListed(response, outcome)) throw this.#failure(this.note(response, true), error);
    // axios puts the response also into the error of one that broke off in its body.
    if (isNetworkError(error)) throw error;
    return settled;
  }

  async #dispatch(config: Config): Promise<Settled> {
    try {
      return { response: await this.sendOnce((signal) => this.#adapt(config, signal)), error: undefined };
    } catch (error) {
      const response = readField(error, "response");
      if (!isAnswer(response)) throw error;
      return { response, error };
    }
  }

  async #adapt(sent: Config, abort: AbortSignal | undefined): Promise<AxiosResponse> {
    const { url, baseURL, params, data, signal, beforeRedirect } = this.request.config;
    sent.beforeRedirect = (...redirect) => {
      this.arrived = true;
      beforeRedirect?.(...redirect);
    };
    // A cancel token stays: axios lets it cancel a body that is being read.
    if (abort) sent.signal = abort;
    try {
      return await this.sender.adapter(sent);
    } finally {
      // The response and the error refer to it: who sends it again means the request as it was.
      Object.assign(sent, { url, baseURL, params, data, signal, beforeRedirect });
    }
  }

  #failure(answer: Answer, error: unknown): unknown {
    const { response, hint } = answer;
    const made = (error as object | undefined) ?? new HttpStatusError(this.method, this.request.url, response, hint);
    return this.failedBy(answer, made);
  }

  override mayRepeat(outcome: Outcome): boolean {
    // The adapter that is made of fetch follows redirects without a word.
    const follows = this.request.config.maxRedirects !== 0;
    if (!outcome.ok && follows && isFetchRequest(readField(outcome.error, "request"))) this.arrived = true;
    return super.mayRepeat(outcome);
  }

  /** What axios took for a response ends as one; what it made an error of, as that. */
  protected override mayReturn({ outcome }: GiveUpState): boolean {
    return outcome.ok || outcome.error instanceof HttpStatusError;
  }

  /** Also where an adapter hands out a plain object. */
  protected override headersOf({ headers }: AxiosResponse): HeaderSource {
    if (typeof headers?.get === "function") return headers as HeaderSource;
    return new Map(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  }

  /** Of a response that was asked for as a stream. */
  protected override streamOf({ data }: AxiosResponse): Streamed | undefined {
    const isStream = ["getReader", "destroy"].some((method) => typeof readField(data, method) === "function");
    return isStream ? data : undefined;
  }
}

class AxiosDraft extends Draft {
  declare config: Config;
}

/** Whether it is a request of fetch, and not one of Node. */
function isFetchRequest(request: unknown): boolean {
  return typeof readField(request, "clone") === "function";
}

/** Whether a server has answered: an adapter of the user's need not say what. */
function isAnswer(response: unknown): response is AxiosResponse {
  return typeof readField(response, "status") === "number";
}

/** What may cancel a request: its signal, and axios' own older token. */
function cancellingOf({ signal, cancelToken }: Config): { readonly abortSources: AbortSource[]; end(): void } {
  const abortSources = signal ? [abortSourceOf(signal as AbortSignal)] : [];
  if (!cancelToken) return { abortSources, end() {} };
  const controller = new AbortController();
  const token = cancelToken as unknown as Record<
    "subscribe" | "unsubscribe",
    (listener: (reason: unknown) => void) => void
  >;
  const cancel = (reason: unknown) => controller.abort(reason);
  token.subscribe(cancel);
  return { abortSources: [...abortSources, abortSourceOf(controller.signal)], end: () => token.unsubscribe(cancel) };
}
