import type { AttemptContext } from "./attempt.js";

/** A guard that holds something for an attempt. */
export interface AbandonListener {
  /** Nobody waits for the attempt any more: its own time was up, or something else ended it. Must not throw. */
  abandoned(reason: unknown, timedOut: boolean): void;
}

/** How an attempt was abandoned. */
export interface Abandonment {
  readonly reason: unknown;
  /** It took longer than it was allowed to. */
  readonly timedOut: boolean;
}

/** The attempt in progress as its code sees it; its signal is made only when read. */
export class Attempt implements AttemptContext {
  readonly attempt: number;
  readonly previousError: unknown;
  /** ms after which its own timeout ends it; Infinity for never. */
  readonly timeout: number;
  #abandoned: Abandonment | undefined;
  #controller: AbortController | undefined;
  #listeners: Set<AbandonListener> | undefined;

  constructor(source: AttemptSource) {
    this.attempt = source.attempt;
    this.previousError = source.previousError;
    this.timeout = source.timeout ?? Infinity;
    this.#abandoned = source.abandoned;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#abandoned) this.#controller.abort(this.#abandoned.reason);
    }
    return this.#controller.signal;
  }

  /** Nobody waits for this attempt any more. */
  abandon(abandonment: Abandonment): void {
    const { reason, timedOut } = abandonment;
    this.#abandoned ??= abandonment;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) listener.abandoned(reason, timedOut);
    this.#controller?.abort(reason);
  }

  /** Tells `listener` when this attempt is abandoned, at once where it has been. */
  onAbandoned(listener: AbandonListener): void {
    if (this.#abandoned) listener.abandoned(this.#abandoned.reason, this.#abandoned.timedOut);
    else {
      this.#listeners ??= new Set();
      this.#listeners.add(listener);
    }
  }

  offAbandoned(listener: AbandonListener): void {
    this.#listeners?.delete(listener);
  }
}

/** What stands in the slot while an attempt starts: its context is made when somebody asks for it. */
export interface AttemptSource {
  readonly attempt: number;
  readonly previousError: unknown;
  /** Whether something can abandon the attempt. */
  readonly cancellable: boolean;
  /** ms after which its own timeout does so, if it has one. */
  readonly timeout?: number;
  /** Why nobody waits for the attempt any more, where that came before the context. */
  readonly abandoned?: Abandonment | undefined;
  context?: Attempt | undefined;
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

/** Calls `fn` as a part of an attempt that began before. */
export function resume<T>(attempt: Attempt, fn: () => T): T {
  const outer = enter(attempt);
  try {
    return fn();
  } finally {
    leave(outer);
  }
}

/** Stands for a first attempt that nothing can interrupt: most calls never ask for its context. */
export const FIRST: AttemptSource = { attempt: 1, previousError: undefined, cancellable: false };

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
  return theAttempt()!;
}

/** The attempt being started, if any, to make it the current one again later. */
export function theAttempt(): Attempt | undefined {
  if (current === FIRST) {
    // Others start under the same stand-in.
    const context = new Attempt(FIRST);
    current = context;
    return context;
  }
  if (!current || current instanceof Attempt) return current;
  current.context ??= new Attempt(current);
  return current.context;
}

/** The attempt being started, if there is one that can be abandoned. */
export function abandonableAttempt(): Attempt | undefined {
  return current && (current instanceof Attempt || current.cancellable) ? theAttempt() : undefined;
}

/** Whether an attempt is being started. */
export function inAttempt(): boolean {
  return current !== undefined;
}
