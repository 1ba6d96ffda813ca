import type { AttemptContext, Outcome } from "../common/attempt.js";
import { callHook } from "../common/call-hook.js";
import { hasSystemTime, setDeadline, systemClock } from "../common/clock.js";
import { type AbandonListener, Attempt, enter, leave } from "../common/current.js";
import { type Newcomer, reasonOf } from "../common/interrupt.js";
import { promiseOf } from "../common/thenable.js";
import { recordSuccess } from "./book.js";
import type { DeadlineQueue, Timed } from "./deadline-queue.js";
import { Limits } from "./limits.js";
import { attemptTimeoutOf, type CompiledPolicy, queueOf } from "./policy.js";
import { Run } from "./run.js";
import { type Call, startOf } from "./state.js";
import type { Target } from "./target.js";

type Settle = (value: unknown) => void;
let openGate: Settle | undefined;
let closeGate: Settle | undefined;
const gate = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
  openGate = resolve;
  closeGate = reject;
};

// Begins what goes on as a run at once, where nothing has gone before.
const asPromise = (run: PromiseLike<unknown>) => new Promise((resolve, reject) => run.then(resolve, reject));

/**
 * A call that something can end from outside (a signal, a timeout, the attempt that it was begun in), and its first
 * attempt: one object for both, since most calls need no more.
 *
 *     waiting ──▶ returned or threw ──▶ over, or a run
 *        └──────▶ aborted, timed out or expired ──▶ a run, which goes on from there
 *
 * The attempt's outcome comes through a gate: a promise whose native `resolve` and `reject` stand behind what the function
 * returned (decision 1), and which an interruption closes. What follows happens in a reaction of the gate, and so in the
 * async context of the call, whoever interrupted it. From then on interruptions are handed on to the run.
 */
export class CancellableCall extends Attempt implements Call, Newcomer, Timed {
  due = 0;
  earlier: Timed | undefined = undefined;
  later: Timed | undefined = undefined;
  isNew = false;
  before: Newcomer | undefined = undefined;
  after: Newcomer | undefined = undefined;
  /** What interrupts the run, once there is one. */
  private limits: Limits | undefined = undefined;
  private phase: "waiting" | "aborted" | "timed out" | "expired" | "over" = "waiting";
  private view: AttemptContext | undefined = undefined;
  private closeGate: ((error: unknown) => void) | undefined = undefined;
  /** What holds the attempt's time: the queue that it is in, or what cancels a timer of its own. */
  private timer: DeadlineQueue | (() => void) | undefined = undefined;

  constructor(
    readonly target: Target,
    readonly policy: CompiledPolicy,
    readonly self: unknown,
    readonly args: readonly unknown[],
    readonly ordinal: number,
    readonly startedAt: number,
    private readonly link: Link | undefined,
  ) {
    super();
  }

  /** A view of its own: what is behind a call is nothing for its code. */
  override get context(): AttemptContext {
    this.view ??= new FirstContext(this);
    return this.view;
  }

  get attempt(): number {
    return 1;
  }

  get previousError(): unknown {
    return undefined;
  }

  get timeout(): number {
    return attemptTimeoutOf(this.policy, 1);
  }

  get cancellable(): boolean {
    return true;
  }

  /** The call ends because the attempt that it was begun in did: it has exhausted nothing. */
  get isLinkedEnd(): boolean {
    return !!this.link?.outer.ending;
  }

  start(): Promise<unknown> {
    const { policy, link } = this;
    const { onAttempt } = policy;
    if (link) link.join(this);
    const { abortSources } = policy;
    if (abortSources.length === 1) abortSources[0]!.join(this);
    else for (const source of abortSources) source.add(this);
    if (policy.totalTimeout <= 0 && this.phase === "waiting") this.phase = "expired";
    if (this.#isInterrupted()) return asPromise(this.#goOnInterrupted(0));
    if (onAttempt) {
      const pending = callHook(policy, onAttempt, startOf(this, 1));
      if (pending) return asPromise(this.#goOn(0, (run) => run.beginAfter(pending)));
      if (this.#isInterrupted()) return asPromise(this.#goOnInterrupted(0));
    }
    return this.#attempt();
  }

  #attempt(): Promise<unknown> {
    const { target, policy, self, args } = this;
    const through = new Promise(gate);
    const open = openGate!;
    const close = closeGate!;
    // They would keep the last call's result.
    openGate = undefined;
    closeGate = undefined;
    this.closeGate = close;
    target.stats.attempts++;
    const outer = enter(this);
    try {
      this.#setTimer();
      const promise = promiseOf(target.fn.apply(self, args as unknown[]));
      promise.then(open, close);
      if (policy.onLateResult) this.#heedLateResult(promise);
    } catch (error) {
      close(error);
    } finally {
      leave(outer);
    }
    return through.then(
      (value) => this.#returned(value),
      (error) => this.#threw(error),
    );
  }

  /** Sets the timer of whichever timeout ends first; the other one's turn comes when the attempt has failed. */
  #setTimer(): void {
    const { policy } = this;
    const { totalTimeout, clock, unref } = policy;
    const timeout = Math.min(this.timeout, totalTimeout);
    if (timeout === Infinity) return;
    const queue = clock === systemClock && hasSystemTime() ? queueOf(policy, timeout) : undefined;
    queue?.add(this, this.startedAt);
    this.timer = queue ?? setDeadline(clock, () => this.timeUp(), timeout, unref);
  }

  #stopTimer(): void {
    const timer = this.timer;
    this.timer = undefined;
    if (typeof timer === "function") Limits.cancel(this.policy, timer);
    else timer?.remove(this);
  }

  /** The shorter timeout is up. */
  timeUp(): void {
    if (this.#isInterrupted()) return;
    const { policy } = this;
    this.phase = this.timeout < policy.totalTimeout ? "timed out" : "expired";
    this.closeGate!(undefined);
  }

  /** An abort, also of the attempt that the call was begun in (whose time may have been up). */
  cut(reason: unknown, timedOut = false): void {
    if (this.limits) this.limits.cut(reason);
    else if (this.phase === "waiting") {
      this.phase = "aborted";
      this.closeGate?.(undefined);
      this.abandon(reason, timedOut);
    }
  }

  /** Whether something has interrupted the attempt: an abort that has not been heard of yet counts. */
  #isInterrupted(): boolean {
    if (this.phase !== "waiting") return true;
    for (const source of this.policy.abortSources) if (source.isUnheard) this.cut(reasonOf(source.signal));
    return this.phase !== "waiting";
  }

  #returned(value: unknown): unknown {
    const { policy, target } = this;
    if (this.#isInterrupted()) {
      if (policy.onLateResult) callHook(policy, policy.onLateResult, { ok: true, value });
      return this.#goOnInterrupted(1);
    }
    if (!policy.takesAnyValue) return this.#goOn(1, (run) => run.settle({ ok: true, value }) && run.launch());
    // Before the budget is paid: its own code may abort, and what is accepted stays so.
    this.close();
    if (policy.budget) recordSuccess(policy, 0, undefined, this.args);
    return target.succeeded(value);
  }

  #threw(error: unknown): PromiseLike<unknown> {
    if (this.#isInterrupted()) return this.#goOnInterrupted(1);
    return this.#goOn(1, (run) => run.settle({ ok: false, error }) && run.launch());
  }

  /** The call goes on as a run, which takes the native `resolve` and `reject` of the caller's promise. */
  #goOn(attempts: number, begin: (run: Run, limits: Limits) => unknown): PromiseLike<unknown> {
    const then = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
      this.#stopTimer();
      const limits = new Limits(this);
      const run = new Run(this, attempts, resolve, reject, limits);
      this.limits = limits;
      limits.guard(run, this.phase, begin);
    };
    return { then } as PromiseLike<unknown>;
  }

  #goOnInterrupted(attempts: number): PromiseLike<unknown> {
    return this.#goOn(attempts, (run, limits) => {
      const by = this.phase;
      if (attempts > 0) limits.resume(run, this);
      if (by === "aborted") limits.cut(this.ending!.reason);
      else if (by === "expired") limits.expire();
      else limits.timeOut(this.timeout);
    });
  }

  /** Somebody waits for the attempt's end. */
  override heedAborts(): void {
    for (const source of this.policy.abortSources) source.listen();
  }

  #heedLateResult(promise: Promise<unknown>): void {
    const { policy } = this;
    const late = (outcome: Outcome) => {
      const wasInterrupted = this.phase !== "waiting" && this.phase !== "over";
      if (wasInterrupted) callHook(policy, policy.onLateResult!, outcome);
    };
    promise.then(
      (value) => late({ ok: true, value }),
      (error) => late({ ok: false, error }),
    );
  }

  /** The call is over: lets go of all that could still happen to it. */
  close(): void {
    if (this.phase === "waiting") this.phase = "over";
    this.#stopTimer();
    this.link?.leave();
    for (const source of this.policy.abortSources) source.leave(this);
  }
}

class FirstContext implements AttemptContext {
  readonly attempt = 1;
  readonly previousError = undefined;
  readonly #of: Attempt;

  constructor(of: Attempt) {
    this.#of = of;
  }

  get signal(): AbortSignal {
    return this.#of.signal;
  }
}

/** What ends a call with the attempt that it was begun in. */
export class Link implements AbandonListener {
  previous: AbandonListener | undefined = undefined;
  next: AbandonListener | undefined = undefined;
  #call: CancellableCall | undefined;

  constructor(readonly outer: Attempt) {}

  join(call: CancellableCall): void {
    this.#call = call;
    this.outer.onAbandoned(this);
  }

  abandoned(reason: unknown, timedOut: boolean): void {
    this.#call?.cut(reason, timedOut);
  }

  leave(): void {
    this.outer.offAbandoned(this);
  }
}
