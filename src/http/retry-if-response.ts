import type { RetryState } from "../common/attempt.js";
import { readField } from "../common/inspect.js";
import { HOLDS_VALUE_PREDICATE, JUDGES_ERRORS, JUDGES_VALUES, mark, type ValueJudge } from "../common/traits.js";
import { check, FUNCTION, WHOLE } from "../common/validate.js";
import { answerOf } from "./answers.js";
import { isBounded, readCopy } from "./bodies/copy.js";
import { type HttpResponse, headersOf } from "./request.js";

/**
 * Retries a response that passes `test`, of whatever status: by its headers, or by its body, which `peekText` reads without
 * using it up. Only what may be sent again is, as ever. To keep the usual conditions, join it with `retryIfHttpFailure`.
 *
 * @example
 * const server = flaky([Response.json({ state: "busy" }), Response.json({ state: "done" })]);
 * const isBusy = async (response: Response) => (await peekText(response))?.includes("busy") ?? false;
 * const api = retryFetch({
 *   fetch: server,
 *   wait: waitNone,
 *   retryIf: retryIfAny(retryIfHttpFailure, retryIfResponse(isBusy)),
 * });
 * await (await api("https://example.com/job")).json(); // => { state: "done" }
 */
export function retryIfResponse<R extends HttpResponse = Response>(
  test: (response: R) => boolean,
): ValueJudge<R, boolean>;
export function retryIfResponse<R extends HttpResponse = Response>(
  test: (response: R) => boolean | Promise<boolean>,
): ValueJudge<R, boolean | Promise<boolean>>;
export function retryIfResponse<R extends HttpResponse>(
  test: (response: R) => boolean | Promise<boolean>,
): ValueJudge<R, boolean | Promise<boolean>> {
  check("retryIfResponse", "test", test, FUNCTION);
  const predicate = (_error: unknown, state: RetryState<R>) => {
    const response = responseIn(state);
    return response !== undefined && test(response as R);
  };
  return mark(predicate, JUDGES_ERRORS | JUDGES_VALUES | HOLDS_VALUE_PREDICATE);
}

function responseIn({ outcome }: RetryState): HttpResponse | undefined {
  if (outcome.ok) return outcome.value;
  return answerOf(outcome.error)?.response ?? (readField(outcome.error, "response") as HttpResponse | undefined);
}

/**
 * The text of a response's body, read on a copy, so that the response can still be read. `undefined` where there are more than
 * `maxBytes` of it (a whole number from 1), where it is a stream of events, which has no end, and where the call that it is of
 * ended meanwhile. Rejects as reading does.
 *
 * @example
 * const response = new Response("busy");
 * await peekText(response); // => "busy"
 * await response.text(); // => "busy"
 */
export async function peekText(response: Response, maxBytes = 65_536): Promise<string | undefined> {
  check("peekText", "maxBytes", maxBytes, WHOLE);
  if (!isBounded(headersOf(response), maxBytes)) return undefined;
  if (!response.body) return response.clone().text();
  const decoder = new TextDecoder();
  let text = "";
  const isWhole = await readCopy(response, maxBytes, (bytes) => {
    text += decoder.decode(bytes, { stream: true });
  });
  return isWhole ? text + decoder.decode() : undefined;
}
