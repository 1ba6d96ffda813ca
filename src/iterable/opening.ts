/** What `open` gets: which opening it is, and where the last one broke. */
export interface Opening<T = any> {
  /** The attempt's number, from 1: that of the policy, which items begin anew. */
  readonly attempt: number;
  /** The last item that got through, `undefined` before the first. */
  readonly last: T | undefined;
  /** Items that got through so far. */
  readonly count: number;
  /**
   * Aborts when this source is not read any more: it failed or took too long, the consumer left, the caller aborted, the
   * stream's time is up. Made only when read.
   */
  readonly signal: AbortSignal;
}

/** One opening, as its own code sees it. */
export class OpeningContext<T> implements Opening<T> {
  #controller: AbortController | undefined = undefined;
  #ending: { readonly reason: unknown } | undefined = undefined;

  constructor(
    readonly attempt: number,
    readonly last: T | undefined,
    readonly count: number,
  ) {}

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#ending) this.#controller.abort(this.#ending.reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the signal of an opening. */
  static end(opening: OpeningContext<unknown>, reason: unknown): void {
    if (opening.#ending) return;
    opening.#ending = { reason };
    opening.#controller?.abort(reason);
  }
}

let current: Opening | undefined;

/** Calls `fn` as the code of an opening. */
export function within<R>(opening: Opening, fn: () => R): R {
  const outer = current;
  current = opening;
  try {
    return fn();
  } finally {
    current = outer;
  }
}

/**
 * The opening in progress, for decorated methods, whose parameters are the caller's own. Valid until the first `await` of
 * the method, which may be an async generator; elsewhere it throws an `Error`.
 *
 * @example
 * class Feed {
 *   @ RetryIterable()
 *   async *items() {
 *     yield currentOpening().count;
 *   }
 * }
 * for await (const item of new Feed().items()) item; // => 0
 */
export function currentOpening<T = any>(): Opening<T> {
  if (current) return current;
  throw new Error(
    "currentOpening() is valid only inside a source that is being opened, before its first await: call it first and " +
      "keep what it returns",
  );
}
