import { type Attempt, resume, theAttempt } from "../common/current.js";
import { type AbortSource, abortSourceOf } from "../common/interrupt.js";
import { check } from "../common/validate.js";
import { ASYNC } from "../loop/policy.js";
import { type Body, bodyOf, isStreamed } from "./bodies/body.js";
import { release } from "./bodies/discard.js";
import type { HttpClient } from "./client.js";
import { Draft } from "./draft.js";
import { type Answer, Exchange } from "./exchange.js";
import { followOnce, redirectOf, showsRedirects } from "./follow-once.js";
import type { HttpPolicy, HttpPolicySource } from "./http-policy.js";
import { HttpStatusError } from "./http-status-error.js";
import { applyKey } from "./idempotency-key.js";
import { type HttpRequest, urlOf } from "./request.js";
import type { RetryFetchOptions } from "./retry-fetch.js";

// Of any client's classes: a `Request` is told by what it has.
export type FetchInput = string | URL | Request;
export type FetchInit = Omit<RequestInit, "body"> & { body?: any; duplex?: "half" };

/** What a call sends, as it was when the call was made. */
interface Sent {
  readonly input: FetchInput;
  /** Without what is told of here. */
  readonly init: FetchInit;
  /** `input`, where it is a `Request`. */
  readonly request: Request | undefined;
  readonly url: URL;
  readonly headers: Headers;
  /** What `init` says is to be sent. */
  readonly body: Body | undefined;
  /** The headers are not those of `input` and `init` any more. */
  readonly changed: boolean;
}

/** The exchange of a call of the client. Throws for a request that makes no sense. */
export function exchangeFor(
  client: HttpClient,
  source: HttpPolicySource<HttpRequest>,
  input: FetchInput,
  init?: FetchInit,
): FetchExchange {
  const request = isRequest(input) ? input : undefined;
  const method = methodOf(init?.method ?? request?.method ?? "GET");
  const headers = new Headers(init?.headers ?? request?.headers);
  const view: HttpRequest = { method, url: urlOf(input), headers };
  const policy = typeof source === "function" ? source(view) : source;
  const had = headers.has(policy.key.header);
  const keyed = applyKey(client.owner, policy.key, view);
  // Those of a `Request` can be changed.
  const changed = request !== undefined || init?.headers !== undefined || (keyed && !had);
  const given = init?.body ?? undefined;
  const sent = {
    input: input instanceof URL ? view.url : input,
    init: initOf(request, init),
    request,
    url: view.url,
    headers,
    body: given === undefined ? given : bodyOf(given),
    changed,
  };
  const abortSources = abortSourcesOf(client.owner, request, init);
  return new FetchExchange(client, policy, [input, init], sent, method, keyed, abortSources);
}

export class FetchExchange extends Exchange {
  declare readonly policy: HttpPolicy & { readonly options: RetryFetchOptions };
  /** A `Request` whose body is read once for each attempt. */
  readonly #copied: Request | undefined;

  constructor(
    client: HttpClient,
    policy: HttpPolicy,
    args: readonly unknown[],
    private readonly sent: Sent,
    method: string,
    keyed: boolean,
    abortSources: readonly AbortSource[],
  ) {
    const own = sent.body ? undefined : sent.request;
    const ownBody = own && hasBody(own);
    // What would never be sent twice is not kept in memory for that.
    const copied = ownBody && (keyed || policy.methods(method));
    const replayable = sent.body ? sent.body.replayable : !ownBody || copied!;
    super(client, policy, args, method, sent.url.origin, keyed, replayable, abortSources);
    this.#copied = copied ? own : undefined;
  }

  override async attempt(): Promise<Response> {
    const { policy } = this;
    const attempt = theAttempt()!;
    await this.discarded;
    const [input, init] = await this.#prepare(attempt);
    const response = (await resume(attempt, () => policy.send.call(this, input, init))) as Response;
    if (response.status < 400) return response;
    const answer = this.note(response, false);
    if (policy.options.throwOnFailure || answer.retryable) throw this.#fail(answer);
    return response;
  }

  /** What an attempt hands to `fetch`. */
  async #prepare(attempt: Attempt): Promise<[FetchInput, FetchInit]> {
    const { prepare } = this.policy.options;
    const { body, headers, changed } = this.sent;
    const made = await body?.next(prepare !== undefined);
    if (!prepare) return [this.#target(), this.#init(made, changed ? headers : undefined)];
    const { url } = this.sent;
    const own = new Headers(headers);
    const draft = new Draft(attempt, this.method, new URL(url), own, made);
    await prepare(draft);
    const to = new URL(draft.url);
    return [to.href === url.href ? this.#target() : this.#movedTo(to), this.#init(draft.body, own)];
  }

  #target(): FetchInput {
    return this.#copied ? this.#copied.clone() : this.sent.input;
  }

  #movedTo(url: URL): FetchInput {
    const { request, body } = this.sent;
    if (!request) return url.href;
    // Its own body is not sent where there is another, and need not be there any more.
    const settings = body ? { ...fieldsOf(request), body: undefined } : (this.#target() as Request);
    return new (request.constructor as typeof Request)(url, settings as RequestInit);
  }

  #init(body: unknown, headers: Headers | undefined): FetchInit {
    const init: FetchInit = { ...this.sent.init };
    if (headers) init.headers = headers;
    if (body !== undefined) init.body = body;
    // Node refuses a stream without it.
    if (isStreamed(body)) init.duplex ??= "half";
    return init;
  }

  override async send(input: FetchInput, init: FetchInit): Promise<Response> {
    const response = await this.sendOnce((signal) => this.#fetch(input, signal ? { ...init, signal } : init));
    if (this.isListed(response, { ok: true, value: response })) throw this.#fail(this.note(response, true));
    return response;
  }

  // Awaited throughout, so that the caller stays in the stack of what it throws.
  async #fetch(input: FetchInput, init: FetchInit): Promise<Response> {
    const fetch = this.policy.options.fetch ?? globalThis.fetch;
    const { request } = this.sent;
    const follows = (init.redirect ?? request?.redirect ?? "follow") === "follow";
    // Who may be sent twice, or cannot be, need not be asked where it came to.
    if (!follows || this.#seemsRepeatable() || !this.replayable) return await fetch(input, init);
    this.arrived = !showsRedirects();
    if (this.arrived) return await fetch(input, init);
    const headers = init.headers ?? request?.headers;
    const response = await fetch(input, { ...init, redirect: "manual" });
    const location = redirectOf(response);
    if (!location) return response;
    this.arrived = true;
    return await followOnce(
      fetch,
      response,
      urlOf(input),
      location,
      this.method,
      headers ? { ...init, headers } : init,
    );
  }

  /** A `methods` that fails is told of when it is asked about an outcome. */
  #seemsRepeatable(): boolean {
    try {
      return this.isRepeatable;
    } catch {
      return false;
    }
  }

  #fail(answer: Answer): unknown {
    const { response, hint } = answer;
    return this.failedBy(answer, new HttpStatusError(this.method, this.sent.url, response as Response, hint));
  }

  protected override mayReturn(): boolean {
    return !this.policy.options.throwOnFailure;
  }

  protected override headersOf(response: Response): Headers {
    return response.headers;
  }

  protected override streamOf(response: Response): ReadableStream<Uint8Array> | null {
    return response.body;
  }

  /** When the call is over, the body of a `Request` is used up, as fetch would have left it. */
  settleWith(answer: Promise<unknown>): void {
    const copied = this.#copied;
    if (!copied) return;
    const end = () => {
      if (!copied.bodyUsed) release(copied.body);
    };
    answer.then(end, end);
  }
}

/** What `init` says now, but for headers and body. */
function initOf(request: Request | undefined, init: FetchInit | undefined): FetchInit {
  const { headers: _, body: __, ...fields }: FetchInit = fieldsOf(init);
  if (!request || Object.keys(init ?? {}).length > 0) return fields;
  // Any `init` makes fetch forget them (Fetch, 5.4, the constructor), and each attempt has one.
  const { referrer, referrerPolicy } = request;
  if (referrer !== undefined && referrer !== "about:client") fields.referrer = referrer;
  if (referrerPolicy) fields.referrerPolicy = referrerPolicy;
  return fields;
}

/** With those that are inherited: a `Request` may stand for an `init`. */
function fieldsOf(init: object | undefined): Record<string, any> {
  const fields: Record<string, unknown> = {};
  for (const name in init) fields[name] = init[name as keyof typeof init];
  return fields;
}

function isRequest(input: unknown): input is Request {
  return typeof input === "object" && input !== null && "url" in input && "clone" in input;
}

function hasBody(request: Request): boolean {
  // Not every browser tells.
  return request.body === undefined ? !["GET", "HEAD"].includes(request.method) : request.body !== null;
}

// As fetch does it (Fetch, "normalize a method"): other methods stay as they are.
const NORMALIZED = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];

function methodOf(method: string): string {
  const upper = String(method).toUpperCase();
  return NORMALIZED.includes(upper) ? upper : method;
}

function abortSourcesOf(owner: string, request: Request | undefined, init: FetchInit | undefined): AbortSource[] {
  const abortSources: AbortSource[] = [];
  if (request?.signal) abortSources.push(abortSourceOf(request.signal));
  const signal = init?.signal;
  if (signal !== undefined && signal !== null) {
    check(owner, "init.signal", signal, ASYNC.table.signal!);
    abortSources.push(abortSourceOf(signal));
  }
  return abortSources;
}
