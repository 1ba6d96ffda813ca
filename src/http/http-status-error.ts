import { rename } from "../common/errors.js";
import { originOf } from "./request.js";
import { pathOfUrl } from "./url-parts.js";

/**
 * A response whose status is a failure: what strategies, hooks and guards see of it, and with `throwOnFailure` what the
 * call rejects with. Its `response` can still be read, unless the call went on to another attempt.
 *
 * @example
 * const error = new HttpStatusError("GET", "https://example.com/a?token=1", new Response(null, { status: 503 }));
 * error.message; // => "GET https://example.com/a answered 503"
 */
export class HttpStatusError<R extends { readonly status: number } = Response> extends Error {
  override get name(): "HttpStatusError" {
    return "HttpStatusError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_HTTP_STATUS";
  readonly status: number;
  /** ms that the server asked to wait, if it did. */
  readonly retryAfter: number | undefined;
  /** Not enumerable, so that logging the error does not log the response. */
  declare readonly response: R;

  constructor(
    readonly method: string,
    url: string | URL,
    response: R,
    retryAfter?: number,
  ) {
    // Without the query and what stands before the host: secrets are passed there.
    super(`${method} ${placeOf(url)} answered ${response.status}`);
    this.status = response.status;
    this.retryAfter = retryAfter;
    Object.defineProperty(this, "response", { value: response });
  }
}

function placeOf(url: string | URL): string {
  // A relative one, which some fetches take.
  if (typeof url === "string" && url.startsWith("/")) return url.replace(/[?#].*/s, "");
  return `${originOf(url)}${pathOfUrl(new URL(String(url)))}`;
}
