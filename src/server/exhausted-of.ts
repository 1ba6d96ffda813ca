import { isExhausted } from "../common/exhausted.js";
import { chainOf, readField } from "../common/inspect.js";
import { hasMethods } from "../common/validate.js";
import type { HeaderSource } from "../hints/header-values.js";
import { serverVerdict } from "../hints/server-delay.js";

const DEPTH = 10;
const hasGet = /* @__PURE__ */ hasMethods("get");

/**
 * Whether a retry has already given up on an error or a response: one of this package's, in this process, or the upstream's that says
 * `x-should-retry: false`. Whoever called us need not try again. An error's causes count, and the `response` that an error has. Never throws.
 *
 * @example
 * exhaustedOf(new Response(null, { status: 503, headers: { "x-should-retry": "false" } })); // => true
 * exhaustedOf(new Error("down")); // => false
 */
export function exhaustedOf(errorOrResponse: unknown): boolean {
  // A call that began at 0 began before all that have given up.
  if (isExhausted(errorOrResponse, 0, DEPTH)) return true;
  return chainOf(errorOrResponse).some((each) => {
    const response = readField(each, "response");
    return saysNo(each) || saysNo(response) || isExhausted(response, 0, 0);
  });
}

/** Whether a response says that nobody should try again. */
function saysNo(response: unknown): boolean {
  const headers = readField(response, "headers");
  if (typeof headers !== "object" || headers === null) return false;
  const source = hasGet(headers as Record<string, unknown>)
    ? (headers as HeaderSource)
    : { get: (name: string) => readField(headers, name) };
  try {
    return serverVerdict(source) === false;
  } catch {
    return false;
  }
}
