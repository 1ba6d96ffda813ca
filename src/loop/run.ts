import type { GiveUpReason, GiveUpState, Outcome } from "../common/attempt.js";
import { callHook } from "../common/call-hook.js";
import { type Attempt, enter, leave, PlainAttempt } from "../common/current.js";
import { giveUpOn, nextOrdinal } from "../common/exhausted.js";
import { isThenable, promiseOf } from "../common/thenable.js";
import { bookInBudget, recordSuccess } from "./book.js";
import {
  asksStopAgain,
  type Decision,
  decide,
  type Ending,
  exhausts,
  finalError,
  finalState,
  isNonRetryable,
  reachesDeadline,
} from "./decide.js";
import { type Call, type State, startOf, stateOf } from "./state.js";

/**
 * Where a call is. Beside what is named, a call with a `totalTimeout` holds that timer until it is over.
 *
 *     starting ──▶ attempting ──▶ deciding ──▶ sleeping ──▶ starting
 *     (onAttempt)  (the timer of  (retryIf,    (its timer)
 *                  the attempt)    budget,
 *                                  onRetry)──▶ accepted ──▶ over
 *                                         │    (the value, onSuccess)
 *                                         └──▶ given up ──▶ over
 *                                              (onGiveUp, fallback)
 *
 * The time of an attempt being up leads from attempting to deciding. An abort leads from anywhere to over, the deadline to
 * given up; from accepted both lead to over with the value, and a fallback may outlast the deadline.
 */
type Phase = "starting" | "attempting" | "deciding" | "sleeping" | "accepted" | "given up" | "over";

// After so many retries in a row without a delay, the next one lets timers and I/O have their turn.
const IMMEDIATE_IN_A_ROW = 64;

/**
 * A promise resolved with this stays pending for ever and holds nothing. It is what a microtask returns that leads to the
 * caller and must not resolve the call's promise, not even again: Node makes much of a promise that is resolved twice.
 */
export const PENDING_FOREVER = { then() {} };

export const RESOLVED = /* @__PURE__ */ Promise.resolve();

/** What can end a call from outside. */
export interface RunLimits {
  /** The call ends because the attempt that it was begun in did: it has exhausted nothing. */
  readonly isLinkedEnd: boolean;
  /** Past the deadline nothing waits for a hook. */
  readonly waitsForHooks: boolean;
  /** Makes the attempt that is to begin, and sets its timer. */
  attemptBegins(attempt: number, previousError: unknown): Attempt;
  /** The attempt in progress has ended, with this state. */
  attemptEnded(): void;
  decides(state: State): void;
  /** A fallback may take as long as it likes. */
  fallsBack(): void;
  /** Keeps what cancels the sleep that began. */
  sleeps(cancel: () => void): void;
  close(): void;
}

interface Payment {
  readonly tokens: number;
  /** What they were taken for. */
  readonly state: State;
}

/**
 * A call in flight, once its first attempt has not ended it, or where something must come before that attempt.
 *
 * `resolve` and `reject` are the native ones of the caller's own promise, and every attempt begins, and is waited for,
 * under a `then` that ends in that `resolve` (decision 1): that keeps the caller in the stack of an error thrown by a later
 * attempt. A step that may end in another attempt returns whether it does: whoever took the step makes the attempt, in the
 * same microtask where that leads to the caller, else in one of its own (`launch`).
 */
export class Run {
  phase: Phase = "deciding";
  /** Incremented on every interruption: callbacks that hold an older number do nothing. */
  turn = 0;
  attemptOrdinal: number;
  /** How the last attempt ended. */
  outcome: Outcome | undefined = undefined;
  final: GiveUpState | undefined = undefined;
  /** What was taken for a retry that has not begun, and what the last one took. */
  #owed: Payment | undefined = undefined;
  #paid: Payment | undefined = undefined;
  #previousDelay = 0;
  #idle = 0;
  #immediate = 0;

  constructor(
    private readonly call: Call,
    /** Attempts begun. */
    public attempt: number,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: unknown) => void,
    /** What can end the call from outside, if anything can. */
    private readonly limits?: RunLimits | undefined,
  ) {
    this.attemptOrdinal = call.ordinal;
  }

  /** Begins the next attempt; returns whether it is to be made now. */
  begin(): boolean {
    this.phase = "starting";
    const { onAttempt } = this.call.policy;
    return onAttempt ? this.#tell(onAttempt, startOf(this.call, this.attempt + 1), () => true) : true;
  }

  /** Begins the next attempt when `pending`, what its hook returned, is done. */
  beginAfter(pending: Promise<void>): void {
    this.phase = "starting";
    this.#hold(pending, this.turn, () => true);
  }

  /** Makes an attempt, in a microtask of its own. */
  launch(): void {
    const turn = this.turn;
    RESOLVED.then(() => (turn === this.turn ? this.#invoke() : PENDING_FOREVER)).then(this.resolve);
  }

  #invoke(): object {
    const { target, policy, self, args } = this.call;
    const { fn, stats } = target;
    const turn = this.turn;
    this.phase = "attempting";
    const outcome = this.outcome;
    if (this.attempt++ > 0) {
      stats.retries++;
      this.attemptOrdinal = nextOrdinal();
      this.#paid = this.#owed;
      this.#owed = undefined;
    }
    stats.attempts++;
    let promise: Promise<unknown>;
    const { limits } = this;
    const previousError = outcome?.ok === false ? outcome.error : undefined;
    const outer = enter(new PlainAttempt(this.attempt, previousError, false));
    try {
      if (limits) enter(limits.attemptBegins(this.attempt, previousError));
      promise = promiseOf(fn.apply(self, args as unknown[]));
    } catch (error) {
      // Dealt with in a microtask of its own, as a rejection is.
      RESOLVED.then(() => this.#ended({ ok: false, error }, turn)).then(this.resolve);
      return PENDING_FOREVER;
    } finally {
      leave(outer);
    }
    const returned =
      policy.mustInspectValue || limits ? (value: unknown) => this.#returned(value, turn) : target.succeeded;
    promise.then(returned, (error: unknown) => this.#ended({ ok: false, error }, turn)).then(this.resolve);
    return PENDING_FOREVER;
  }

  /** An attempt returned. Most values are the call's: they go on to its promise from here. */
  #returned(value: unknown, turn: number): unknown {
    if (turn !== this.turn || !this.call.policy.takesAnyValue) return this.#ended({ ok: true, value }, turn);
    // Before the budget is paid: its own code may abort, and what is accepted stays so.
    this.#close();
    this.#countSuccess();
    return value;
  }

  /** An attempt ended, in a microtask that leads to the caller. */
  #ended(outcome: Outcome, turn: number): object {
    const { policy } = this.call;
    if (turn === this.turn) {
      if (this.settle(outcome)) this.#invoke();
    } else if (policy.onLateResult) callHook(policy, policy.onLateResult, outcome);
    return PENDING_FOREVER;
  }

  /** An attempt ended: what follows? */
  settle(outcome: Outcome): boolean {
    const turn = this.turn;
    this.phase = "deciding";
    this.limits?.attemptEnded();
    try {
      const state = this.stateOf(outcome);
      return this.goBy(state, decide(this.call.policy, state, this.attemptOrdinal), turn);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
      return false;
    }
  }

  /** Goes by a decision, once it is there. */
  goBy(state: State, decision: Decision | Promise<Decision>, turn = this.turn): boolean {
    this.outcome = state.outcome;
    this.limits?.decides(state);
    if (typeof decision === "object") {
      return this.#hold(
        decision,
        turn,
        (made) => this.#follow(state, made),
        (made) => this.refund(made, state),
      );
    }
    if (turn === this.turn) return this.#follow(state, decision);
    this.refund(decision, state);
    return false;
  }

  #follow(state: State, decision: Decision): boolean {
    if (typeof decision === "number") return this.#retry(state, decision);
    return decision === "accept" ? this.#accept(state) : this.giveUp(state, decision);
  }

  #retry(state: State, taken: number): boolean {
    // Read before the hook: a hook that writes to the state changes nothing.
    const { delay, elapsed } = state;
    this.#owed = taken > 0 ? { tokens: taken, state } : undefined;
    const { onRetry } = this.call.policy;
    return onRetry
      ? this.#tell(onRetry, state, () => this.#sleep(state, delay, elapsed))
      : this.#sleep(state, delay, elapsed);
  }

  #sleep(state: State, ms: number, elapsed: number): boolean {
    const { policy, startedAt } = this.call;
    if (reachesDeadline(policy, startedAt, ms)) return this.#giveUpUnpaid(state, "deadline");
    if (policy.stopsBeforeDelay && asksStopAgain(policy, startedAt, state, elapsed, ms))
      return this.#giveUpUnpaid(state, "stopped");
    if (ms === 0 && ++this.#immediate < IMMEDIATE_IN_A_ROW) {
      this.#previousDelay = 0;
      return this.begin();
    }
    this.#immediate = 0;
    this.phase = "sleeping";
    // Kept only where it is asked for again: a sleeping call should weigh little.
    const last = policy.stopsBeforeDelay ? state : undefined;
    const wake = () => {
      this.#previousDelay = ms;
      this.#idle += ms;
      this.call.target.stats.idle += ms;
      if (last && this.#isTooLate(last, elapsed + ms)) return;
      if (this.begin()) this.launch();
    };
    // A pause between immediate retries is no sleep: it keeps the process alive.
    const cancel = policy.clock.setTimer(wake, ms, policy.unref && ms > 0);
    // Nothing else ever cancels it, so nothing else need keep it.
    this.limits?.sleeps(cancel);
    return false;
  }

  /** The timer came late: would `stop` let an attempt begin now? */
  #isTooLate(state: State, planned: number): boolean {
    const { policy, startedAt } = this.call;
    try {
      if (!asksStopAgain(policy, startedAt, state, planned, 0)) return false;
      this.#giveUpUnpaid(state, "stopped");
    } catch (error) {
      this.fail(error);
    }
    return true;
  }

  /** Takes the value for the call's: from then on nothing takes it back. */
  #accept(state: State): boolean {
    // Read before the hook, as above.
    const { value } = state.outcome as { value: unknown };
    this.phase = "accepted";
    this.#countSuccess();
    const { onSuccess } = this.call.policy;
    return onSuccess ? this.#tell(onSuccess, state, () => this.finish(value)) : this.finish(value);
  }

  /** Returns a value, the accepted one or a fallback's. */
  finish(value: unknown): false {
    this.#close();
    this.resolve(value);
    return false;
  }

  /** The same at once, without waiting for the hook any more. */
  finishAccepted(): void {
    this.finish((this.outcome as { value: unknown }).value);
  }

  #giveUpUnpaid(state: State, reason: GiveUpReason): false {
    this.refund();
    return this.giveUp(state, reason);
  }

  giveUp(state: State, reason: GiveUpReason, error = finalError(this.call.policy, state, reason)): false {
    const { onGiveUp } = this.call.policy;
    this.phase = "given up";
    this.final = finalState(state, reason, error);
    // A copy, so that a hook that writes to it changes nothing.
    return onGiveUp ? this.#tell(onGiveUp, { ...this.final }, () => this.fallBack()) : this.fallBack();
  }

  fallBack(): false {
    const { fallback } = this.call.policy;
    const { turn } = this;
    this.limits?.fallsBack();
    if (!fallback) return this.fail(this.final!.error);
    const answer = (value: unknown) => {
      this.call.target.stats.failures++;
      return this.finish(value);
    };
    try {
      const pending = fallback(this.final!);
      if (isThenable(pending)) this.#hold(Promise.resolve(pending), turn, answer);
      else if (turn === this.turn) answer(pending);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
    return false;
  }

  /**
   * Ends the call in `error`. It is over at once; its caller hears of it when whoever else was given this very error has
   * decided what to do with it.
   */
  fail(error: unknown, final: Ending | undefined = this.final): false {
    this.end(error, final);
    this.refund();
    return false;
  }

  /** The same, with what was taken for a retry still to be given back. */
  end(error: unknown, final: Ending | undefined): void {
    this.call.target.stats.failures++;
    this.#close();
    if (final && exhausts(final) && !this.call.policy.detached && !this.limits?.isLinkedEnd) {
      giveUpOn(error, this.call.ordinal, isNonRetryable(final), this.reject);
    } else this.reject(error);
  }

  /** Makes all that is in progress late. */
  interrupt(): number {
    return ++this.turn;
  }

  /** Calls a hook and goes on with `next`. */
  #tell<A, R extends boolean>(hook: (arg: A) => unknown, arg: A, next: () => R): R | false {
    const { turn } = this;
    const pending = callHook(this.call.policy, hook, arg);
    if (pending && this.limits?.waitsForHooks !== false) return this.#hold(pending, turn, next);
    return turn === this.turn && next();
  }

  /** Waits for something of the user's, which an interruption makes late. */
  #hold<V>(pending: Promise<V>, turn: number, next: (value: V) => boolean, late?: (value: V) => void): false {
    pending
      .then((value) => {
        if (turn !== this.turn) late?.(value);
        else if (next(value)) this.launch();
      })
      .then(undefined, (error) => {
        if (turn === this.turn) this.fail(error);
      });
    return false;
  }

  #countSuccess(): void {
    const { policy, target, args } = this.call;
    target.stats.successes++;
    if (policy.budget) recordSuccess(policy, this.#paid?.tokens ?? 0, this.#paid?.state, args);
  }

  /** Gives back what was taken for a retry that is not going to begin. */
  refund(taken: Decision | undefined = this.#owed?.tokens, state = this.#owed?.state): void {
    this.#owed = undefined;
    // No other decision is above 0.
    if ((taken as number) > 0) bookInBudget(this.call.policy, "refund", taken as number, state);
  }

  stateOf(outcome: Outcome): State {
    return stateOf(this.call, this.attempt, outcome, this.#previousDelay, this.#idle);
  }

  /** The call is over: lets go of all that could still happen to it. */
  #close(): void {
    this.phase = "over";
    this.limits?.close();
  }
}
