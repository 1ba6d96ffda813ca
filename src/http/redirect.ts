import { isStreamed } from "./bodies/body.js";
import { release } from "./bodies/discard.js";

// fetch follows redirects without a word. Where the next server cannot be reached, its error reads as if nothing had been sent,
// though the first server may have done what it was asked to. So what may not be repeated is sent with `redirect: "manual"`,
// and redirects are followed from here, as Fetch has it (4.4, "HTTP-redirect fetch"). docs/decisions/0024 says where.

/** A request that is followed by hand. */
export interface Followed {
  readonly method: string;
  /** What the request itself is sent with, and what those are that follow. */
  readonly first: RequestInit | undefined;
  readonly later: RequestInit | undefined;
  /** Makes a body that was streamed anew; `undefined` where nobody can. */
  readonly remake: (() => unknown) | undefined;
}

/** The methods and statuses after which a GET follows. */
const BECOMES_GET: Readonly<Record<number, (method: string) => boolean>> = {
  301: (method) => method === "POST",
  302: (method) => method === "POST",
  303: (method) => method !== "GET" && method !== "HEAD",
};
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const MOST = 20;
const OF_THE_BODY = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];
const CREDENTIALS = ["authorization", "proxy-authorization", "cookie", "host"];

/** Whether a request can be followed by hand to the letter: what `init` asks of every hop is left to fetch. */
export function isPlain({ mode = "cors", integrity, referrer = "about:client" }: RequestInit): boolean {
  return mode === "cors" && !integrity && referrer === "about:client";
}

/** Where a response redirects to; `undefined` where it does not. */
function locationOf({ status, headers }: Response): string | undefined {
  return (REDIRECTS.includes(status) && headers.get("location")) || undefined;
}

/**
 * Sends a request and follows where it is redirected to. Calls `onRedirect` at each redirect, and `onHidden` where fetch shows
 * nobody where to.
 */
export async function follow(
  send: (input: string | URL | Request, init: RequestInit) => Promise<Response>,
  input: string | URL | Request,
  request: Followed,
  onRedirect: () => void,
  onHidden: () => void,
): Promise<Response> {
  let { method } = request;
  let init: RequestInit = { ...request.later, redirect: "manual" };
  let response = await send(input, { ...request.first, redirect: "manual" });
  let from = new URL(typeof input === "object" && "url" in input ? input.url : input);
  let isCrossed = false;
  for (let hops = 0; ; hops++) {
    if (response.type === "opaqueredirect") {
      onRedirect();
      onHidden();
      throw failed("the request was redirected, and this fetch does not show where to");
    }
    const location = locationOf(response);
    if (!location) return hops > 0 ? markRedirected(response, isCrossed) : response;
    onRedirect();
    release(response.body);
    if (hops === MOST) throw failed("redirect count exceeded");
    const to = targetOf(location, response.url || from.href, from.hash);
    const headers = new Headers(init.headers);
    init = { ...init, headers };
    if (BECOMES_GET[response.status]?.(method)) {
      method = init.method = "GET";
      init.body = null;
      for (const name of OF_THE_BODY) headers.delete(name);
    } else if (isStreamed(init.body)) {
      if (!request.remake) throw failed("a redirect asks for the body again, and it can be read only once");
      init.body = (await request.remake()) as BodyInit;
    }
    if (to.origin !== from.origin) {
      isCrossed = true;
      for (const name of CREDENTIALS) headers.delete(name);
    }
    from = to;
    response = await send(to.href, init);
  }
}

function targetOf(location: string, base: string, hash: string): URL {
  let to: URL;
  try {
    to = new URL(asUtf8(location), base);
  } catch (cause) {
    throw new TypeError("fetch failed", { cause });
  }
  if (to.protocol !== "http:" && to.protocol !== "https:") throw failed(`a redirect to ${to.protocol} is not followed`);
  if (to.username || to.password) throw failed("a redirect to a URL with credentials is not followed");
  // A part of the page stays the same.
  if (!to.hash) to.hash = hash;
  return to;
}

/** A header's characters are bytes; those of a `Location` that are not ASCII are UTF-8 to every fetch. */
function asUtf8(location: string): string {
  if (!/[\x80-\xff]/.test(location) || /[^\0-\xff]/.test(location)) return location;
  return new TextDecoder().decode(Uint8Array.from(location, (character) => character.charCodeAt(0)));
}

function failed(why: string): TypeError {
  return new TypeError("fetch failed", { cause: new Error(why) });
}

/** fetch does not know that it was: its copies do not either. */
function markRedirected(response: Response, isCrossed: boolean): Response {
  const { clone, type } = response;
  return Object.defineProperties(response, {
    redirected: { value: true, configurable: true },
    type: { value: isCrossed && type === "basic" ? "cors" : type, configurable: true },
    clone: { value: () => markRedirected(clone.call(response), isCrossed), configurable: true, writable: true },
  });
}

/** Whether `redirect: "manual"` shows where a response redirects to: to a browser's pages and workers it does not. */
export function showsRedirects(): boolean {
  const { navigator } = globalThis as { navigator?: { userAgent?: string } };
  return !navigator?.userAgent?.startsWith("Mozilla/");
}
