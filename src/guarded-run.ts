import type { Outcome } from "./attempt.js";
import { callHook } from "./call-hook.js";
import type { Abandonment } from "./current.js";
import { type Decision, finalState, reachesDeadline } from "./decide.js";
import { AttemptTimeoutError, TotalTimeoutError } from "./errors.js";
import { beginNumber } from "./exhausted.js";
import { type Interruptible, unwatch, watch } from "./interrupt.js";
import { Run } from "./run.js";
import type { State } from "./state.js";

/** A run that a signal or a timeout can interrupt. */
export class GuardedRun extends Run implements Interruptible {
  abandoned: Abandonment | undefined;
  /** An attempt is in progress. */
  #running = false;
  #accepted: { readonly value: unknown } | undefined;
  /** The state of the last attempt that ended. */
  #last: State | undefined;
  #expired = false;
  /** Cancels the timer of the attempt or of the sleep, whichever is in progress. */
  #cancel: (() => void) | undefined;
  #cancelTotal: (() => void) | undefined;

  start(): void {
    const { watches, totalTimeout, clock, unref } = this.policy;
    for (const { signal } of watches) {
      if (signal.aborted) return this.cut(signal.reason);
    }
    for (const each of watches) watch(each, this);
    if (totalTimeout < Infinity) this.#cancelTotal = clock.setTimer(() => this.expire(), totalTimeout, unref);
    this.lead();
    this.begin();
    this.land();
  }

  protected override arm(): void {
    const { attemptTimeout, clock, unref } = this.policy;
    this.#running = true;
    this.abandoned = undefined;
    this.#cancel =
      attemptTimeout < Infinity ? clock.setTimer(() => this.timeOut(attemptTimeout), attemptTimeout, unref) : undefined;
  }

  override settled(outcome: Outcome): void {
    this.#running = false;
    this.#cancel?.();
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
    const error = new AttemptTimeoutError(timeout, this.attempt);
    const turn = this.interrupt();
    // A run nested in this attempt that its signal cut gives up on this very error, but did not exhaust it.
    this.attemptBegan = beginNumber();
    this.abandon(error, true);
    if (turn === this.turn) this.settled({ ok: false, error });
  }

  /** The signal aborted. The call is over before any code of the user's is told. */
  cut(reason: unknown): void {
    const { givenUp, policy } = this;
    this.interrupt();
    if (this.#accepted) return this.finish(this.#accepted.value);
    try {
      this.givenUp = finalState(this.interruptedState({ ok: false, error: reason }), "aborted", reason);
    } finally {
      // Also where the user's clock failed just now: an abort ends the call in any case.
      this.fail(reason);
      this.abandon(reason);
    }
    // A call that had already given up for another reason has told its hook so.
    if (policy.onGiveUp && !givenUp) callHook(policy, policy.onGiveUp, this.givenUp);
  }

  /** The call's time is up. */
  private expire(): void {
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

  /** Makes all that is in progress late. */
  private interrupt(): number {
    this.#cancel?.();
    return ++this.turn;
  }

  private abandon(reason: unknown, timedOut = false): void {
    if (!this.#running) return;
    this.abandoned = { reason, timedOut };
    this.context?.abandon(this.abandoned);
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
    this.#cancelTotal?.();
    super.fallBack();
  }

  protected override close(): void {
    this.#cancel?.();
    this.#cancelTotal?.();
    for (const each of this.policy.watches) unwatch(each, this);
  }
}
