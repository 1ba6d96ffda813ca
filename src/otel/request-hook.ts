import { context, type Span } from "@opentelemetry/api";
import { ATTRIBUTES as A } from "./names.js";
import { attemptIn } from "./spans.js";

/**
 * Tells the span of an HTTP client how often its request was sent before (`http.request.resend_count`). For the stock instrumentations'
 * option of that name, of undici (`fetch`) and of `node:http` (axios); `instrument` is told so with `httpInstrumented`.
 *
 * @example
 * const options = { requestHook };
 * // new UndiciInstrumentation(options)
 */
export function requestHook(span: Pick<Span, "setAttribute">, ..._request: unknown[]): void {
  const attempt = attemptIn(context.active());
  if (attempt !== undefined && attempt > 1) span.setAttribute(A.resendCount, attempt - 1);
}
