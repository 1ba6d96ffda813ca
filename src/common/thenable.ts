/** Whether `value` can be awaited. Throws where its `then` cannot be read. */
export function isThenable(value: unknown): value is Promise<unknown> {
  return (
    value !== null &&
    (typeof value === "object" || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

/**
 * Hands on what a function of the user's answered, where it must answer at once: a promise is a `TypeError`, and its own
 * rejection nobody's any more.
 */
export function requireSync<T>(what: string, answer: T): T {
  if (!isThenable(answer)) return answer;
  Promise.resolve(answer).then(undefined, () => {});
  throw new TypeError(`${what} must answer at once, got a promise`);
}
