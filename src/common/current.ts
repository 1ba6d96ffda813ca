import type { AttemptContext } from "./attempt.js";
import { misuse } from "./brand.js";
import { sharedUnder } from "./shared.js";

/** Something that ends with an attempt: a permit, a slot, a call begun inside it. */
export interface AbandonListener {
  /** Nobody waits for the attempt any more: its own time was up, or something else ended it. Must not throw. */
  abandoned(reason: unknown, timedOut: boolean): void;
  /** The links of the attempt's ring, which nobody else writes to. */
  previous?: AbandonListener | undefined;
  next?: AbandonListener | undefined;
}

/** How an attempt was abandoned. */
export interface Abandonment {
  readonly reason: unknown;
  /** It took longer than it was allowed to. */
  readonly timedOut: boolean;
}

/** An attempt, as its own code, guards and the calls begun inside it know it. */
export abstract class Attempt implements AttemptContext {
  /** From 1. */
  abstract readonly attempt: number;
  abstract readonly previousError: unknown;
  /** Something can abandon it. */
  abstract readonly cancellable: boolean;
  /** ms after which a timeout has done so, its own or its call's; Infinity for never. */
  abstract readonly limit: number;
  /** By which clock, where there is a timeout. */
  abstract readonly clock: object | undefined;
  // Not #private: that costs as much again as all the rest of a call that succeeds.
  /** How it was abandoned, if it was. */
  ending: Abandonment | undefined = undefined;
  private controller: AbortController | undefined = undefined;
  // The first of a ring whose links are in what it holds: to come and go costs no memory.
  private listeners: AbandonListener | undefined = undefined;

  /** What its own code gets. */
  get context(): AttemptContext {
    return this;
  }

  /** Made only when read; read late, it is found already aborted. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      this.heedAborts();
      if (this.ending) this.controller.abort(this.ending.reason);
    }
    return this.controller.signal;
  }

  /** Whether `signal` is the one that its own code sees. */
  owns(signal: AbortSignal): boolean {
    return this.controller?.signal === signal;
  }

  /** Somebody waits for its end: from now on an abort must reach it at once. */
  heedAborts(): void {}

  /** Nobody waits for this attempt any more. */
  abandon(reason: unknown, timedOut: boolean): void {
    if (this.ending) return;
    this.ending = { reason, timedOut };
    for (let listener = this.listeners; listener; listener = this.listeners) {
      this.offAbandoned(listener);
      listener.abandoned(reason, timedOut);
    }
    this.controller?.abort(reason);
  }

  /** Calls `listener` when this attempt is abandoned, at once where it has been. */
  onAbandoned(listener: AbandonListener): void {
    this.heedAborts();
    if (this.ending) return listener.abandoned(this.ending.reason, this.ending.timedOut);
    this.listeners ??= listener;
    const first = this.listeners;
    const last = first.previous ?? listener;
    last.next = listener;
    listener.previous = last;
    listener.next = first;
    first.previous = listener;
  }

  offAbandoned(listener: AbandonListener): void {
    const { previous, next } = listener;
    if (!previous || !next) return;
    previous.next = next;
    next.previous = previous;
    if (this.listeners === listener) this.listeners = next === listener ? undefined : next;
    listener.previous = undefined;
    listener.next = undefined;
  }
}

/** An attempt that is nothing else beside. */
export class PlainAttempt extends Attempt {
  constructor(
    readonly attempt: number,
    readonly previousError: unknown,
    readonly cancellable: boolean,
    readonly limit = Infinity,
    readonly clock: object | undefined = undefined,
  ) {
    super();
  }
}

interface Slot {
  /** The attempt being started. */
  current: Attempt | undefined;
  /** Made by the first copy that retries: guards alone need none. */
  first?: Attempt;
}

const slot = /* @__PURE__ */ sharedUnder<Slot>("attempt", { current: undefined });

/** Stands for a first attempt that nothing can interrupt: most calls never ask for it. */
export const FIRST: Attempt = /* @__PURE__ */ (() => {
  slot.first ??= new PlainAttempt(1, undefined, false);
  return slot.first;
})();

/** Makes `attempt` the one being started; returns what `leave` restores. */
export function enter(attempt: Attempt): Attempt | undefined {
  const outer = slot.current;
  slot.current = attempt;
  return outer;
}

/** Ends what `enter` began. */
export function leave(outer: Attempt | undefined): void {
  slot.current = outer;
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
  const attempt = theAttempt();
  if (!attempt) {
    throw misuse(
      new Error(
        "currentAttempt() is valid only inside a function that is being retried, before its first await: " +
          "call it first and keep what it returns",
      ),
    );
  }
  return attempt.context;
}

/** The attempt being started, if any, to make it the current one again later. */
export function theAttempt(): Attempt | undefined {
  // Others start under the same stand-in.
  if (slot.current === FIRST) slot.current = new PlainAttempt(1, undefined, false);
  return slot.current;
}

/** The attempt being started, if there is one that can be abandoned. */
export function abandonableAttempt(): Attempt | undefined {
  const { current } = slot;
  return current?.cancellable ? current : undefined;
}

/** Whether an attempt is being started. */
export function inAttempt(): boolean {
  return slot.current !== undefined;
}
