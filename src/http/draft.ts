import type { Attempt } from "../common/current.js";
import type { AttemptRequest, HttpHeaders } from "./request.js";

/** What `prepare` gets, and may change. */
export class Draft implements AttemptRequest {
  readonly #attempt: Attempt;

  constructor(
    attempt: Attempt,
    readonly method: string,
    public url: URL,
    readonly headers: HttpHeaders,
    public body: unknown,
  ) {
    this.#attempt = attempt;
  }

  get attempt(): number {
    return this.#attempt.attempt;
  }

  get previousError(): unknown {
    return this.#attempt.previousError;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }
}
