import type { AttemptContext, Outcome } from "../common/attempt.js";
import { callHook, report } from "../common/call-hook.js";
import { hasSystemTime, setDeadline, systemClock } from "../common/clock.js";
import { type AbandonListener, Attempt, PlainAttempt } from "../common/current.js";
import { type Newcomer, reasonOf } from "../common/interrupt.js";
import { RESOLVED } from "../common/thenable.js";
import { recordSuccess } from "./book.js";
import type { DeadlineQueue, Timed } from "./deadline-queue.js";
import { closeGate, gate, key, type Settle } from "./gate.js";
import { makeAttempt } from "./make-attempt.js";
import { type CompiledPolicy, queueOf } from "./policy.js";
import { ABORTED, CLOSED, EXPIRED, type Interruption, type Run, type RunLimits, runOf, TIMED_OUT } from "./run.js";
import { type Call, startOf } from "./state.js";
import type { Target } from "./target.js";
import { viewOf } from "./view.js";

// In the place of what closes a gate: nothing interrupts a call that is over.
const overAlready: Settle = () => {};

// ms. A hook that took longer is no part of the attempt's time.
const NO_TIME = 0.1;

/**
 * A call that something can end from outside (a signal, a timeout, the attempt that it was begun in), and its first
 * attempt: one object for both, since most calls need no more.
 *
 * All that such a call waits for comes through a gate: a promise whose native `resolve` and `reject` stand behind what is
 * waited for (decision 1), and which an interruption closes. What follows happens in a reaction of the gate, and so in the
 * async context of the call, whoever interrupted it. A run is made only where the first attempt does not end the call.
 */
export class CancellableCall extends Attempt implements Call, RunLimits, Newcomer, Timed, AbandonListener {
  previous: AbandonListener | undefined = undefined;
  next: AbandonListener | undefined = undefined;
  earlier: Timed | undefined = undefined;
  later: Timed | undefined = undefined;
  place = -1;
  interruption: Interruption = 0;
  /** Not there before an abort sets it: a pending call should weigh little. */
  declare reason: unknown;
  /** The attempt in progress. */
  current: Attempt | undefined = undefined;
  private closeGate: Settle | undefined = undefined;
  /** Holds the time of the attempt or of the sleep: the queue that it is in, or what cancels a timer of its own. */
  private timer: DeadlineQueue | (() => void) | undefined = undefined;
  private deadline: (() => void) | undefined = undefined;

  constructor(
    readonly target: Target,
    readonly policy: CompiledPolicy,
    readonly self: unknown,
    readonly args: readonly unknown[],
    readonly ordinal: number,
    readonly startedAt: number,
    /** The attempt that it was begun in, where it ends with that. */
    private readonly outer: Attempt | undefined,
  ) {
    super();
  }

  /** A view of its own: what is behind a call is nothing for its code. */
  override get context(): AttemptContext {
    return viewOf(this);
  }

  get attempt(): number {
    return 1;
  }

  get previousError(): unknown {
    return undefined;
  }

  get limit(): number {
    return Math.min(this.policy.attemptTimeout as number, this.policy.totalTimeout);
  }

  get clock(): object {
    return this.policy.clock;
  }

  get cancellable(): boolean {
    return true;
  }

  get isLinkedEnd(): boolean {
    return !!this.outer?.ending;
  }

  start(): Promise<unknown> {
    const { policy } = this;
    const { abortSources, onAttempt } = policy;
    this.outer?.onAbandoned(this);
    if (abortSources.length === 1) abortSources[0]!.join(this);
    else for (const source of abortSources) source.add(this);
    if (policy.totalTimeout <= 0) this.interrupt(EXPIRED);
    let pending: Promise<void> | undefined;
    if (!this.#isInterrupted()) pending = onAttempt && callHook(policy, onAttempt, startOf(this, 1));
    // Of a function of the user's, which may fail, a run takes care.
    const isUsual = typeof policy.attemptTimeout === "number";
    if (pending || !isUsual || this.#isInterrupted()) return this.#startLater(pending);
    try {
      this.#setTimer();
    } catch (error) {
      return this.#startRun((run) => run.fail(error));
    }
    this.current = this;
    this.target.stats.attempts++;
    return this.settled(makeAttempt(this, this)).then(
      (value) => this.#returned(value),
      (error) => this.#ended({ ok: false, error }),
    );
  }

  // On its own: what a pending call keeps is what the functions made above capture.
  #startLater(pending: Promise<void> | undefined): Promise<unknown> {
    return this.#startRun((run) => (pending ? run.beginAfter(pending) : !run.invoke()));
  }

  #startRun(begin: (run: Run) => boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      runOf(this, 0, begin, this).then(resolve, reject);
    });
  }

  begin(attempt: number, previousError: unknown, timeout: number): Attempt {
    const { totalTimeout, clock, unref } = this.policy;
    this.current = new PlainAttempt(attempt, previousError, true, Math.min(timeout, totalTimeout), clock);
    if (timeout < Infinity) this.timer = setDeadline(clock, () => this.interrupt(TIMED_OUT), timeout, unref);
    return this.current;
  }

  settled(promise: Promise<unknown>): Promise<unknown> {
    // First, so that it is asked about before the gate opens.
    if (this.policy.onLateResult || this.target.watch) this.#heedLateResult(this.current!, promise);
    return this.through(promise);
  }

  /** Tells what an attempt settles with, if the call was interrupted before that came through. */
  #heedLateResult(attempt: Attempt, promise: Promise<unknown>): void {
    const { policy, target } = this;
    const late = (outcome: Outcome) =>
      RESOLVED.then(() => {
        if (this.current === attempt && !this.#isInterrupted()) return;
        target.watch?.late(attempt.attempt, outcome);
        if (policy.onLateResult) callHook(policy, policy.onLateResult, outcome);
      });
    promise.then(
      (value) => late({ ok: true, value }),
      (error) => late({ ok: false, error }),
    );
  }

  #gate(): Promise<unknown> {
    const through = new Promise(gate);
    this.closeGate = closeGate;
    // What is waited for may itself have interrupted the call before it returned its promise.
    if (this.interruption) closeGate!(CLOSED);
    return through;
  }

  /** Sets the timer of whichever timeout ends first; the other one's turn comes when the attempt has failed. */
  #setTimer(): void {
    const { policy, limit, startedAt } = this;
    const { totalTimeout, clock, unref } = policy;
    if (limit === Infinity) return;
    // The hook may have taken its time.
    const begunAt = policy.onAttempt ? clock.now() : startedAt;
    const left = Math.max(0, totalTimeout - (begunAt - startedAt));
    const isQueued = begunAt - startedAt < NO_TIME && clock === systemClock && hasSystemTime();
    const queue = isQueued ? queueOf(policy, limit) : undefined;
    queue?.add(this);
    this.timer = queue ?? setDeadline(clock, () => this.#timeUp(left), Math.min(limit, left), unref);
  }

  timeUp(): void {
    this.#timeUp(this.policy.totalTimeout);
  }

  /** The time of the first attempt is up, or that of the call, which had `left` ms when it began. */
  #timeUp(left: number): void {
    this.interrupt((this.policy.attemptTimeout as number) < left ? TIMED_OUT : EXPIRED);
  }

  #returned(value: unknown): unknown {
    const { policy, target } = this;
    if (this.#isInterrupted() || !policy.takesAnyValue) return this.#ended({ ok: true, value });
    // Before the budget is paid: its own code may abort, and what is accepted stays so.
    this.close();
    if (policy.budget) recordSuccess(policy, 0, undefined, this.args);
    return target.succeeded(value);
  }

  #ended(outcome: Outcome): PromiseLike<unknown> {
    this.#isInterrupted();
    return runOf(this, 1, (run) => run.settle(outcome), this);
  }

  prepare(): void {
    const { totalTimeout, clock, unref } = this.policy;
    this.#stopTimer();
    if (this.interruption < ABORTED) this.heedAborts();
    if (totalTimeout === Infinity || this.interruption >= EXPIRED) return;
    const left = Math.max(0, totalTimeout - (clock.now() - this.startedAt));
    this.deadline = setDeadline(clock, () => this.interrupt(EXPIRED), left, unref);
  }

  through<T>(promise: Promise<T>): Promise<T> {
    const through = this.#gate();
    promise.then(key(), this.closeGate);
    return through as Promise<T>;
  }

  sleep(ms: number): Promise<unknown> {
    const through = this.#gate();
    // A pause between immediate retries is no sleep: it keeps the process alive.
    this.timer = this.policy.clock.setTimer(key() as () => void, ms, this.policy.unref && ms > 0);
    return through;
  }

  end(): void {
    this.#stopTimer();
    this.current = undefined;
  }

  /** Something ends what goes on. What is graver counts: an abort more than the deadline, that more than a timeout. */
  interrupt(by: Interruption): void {
    const { closeGate } = this;
    if (closeGate === overAlready || by <= this.interruption) return;
    this.interruption = by;
    closeGate?.(CLOSED);
  }

  cut(reason: unknown): void {
    this.abandoned(reason, false);
  }

  /** The attempt that the call was begun in was abandoned, or a signal aborted. */
  abandoned(reason: unknown, timedOut: boolean): void {
    if (this.closeGate === overAlready || this.interruption === ABORTED) return;
    this.interrupt(ABORTED);
    this.reason = reason;
    // In the first attempt it is the callee that was too slow for the outer one.
    const { current } = this;
    current?.abandon(reason, timedOut && current.attempt === 1);
  }

  /** Whether something has interrupted the call: an abort that has not been heard of yet counts. */
  #isInterrupted(): boolean {
    for (const source of this.policy.abortSources) if (source.isUnheard) this.cut(reasonOf(source.signal));
    return this.interruption > 0;
  }

  override heedAborts(): void {
    // Nobody would take the listener off again.
    if (this.closeGate === overAlready) return;
    for (const source of this.policy.abortSources) source.listen();
  }

  fallsBack(): void {
    this.#cancel(this.deadline);
    this.deadline = undefined;
  }

  #stopTimer(): void {
    const { timer } = this;
    this.timer = undefined;
    if (typeof timer === "function") this.#cancel(timer);
    else timer?.remove(this);
  }

  /** Cancels a timer. Where the user's clock fails at that it changes nothing: others may wait for their turn. */
  #cancel(timer: (() => void) | undefined): void {
    try {
      timer?.();
    } catch (broken) {
      report(this.policy, this.policy.clock, broken);
    }
  }

  /** The call is over: lets go of all that could still happen to it. */
  close(): void {
    this.closeGate = overAlready;
    this.#stopTimer();
    this.fallsBack();
    this.outer?.offAbandoned(this);
    for (const source of this.policy.abortSources) source.leave(this);
  }
}
