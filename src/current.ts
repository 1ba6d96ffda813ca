import type { AttemptContext } from "./attempt.js";

/** The attempt in progress as its code sees it; its signal is made only when read. */
export class Attempt implements AttemptContext {
  #controller: AbortController | undefined;
  #abandoned: { readonly reason: unknown } | undefined;

  constructor(
    readonly attempt: number,
    readonly previousError: unknown,
  ) {}

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#abandoned) this.#controller.abort(this.#abandoned.reason);
    }
    return this.#controller.signal;
  }

  /** Nobody waits for this attempt any more. */
  abandon(reason: unknown): void {
    this.#abandoned ??= { reason };
    this.#controller?.abort(reason);
  }
}

/** What stands in the slot while an attempt starts: it makes the context when asked for it. */
export interface AttemptSource {
  readonly context: Attempt;
}

type Slot = AttemptSource | Attempt | undefined;

let current: Slot;

/** Makes `source` the attempt being started; answers what `leave` restores. */
export function enter(source: AttemptSource | Attempt): Slot {
  const outer = current;
  current = source;
  return outer;
}

/** Ends what `enter` began. */
export function leave(outer: Slot): void {
  current = outer;
}

/** Stands for a first attempt that nothing can interrupt: most calls never ask for its context. */
export const FIRST = {} as AttemptSource;

/**
 * The attempt being started, for functions whose parameters are the caller's own: its number, its `signal`, and what
 * the attempt before it threw. Valid until the function's first `await`; elsewhere it throws an `Error`. The same
 * object throughout an attempt.
 *
 * @example
 * const load = retry(async () => currentAttempt().attempt);
 * await load(); // => 1
 */
export function currentAttempt(): AttemptContext {
  if (!current) {
    throw new Error(
      "currentAttempt() is valid only inside a function that is being retried, before its first await: " +
        "call it first and keep what it returns",
    );
  }
  if (current === FIRST) current = new Attempt(1, undefined);
  return current instanceof Attempt ? current : current.context;
}
