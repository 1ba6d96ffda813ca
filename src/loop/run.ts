import type { GiveUpReason, GiveUpState, Outcome } from "../common/attempt.js";
import { changed } from "../common/attempt-state.js";
import { callHook, report } from "../common/call-hook.js";
import { inThisContext, systemClock } from "../common/clock.js";
import { type Attempt, PlainAttempt } from "../common/current.js";
import { AttemptTimeoutError, TotalTimeoutError } from "../common/errors.js";
import { giveUpOn, nextOrdinal } from "../common/exhausted.js";
import { isThenable, RESOLVED } from "../common/thenable.js";
import { bookInBudget, recordSuccess } from "./book.js";
import {
  asksStopAgain,
  attemptTimeoutOf,
  type Decision,
  decide,
  type Ending,
  exhausts,
  finalError,
  finalState,
  isNonRetryable,
  reachesDeadline,
} from "./decide.js";
import { makeAttempt } from "./make-attempt.js";
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
 * given up; from accepted both lead to over with the value, and a fallback may outlast the deadline. Nothing else depends
 * on the phase, so the others have no name of their own.
 */
type Phase = "going on" | "accepted" | "given up";

// After so many retries in a row without a delay, the next one lets timers and I/O have their turn.
const IMMEDIATE_IN_A_ROW = 64;

/**
 * A promise resolved with this stays pending for ever and holds nothing. It is what a microtask returns that leads to the
 * caller and must not resolve the call's promise, not even again: Node makes much of a promise that is resolved twice.
 */
export const PENDING_FOREVER = { then() {} };

/** What comes through a gate that an interruption closed. */
export const CLOSED: unknown = /* @__PURE__ */ Symbol();

/** What ended something before it ended by itself: of two the higher one counts. 0: nothing did. */
export type Interruption = number;
export const TIMED_OUT: Interruption = 1;
export const EXPIRED: Interruption = 2;
export const ABORTED: Interruption = 3;

/** What can end a run from outside. */
export interface RunLimits {
  /** Set where something has happened, until the run has dealt with it; the reason is an abort's. */
  interruption: Interruption;
  readonly reason: unknown;
  /** The attempt in progress. */
  readonly current: Attempt | undefined;
  /** The call ends because the attempt that it was begun in did: it has exhausted nothing. */
  readonly isLinkedEnd: boolean;
  /** `promise`, or one that is rejected as soon as there is an interruption. */
  through<T>(promise: Promise<T>): Promise<T>;
  /** The same of a sleep. */
  sleep(ms: number): Promise<unknown>;
  /** The attempt that is to be made, whose time begins. */
  begin(attempt: number, previousError: unknown, timeout: number): Attempt;
  /** The same of what the attempt returned, which somebody may want to hear of also where it comes too late. */
  settled(promise: Promise<unknown>): Promise<unknown>;
  /** The attempt, or the sleep, is over. */
  end(): void;
  /** A fallback may take as long as it likes. */
  fallsBack(): void;
  close(): void;
  /** The first attempt is over: sets the timer of the whole call, and listens to its signals. */
  prepare(): void;
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
 * same microtask where that leads to the caller, else in one of its own (`step`).
 */
export class Run {
  #phase: Phase = "going on";
  #attemptOrdinal: number;
  /** How the last attempt ended, and its state. */
  #outcome: Outcome | undefined = undefined;
  #last: State | undefined = undefined;
  #final: GiveUpState | undefined = undefined;
  /** What was taken for a retry that has not begun, and what the last one took. */
  #owed: Payment | undefined = undefined;
  #paid: Payment | undefined = undefined;
  /** When the attempt in progress began. Not there before a policy that looks at time sets it: a sleeping call should weigh little. */
  declare private begunAt: number | undefined;
  #previousDelay = 0;
  #idle = 0;
  #immediate = 0;

  constructor(
    private readonly call: Call,
    /** Attempts begun. */
    private attempt: number,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: unknown) => void,
    /** What can end the call from outside, if anything can. */
    private readonly limits?: RunLimits | undefined,
  ) {
    this.#attemptOrdinal = call.ordinal;
  }

  /** Begins the next attempt; returns whether it is to be made now. */
  #begin(): boolean {
    const { onAttempt } = this.call.policy;
    return onAttempt ? this.#tell(onAttempt, startOf(this.call, this.attempt + 1), () => true) : true;
  }

  /** Begins the next attempt when `pending`, what its hook returned, is done. */
  beginAfter(pending: Promise<void>): false {
    return this.#after(pending, () => true);
  }

  /** Takes a step in a microtask that leads nowhere: an attempt begins in one of its own. */
  step(made: () => boolean): void {
    if (this.#take(made)) this.#launch();
  }

  #launch(): void {
    this.#lead(this.limits ? this.limits.through(RESOLVED) : RESOLVED, () => true);
  }

  /** Makes an attempt. */
  invoke(): object {
    const { limits } = this;
    const { target, policy } = this.call;
    const outcome = this.#outcome;
    const previousError = outcome?.ok === false ? outcome.error : undefined;
    const number = this.attempt + 1;
    let attempt: Attempt;
    try {
      if (policy.needsClock) this.begunAt = policy.clock.now();
      attempt = limits
        ? limits.begin(number, previousError, attemptTimeoutOf(policy, number, outcome))
        : new PlainAttempt(number, previousError, false);
    } catch (error) {
      this.#take(() => this.fail(error));
      return PENDING_FOREVER;
    }
    if (this.attempt++ > 0) {
      target.stats.retries++;
      this.#attemptOrdinal = nextOrdinal();
      this.#paid = this.#owed;
      this.#owed = undefined;
    }
    target.stats.attempts++;
    const promise = makeAttempt(this.call, attempt);
    (limits ? limits.settled(promise) : promise)
      .then(limits || policy.mustInspectValue ? (value) => this.#returned(value) : target.succeeded, (error) =>
        this.#ended({ ok: false, error }),
      )
      .then(this.resolve);
    return PENDING_FOREVER;
  }

  /** An attempt returned. Most values are the call's: they go on to its promise from here. */
  #returned(value: unknown): unknown {
    if (this.limits?.interruption || !this.call.policy.takesAnyValue) return this.#ended({ ok: true, value });
    // Before the budget is paid: its own code may abort, and what is accepted stays so.
    this.limits?.close();
    this.#countSuccess();
    return value;
  }

  #ended(outcome: Outcome): object {
    return this.#go(() => this.settle(outcome));
  }

  /** Takes a step, or deals with an interruption; returns whether an attempt begins. */
  #take(step: () => boolean): boolean {
    try {
      return this.limits?.interruption ? this.#interrupted() : step();
    } catch (error) {
      // A strategy, a fallback or a clock threw: that ends the call, unless it interrupted it before.
      return this.#take(() => this.fail(error));
    }
  }

  /** Takes a step in a microtask that leads to the caller: an attempt begins there and then. */
  #go(step: () => boolean): object {
    return this.#take(step) ? this.invoke() : PENDING_FOREVER;
  }

  /** An attempt ended: what follows? */
  settle(outcome: Outcome): boolean {
    this.limits?.end();
    const state = this.#stateOf(outcome);
    return this.goBy(state, decide(this.call.policy, state, this.#attemptOrdinal, this));
  }

  /** Whether a decision is still wanted. */
  get goesOn(): boolean {
    return this.#phase === "going on" && !this.limits?.interruption;
  }

  /** Goes by a decision, once it is there. */
  goBy(state: State, decision: Decision | Promise<Decision>): boolean {
    this.#outcome = state.outcome;
    if (this.limits) this.#last = state;
    if (typeof decision === "object") {
      return this.#after(
        decision,
        (made) => this.#follow(state, made),
        (made) => this.#refund(made, state),
      );
    }
    if (!this.limits?.interruption) return this.#follow(state, decision);
    this.#refund(decision, state);
    return this.#interrupted();
  }

  #follow(state: State, decision: Decision): boolean {
    if (typeof decision === "number") return this.#retry(state, decision);
    return decision === "accept" ? this.#accept(state) : this.#giveUp(state, decision);
  }

  #retry(state: State, taken: number): boolean {
    // Read before the hook: a hook that writes to the state changes nothing.
    const { delay, elapsed } = state;
    this.#owed = taken > 0 ? { tokens: taken, state } : undefined;
    this.call.target.watch?.retry(state);
    return this.#tell(this.call.policy.onRetry, state, () => this.#sleep(state, delay, elapsed));
  }

  #sleep(state: State, ms: number, elapsed: number): boolean {
    const { limits, call } = this;
    const { policy, startedAt } = call;
    if (reachesDeadline(policy, startedAt, ms)) return this.#giveUp(state, "deadline");
    if (policy.stopsBeforeDelay && asksStopAgain(policy, startedAt, state, elapsed, ms)) {
      return this.#giveUp(state, "stopped");
    }
    if (ms === 0 && ++this.#immediate < IMMEDIATE_IN_A_ROW) {
      this.#previousDelay = 0;
      return this.#begin();
    }
    this.#immediate = 0;
    // Kept only where it is asked for again: a sleeping call should weigh little.
    const last = policy.stopsBeforeDelay ? state : undefined;
    if (limits) return this.#lead(limits.sleep(ms), () => this.#wake(ms, last, elapsed));
    return this.#nap(ms, last, last ? elapsed : 0);
  }

  // On its own: what a sleep keeps is what this captures.
  #nap(ms: number, last: State | undefined, elapsed: number): false {
    const { clock, unref } = this.call.policy;
    const wake = () => this.#lead(RESOLVED, () => this.#wake(ms, last, elapsed));
    // A pause between immediate retries is no sleep: it keeps the process alive.
    clock.setTimer(clock === systemClock ? wake : inThisContext(wake), ms, unref && ms > 0);
    return false;
  }

  #wake(ms: number, last: State | undefined, elapsed: number): boolean {
    const { policy, startedAt, target } = this.call;
    this.#previousDelay = ms;
    this.#idle += ms;
    target.stats.idle += ms;
    this.limits?.end();
    // The timer may have come late.
    if (last && asksStopAgain(policy, startedAt, last, elapsed + ms, 0)) return this.#giveUp(last, "stopped");
    return this.#begin();
  }

  /** Takes the value for the call's: from then on nothing takes it back. */
  #accept(state: State): boolean {
    // Read before the hook, as above.
    const { value } = state.outcome as { value: unknown };
    this.#phase = "accepted";
    this.#countSuccess();
    return this.#tell(this.call.policy.onSuccess, state, () => this.#finish(value));
  }

  /** Returns a value, the accepted one or a fallback's. */
  #finish(value: unknown): false {
    this.limits?.close();
    this.resolve(value);
    return false;
  }

  /** `expired`: the deadline's error, where that has passed: then nothing waits for the hook. */
  #giveUp(state: State, reason: GiveUpReason, expired?: unknown): boolean {
    const { policy } = this.call;
    const error = expired ?? finalError(policy, state, reason);
    this.#refund();
    this.#phase = "given up";
    this.#final = finalState(state, reason, error);
    this.call.target.watch?.giveUp(reason, error, state);
    // A copy, so that a hook that writes to it changes nothing.
    return this.#tell(policy.onGiveUp, changed(this.#final, {}), () => this.#fallBack(), !expired);
  }

  #fallBack(): boolean {
    const { fallback } = this.call.policy;
    this.limits?.fallsBack();
    if (!fallback) return this.fail(this.#final!.error);
    const answer = (value: unknown) => {
      this.call.target.stats.failures++;
      return this.#finish(value);
    };
    const pending = fallback(this.#final!);
    if (isThenable(pending)) return this.#after(Promise.resolve(pending), answer);
    return this.limits?.interruption ? this.#interrupted() : answer(pending);
  }

  /**
   * Ends the call in `error`. It is over at once; its caller hears of it when whoever else was given this very error has
   * decided what to do with it.
   */
  fail(error: unknown, final: Ending | undefined = this.#final): false {
    const { stats, watch } = this.call.target;
    stats.failures++;
    this.#phase = "given up";
    if (!this.#final) watch?.giveUp(final?.reason ?? "broken", error);
    this.limits?.close();
    if (final && exhausts(final) && !this.call.policy.detached && !this.limits?.isLinkedEnd) {
      giveUpOn(error, this.call.ordinal, isNonRetryable(final), this.reject);
    } else this.reject(error);
    this.#refund();
    return false;
  }

  /** Deals with an interruption. */
  #interrupted(): boolean {
    const { call, limits } = this;
    const { current, interruption, reason } = limits!;
    const phase = this.#phase;
    limits!.interruption = 0;
    limits!.end();
    if (interruption === TIMED_OUT) {
      const error = new AttemptTimeoutError(current!.limit, this.attempt);
      // A run nested in this attempt that its signal cut gives up on this very error, but did not exhaust it.
      this.#attemptOrdinal = nextOrdinal();
      current!.abandon(error, true);
      return limits!.interruption ? this.#interrupted() : this.settle({ ok: false, error });
    }
    const aborted = interruption === ABORTED;
    const { totalTimeout, clock } = call.policy;
    if (phase === "accepted") return this.#finish((this.#outcome as { value: unknown }).value);
    const error = aborted ? reason : new TotalTimeoutError(totalTimeout, this.attempt, this.#last?.outcome);
    const outcome: Outcome = this.#outcome ?? { ok: false, error };
    if (aborted) this.fail(error, { reason: "aborted", outcome });
    current?.abandon(error, false);
    if (limits!.interruption) return this.#interrupted();
    // A call that had already given up for another reason has said so to its hook.
    if (phase === "given up") return aborted ? false : this.#fallBack();
    try {
      const last = this.#last;
      const state = this.#stateOf(outcome);
      state.exhausted = !!last?.exhausted;
      state.delay = (!current && last?.delay) || 0;
      if (!aborted) return this.#giveUp(state, "deadline", error);
      const { onGiveUp } = call.policy;
      if (onGiveUp) callHook(call.policy, onGiveUp, finalState(state, "aborted", error));
    } catch (broken) {
      // The user's clock failed just now, which changes nothing where the call is over.
      if (!aborted) return this.#take(() => this.fail(broken));
      report(call.policy, clock, broken);
    }
    return false;
  }

  /** Calls a hook, if there is one, and goes on with `next`. */
  #tell<A>(hook: ((arg: A) => unknown) | undefined, arg: A, next: () => boolean, waits = true): boolean {
    const pending = hook && callHook(this.call.policy, hook, arg);
    if (pending && waits) return this.#after(pending, next);
    return this.limits?.interruption ? this.#interrupted() : next();
  }

  /** Goes on with `next` after something of the user's; a value that an interruption overtakes goes to `late`. */
  #after<V>(pending: Promise<V>, next: (value: V) => boolean, late?: (value: V) => void): false {
    const { limits } = this;
    let taken = false;
    (limits ? limits.through(pending) : pending).then(
      (value) =>
        this.step(() => {
          taken = true;
          return next(value);
        }),
      (error) => this.step(() => this.fail(error)),
    );
    // A microtask after what comes through, if it does.
    if (limits && late) pending.then((value) => RESOLVED.then(() => taken || late(value))).catch(() => {});
    return false;
  }

  /** Goes on with `next` in a microtask that leads to the caller. */
  #lead(pending: Promise<unknown>, next: () => boolean): false {
    const go = () => this.#go(next);
    pending.then(go, go).then(this.resolve);
    return false;
  }

  #countSuccess(): void {
    const { policy, target, args } = this.call;
    target.succeeded(undefined);
    if (policy.budget) recordSuccess(policy, this.#paid?.tokens ?? 0, this.#paid?.state, args);
  }

  /** Gives back what was taken for a retry that is not going to begin. */
  #refund(taken: Decision | undefined = this.#owed?.tokens, state = this.#owed?.state): void {
    this.#owed = undefined;
    // No other decision is above 0.
    if ((taken as number) > 0) bookInBudget(this.call.policy, "refund", taken as number, state);
  }

  #stateOf(outcome: Outcome): State {
    return stateOf(this.call, this.attempt, outcome, this.#previousDelay, this.#idle, this.begunAt);
  }
}

/**
 * What the caller's promise is resolved with where a call goes on as a run: it hands over its own native `resolve` and
 * `reject`, so that the run needs no promise of its own.
 */
export function runOf(
  call: Call,
  attempts: number,
  begin: (run: Run) => boolean,
  limits?: RunLimits,
): PromiseLike<unknown> {
  const then = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
    const run = new Run(call, attempts, resolve, reject, limits);
    try {
      limits?.prepare();
    } catch (error) {
      // The user's clock failed.
      return void run.fail(error);
    }
    run.step(() => begin(run));
  };
  return { then } as unknown as PromiseLike<unknown>;
}
