import type { RetryState } from "../common/attempt.js";
import { readField } from "../common/inspect.js";
import { HOLDS_VALUE_PREDICATE, JUDGES_ERRORS, JUDGES_VALUES, mark, type ValueJudge } from "../common/traits.js";
import { check, FUNCTION, WHOLE } from "../common/validate.js";
import { exchangeOf } from "./exchange.js";
import type { HttpResponse } from "./request.js";

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

function responseIn(state: RetryState): HttpResponse | undefined {
  const { outcome } = state;
  const exchange = exchangeOf(state);
  if (exchange) return exchange.responseOf(outcome);
  return outcome.ok ? outcome.value : (readField(outcome.error, "response") as HttpResponse | undefined);
}

/**
 * The text of a response's body, read on a copy, so that the response can still be read. `undefined` where there are more than
 * `maxBytes` of it (a whole number from 1), or where it is a stream of events, which has no end. Rejects as reading does.
 *
 * @example
 * const response = new Response("busy");
 * await peekText(response); // => "busy"
 * await response.text(); // => "busy"
 */
export async function peekText(response: Response, maxBytes = 65_536): Promise<string | undefined> {
  check("peekText", "maxBytes", maxBytes, WHOLE);
  const { headers } = response;
  if (Number(headers.get("content-length")) > maxBytes) return undefined;
  if (headers.get("content-type")?.toLowerCase().startsWith("text/event-stream")) return undefined;
  const { body } = response.clone();
  if (!body) return "";
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      reader.cancel().catch(() => {});
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
