import type { HttpResponse } from "./request.js";

/** What a server said, where that may be a failure. */
export interface Answer {
  readonly response: HttpResponse;
  /** As far as the status and the server's own word go. */
  readonly retryable: boolean;
  /** ms that the server asks to wait. */
  readonly hint: number | undefined;
}

// By the error that an attempt failed with: that is all that a predicate is shown.
const answers = /* @__PURE__ */ new WeakMap<object, Answer>();

export function noteAnswer<E extends object>(error: E, answer: Answer): E {
  answers.set(error, answer);
  return error;
}

/** The answer that an attempt failed with, `undefined` where it failed without. */
export function answerOf(error: unknown): Answer | undefined {
  // A primitive is in no map.
  return answers.get(error as object);
}
