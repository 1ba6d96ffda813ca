import type { AnyFn } from "../common/attempt.js";
import { callHook, report } from "../common/call-hook.js";
import { type AbandonListener, type Attempt, abandonableAttempt, enter, leave, theAttempt } from "../common/current.js";
import { BulkheadFullError } from "../common/errors.js";
import { type AbortListener, type AbortSource, abortSourceOf, offAbort, onAbort } from "../common/interrupt.js";
import { observed } from "../common/observed.js";
import { promiseOfCall } from "../common/thenable.js";
import { Line } from "./line.js";
import type { BulkheadSettings } from "./options.js";

/** The bulkhead at work. While any call waits, every slot is taken: one that comes back goes to the first in line. */
export class Slots {
  inFlight = 0;
  readonly queued = new Line<Waiting>();
  /** Calls that waited, have a slot, and start in a moment: a call that comes now starts after them. */
  starting = 0;

  constructor(readonly settings: BulkheadSettings) {}

  // In one piece: each function between a caller and what it calls takes one of the ten lines of a stack.
  call(fn: AnyFn, self: unknown, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    const { limit, queue } = this.settings;
    if (this.inFlight >= limit && this.queued.length >= queue) return this.#refuse();
    if (this.inFlight >= limit || this.starting > 0) return this.#callLater(fn, self, args, signal);
    const attempt = abandonableAttempt();
    this.#take();
    if (!attempt) return promiseOfCall(fn, self, args).then(this.#returned, this.#threw);
    const slot = this.#spare.pop() ?? new Slot(this);
    slot.hold(attempt);
    // Abandoned before it came here: the call's result would be dropped.
    if (slot.over) return Promise.reject(attempt.signal.reason);
    return promiseOfCall(fn, self, args).then(slot.returned, slot.threw);
  }

  #callLater(fn: AnyFn, self: unknown, args: readonly unknown[], signal: AbortSignal | undefined): Promise<unknown> {
    const attempt = theAttempt();
    const waiting = new Waiting(this, attempt, fn, self, args);
    waiting.heed(signal);
    if (this.inFlight >= this.settings.limit) {
      this.queued.push(waiting);
      waiting.startTimer();
    } else {
      this.#take();
      waiting.admit();
    }
    if (!waiting.over) attempt?.onAbandoned(waiting);
    return waiting.promise;
  }

  #refuse(): Promise<never> {
    const { limit, queue } = this.settings;
    return Promise.reject(this.refusal("queue-full", `is full: limit ${limit}, queue ${queue}`));
  }

  /** The error of a call that gets no slot, once `onRefused` has heard of it. */
  refusal(reason: "queue-full" | "max-wait", why: string, attempt?: Attempt): BulkheadFullError {
    const { name, eventName, clock, onRefused } = this.settings;
    observed.watcher?.emit({ type: "bulkhead-full", name: eventName, reason }, clock, attempt);
    const error = new BulkheadFullError(`${name} ${why}`);
    if (onRefused) callHook(this.settings, onRefused, { name, error });
    return error;
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

  // Most calls are over in no time, and what they held can serve the next.
  readonly #spare: Slot[] = [];

  /** Nothing will call it again. */
  keep(slot: Slot): void {
    if (this.#spare.length < this.settings.limit) this.#spare.push(slot);
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
  // There from the start, so that all have one shape.
  previous: AbandonListener | undefined = undefined;
  next: AbandonListener | undefined = undefined;
  over = false;
  protected attempt: Attempt | undefined = undefined;

  constructor(protected readonly slots: Slots) {}

  hold(attempt: Attempt): void {
    this.over = false;
    this.attempt = attempt;
    attempt.onAbandoned(this);
  }

  readonly returned = <T>(value: T): T => {
    this.settled();
    return value;
  };

  readonly threw = (error: unknown): never => {
    this.settled();
    throw error;
  };

  protected settled(): void {
    this.end();
    this.slots.keep(this);
  }

  abandoned(_reason: unknown): void {
    this.end();
  }

  protected end(): void {
    if (this.over) return;
    this.over = true;
    this.attempt?.offAbandoned(this);
    // An error keeps what its stack's functions were called on, and an attempt keeps the error before: without this, a
    // long call would keep all of its errors.
    this.attempt = undefined;
    this.leave();
  }

  protected leave(): void {
    this.slots.release();
  }
}

/** A call in the queue, then in a slot. */
class Waiting extends Slot implements AbortListener {
  before: Waiting | undefined;
  after: Waiting | undefined;
  readonly promise: Promise<unknown>;
  private resolve!: (value: unknown) => void;
  private reject!: (error: unknown) => void;
  private go!: () => void;
  private admitted = false;
  private begun = false;
  /** When it came, where that is observed. */
  private since = observed.watcher?.now(this.slots.settings.clock);
  /** What may end its wait: a signal, and the timer of `maxWait`. */
  private source: AbortSource | undefined;
  private cancel: (() => void) | undefined;

  constructor(
    slots: Slots,
    attempt: Attempt | undefined,
    private readonly fn: AnyFn,
    private readonly self: unknown,
    private readonly args: readonly unknown[],
  ) {
    super(slots);
    this.attempt = attempt;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Registered now, so that the call runs in the async context in which it was made, and not in that of the call which
    // makes room for it. And it starts, and is waited for, under a `then` that ends in the native `resolve` of its own
    // promise: an engine follows nothing else to what awaits it, so that the caller stays in the stack of its errors
    // (`at async …`).
    new Promise<void>((go) => {
      this.go = go;
    })
      .then(() => this.begin())
      .then(this.resolve);
  }

  /** Lets a signal end its wait. */
  heed(signal: AbortSignal | undefined): void {
    if (!signal) return;
    this.source = abortSourceOf(signal);
    onAbort(this.source, this);
  }

  /** Lets the bulkhead's `maxWait` end its wait. */
  startTimer(): void {
    const { maxWait, clock } = this.slots.settings;
    if (maxWait === Infinity) return;
    try {
      this.cancel = clock.setTimer(() => this.expire(maxWait), maxWait);
    } catch (error) {
      this.abandoned(error);
    }
  }

  /** It has a slot. It is called in a microtask: an abort that freed the slot may be about to reach this call too. */
  admit(): void {
    this.admitted = true;
    this.slots.starting++;
    this.stopTimer();
    this.go();
  }

  private begin(): Promise<void> | undefined {
    if (this.over) return undefined;
    this.begun = true;
    this.slots.starting--;
    this.tellWait();
    this.ignoreSignal();
    const outer = this.attempt && enter(this.attempt);
    const promise = promiseOfCall(this.fn, this.self, this.args);
    leave(outer);
    return promise.then(this.returned, this.threw).then(this.resolve, this.reject);
  }

  // It has a promise of its own, and serves no other call.
  protected override settled(): void {
    this.end();
  }

  override abandoned(reason: unknown): void {
    if (!this.begun) this.reject(reason);
    super.abandoned(reason);
  }

  /** The signal aborted, and it has not begun. */
  cut(reason: unknown): void {
    this.abandoned(reason);
  }

  private expire(maxWait: number): void {
    // The clock may be one that cannot cancel.
    if (this.over || this.admitted) return;
    // Out of the queue first: the hook may look at it.
    const { attempt } = this;
    this.end();
    this.reject(this.slots.refusal("max-wait", `had no slot within ${maxWait} ms`, attempt));
  }

  /** Tells how long it waited, where that is observed. */
  private tellWait(): void {
    const { since, slots, attempt } = this;
    const { eventName, clock } = slots.settings;
    const { watcher } = observed;
    if (since === undefined || !watcher) return;
    watcher.emit({ type: "queued", name: eventName, waited: watcher.now(clock) - since }, clock, attempt);
  }

  private stopTimer(): void {
    const { cancel } = this;
    this.cancel = undefined;
    try {
      cancel?.();
    } catch (error) {
      report(this.slots.settings, this.slots.settings.clock, error);
    }
  }

  private ignoreSignal(): void {
    if (this.source) offAbort(this.source, this);
    this.source = undefined;
  }

  protected override leave(): void {
    this.stopTimer();
    this.ignoreSignal();
    if (!this.admitted) return this.slots.queued.remove(this);
    if (!this.begun) this.slots.starting--;
    super.leave();
  }
}
