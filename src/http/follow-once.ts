import { isStreamed } from "./bodies/body.js";
import { release } from "./bodies/discard.js";

// fetch follows redirects without a word. Where the next server cannot be reached, its error reads as if nothing had been sent,
// though the first server may have done what it was asked to. So what may not be repeated is sent with `redirect: "manual"`,
// and the first redirect is followed from here, as Fetch has it (4.4, "HTTP-redirect fetch"); fetch follows the rest.

type Send = (input: string, init: RequestInit) => Promise<Response>;

/** The methods and statuses after which a GET follows. */
const BECOMES_GET: Readonly<Record<number, (method: string) => boolean>> = {
  301: (method) => method === "POST",
  302: (method) => method === "POST",
  303: (method) => method !== "GET" && method !== "HEAD",
};
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const OF_THE_BODY = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];
const CREDENTIALS = ["authorization", "proxy-authorization", "cookie", "host"];

/** Where a response says that it redirects to. */
export function redirectOf({ status, headers }: Response): string | undefined {
  return (REDIRECTS.includes(status) && headers.get("location")) || undefined;
}

/** Follows a first redirect, to `location`, of a request of `method` that went to `from` with `init`. */
export async function followOnce(
  send: Send,
  response: Response,
  from: URL,
  location: string,
  method: string,
  init: RequestInit,
): Promise<Response> {
  release(response.body);
  const to = targetOf(location, response.url || from.href, from.hash);
  const next: RequestInit = { ...init, method, redirect: "follow" };
  const headers = new Headers(init.headers);
  if (BECOMES_GET[response.status]?.(method)) {
    next.method = "GET";
    delete next.body;
    for (const name of OF_THE_BODY) headers.delete(name);
  } else if (isStreamed(init.body)) {
    throw new TypeError("fetch failed: a redirect asks for the body again, and it can be read only once");
  }
  if (to.origin !== from.origin) for (const name of CREDENTIALS) headers.delete(name);
  next.headers = headers;
  const followed = await send(to.href, next);
  Object.defineProperty(followed, "redirected", { value: true, configurable: true });
  return followed;
}

/** Whether `redirect: "manual"` shows where a response redirects to: to a browser's pages and workers it does not. */
export function showsRedirects(): boolean {
  const { navigator } = globalThis as { navigator?: { userAgent?: string } };
  return !navigator?.userAgent?.startsWith("Mozilla/");
}

function targetOf(location: string, base: string, hash: string): URL {
  let to: URL;
  try {
    to = new URL(location, base);
  } catch (cause) {
    throw new TypeError("fetch failed", { cause });
  }
  if (to.protocol !== "http:" && to.protocol !== "https:") {
    throw new TypeError("fetch failed", { cause: new Error(`a redirect to ${to.protocol} is not followed`) });
  }
  // A part of the page stays the same.
  if (!to.hash) to.hash = hash;
  return to;
}
