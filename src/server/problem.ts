/** What went wrong with a request, as RFC 9457 has it, and with our own `code`. */
export interface Problem {
  /** A URI that names the kind of problem; `"about:blank"`: the status says it all. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** What is the matter with this request. */
  readonly detail?: string;
  /** What a program tells it by, as `"ERR_IDEMPOTENCY_MISMATCH"`. */
  readonly code: string;
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  409: "Conflict",
  413: "Content Too Large",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

export function problem(status: number, code: string, detail?: string): Problem {
  return { type: "about:blank", title: TITLES[status] ?? "Error", status, ...(detail && { detail }), code };
}

/** A problem as a response of the type `application/problem+json`. */
export function problemResponse(what: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(what), {
    status: what.status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
}

/** `Retry-After` for so many ms: whole seconds, and not at once. */
export function retryAfter(ms: number): Record<string, string> {
  return { "retry-after": String(Math.max(1, Math.ceil(ms / 1_000))) };
}

/** What is said with an answer that will not change by trying again. */
export const FINAL = { "x-should-retry": "false" } as const;
