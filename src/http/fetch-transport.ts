import type { Attempt } from "../common/current.js";
import { type Body, bodyOf, isStreamed } from "./bodies/body.js";
import { release } from "./bodies/discard.js";
import { Draft } from "./draft.js";
import { HttpStatusError } from "./http-status-error.js";
import type { HttpPolicy } from "./policy.js";
import { follow, isPlain, showsRedirects } from "./redirect.js";
import { type AttemptRequest, type HttpRequest, urlOf } from "./request.js";
import type { Sent, Transport } from "./transport.js";
import { originOfUrl, pathOfUrl } from "./url-parts.js";

// Of any client's classes: a `Request` is told by what it has.
export type FetchInput = string | URL | Request;
export type FetchInit = Omit<RequestInit, "body"> & { body?: any; duplex?: "half" };
type Send = (input: FetchInput, init: FetchInit | undefined) => Promise<Response>;

/** Where a relative URL stands outside a page: some fetches resolve it themselves. */
const NOWHERE = "http://localhost";

/** Fetches that do not show where a redirect leads, as it turned out. */
const hiding = /* @__PURE__ */ new WeakSet<object>();

/** A call's input and init, as they are when it is made. */
export class FetchRequest implements HttpRequest {
  /** `input`, where it is a `Request`. */
  readonly source: Request | undefined;
  readonly method: string;
  #url: URL | undefined;
  #headers: Headers | undefined;

  constructor(
    readonly input: FetchInput,
    /** As the options function sees it: how the call was made. */
    readonly init: FetchInit | undefined,
  ) {
    this.source = isRequest(input) ? input : undefined;
    this.method = methodOf(init?.method ?? this.source?.method ?? "GET");
  }

  get url(): URL {
    this.#url ??= urlOf(this.input, NOWHERE);
    return this.#url;
  }

  get headers(): Headers {
    this.#headers ??= new Headers(this.init?.headers ?? this.source?.headers);
    return this.#headers;
  }

  /** Whether it was given any. */
  get hasHeaders(): boolean {
    return this.init?.headers !== undefined || this.source !== undefined;
  }

  /** Its headers, where somebody has looked at them, and may have changed them, or where there are any. */
  get knownHeaders(): Headers | undefined {
    return this.hasHeaders ? this.headers : this.#headers;
  }
}

/** A call of a fetch. */
export class FetchTransport implements Transport<Response> {
  readonly origin: string;
  readonly name: string;
  readonly replayable: boolean;
  /** What `init` says is to be sent. */
  readonly #body: Body | undefined;
  /** Without headers and body; `undefined` where nothing is said. */
  readonly #settings: FetchInit | undefined;
  readonly #headers: Headers | undefined;
  /** A `Request` whose body is read once for each attempt. */
  readonly #copied: Request | undefined;
  readonly #isRepeatable: boolean;
  readonly #to: FetchInput;
  /** It was, or may have been, redirected. */
  #redirected = false;
  #mayBeRedirected = false;

  constructor(
    readonly request: FetchRequest,
    private readonly policy: HttpPolicy,
    private readonly throws: boolean,
    /** What sends it; `undefined` for the global fetch. */
    private readonly fetch: object | undefined,
    private readonly call: Send,
    keyed: boolean,
    /** Its headers are not those that it was given any more. */
    private readonly hasNewHeaders: boolean,
  ) {
    const { input, source, init, method } = request;
    this.origin = originIn(request);
    this.name = `${method} ${isAbsolute(input) ? this.origin : pathOfUrl(request.url)}`;
    const given = init?.body ?? undefined;
    this.#body = given === undefined ? undefined : bodyOf(given);
    this.#settings = settingsOf(source, init);
    this.#headers = request.knownHeaders;
    this.#to = input instanceof URL ? new URL(input.href) : input;
    this.#isRepeatable = keyed || mayBeRepeated(policy, method);
    const own = this.#body ? undefined : source;
    const hasOwn = own && hasBody(own);
    // What would never be sent twice is not kept in memory for that.
    this.#copied = hasOwn && this.#isRepeatable ? own : undefined;
    this.replayable = this.#body ? this.#body.replayable : !hasOwn || this.#copied !== undefined;
  }

  plain(attempt: number): Sent | Promise<Sent> {
    // Those of a `Request` may be changed before the next attempt.
    const { source, init } = this.request;
    const isAsGiven = attempt === 1 && source && init?.headers === undefined && !this.hasNewHeaders;
    const headers = isAsGiven ? undefined : this.#headers;
    if (!this.#body) return this.#sent(undefined, headers);
    const made = this.#make();
    return made instanceof Promise ? made.then((body) => this.#sent(body, headers)) : this.#sent(made, headers);
  }

  async draft(attempt: Attempt): Promise<AttemptRequest> {
    const made = await this.#make();
    const { method, url } = this.request;
    return new Draft(attempt, method, new URL(url.href), new Headers(this.#headers), made);
  }

  finish({ url, body, headers }: AttemptRequest): Sent {
    const to = new URL(String(url));
    const isMoved = to.href !== this.request.url.href;
    return [isMoved ? this.#movedTo(to) : this.#target(), this.#initWith(body, headers as Headers)];
  }

  /** What the attempt's body is. No promise, unless a function made one. */
  #make(): unknown {
    return this.#body?.next(this.policy.options.prepare !== undefined);
  }

  #sent(body: unknown, headers: Headers | undefined): Sent {
    const init = this.#initWith(body, headers);
    return init ? [this.#target(), init] : [this.#target()];
  }

  #target(): FetchInput {
    return this.#copied ? this.#copied.clone() : this.#to;
  }

  #movedTo(url: URL): FetchInput {
    const { source } = this.request;
    if (!source) return url.href;
    const settings: Record<string, unknown> = { ...fieldsOf(this.#target() as Request), ...hiddenIn(source) };
    // Its own body is not sent where there is another, and need not be there any more.
    if (this.#body) settings.body = undefined;
    return new (source.constructor as typeof Request)(url, settings);
  }

  #initWith(body: unknown, headers: Headers | undefined): FetchInit | undefined {
    if (!this.#settings && !headers && body === undefined) return undefined;
    const init: FetchInit = { ...this.#settings };
    if (headers) init.headers = headers;
    if (body !== undefined) init.body = body;
    // Node refuses a stream without it.
    if (isStreamed(body)) init.duplex ??= "half";
    return init;
  }

  // Awaited, so that the caller stays in the stack of what it throws.
  async send([input, init]: readonly [FetchInput, FetchInit?], signal: AbortSignal | undefined): Promise<Response> {
    const { source, method } = this.request;
    const settings = signal ? { ...init, signal } : init;
    // What is not sent again in any case need not be asked where it came to.
    this.#mayBeRedirected = this.replayable && (init?.redirect ?? source?.redirect ?? "follow") === "follow";
    if (!this.#mayBeRedirected || !this.#isFollowedByHand(input, init)) return await this.call(input, settings);
    this.#mayBeRedirected = false;
    const remake = this.#body?.isMade ? () => this.#make() : undefined;
    const onRedirect = () => {
      this.#redirected = true;
    };
    const onHidden = () => hiding.add(this.fetch ?? globalThis.fetch);
    const later = isRequest(input) ? { ...fieldsOf(input), ...hiddenIn(input), ...settings } : settings;
    return await follow(this.call, input, { method, first: settings, later, remake }, onRedirect, onHidden);
  }

  /** Whether it matters where a redirect leads, and this fetch shows it. */
  #isFollowedByHand(input: FetchInput, init: FetchInit | undefined): boolean {
    const matters = (!this.#isRepeatable && this.replayable) || (this.#body?.isMade && isStreamed(init?.body));
    if (!matters || !isAbsolute(input) || !isPlain(init ?? {}) || !showsRedirects()) return false;
    if (isRequest(input) && (!isPlain(input) || hidesDispatcher(input))) return false;
    return !hiding.has(this.fetch ?? globalThis.fetch);
  }

  mayHaveArrived(response: Response | undefined): boolean {
    return this.#redirected || (response ? response.redirected === true : this.#mayBeRedirected);
  }

  failure(response: Response, hint: number | undefined): object {
    const { method, url, input } = this.request;
    return new HttpStatusError(method, isAbsolute(input) ? url : (input as string), response, hint);
  }

  refuses({ status }: Response): boolean {
    return this.throws && status >= 400;
  }

  returns(): boolean {
    return !this.throws;
  }

  streamOf({ body }: Response): ReadableStream<Uint8Array> | null | undefined {
    return body;
  }

  /** The call is over: the body of a `Request` is used up, as fetch would have left it. */
  settleWith(ended: Promise<unknown>): void {
    const copied = this.#copied;
    if (!copied) return;
    const end = () => {
      if (!copied.bodyUsed) release(copied.body);
    };
    ended.then(end, end);
  }
}

/** A `methods` that fails is heard of when it is asked about an outcome. */
function mayBeRepeated({ methods }: HttpPolicy, method: string): boolean {
  try {
    return methods(method);
  } catch {
    return false;
  }
}

/** What `init` says now, but for headers and body, and what is ours; `undefined` for nothing. */
function settingsOf(request: Request | undefined, init: FetchInit | undefined): FetchInit | undefined {
  if (init && (!request || Object.keys(init).length > 0)) {
    const { headers: _, body: __, retry: ___, ...fields } = fieldsOf(init);
    return fields;
  }
  // Any `init` makes fetch forget them (Fetch, 5.4, the constructor), and most attempts have one.
  const { referrer = "about:client", referrerPolicy = "" } = request ?? {};
  if (referrer === "about:client" && !referrerPolicy) return init && {};
  return { ...(referrer !== "about:client" && { referrer }), ...(referrerPolicy && { referrerPolicy }) };
}

/** With those that are inherited: a `Request` may stand for an `init`. */
function fieldsOf(init: object): Record<string, any> {
  const fields: Record<string, unknown> = {};
  for (const name in init) fields[name] = init[name as keyof typeof init];
  return fields;
}

/** The dispatcher that a `Request` of undici was made with, up to its version 6: later ones show it to nobody. */
function hiddenIn(request: Request): Record<string, unknown> {
  const key = Object.getOwnPropertySymbols(request).find(({ description }) => description === "dispatcher");
  const dispatcher = key && Reflect.get(request, key);
  return dispatcher ? { dispatcher } : {};
}

/** Whether a `Request` may have a dispatcher that nobody sees: undici's have from version 7 on. */
function hidesDispatcher(request: Request): boolean {
  if (Object.getOwnPropertySymbols(request).some(({ description }) => description === "dispatcher")) return false;
  const { process } = globalThis as { process?: { versions?: { undici?: string } } };
  return request.constructor !== globalThis.Request || Number.parseInt(process?.versions?.undici ?? "", 10) >= 7;
}

function isRequest(input: unknown): input is Request {
  return typeof input === "object" && input !== null && "url" in input && "clone" in input;
}

/** A host without anything that URLs are read strictly for, and what may follow it. */
const PLAIN_HOST = /^https?:\/\/[\w.-]+(?::\d+)?(?=[/?#]|$)/;

/** By what stands before the path: to read a URL costs a third of a call. */
const origins = /* @__PURE__ */ new Map<string, string>();
const MOST_ORIGINS = 1_000;

function originIn(request: FetchRequest): string {
  const { input } = request;
  const [host] = (typeof input === "string" && PLAIN_HOST.exec(input)) || [];
  if (host === undefined) return originOfUrl(request.url);
  const known = origins.get(host);
  if (known !== undefined) return known;
  const origin = originOfUrl(request.url);
  if (origins.size >= MOST_ORIGINS) origins.clear();
  origins.set(host, origin);
  return origin;
}

/** Whether it is one without a base: others are for a page, or for a fetch that has its own. */
function isAbsolute(input: FetchInput): boolean {
  return typeof input === "object" || /^\s*[a-z][a-z\d+.-]*:/i.test(input);
}

function hasBody(request: Request): boolean {
  // Not every browser shows it.
  return request.body === undefined ? !["GET", "HEAD"].includes(request.method) : request.body !== null;
}

// As fetch does it (Fetch, "normalize a method"): other methods stay as they are.
const NORMALIZED = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];

function methodOf(method: string): string {
  const upper = String(method).toUpperCase();
  return NORMALIZED.includes(upper) ? upper : method;
}
