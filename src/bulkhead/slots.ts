import type { AnyFn } from "../common/attempt.js";
import { callHook } from "../common/call-hook.js";
import { type AbandonListener, type Attempt, abandonableAttempt, enter, leave, theAttempt } from "../common/current.js";
import { BulkheadFullError } from "../common/errors.js";
import type { BulkheadSettings } from "./options.js";

/** The bulkhead at work. While anyone waits, every slot is taken: one that comes back goes to the first in line. */
export class Slots {
  inFlight = 0;
  readonly queued = new Line();
  /** Calls that waited, have a slot, and start in a moment: whoever comes now starts after them. */
  starting = 0;

  constructor(private readonly settings: BulkheadSettings) {}

  // In one piece: each function between a caller and what it calls takes one of the ten lines of a stack.
  call(fn: AnyFn, self: unknown, args: readonly unknown[]): Promise<unknown> {
    const { limit, queue } = this.settings;
    if (this.inFlight >= limit && this.queued.length >= queue) return this.#refuse();
    if (this.inFlight >= limit || this.starting > 0) return this.#callLater(fn, self, args);
    const attempt = abandonableAttempt();
    this.#take();
    if (!attempt) return begin(fn, self, args).then(this.#returned, this.#threw);
    const slot = new Slot(this, attempt);
    attempt.onAbandoned(slot);
    // Abandoned before it came here: nobody waits for the call.
    if (slot.over) return Promise.reject(attempt.signal.reason);
    return begin(fn, self, args).then(slot.returned, slot.threw);
  }

  #callLater(fn: AnyFn, self: unknown, args: readonly unknown[]): Promise<unknown> {
    const attempt = theAttempt();
    const waiting = new Waiting(this, attempt, fn, self, args);
    if (this.inFlight >= this.settings.limit) this.queued.push(waiting);
    else {
      this.#take();
      waiting.admit();
    }
    attempt?.onAbandoned(waiting);
    return waiting.promise;
  }

  #refuse(): Promise<never> {
    const { name, limit, queue, onRefused } = this.settings;
    const error = new BulkheadFullError(`${name} is full: limit ${limit}, queue ${queue}`);
    if (onRefused) callHook(this.settings, onRefused, { name, error });
    return Promise.reject(error);
  }

  #take(): void {
    if (this.inFlight++ === 0) this.settings.changed?.(true);
  }

  /** A slot comes back. */
  release(): void {
    const next = this.queued.shift();
    if (next) next.admit();
    else if (--this.inFlight === 0) this.settings.changed?.(false);
  }

  readonly #returned = <T>(value: T): T => {
    this.release();
    return value;
  };

  readonly #threw = (error: unknown): never => {
    this.release();
    throw error;
  };
}

/** A slot held for an attempt that can be abandoned. It comes back once. */
class Slot implements AbandonListener {
  over = false;

  constructor(
    protected readonly slots: Slots,
    protected readonly attempt: Attempt | undefined,
  ) {}

  readonly returned = <T>(value: T): T => {
    this.end();
    return value;
  };

  readonly threw = (error: unknown): never => {
    this.end();
    throw error;
  };

  abandoned(_reason: unknown): void {
    this.end();
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    this.attempt?.offAbandoned(this);
    this.leave();
  }

  protected leave(): void {
    this.slots.release();
  }
}

// A call that waited starts, and is waited for, under a `then` that ends in the native `resolve` of its own promise: an
// engine follows nothing else to whoever awaits it, so that the caller stays in the stack of its errors (`at async …`).
const RESOLVED = /* @__PURE__ */ Promise.resolve();

/** A call in the queue, then in a slot. */
class Waiting extends Slot {
  before: Waiting | undefined;
  after: Waiting | undefined;
  readonly promise: Promise<unknown>;
  private resolve!: (value: unknown) => void;
  private reject!: (error: unknown) => void;
  private admitted = false;
  private begun = false;

  constructor(
    slots: Slots,
    attempt: Attempt | undefined,
    private readonly fn: AnyFn,
    private readonly self: unknown,
    private readonly args: readonly unknown[],
  ) {
    super(slots, attempt);
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** It has a slot. It is called in a microtask: an abort that freed the slot may be about to reach this call too. */
  admit(): void {
    this.admitted = true;
    this.slots.starting++;
    RESOLVED.then(() => this.begin()).then(this.resolve);
  }

  private begin(): Promise<void> | undefined {
    if (this.over) return undefined;
    this.begun = true;
    this.slots.starting--;
    const outer = this.attempt && enter(this.attempt);
    const promise = begin(this.fn, this.self, this.args);
    leave(outer);
    return promise.then(this.returned, this.threw).then(this.resolve, this.reject);
  }

  override abandoned(reason: unknown): void {
    if (!this.begun) this.reject(reason);
    super.abandoned(reason);
  }

  protected override leave(): void {
    if (!this.admitted) return this.slots.queued.remove(this);
    if (!this.begun) this.slots.starting--;
    super.leave();
  }
}

/** First in, first out, or out of the middle: a list whose links are in what it holds. */
class Line {
  length = 0;
  #first: Waiting | undefined;
  #last: Waiting | undefined;

  push(waiting: Waiting): void {
    waiting.before = this.#last;
    if (this.#last) this.#last.after = waiting;
    else this.#first = waiting;
    this.#last = waiting;
    this.length++;
  }

  shift(): Waiting | undefined {
    const first = this.#first;
    if (first) this.remove(first);
    return first;
  }

  remove(waiting: Waiting): void {
    const { before, after } = waiting;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    // It may run for long, and must not keep alive who stood behind it.
    waiting.after = undefined;
    this.length--;
  }
}

/** Calls `fn`; what it throws, the promise rejects with. */
function begin(fn: AnyFn, self: unknown, args: readonly unknown[]): Promise<unknown> {
  try {
    return Promise.resolve(fn.apply(self, args as unknown[]));
  } catch (error) {
    return Promise.reject(error);
  }
}
