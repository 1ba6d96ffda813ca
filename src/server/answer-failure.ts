import { chainOf, codeOf, readField } from "../common/inspect.js";
import { type Rule, readOptions, STRING } from "../common/validate.js";
import { isResponse } from "./answer.js";
import { exhaustedOf } from "./exhausted-of.js";
import { FINAL, problem, problemResponse, retryAfter } from "./problem.js";

// `HeadersInit` by a name that Node's types have too.
type HeadersGiven = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/** What `answerFailure` is told about the answer. */
export interface AnswerFailureInit {
  /**
   * The status, from 400 to 599.
   * @default what the error says, else 500
   */
  status?: number | undefined;
  /** The problem's `detail`. An error's own message is not sent: it may hold what is nobody's business. */
  detail?: string | undefined;
  /** More headers. */
  headers?: HeadersGiven | undefined;
}

const STATUS: Rule = ["a status from 400 to 599", "number", (n) => Number.isInteger(n) && n >= 400 && n <= 599];
const TABLE = {
  status: STATUS,
  detail: STRING,
  headers: ["headers", "object"] as Rule,
};

// What a handler cannot mend, by the error that says so.
const TIMEOUTS: readonly unknown[] = ["ERR_ATTEMPT_TIMEOUT", "ERR_TOTAL_TIMEOUT", "ERR_IDEMPOTENCY_TIMEOUT"];
const BUSY: readonly unknown[] = ["ERR_CIRCUIT_OPEN", "ERR_BULKHEAD_FULL", "ERR_TRY_AGAIN"];

/**
 * Makes the answer to a request that failed, such that retries do not multiply across services: where a retry has already given up on
 * the error or the response (`exhaustedOf`), it says `x-should-retry: false`, which `retryFetch` and the clients of several large
 * services heed. Of an error it makes an `application/problem+json`: 504 for a timeout, 503 for an open circuit, a full bulkhead or what a
 * retry has given up on, 502 for an upstream's response, else 500. A response keeps its status, headers and body; one that is not exhausted
 * is returned as it is. Throws a `TypeError` or `RangeError` for a bad option.
 *
 * @example
 * const down = await retry(() => Promise.reject(new Error("down")), instant)().catch((error) => error);
 * const response = answerFailure(down);
 * response.status; // => 503
 * response.headers.get("x-should-retry"); // => "false"
 */
export function answerFailure(errorOrResponse: unknown, init: AnswerFailureInit = {}): Response {
  const { status, detail, headers } = readOptions("answerFailure", init, TABLE);
  const exhausted = exhaustedOf(errorOrResponse);
  const response = responseIn(errorOrResponse);
  if (response && status === undefined && detail === undefined) return passedOn(response, exhausted, headers);
  const made = status ?? statusOf(errorOrResponse);
  const answer = problemResponse(problem(made, codeFor(errorOrResponse), detail), {
    ...comeBack(errorOrResponse),
    ...(exhausted && FINAL),
  });
  for (const [name, value] of new Headers(headers)) answer.headers.set(name, value);
  return answer;
}

/** A response that was given, thrown, or that an exception makes (Hono's). */
function responseIn(given: unknown): Response | undefined {
  if (isResponse(given)) return given;
  const { getResponse } = Object(given) as { getResponse?: unknown };
  if (typeof getResponse !== "function") return undefined;
  const made = getResponse.call(given);
  return isResponse(made) ? made : undefined;
}

function passedOn(response: Response, exhausted: boolean, more: HeadersGiven | undefined): Response {
  if (!exhausted && !more) return response;
  const headers = new Headers(response.headers);
  if (exhausted) headers.set("x-should-retry", "false");
  for (const [name, value] of new Headers(more)) headers.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

function statusOf(error: unknown): number {
  const chain = chainOf(error);
  const codes = chain.map(codeOf);
  const names = chain.map((each) => readField(each, "name"));
  if (codes.some((code) => BUSY.includes(code))) return 503;
  if (codes.some((code) => TIMEOUTS.includes(code)) || names.includes("TimeoutError")) return 504;
  if (chain.some((each) => readField(readField(each, "response"), "status") !== undefined)) return 502;
  return exhaustedOf(error) ? 503 : 500;
}

/** Our own codes are sent; another's may be anything. */
function codeFor(error: unknown): string {
  const code = codeOf(error);
  return typeof code === "string" && (BUSY.includes(code) || TIMEOUTS.includes(code)) ? code : "ERR_FAILED";
}

function comeBack(error: unknown): Record<string, string> {
  const ms = readField(error, "retryAfter") ?? readField(error, "after");
  return BUSY.includes(codeOf(error)) && typeof ms === "number" && Number.isFinite(ms) ? retryAfter(ms) : {};
}
