import { isNetworkError } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { classifyNetworkError } from "../../src/transient/network.js";
import deno from "../http/fixtures/deno.json";
import recorded from "./fixtures/network.json";

const coded = (code: string, cause?: unknown) => Object.assign(new Error("", { cause }), { code });
const refused = () => coded("ECONNREFUSED");
const reset = () => coded("ECONNRESET");
const fetchFailed = (cause?: unknown) => new TypeError("fetch failed", cause === undefined ? {} : { cause });

/** `times` errors that say nothing, around `error`. */
function wrapped(error: unknown, times: number): unknown {
  return times === 0 ? error : wrapped(new Error("wrapped", { cause: error }), times - 1);
}

describe("errors as clients threw them", () => {
  const rows = recorded.flatMap(({ clients, ...row }) => clients.map((client) => ({ client, ...row })));

  it.each([...rows, ...deno])("of $client: $what is $is", ({ error, is }) => {
    expect(classifyNetworkError(error)).toBe(is);
  });
});

describe("a code", () => {
  const SAFE = `ECONNREFUSED EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH EAI_AGAIN ENOTFOUND EMFILE ENFILE
    ERR_SOCKET_CLOSED_BEFORE_CONNECTION ERR_SOCKET_CONNECTION_TIMEOUT UND_ERR_CONNECT_TIMEOUT ERR_HTTP2_GOAWAY_SESSION
    ERR_HTTP2_STREAM_CANCEL ConnectionRefused FailedToOpenSocket`;
  const IDEMPOTENT = `ECONNABORTED ECONNRESET EPIPE ETIMEDOUT ESOCKETTIMEDOUT ERR_STREAM_PREMATURE_CLOSE
    ERR_HTTP2_SESSION_ERROR ERR_HTTP2_STREAM_ERROR HPE_INVALID_CONSTANT HPE_INVALID_EOF_STATE UND_ERR_BODY_TIMEOUT
    UND_ERR_HEADERS_TIMEOUT UND_ERR_INFO UND_ERR_RES_CONTENT_LENGTH_MISMATCH UND_ERR_SOCKET
    ERR_NETWORK`;
  const CERTIFICATE = `CERT_CHAIN_TOO_LONG CERT_HAS_EXPIRED CERT_NOT_YET_VALID CERT_REJECTED CERT_REVOKED
    CERT_SIGNATURE_FAILURE CERT_UNTRUSTED CRL_HAS_EXPIRED CRL_NOT_YET_VALID CRL_SIGNATURE_FAILURE
    DEPTH_ZERO_SELF_SIGNED_CERT ERROR_IN_CERT_NOT_AFTER_FIELD ERROR_IN_CERT_NOT_BEFORE_FIELD
    ERROR_IN_CRL_LAST_UPDATE_FIELD ERROR_IN_CRL_NEXT_UPDATE_FIELD HOSTNAME_MISMATCH INVALID_CA INVALID_PURPOSE
    OUT_OF_MEM PATH_LENGTH_EXCEEDED SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY
    UNABLE_TO_DECRYPT_CERT_SIGNATURE UNABLE_TO_DECRYPT_CRL_SIGNATURE UNABLE_TO_GET_CRL UNABLE_TO_GET_ISSUER_CERT
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY UNABLE_TO_VERIFY_LEAF_SIGNATURE`;
  const PERMANENT = `ABORT_ERR UND_ERR_ABORT UND_ERR_ABORTED ERR_CANCELED ERR_SSL_WRONG_VERSION_NUMBER
    ERR_TLS_CERT_ALTNAME_INVALID EPROTO UND_ERR_PRX_TLS ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_VALUE ERR_INVALID_CHAR
    ERR_INVALID_HTTP_TOKEN ERR_INVALID_PROTOCOL ERR_INVALID_URL ERR_HTTP_INVALID_HEADER_VALUE ERR_SOCKET_BAD_PORT
    ERR_UNESCAPED_CHARACTERS ERR_HTTP2_INVALID_SESSION UND_ERR_CLOSED UND_ERR_DESTROYED UND_ERR_INVALID_ARG
    UND_ERR_INVALID_RETURN_VALUE UND_ERR_NOT_SUPPORTED UND_ERR_REQ_CONTENT_LENGTH_MISMATCH UND_ERR_HEADERS_OVERFLOW
    HPE_HEADER_OVERFLOW UND_ERR_RES_EXCEEDED_MAX_SIZE ERR_FR_MAX_BODY_LENGTH_EXCEEDED ERR_FR_TOO_MANY_REDIRECTS
    ERR_BAD_OPTION ERR_BAD_OPTION_VALUE ERR_NOT_SUPPORT ERR_FORM_DATA_DEPTH_EXCEEDED ${CERTIFICATE}`;
  // Of other things than the network, judged by the response's status, or only alike.
  const UNKNOWN = `ENOENT EACCES EADDRINUSE EADDRNOTAVAIL ERR_BAD_REQUEST ERR_BAD_RESPONSE UND_ERR_RESPONSE
    UND_ERR_REQ_RETRY ERR_INVALID_STATE ERR_INVALID_URL_SCHEME XERR_INVALID_URL XHPE_INVALID XHPE_HEADER_OVERFLOW
    UND_ERR_HEADERS_OVERFLOWN XERR_TLS_X ERR_BAD_OPTIONS XERR_BAD_OPTION UND_ERR_INVALID_ARGS XUND_ERR_INVALID_ARG
    XERR_FR_TOO_MANY_REDIRECTS ERR_FR_TOO_MANY_REDIRECTS_ ER_CERT_X 23505
    ECONNREFUSED_ econnreset constructor __proto__`;

  const rows = Object.entries({
    safe: SAFE,
    idempotent: IDEMPOTENT,
    permanent: PERMANENT,
    unknown: UNKNOWN,
  }).flatMap(([is, codes]) => codes.split(/\s+/).map((code) => [code, is] as const));

  it.each(rows)("%s is %s", (code, is) => {
    expect(classifyNetworkError(coded(code))).toBe(is);
  });

  it("that is a number says nothing", () => {
    const error = Object.assign(new Error("rejected"), { code: 14 });

    expect(classifyNetworkError(error)).toBe("unknown");
  });

  it("may stand on anything that is thrown, an Error or not", () => {
    expect(classifyNetworkError({ code: "ECONNREFUSED" })).toBe("safe");
  });
});

describe("the system call that failed", () => {
  it.each([
    ["connect", "ETIMEDOUT", "safe"],
    ["read", "ETIMEDOUT", "idempotent"],
    ["connect", "ECONNRESET", "safe"],
    ["write", "ECONNRESET", "idempotent"],
    ["connect", "EADDRINUSE", "safe"],
    ["bind", "EADDRINUSE", "safe"],
    ["listen", "EADDRINUSE", "unknown"],
    ["connect", "EADDRNOTAVAIL", "safe"],
    ["bind", "EADDRNOTAVAIL", "safe"],
    ["listen", "EADDRNOTAVAIL", "unknown"],
    ["rebind", "EADDRINUSE", "unknown"],
    ["bind", "EADDRINUSEX", "unknown"],
  ])("%s %s is %s", (syscall, code, is) => {
    expect(classifyNetworkError(Object.assign(new Error(), { syscall, code }))).toBe(is);
  });
});

describe("the message of a failed fetch", () => {
  it.each([
    ["Node", "fetch failed"],
    ["Node, in mid-body", "terminated"],
    ["Chrome", "Failed to fetch"],
    ["Chrome, in mid-body", "network error"],
    ["Firefox", "NetworkError when attempting to fetch resource."],
    ["Firefox, in mid-body", "Error in body stream"],
    ["Firefox, in mid-body", "Error in input stream"],
    ["Safari", "Load failed"],
    ["Safari to 16", "The Internet connection appears to be offline."],
    ["Safari to 16", "The network connection was lost."],
    ["Safari to 16", "Could not connect to the server."],
    ["Safari to 16", "The request timed out."],
    ["Safari to 16", "A server with the specified hostname could not be found."],
    ["React Native", "Network request failed"],
    ["Deno", "error sending request for url (http://localhost/): client error (Connect): tcp connect error"],
  ])("of %s, %s, is idempotent", (_browser, message) => {
    expect(classifyNetworkError(new TypeError(message))).toBe("idempotent");
  });

  it("of Cloudflare Workers is that of a plain Error", () => {
    expect(classifyNetworkError(new Error("Network connection lost."))).toBe("idempotent");
  });

  it("counts with the host that a tracing SDK adds", () => {
    expect(classifyNetworkError(new TypeError("Failed to fetch (example.com)"))).toBe("idempotent");
  });

  it.each([
    "Failed to fetch user",
    "failed to fetch",
    "Cannot read properties of undefined",
    "x is not a function",
    "",
  ])("is not %j", (message) => {
    expect(classifyNetworkError(new TypeError(message))).toBe("unknown");
  });

  it("is not the same message on another kind of error", () => {
    expect(classifyNetworkError(new RangeError("Failed to fetch"))).toBe("unknown");
  });

  it("says less than a cause: a cause of an unknown kind is unknown", () => {
    expect(classifyNetworkError(fetchFailed(new Error("unknown scheme")))).toBe("unknown");
  });

  it("says less than a cause that is safe", () => {
    expect(classifyNetworkError(fetchFailed(refused()))).toBe("safe");
  });

  it("counts where the cause is null", () => {
    expect(classifyNetworkError(fetchFailed(null))).toBe("idempotent");
  });
});

describe("a message", () => {
  const closed = "Client network socket disconnected before secure TLS connection was established";

  it("tells a connection closed in the TLS handshake from one that was reset later", () => {
    expect(classifyNetworkError(Object.assign(new Error(closed), { code: "ECONNRESET" }))).toBe("safe");
  });

  it.each([
    ["NGHTTP2_REFUSED_STREAM", "safe"],
    ["NGHTTP2_CANCEL", "idempotent"],
    ["NGHTTP2_ENHANCE_YOUR_CALM", "idempotent"],
  ])("tells why an HTTP/2 stream was closed: after %s it is %s", (reason, is) => {
    const message = `Stream closed with error code ${reason}`;

    expect(classifyNetworkError(Object.assign(new Error(message), { code: "ERR_HTTP2_STREAM_ERROR" }))).toBe(is);
  });

  it.each([
    ["stream has been aborted", "idempotent"],
    ["maxContentLength size of 10 exceeded", "permanent"],
    ["maxBodyLength size of 10 exceeded", "permanent"],
    ["Request failed with status code 500", "unknown"],
  ])("tells what axios means by a bad response: %s is %s", (message, is) => {
    expect(classifyNetworkError({ name: "AxiosError", message, code: "ERR_BAD_RESPONSE" })).toBe(is);
  });

  it("tells it of axios alone", () => {
    const message = "AxiosError: maxContentLength size of 10 exceeded";

    expect(classifyNetworkError({ name: "Error", message, code: "ERR_BAD_RESPONSE" })).toBe("unknown");
  });

  it("that is no string says nothing", () => {
    expect(classifyNetworkError({ name: "TypeError", message: { split: null }, code: "EPIPE" })).toBe("idempotent");
  });
});

describe("the causes", () => {
  it("are asked where the error itself says nothing", () => {
    expect(classifyNetworkError(new Error("could not load the user", { cause: refused() }))).toBe("safe");
  });

  it.each([
    ["idempotent over safe", coded("UND_ERR_SOCKET", refused()), "idempotent"],
    ["safe over idempotent", coded("UND_ERR_CONNECT_TIMEOUT", reset()), "idempotent"],
    ["permanent over safe", coded("UND_ERR_DESTROYED", refused()), "permanent"],
    ["safe over permanent", coded("ERR_HTTP2_STREAM_CANCEL", coded("CERT_HAS_EXPIRED")), "permanent"],
    ["idempotent over permanent", coded("ECONNRESET", coded("CERT_HAS_EXPIRED")), "permanent"],
    ["safe over one that says nothing", coded("ECONNREFUSED", new Error("huh")), "safe"],
  ])("and the error: the least safe counts, %s", (_what, error, is) => {
    expect(classifyNetworkError(error)).toBe(is);
  });

  it("tell more than a copy of their code", () => {
    const cause = Object.assign(coded("ETIMEDOUT"), { syscall: "connect" });

    expect(classifyNetworkError(coded("ETIMEDOUT", cause))).toBe("safe");
  });

  it("do not silence an error that has no code", () => {
    const error = new Error("aborted", { cause: new TypeError("Failed to fetch") });
    error.name = "AbortError";

    expect(classifyNetworkError(error)).toBe("permanent");
  });

  it("are looked at to depth 10", () => {
    expect(classifyNetworkError(wrapped(refused(), 10))).toBe("safe");
  });

  it("are not looked at any deeper", () => {
    expect(classifyNetworkError(wrapped(refused(), 11))).toBe("unknown");
  });

  it("may go round in a circle", () => {
    const error = reset();
    error.cause = new Error("seen from outside", { cause: error });

    expect(classifyNetworkError(error)).toBe("idempotent");
  });

  it("may go round in a circle of one code", () => {
    const error = refused();
    error.cause = coded("ECONNREFUSED", error);

    expect(classifyNetworkError(error)).toBe("safe");
  });

  it("may be the error itself", () => {
    const error = refused();
    error.cause = error;

    expect(classifyNetworkError(error)).toBe("safe");
  });

  it("are not asked again where they are met again", () => {
    let reads = 0;
    const error = {
      get cause() {
        reads++;
        return error;
      },
    };

    classifyNetworkError(error);

    expect(reads).toBe(1);
  });
});

describe("an abort by the caller", () => {
  const aborted = () => new DOMException("aborted", "AbortError");

  it("is permanent", () => {
    expect(classifyNetworkError(aborted())).toBe("permanent");
  });

  it.each([
    ["around", Object.assign(new Error("aborted", { cause: reset() }), { name: "AbortError" })],
    ["within", coded("ECONNRESET", aborted())],
    ["far within", wrapped(coded("ECONNRESET", wrapped(aborted(), 3)), 3)],
    ["beside", new AggregateError([reset(), aborted()])],
  ])("wins, %s a code that is retryable", (_where, error) => {
    expect(classifyNetworkError(error)).toBe("permanent");
  });

  it("is none where a timeout's signal aborted", () => {
    const timeout = new DOMException("timed out", "TimeoutError");
    const error = Object.assign(new Error("aborted", { cause: timeout }), { name: "AbortError", code: "ABORT_ERR" });

    expect(classifyNetworkError(error)).toBe("idempotent");
  });

  it("is none of a client with another word for it either, where a timeout was the cause", () => {
    const timeout = new DOMException("timed out", "TimeoutError");

    expect(classifyNetworkError(coded("ERR_CANCELED", timeout))).toBe("idempotent");
  });

  it("is none of axios', under a signal that timed out", () => {
    const { signal } = { signal: AbortSignal.abort(new DOMException("timed out", "TimeoutError")) };
    const error = Object.assign(coded("ERR_CANCELED"), { name: "CanceledError", config: { signal } });

    expect(classifyNetworkError(error)).toBe("idempotent");
  });
});

describe("an AggregateError", () => {
  it.each([
    ["safe where all are", [refused(), coded("ENETUNREACH")], "safe"],
    ["idempotent where one is", [refused(), reset(), refused()], "idempotent"],
    ["unknown where one is", [refused(), new Error("huh"), reset()], "unknown"],
    ["permanent where one is", [coded("CERT_HAS_EXPIRED"), new Error("huh"), refused()], "permanent"],
    ["unknown where it is empty", [], "unknown"],
  ])("is %s", (_what, errors, is) => {
    expect(classifyNetworkError(new AggregateError(errors))).toBe(is);
  });

  it("is not judged by its own code, which is that of its first error", () => {
    const error = Object.assign(new AggregateError([refused(), reset()]), { code: "ECONNREFUSED" });

    expect(classifyNetworkError(error)).toBe("idempotent");
  });

  it("is not made retryable by a known error around it", () => {
    const cause = Object.assign(new AggregateError([refused(), new Error("huh")]), { code: "ECONNREFUSED" });

    expect(classifyNetworkError(coded("ECONNREFUSED", cause))).toBe("unknown");
  });

  it("has a cause that counts too", () => {
    expect(classifyNetworkError(new AggregateError([refused()], "", { cause: reset() }))).toBe("idempotent");
  });

  it("may hold errors with one and the same cause", () => {
    const cause = refused();
    const errors = [new Error("first", { cause }), new Error("second", { cause })];

    expect(classifyNetworkError(new AggregateError(errors))).toBe("safe");
  });

  it("may hold another one", () => {
    const inner = new AggregateError([refused(), reset()]);

    expect(classifyNetworkError(new AggregateError([fetchFailed(inner), refused()]))).toBe("idempotent");
  });

  it("may hold itself", () => {
    const error = new AggregateError([refused()]);
    error.errors.push(error, error);

    expect(classifyNetworkError(error)).toBe("unknown");
  });

  it("that timed out at every address never connected, though its own code does not say so", () => {
    const timedOut = () => Object.assign(coded("ETIMEDOUT"), { syscall: "connect" });
    const error = Object.assign(new AggregateError([timedOut(), timedOut()]), { code: "ETIMEDOUT" });

    expect(classifyNetworkError(error)).toBe("safe");
  });

  it("is looked at once, however often it is met", () => {
    let reads = 0;
    let error: unknown = {
      get code() {
        reads++;
        return "ECONNREFUSED";
      },
    };
    for (let level = 0; level < 5; level++) error = new AggregateError([error, error, error]);

    classifyNetworkError(error);

    expect(reads).toBe(1);
  });

  it("may go on for ever", () => {
    const endless = (): unknown => ({
      name: "AggregateError",
      get errors() {
        return [endless()];
      },
    });

    expect(classifyNetworkError(endless())).toBe("unknown");
  });
});

describe("anything can be thrown", () => {
  it.each([undefined, null, "ECONNREFUSED", 7, true, Symbol("ECONNREFUSED"), 10n, () => {}, {}, []])(
    "%o is unknown",
    (thrown) => {
      expect(classifyNetworkError(thrown)).toBe("unknown");
    },
  );

  it("with getters that throw", () => {
    const error = new Proxy(new Error(), {
      get() {
        throw new Error("no");
      },
    });

    expect(classifyNetworkError(error)).toBe("unknown");
  });

  it("with one getter that throws beside a code that is known", () => {
    const error = Object.defineProperty(reset(), "cause", {
      get() {
        throw new Error("no");
      },
    });

    expect(classifyNetworkError(error)).toBe("idempotent");
  });

  it("and is left as it was", () => {
    const error = Object.freeze(fetchFailed(Object.freeze(refused())));

    expect(classifyNetworkError(error)).toBe("safe");
  });
});

describe("isNetworkError", () => {
  it.each([
    ["safe", refused(), true],
    ["idempotent", reset(), true],
    ["permanent", coded("CERT_HAS_EXPIRED"), false],
    ["unknown", new Error("huh"), false],
  ])("of an error that is %s", (_class, error, is) => {
    expect(isNetworkError(error)).toBe(is);
  });
});

describe("what only words say", () => {
  const tunnel = (status: number) => {
    const message = `Proxy response (${status}) !== 200 when HTTP Tunneling`;
    const aborted = Object.assign(new Error(message), { name: "AbortError", code: "UND_ERR_ABORTED" });
    // undici 7.30.2 and 8.13.1: both errors are of the tunnel, and the outer one has a number for a code.
    return fetchFailed(Object.assign(new Error("Request was cancelled.", { cause: aborted }), { code: 0 }));
  };

  it.each([
    [503, "safe"],
    [502, "safe"],
    [429, "safe"],
    [407, "permanent"],
    [403, "permanent"],
  ])("a proxy that answers CONNECT with %i makes a failed fetch %s", (status, is) => {
    expect(classifyNetworkError(tunnel(status))).toBe(is);
  });

  it.each([
    [{ statusCode: 503 }, "safe"],
    [{ statusCode: 407 }, "permanent"],
    [{}, "safe"],
  ])("Node's own client behind a proxy, with %j, fails in what is %s", (more, is) => {
    // Node 24.21.0 under NODE_USE_ENV_PROXY; without a status the proxy hung up.
    expect(classifyNetworkError(Object.assign(coded("ERR_PROXY_TUNNEL"), more))).toBe(is);
  });

  it("a proxy that drops CONNECT was sent nothing through, whatever the socket says", () => {
    // undici 8.13.1
    const lost = Object.assign(coded("UND_ERR_PRX_CONN", coded("UND_ERR_SOCKET")), { name: "ProxyConnectionError" });

    expect(classifyNetworkError(fetchFailed(lost))).toBe("safe");
  });

  it.each([
    "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC",
    "ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC",
    "ERR_SSL_BAD_RECORD_TYPE",
    "ERR_SSL_UNEXPECTED_EOF_WHILE_READING",
  ])("a TLS record that was damaged on its way is a lost connection: %s", (code) => {
    expect(classifyNetworkError(coded(code))).toBe("idempotent");
  });

  it.each(["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"])(
    "a TLS error that is no damage stays permanent: %s",
    (code) => {
      expect(classifyNetworkError(coded(code))).toBe("permanent");
    },
  );

  it("MSW's network error is one, though its cause is a response", () => {
    expect(classifyNetworkError(new TypeError("Failed to fetch", { cause: Response.error() }))).toBe("idempotent");
  });

  it("an error of axios-mock-adapter is a network error", () => {
    expect(classifyNetworkError(Object.assign(new Error("Network Error"), { isAxiosError: true }))).toBe("idempotent");
  });

  it.each([
    [
      "error sending request from 10.0.0.1:36386 for https://a.example/ (10.0.0.2:443): client error (SendRequest): x",
      "idempotent",
    ],
    ["client error (Connect): tcp connect error: Connection refused (os error 111)", "safe"],
    ["client error (Connect): tunnel error: proxy authorization required", "permanent"],
    ["client error (Connect): invalid peer certificate: UnknownIssuer", "permanent"],
    ["client error (UserUnsupportedVersion)", "unknown"],
    ["Broken pipe (os error 32)", "idempotent"],
    ["An existing connection was forcibly closed by the remote host. (os error 10054)", "idempotent"],
    ["my own (os error 1)", "unknown"],
  ])("Deno's %s is %s", (message, is) => {
    expect(classifyNetworkError(fetchFailed(new Error(message)))).toBe(is);
    expect(classifyNetworkError(Object.assign(new Error(message), { code: "MINE" }))).toBe("unknown");
  });
});
