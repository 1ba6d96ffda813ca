import type { Outcome } from "../common/attempt.js";
import { callHook, report } from "../common/call-hook.js";
import type { Abandonment } from "../common/current.js";
import { AttemptTimeoutError, TotalTimeoutError } from "../common/errors.js";
import { nextOrdinal } from "../common/exhausted.js";
import { type AbortListener, offAbort, onAbort } from "../common/interrupt.js";
import { type Decision, finalState, reachesDeadline } from "./decide.js";
import { RESOLVED, Run } from "./run.js";
import type { Call, State } from "./state.js";

let started: CancellableRun[] = [];

// One microtask for all that start together.
function listenAll(): void {
  const runs = started;
  started = [];
  for (const run of runs) run.listen();
}

/** A run that a signal or a timeout can interrupt. */
export class CancellableRun extends Run implements AbortListener {
  readonly promise: Promise<unknown>;
  /** An attempt is in progress. */
  #running = false;
  #accepted: { readonly value: unknown } | undefined;
  /** The state of the last attempt that ended. */
  #last: State | undefined;
  #expired = false;
  /** Cancels the timer of the attempt or of the sleep, whichever is in progress. */
  #cancel: (() => void) | undefined;
  #cancelTotal: (() => void) | undefined;
  /** Aborts are heard of. Until then somebody must look. */
  #listens = false;
  #over = false;
  #abandoned: Abandonment | undefined;

  constructor(call: Call) {
    let resolve!: (value: unknown) => void;
    let reject!: (error: unknown) => void;
    const promise = new Promise((fulfil, fail) => {
      resolve = fulfil;
      reject = fail;
    });
    super(call, 0, resolve, reject);
    this.promise = promise;
  }

  start(): void {
    const { totalTimeout, clock, unref } = this.policy;
    if (this.look()) return;
    if (totalTimeout < Infinity) this.#cancelTotal = clock.setTimer(() => this.expire(), totalTimeout, unref);
    this.lead();
    this.begin();
    this.land();
    this.look();
    // Most of what a signal costs is to come and go as its listener: a call that is over at once is spared it.
    if (started.push(this) === 1) RESOLVED.then(listenAll);
  }

  /** Hears of aborts from now on. Answers whether the call is over already. */
  listen(): boolean {
    if (this.look() || this.#listens) return this.#over;
    this.#listens = true;
    for (const each of this.policy.abortSources) onAbort(each, this);
    return false;
  }

  /** Asked for by whoever wants the attempt's context, and may wait for its signal. */
  get abandoned(): Abandonment | undefined {
    this.listen();
    return this.#abandoned;
  }

  /** Whether the call is over, because a signal has aborted if nothing else. */
  private look(): boolean {
    if (this.#over || this.#listens) return this.#over;
    for (const { signal } of this.policy.abortSources) {
      if (signal.aborted) {
        this.cut(signal.reason);
        return true;
      }
    }
    return false;
  }

  /** An abort that nobody has heard of yet makes late too. */
  protected override isLate(turn: number): boolean {
    this.look();
    return super.isLate(turn);
  }

  protected override arm(): void {
    const { attemptTimeout, clock, unref } = this.policy;
    this.#running = true;
    this.#abandoned = undefined;
    this.#cancel =
      attemptTimeout < Infinity ? clock.setTimer(() => this.timeOut(attemptTimeout), attemptTimeout, unref) : undefined;
  }

  override settled(outcome: Outcome): void {
    if (this.listen()) return;
    this.#running = false;
    this.cancel(this.#cancel);
    this.#cancel = undefined;
    super.settled(outcome);
  }

  protected override sleep(state: State, ms: number): undefined {
    if (reachesDeadline(this.policy, this.startedAt, ms)) {
      this.refund();
      this.giveUp(state, "deadline");
    } else this.#cancel = super.sleep(state, ms);
  }

  override decided(state: State, decision: Decision | Promise<Decision>, turn?: number): void {
    this.#last = state;
    super.decided(state, decision, turn);
  }

  protected override accept(state: State): void {
    this.#accepted = state.outcome as { value: unknown };
    super.accept(state);
  }

  /** The attempt took too long: it has failed, whatever it still does. */
  private timeOut(timeout: number): void {
    if (this.listen()) return;
    const error = new AttemptTimeoutError(timeout, this.attempt);
    const turn = this.interrupt();
    // A run nested in this attempt that its signal cut gives up on this very error, but did not exhaust it.
    this.attemptOrdinal = nextOrdinal();
    this.abandon(error, true);
    if (turn === this.turn) this.settled({ ok: false, error });
  }

  /** The signal aborted. The call is over before any code of the user's is told. */
  cut(reason: unknown): void {
    const { givenUp, policy } = this;
    this.interrupt();
    if (this.#accepted) return this.finish(this.#accepted.value);
    const outcome = this.outcome ?? { ok: false, error: reason };
    this.fail(reason, { reason: "aborted", outcome });
    this.abandon(reason);
    // A call that had already given up for another reason has told its hook so.
    if (!policy.onGiveUp || givenUp) return;
    try {
      callHook(policy, policy.onGiveUp, finalState(this.interruptedState(outcome), "aborted", reason));
    } catch (broken) {
      // The user's clock failed just now, which changes nothing.
      report(policy, policy.clock, broken);
    }
  }

  /** The call's time is up. */
  private expire(): void {
    if (this.listen()) return;
    const { attempt } = this;
    const last = this.#last;
    const error = new TotalTimeoutError(this.policy.totalTimeout, attempt, last?.outcome);
    const turn = this.interrupt();
    this.#expired = true;
    this.refund();
    this.abandon(error);
    if (turn !== this.turn) return;
    if (this.#accepted) this.finish(this.#accepted.value);
    else if (this.givenUp) this.fallBack();
    else {
      try {
        this.giveUp(this.interruptedState(error.outcome), "deadline", error);
      } catch (broken) {
        // The user's clock failed just now.
        this.fail(broken);
      }
    }
  }

  /** Cancels a timer. Where the user's clock fails at that it changes nothing: others may wait for their turn. */
  private cancel(timer: (() => void) | undefined): void {
    try {
      timer?.();
    } catch (broken) {
      report(this.policy, this.policy.clock, broken);
    }
  }

  /** Makes all that is in progress late. */
  private interrupt(): number {
    this.cancel(this.#cancel);
    return ++this.turn;
  }

  private abandon(reason: unknown, timedOut = false): void {
    if (!this.#running) return;
    this.#abandoned = { reason, timedOut };
    this.context?.abandon(this.#abandoned);
  }

  /** The state between or in the midst of attempts: the last outcome, else `otherwise`. */
  private interruptedState(otherwise: Outcome): State {
    const last = this.#last;
    const state = this.stateOf(last?.outcome ?? otherwise);
    state.exhausted = last?.exhausted ?? false;
    state.delay = this.#running ? 0 : (last?.delay ?? 0);
    return state;
  }

  /** Past the deadline nobody waits for a hook any more. */
  protected override after(pending: Promise<void> | undefined, turn: number, next: () => void): void {
    super.after(this.#expired ? undefined : pending, turn, next);
  }

  /** A fallback may take longer than the call was allowed to. */
  protected override fallBack(): void {
    this.cancel(this.#cancelTotal);
    super.fallBack();
  }

  protected override close(): void {
    this.#over = true;
    this.cancel(this.#cancel);
    this.cancel(this.#cancelTotal);
    if (this.#listens) for (const each of this.policy.abortSources) offAbort(each, this);
  }
}
