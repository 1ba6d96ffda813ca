const counts = /* @__PURE__ */ new WeakMap<object, number>();

/**
 * How many attempts a call of `retryFetch` or `retryAxios` made, told by the response that it returned or by the error that
 * it rejected with; `undefined` for anything else.
 *
 * @example
 * const server = flaky([new Response(null, { status: 503 }), new Response("hello")]);
 * const response = await retryFetch({ fetch: server, wait: waitNone })("https://example.com/");
 * attemptsOf(response); // => 2
 */
export function attemptsOf(responseOrError: unknown): number | undefined {
  return counts.get(responseOrError as object);
}

/** Notes it. A primitive that was thrown has no place for it. */
export function noteAttempts(ended: unknown, attempts: number): void {
  if (Object(ended) === ended) counts.set(ended as object, attempts);
}
