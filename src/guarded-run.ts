import type { GiveUpState, Outcome } from "./attempt.js";
import { AttemptTimeoutError, TotalTimeoutError } from "./errors.js";
import { callHook } from "./hooks.js";
import { type Interruptible, unwatch, watch } from "./interrupt.js";
import { Run } from "./run.js";

/** A run that a signal or a timeout can interrupt. */
export class GuardedRun extends Run implements Interruptible {
  private over = false;
  private expired = false;
  private cancelAttempt: (() => void) | undefined;
  private cancelTotal: (() => void) | undefined;

  start(): Promise<unknown> {
    const { signals, totalTimeout, clock, unref } = this.call.policy;
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted) this.cut(aborted.reason);
    else {
      for (const signal of signals) watch(signal, this);
      if (totalTimeout < Infinity) this.cancelTotal = clock.setTimer(() => this.expire(), totalTimeout, unref);
      this.begin();
    }
    return this.promise;
  }

  override invoke(): void {
    const { attemptTimeout, clock, unref } = this.call.policy;
    if (attemptTimeout < Infinity) {
      this.cancelAttempt = clock.setTimer(() => this.timeOut(attemptTimeout), attemptTimeout, unref);
    }
    super.invoke();
  }

  override settled(outcome: Outcome): void {
    this.cancelAttempt?.();
    this.cancelAttempt = undefined;
    super.settled(outcome);
  }

  /** The attempt took too long: it has failed, whatever it still does. */
  private timeOut(timeout: number): void {
    const error = new AttemptTimeoutError(timeout, this.attempt);
    this.interrupt(error);
    this.settled({ ok: false, error });
  }

  /** The signal aborted. */
  cut(reason: unknown): void {
    if (this.over) return;
    this.interrupt(reason);
    if (this.accepted) return this.finish();
    const { onGiveUp } = this.call.policy;
    const seen = this.givenUp;
    const outcome = this.last ?? { ok: false, error: reason };
    const final: GiveUpState = { ...this.stateOf(outcome), reason: "aborted", error: reason };
    this.givenUp = final;
    this.fail(reason);
    // A call that had already given up for another reason has told its hook so.
    if (onGiveUp && !seen) callHook(this.call.policy, onGiveUp, final);
  }

  /** The call's time is up. */
  private expire(): void {
    this.expired = true;
    const error = new TotalTimeoutError(this.call.policy.totalTimeout, this.attempt, this.last);
    this.interrupt(error);
    if (this.accepted) this.finish();
    else if (this.givenUp) this.fallBack(this.givenUp);
    else this.giveUp(this.stateOf(error.outcome), "deadline", error);
  }

  private interrupt(reason: unknown): void {
    this.turn++;
    this.cancelSleep?.();
    this.cancelAttempt?.();
    this.refund();
    if (this.running) this.context.abandon(reason);
  }

  /** Past the deadline nobody waits for a hook any more. */
  override after(pending: Promise<void> | undefined, turn: number, next: () => void): void {
    super.after(this.expired ? undefined : pending, turn, next);
  }

  /** A fallback may take longer than the call was allowed to. */
  protected override fallBack(final: GiveUpState): void {
    this.cancelTotal?.();
    super.fallBack(final);
  }

  protected override settle(): void {
    this.over = true;
    this.cancelTotal?.();
    for (const signal of this.call.policy.signals) unwatch(signal, this);
  }
}
