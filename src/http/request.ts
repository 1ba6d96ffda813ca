import type { AttemptContext } from "../common/attempt.js";
import type { HeaderSource } from "../hints/server-delay.js";
import { originOfUrl } from "./url-parts.js";

/** A request as options that are functions see it. */
export interface HttpRequest {
  /** As it is sent: upper case where the client makes it so. */
  readonly method: string;
  /** Absolute: a relative URL outside a page stands under `http://localhost`. */
  readonly url: URL;
  readonly headers: HttpHeaders;
}

/** A request that is about to be sent: `prepare` may change it. It is made anew for every attempt. */
export interface AttemptRequest extends HttpRequest, AttemptContext {
  url: URL;
  /** What is going to be sent; `undefined` where there is none, or where it is the body of a `Request`. */
  body: unknown;
}

/** What `Headers` and axios' headers have in common. */
export interface HttpHeaders {
  get(name: string): unknown;
  has(name: string): boolean;
  set(name: string, value: string): unknown;
  delete(name: string): unknown;
}

/** What every client's response has. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: object;
}

/** Where a request may go: what `fetch` takes, or the settings of an axios request. */
export type HttpTarget = string | URL | { readonly url?: string | undefined; readonly baseURL?: string | undefined };

/**
 * The origin that a request goes to, as `"https://example.com"`: the `key` of budgets, breakers and bulkheads that are kept per
 * origin. Takes what `fetch` takes, and the settings of an axios request. Throws a `TypeError` for what is no URL.
 *
 * @example
 * originOf("https://example.com/users?page=2"); // => "https://example.com"
 */
export function originOf(target: HttpTarget): string {
  return originOfUrl(urlOf(target));
}

/** The absolute URL of a request: in a page a relative one is of that page, elsewhere of `base`. */
export function urlOf(target: HttpTarget, base?: string): URL {
  if (target instanceof URL) return new URL(target.href);
  const { url = "", baseURL } = typeof target === "object" && !("href" in target) ? target : { url: String(target) };
  const page = pageUrl() ?? base;
  return new URL(url, baseURL ? new URL(baseURL, page) : page);
}

function pageUrl(): string | undefined {
  return (globalThis as { location?: { href: string } }).location?.href;
}

/** What a response's headers are read from, also where a stand-in has a plain object for them, or none. */
export function headersOf({ headers }: { readonly headers?: unknown }): HeaderSource {
  if (typeof (headers as Partial<HeaderSource> | undefined)?.get === "function") return headers as HeaderSource;
  return new Map(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}
