import { readField } from "../common/inspect.js";

/** An answer as it is kept, and sent again. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `undefined` where it was larger than `maxBody`, or a stream: it was sent once, and is not kept. */
  readonly body: Uint8Array | undefined;
}

// RFC 9110, 7.6.1: of one connection only. Cookies are for one browser, the date is of one message, the length comes with the body.
const NEVER_STORED: readonly string[] = [
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"],
  ...["transfer-encoding", "upgrade", "set-cookie", "date", "content-length", "idempotent-replayed"],
];

/** Of an answer's headers those that are kept, with lower-case names. */
export function storedHeaders(headers: Iterable<readonly [string, string]>): (readonly [string, string])[] {
  const all = [...headers].map(([name, value]) => [name.toLowerCase(), value] as const);
  const named = all.flatMap(([name, value]) => (name === "connection" ? value.toLowerCase().split(/[\s,]+/) : []));
  return all.filter(([name]) => !NEVER_STORED.includes(name) && !named.includes(name));
}

/** Whether a status says that the request was not carried out, and may come again (RFC 9110 and 6585, RFC 8470). */
export const isNotDone = (status: number): boolean => [408, 421, 425, 429].includes(status);

/** Whether a response of that status has no body. */
export const isBodiless = (status: number): boolean => [101, 204, 205, 304].includes(status);

/** Whether it is a response, of whatever make. */
export function isResponse(value: unknown): value is Response {
  const headers = readField(value, "headers");
  return typeof readField(value, "status") === "number" && typeof readField(headers, "get") === "function";
}

const marked = /* @__PURE__ */ new WeakSet<object>();

/**
 * Marks what a handler returns, throws or writes to as not done: its key is free again, and the next request with it runs. For a
 * `Response`, an error, or Node's `res`. Returns what it was given.
 *
 * @example
 * notDone(new Response("come back later", { status: 503 })).status; // => 503
 */
export function notDone<T extends object>(answer: T): T {
  marked.add(answer);
  return answer;
}

/** Whether `notDone` was told so, or the thing says it itself. */
export function isMarkedNotDone(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && marked.has(answer);
}
