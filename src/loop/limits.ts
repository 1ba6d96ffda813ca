import type { Outcome } from "../common/attempt.js";
import { callHook, report } from "../common/call-hook.js";
import { setDeadline } from "../common/clock.js";
import { type Attempt, PlainAttempt } from "../common/current.js";
import { AttemptTimeoutError, TotalTimeoutError } from "../common/errors.js";
import { nextOrdinal } from "../common/exhausted.js";
import { finalState } from "./decide.js";
import { attemptTimeoutOf, type CompiledPolicy } from "./policy.js";
import type { Run, RunLimits } from "./run.js";
import type { Call, State } from "./state.js";

/** A call that can be ended from outside. */
interface LimitedCall extends Call {
  readonly isLinkedEnd: boolean;
  heedAborts(): void;
  close(): void;
}

/** What can end a run from outside: aborts, the time of its attempts, and that of the whole call. */
export class Limits implements RunLimits {
  #run: Run | undefined = undefined;
  /** The attempt in progress. */
  #current: Attempt | undefined = undefined;
  /** The state of the last attempt that ended. */
  #last: State | undefined = undefined;
  /** Cancels the timer of the attempt or of the sleep, whichever is in progress. */
  #cancelTimer: (() => void) | undefined = undefined;
  #cancelDeadline: (() => void) | undefined = undefined;
  #isExpired = false;
  #isOver = false;
  /** Leads to the async context of the call, from wherever an abort comes. */
  #comeHome: ((state: { readonly reason: unknown } | undefined) => void) | undefined = undefined;

  constructor(private readonly call: LimitedCall) {}

  get isLinkedEnd(): boolean {
    return this.call.isLinkedEnd;
  }

  get waitsForHooks(): boolean {
    return !this.#isExpired;
  }

  /** Guards `run` from now on, and begins it unless it was aborted meanwhile. */
  guard(run: Run, phase: string, begin: (run: Run, limits: Limits) => unknown): void {
    const { policy, startedAt } = this.call;
    const { totalTimeout, clock, unref, onGiveUp, budget } = policy;
    this.#run = run;
    if (onGiveUp || budget) {
      new Promise<{ readonly reason: unknown } | undefined>((resolve) => {
        this.#comeHome = resolve;
      }).then((aborted) => this.#afterAbort(run, aborted));
    }
    try {
      if (totalTimeout < Infinity && phase !== "expired" && phase !== "aborted") {
        const left = Math.max(0, totalTimeout - (clock.now() - startedAt));
        this.#cancelDeadline = setDeadline(clock, () => this.expire(), left, unref);
      }
      if (phase !== "aborted") this.call.heedAborts();
      if (!this.#isOver) begin(run, this);
    } catch (error) {
      // The user's clock failed.
      if (!this.#isOver) run.fail(error);
    }
  }

  /** The first attempt was interrupted in its midst. */
  resume(run: Run, attempt: Attempt): void {
    run.phase = "attempting";
    this.#current = attempt;
  }

  attemptBegins(attempt: number, previousError: unknown): Attempt {
    const { policy } = this.call;
    const timeout = attemptTimeoutOf(policy, attempt);
    this.#current = new PlainAttempt(attempt, previousError, true, timeout);
    if (timeout < Infinity) {
      this.#cancelTimer = setDeadline(policy.clock, () => this.timeOut(timeout), timeout, policy.unref);
    }
    return this.#current;
  }

  attemptEnded(): void {
    this.#stopTimer();
    this.#current = undefined;
  }

  decides(state: State): void {
    this.#last = state;
  }

  sleeps(cancel: () => void): void {
    this.#cancelTimer = cancel;
  }

  fallsBack(): void {
    Limits.cancel(this.call.policy, this.#cancelDeadline);
    this.#cancelDeadline = undefined;
  }

  /** An abort: the call is over before any code of the user's hears of it. */
  cut(reason: unknown): void {
    if (this.#isOver) return;
    const run = this.#run!;
    const { phase } = run;
    const current = this.#current;
    this.#interrupt(run);
    if (phase === "accepted") return run.finishAccepted();
    run.end(reason, { reason: "aborted", outcome: run.outcome ?? { ok: false, error: reason } });
    current?.abandon(reason, false);
    // A call that had already given up for another reason has said so to its hook.
    this.#comeHome?.(phase === "given up" ? undefined : { reason });
  }

  #afterAbort(run: Run, aborted: { readonly reason: unknown } | undefined): void {
    const { policy } = this.call;
    run.refund();
    if (!policy.onGiveUp || !aborted) return;
    const { reason } = aborted;
    try {
      const state = this.#interruptedState(run, run.outcome ?? { ok: false, error: reason });
      callHook(policy, policy.onGiveUp, finalState(state, "aborted", reason));
    } catch (broken) {
      // The user's clock failed just now, which changes nothing.
      report(policy, policy.clock, broken);
    }
  }

  /** The attempt took too long: it has failed, whatever it still does. */
  timeOut(timeout: number): void {
    const run = this.#run!;
    const error = new AttemptTimeoutError(timeout, run.attempt);
    const current = this.#current;
    const turn = this.#interrupt(run);
    // A run nested in this attempt that its signal cut gives up on this very error, but did not exhaust it.
    run.attemptOrdinal = nextOrdinal();
    current?.abandon(error, true);
    if (turn === run.turn && run.settle({ ok: false, error })) run.launch();
  }

  /** The call's time is up. */
  expire(): void {
    const run = this.#run!;
    const { phase } = run;
    const current = this.#current;
    const error = new TotalTimeoutError(this.call.policy.totalTimeout, run.attempt, this.#last?.outcome);
    const turn = this.#interrupt(run);
    this.#isExpired = true;
    run.refund();
    current?.abandon(error, false);
    if (turn !== run.turn) return;
    if (phase === "accepted") return run.finishAccepted();
    try {
      if (phase === "given up") run.fallBack();
      else run.giveUp(this.#interruptedState(run, error.outcome), "deadline", error);
    } catch (broken) {
      // The user's clock failed just now.
      run.fail(broken);
    }
  }

  #interrupt(run: Run): number {
    this.#stopTimer();
    return run.interrupt();
  }

  #stopTimer(): void {
    Limits.cancel(this.call.policy, this.#cancelTimer);
    this.#cancelTimer = undefined;
  }

  /** Cancels a timer. Where the user's clock fails at that it changes nothing: others may wait for their turn. */
  static cancel(policy: CompiledPolicy, timer: (() => void) | undefined): void {
    try {
      timer?.();
    } catch (broken) {
      report(policy, policy.clock, broken);
    }
  }

  /** The state between or in the midst of attempts: the last outcome, else `otherwise`. */
  #interruptedState(run: Run, otherwise: Outcome): State {
    const last = this.#last;
    const state = run.stateOf(last?.outcome ?? otherwise);
    state.exhausted = last?.exhausted ?? false;
    state.delay = this.#current ? 0 : (last?.delay ?? 0);
    return state;
  }

  close(): void {
    this.#isOver = true;
    this.#stopTimer();
    this.fallsBack();
    this.call.close();
  }
}
