import { kindOf } from "../common/brand.js";
import { errorsOf, readField } from "../common/inspect.js";
import { isAbortError, isCalledAbort } from "../common/is-abort.js";
import { denoVerdict, tunnelVerdict } from "./network-texts.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

type Rows = readonly (string | RegExp)[];

// A row is a code, a failed system call and its code, a name, or a name and a message without what stands in
// parentheses at its end. After each, where it comes from.

const PERMANENT: Rows = [
  // nodejs.org/api/tls.html, X509 certificate error codes
  /^(CERT|CRL|DEPTH_ZERO_SELF_SIGNED|ERROR_IN_(CERT|CRL)|SELF_SIGNED_CERT|UNABLE_TO_(DECODE|DECRYPT|GET|VERIFY))_/,
  "HOSTNAME_MISMATCH", // the same page
  "INVALID_CA", // the same page
  "INVALID_PURPOSE", // the same page
  "OUT_OF_MEM", // the same page
  "PATH_LENGTH_EXCEEDED", // the same page
  /^ERR_(SSL|TLS)_/, // nodejs.org/api/errors.html: no version or cipher in common, a wrong name
  "EPROTO", // the same from Node's own client
  "UND_ERR_PRX_TLS", // undici: a proxy's certificate
  /^ERR_INVALID_(ARG_TYPE|ARG_VALUE|CHAR|HTTP_TOKEN|PROTOCOL|URL)$/, // nodejs.org/api/errors.html
  "ERR_HTTP_INVALID_HEADER_VALUE", // the same page
  "ERR_SOCKET_BAD_PORT", // the same page
  "ERR_UNESCAPED_CHARACTERS", // the same page
  "ERR_HTTP2_INVALID_SESSION", // the same page: the session is destroyed
  "UND_ERR_CLOSED", // undici, docs/api/Errors.md: a closed pool
  "UND_ERR_DESTROYED", // undici, docs/api/Errors.md: a destroyed pool
  /^UND_ERR_(INVALID_(ARG|RETURN_VALUE)|NOT_SUPPORTED|REQ_CONTENT_LENGTH_MISMATCH)$/, // undici, docs/api/Errors.md
  /^(UND_ERR_HEADERS|HPE_HEADER)_OVERFLOW$/, // undici and llhttp: headers too large
  "UND_ERR_RES_EXCEEDED_MAX_SIZE", // undici, docs/api/Errors.md
  /^AxiosError: max(Body|Content)Length size of /, // axios, lib/adapters/http.js
  /^ERR_FR_(MAX_BODY_LENGTH_EXCEEDED|TOO_MANY_REDIRECTS)$/, // follow-redirects, index.js
  /^ERR_(BAD_OPTION(_VALUE)?|NOT_SUPPORT|FORM_DATA_DEPTH_EXCEEDED)$/, // axios, lib/core/AxiosError.js
];

const SAFE: Rows = [
  "ECONNREFUSED", // connect(2)
  "EHOSTDOWN", // connect(2)
  "EHOSTUNREACH", // connect(2)
  "ENETDOWN", // connect(2)
  "ENETUNREACH", // connect(2)
  "connect ETIMEDOUT", // connect(2)
  "connect ECONNRESET", // seen on Linux: reset as soon as accepted
  "EAI_AGAIN", // getaddrinfo(3)
  // getaddrinfo(3), EAI_NONAME. It is authoritative, but AWS, got, undici and Azure all retry it: a record that is just
  // being replaced, a resolver that is just starting.
  "ENOTFOUND",
  /^(bind|connect) EADDR(INUSE|NOTAVAIL)$/, // bind(2), connect(2): no ephemeral port is left
  "EMFILE", // socket(2): the process has too many files open
  "ENFILE", // socket(2): the system has
  "ERR_SOCKET_CLOSED_BEFORE_CONNECTION", // nodejs.org/api/errors.html
  "ERR_SOCKET_CONNECTION_TIMEOUT", // nodejs.org/api/errors.html
  "UND_ERR_CONNECT_TIMEOUT", // undici, docs/api/Errors.md
  // Node, lib/_tls_wrap.js: closed in the handshake, with the code ECONNRESET
  "Error: Client network socket disconnected before secure TLS connection was established",
  "Error: Stream closed with error code NGHTTP2_REFUSED_STREAM", // RFC 9113, 8.7
  "ERR_HTTP2_GOAWAY_SESSION", // nodejs.org/api/errors.html: not begun after a GOAWAY
  "ERR_HTTP2_STREAM_CANCEL", // Node, lib/internal/http2/core.js: was still waiting for the session
  "ConnectionRefused", // Bun's fetch, oven-sh/bun#34397
  "FailedToOpenSocket", // Bun's fetch, oven-sh/bun#27264
];

/** A record that was damaged on its way: a lost connection, and no bad certificate. */
const DAMAGED =
  /^ERR_SSL_(.+_)?(BAD_RECORD_(MAC|TYPE)|BAD_DECRYPT|UNEXPECTED_EOF_WHILE_READING|ALERT_DECODE_ERROR|LENGTH_(MISMATCH|TOO_SHORT))$/;

const IDEMPOTENT: Rows = [
  "ECONNABORTED", // errno(3); axios: a timeout
  "ECONNRESET", // errno(3)
  "EPIPE", // errno(3)
  "ETIMEDOUT", // errno(3); axios: a timeout
  "ESOCKETTIMEDOUT", // request, and clients after it: a timeout
  "ERR_STREAM_PREMATURE_CLOSE", // nodejs.org/api/errors.html
  "ERR_HTTP2_SESSION_ERROR", // nodejs.org/api/errors.html
  "ERR_HTTP2_STREAM_ERROR", // nodejs.org/api/errors.html
  /^HPE_/, // llhttp: a malformed response
  "HTTPParserError", // undici, lib/core/errors.js: the same; its own checks give it no code
  "UND_ERR_BODY_TIMEOUT", // undici, docs/api/Errors.md
  "UND_ERR_HEADERS_TIMEOUT", // undici, docs/api/Errors.md
  "UND_ERR_INFO", // undici, lib/dispatcher/client-h2.js: a stream ended early
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH", // undici, docs/api/Errors.md
  "UND_ERR_SOCKET", // undici, docs/api/Errors.md
  "AxiosError: stream has been aborted", // axios, lib/adapters/http.js: closed in mid-body
  "TimeoutError", // DOM: AbortSignal.timeout()
];

/** They wrap an error that says more; only where they have no cause they count by themselves. */
const ALONE: Rows = [
  "ERR_NETWORK", // axios, in a browser
  "TypeError: fetch failed", // Node, undici
  "TypeError: terminated", // Node, undici: in mid-body
  "TypeError: Failed to fetch", // Chrome
  "TypeError: network error", // Chrome, in mid-body: whatwg/fetch#676
  "TypeError: NetworkError when attempting to fetch resource.", // Firefox
  "TypeError: Error in body stream", // Firefox, in mid-body
  "TypeError: Error in input stream", // Firefox, in mid-body
  "TypeError: Load failed", // Safari from 17
  "TypeError: The Internet connection appears to be offline.", // Safari to 16
  "TypeError: The network connection was lost.", // Safari to 16: NSURLErrorNetworkConnectionLost
  "TypeError: Could not connect to the server.", // Safari to 16: NSURLErrorCannotConnectToHost
  "TypeError: The request timed out.", // Safari to 16: NSURLErrorTimedOut
  "TypeError: A server with the specified hostname could not be found.", // Safari to 16: NSURLErrorCannotFindHost
  "TypeError: Network request failed", // React Native, whatwg-fetch, cross-fetch
  "TypeError: cancelled", // Safari: NSURLErrorCancelled, by the page's end or by another network
  "TypeError: The operation couldn’t be completed.", // Safari to 16, with a POSIX error behind it
  "TypeError: A data connection is not currently allowed.", // Safari: NSURLErrorDataNotAllowed
  "TypeError: International roaming is currently off.", // Safari: NSURLErrorInternationalRoamingOff
  "TypeError: cannot parse response", // Safari: NSURLErrorCannotParseResponse
  "TypeError: error sending request for url", // Deno 1
  "TypeError: error reading a body from connection", // Deno, in mid-body
  "Error: Network connection lost.", // Cloudflare Workers, cloudflare/workerd#7195
  "Error: Response closed due to connection limit", // Cloudflare Workers
  "Error: Network Error", // axios-mock-adapter
];

/**
 * Says whether a call that failed with a network error may be made again. Knows the errors of Node, undici, browsers'
 * fetch and axios. The error, its causes to depth 10 and an `AggregateError`'s errors are looked at, and the least
 * safe of them counts: an abort by the caller or a bad certificate, anywhere, is `"permanent"`. Throws nothing.
 *
 * @example
 * classifyNetworkError(new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } })); // => "safe"
 * classifyNetworkError(new TypeError("fetch failed", { cause: { code: "ECONNRESET" } })); // => "idempotent"
 */
export function classifyNetworkError(error: unknown): Retryability {
  return lookThrough(error, networkVerdict, { decide: ofProxy, originalsOf: errorsOf });
}

/** undici from version 8 on: the connection to a proxy was lost, before anything was sent through it. */
function ofProxy(error: unknown): Retryability | undefined {
  return readField(error, "name") === "ProxyConnectionError" ? "safe" : undefined;
}

/** Whether the error only passes on what its cause tells better. */
function repeats(error: unknown, cause: unknown, ofCause: Retryability | undefined): boolean {
  if (ofCause === undefined) return false;
  const code = readField(error, "code");
  // axios copies the code, but neither the system call nor the errors of an AggregateError.
  return code !== undefined && code === readField(cause, "code");
}

/** What one error says, `ofCause` being what its cause says; `undefined` for nothing. */
export const networkVerdict: Verdict = (error, cause, ofCause) =>
  repeats(error, cause, ofCause) ? undefined : verdictOf(error, cause);

function verdictOf(error: unknown, cause: unknown): Retryability | undefined {
  if (kindOf(error) === "ERR_ATTEMPT_TIMEOUT") return "idempotent";
  const { name, message, code, syscall } = wordsIn(error);
  // MSW puts the response that stands for the failure into the cause.
  const alone = cause === undefined || cause === null || readField(cause, "type") === "error";
  const inWords = tunnelVerdict(error, message, code);
  if (inWords) return inWords;
  // A timeout's signal, or a lost connection, may go by that name.
  if (isCalledAbort({ name, code })) return isAbortError(error) ? "permanent" : "idempotent";
  if (DAMAGED.test(code)) return "idempotent";
  // The most telling first. Sentry's SDK adds the host in parentheses (getsentry/sentry-javascript#15729), Deno the URL.
  const words = [`${name}: ${message.split(" (")[0]}`, `${syscall} ${code}`, code, name];
  for (const word of words) {
    if (has(PERMANENT, word)) return "permanent";
    if (has(SAFE, word)) return "safe";
    if (has(IDEMPOTENT, word)) return "idempotent";
  }
  if (alone && words.some((word) => has(ALONE, word))) return "idempotent";
  return code === "" ? denoVerdict(message) : undefined;
}

/** An error's words, "" where it has none. */
function wordsIn(error: unknown): Record<"name" | "message" | "code" | "syscall", string> {
  const read = (key: string) => {
    const value = readField(error, key);
    return typeof value === "string" ? value : "";
  };
  return { name: read("name"), message: read("message"), code: read("code"), syscall: read("syscall") };
}

function has(rows: Rows, word: string): boolean {
  return rows.some((row) => (typeof row === "string" ? row === word : row.test(word)));
}
