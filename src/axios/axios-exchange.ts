import type { AxiosAdapter, AxiosInstance, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import type { GiveUpState, Outcome } from "../attempt.js";
import { type Attempt, resume, theAttempt } from "../current.js";
import { type Body, bodyOf } from "../http/body.js";
import type { HttpClient } from "../http/client.js";
import type { Streamed } from "../http/discard.js";
import { Draft } from "../http/draft.js";
import { Exchange } from "../http/exchange.js";
import type { HttpPolicy, HttpPolicySource } from "../http/http-policy.js";
import { HttpStatusError } from "../http/http-status-error.js";
import { applyKey } from "../http/idempotency-key.js";
import { urlOf } from "../http/request.js";
import type { HeaderSource } from "../http/server-delay.js";
import { readField } from "../inspect.js";
import { type Watch, watchOf } from "../interrupt.js";
import type { AxiosRequest } from "./retry-axios.js";

type Config = InternalAxiosRequestConfig;

/** How a request ended that a server answered: axios makes an error of what `validateStatus` refuses. */
interface Settled {
  readonly response: AxiosResponse;
  readonly error: unknown;
}

/** Sends what an axios instance has made of a request, again and again where that is due. */
export function sendRetried(
  client: HttpClient,
  source: HttpPolicySource<AxiosRequest>,
  instance: AxiosInstance,
  adapter: AxiosAdapter,
  config: Config,
): Promise<AxiosResponse> {
  let url: URL;
  try {
    url = urlOf(instance.getUri(config));
  } catch {
    // The adapter has its own error for it.
    return adapter(config);
  }
  try {
    const method = (config.method ?? "get").toUpperCase();
    const request: AxiosRequest = { method, url, headers: config.headers, config };
    const policy = typeof source === "function" ? source(request) : source;
    const keyed = applyKey(client.owner, policy.key, request);
    const cancelling = cancellingOf(config);
    const exchange = new AxiosExchange(client, policy, adapter, request, keyed, cancelling.watches);
    return (exchange.start() as Promise<AxiosResponse>).finally(cancelling.end);
  } catch (error) {
    return Promise.reject(error);
  }
}

class AxiosExchange extends Exchange {
  readonly #body: Body;

  constructor(
    client: HttpClient,
    policy: HttpPolicy,
    private readonly adapter: AxiosAdapter,
    private readonly request: AxiosRequest,
    keyed: boolean,
    watches: readonly Watch[],
  ) {
    const { method, url, config } = request;
    const body = bodyOf(config.data ?? "");
    super(client, policy, [config], method, url.origin, keyed, body.replayable, watches);
    this.#body = body;
  }

  override async attempt(): Promise<AxiosResponse> {
    const attempt = theAttempt()!;
    await this.discarded;
    const config = await this.#prepare(attempt);
    const settled = (await resume(attempt, () => this.policy.send.call(this, config))) as Settled;
    const { response, error } = settled;
    if (response.status < 400 && error === undefined) return response;
    const answer = this.note(response, false);
    answer.error = error ?? this.#statusError(response, answer.hint);
    if (error !== undefined || answer.retryable) throw answer.error;
    return response;
  }

  /** What an attempt hands to the adapter: its own, since adapters write to it. */
  async #prepare(attempt: Attempt): Promise<Config> {
    const { config, method, url } = this.request;
    const { prepare } = this.policy.options;
    const headers = new (config.headers.constructor as new (from: object) => Config["headers"])(config.headers);
    const sent: Config = { ...config, headers };
    if (config.data !== undefined && config.data !== null) sent.data = await this.#body.next();
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
    const outcome: Outcome = error === undefined ? { ok: true, value: response } : { ok: false, error };
    if (!this.isListed(response, outcome)) return settled;
    const answer = this.note(response, true);
    answer.error = error ?? this.#statusError(response, answer.hint);
    throw answer.error;
  }

  async #dispatch(config: Config): Promise<Settled> {
    try {
      return { response: await this.#adapt(config), error: undefined };
    } catch (error) {
      const response = readField(error, "response") as AxiosResponse | undefined;
      if (typeof response?.status !== "number") throw error;
      return { response, error };
    }
  }

  #adapt(config: Config): Promise<AxiosResponse> {
    const { signal: given, cancelToken } = config;
    return this.sendOnce((signal) => {
      if (signal) Object.assign(config, { signal, cancelToken: undefined });
      // The response and the error refer to it: who sends it again means to cancel it as before.
      return this.adapter(config).finally(() => Object.assign(config, { signal: given, cancelToken }));
    });
  }

  #statusError(response: AxiosResponse, hint: number | undefined): unknown {
    return new HttpStatusError(this.method, this.request.url, response, hint);
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

/** What may cancel a request: its signal, and axios' own older token. */
function cancellingOf({ signal, cancelToken }: Config): { readonly watches: Watch[]; end(): void } {
  const watches = signal ? [watchOf(signal as AbortSignal)] : [];
  if (!cancelToken) return { watches, end() {} };
  const controller = new AbortController();
  const token = cancelToken as unknown as Record<
    "subscribe" | "unsubscribe",
    (listener: (reason: unknown) => void) => void
  >;
  const cancel = (reason: unknown) => controller.abort(reason);
  token.subscribe(cancel);
  return { watches: [...watches, watchOf(controller.signal)], end: () => token.unsubscribe(cancel) };
}
