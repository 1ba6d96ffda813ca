import type { GiveUpReason, GiveUpState, Outcome } from "../common/attempt.js";
import { callHook } from "../common/call-hook.js";
import { type Attempt, type AttemptSource, enter, leave } from "../common/current.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import { isThenable } from "../common/thenable.js";
import { bookInBudget, recordSuccess } from "./book.js";
import { type Decision, decide, type Ending, exhausts, finalError, finalState, isNonRetryable } from "./decide.js";
import { type Call, type State, startOf, stateOf } from "./state.js";

// After so many retries in a row without a delay, the next one lets timers and I/O have their turn.
const IMMEDIATE_IN_A_ROW = 64;

/**
 * A promise resolved with this stays pending for ever and holds nothing. It is what a microtask answers that leads to the
 * caller and must not resolve the call's promise, not even again: Node makes much of a promise that is resolved twice.
 */
const PENDING_FOREVER = { then() {} };

export const RESOLVED = /* @__PURE__ */ Promise.resolve();

interface Payment {
  readonly tokens: number;
  /** What they were taken for. */
  readonly state: State;
}

/**
 * One call in flight, once its first attempt has not ended it, or where something must come before that attempt or may
 * interrupt it.
 *
 * `resolve` and `reject` are the native ones of the caller's own promise, and every later attempt begins, and is waited for,
 * under a `then` that ends in that `resolve`: an engine follows only native functions from a pending promise to whoever
 * awaits it, and that is what keeps the caller in the stack of an error thrown by a later attempt (`at async …`).
 */
export class Run implements AttemptSource, Call {
  readonly target: Call["target"];
  readonly policy: Call["policy"];
  readonly self: unknown;
  readonly args: Call["args"];
  readonly ordinal: number;
  readonly startedAt: number;
  previousError: unknown;
  context: Attempt | undefined;
  /** Incremented on every interruption: callbacks that hold an older number do nothing. */
  protected turn = 0;
  /** How the last attempt ended. */
  protected outcome: Outcome | undefined;
  protected givenUp: GiveUpState | undefined;
  protected attemptOrdinal: number;
  /** What goes on may end in another attempt, which can begin at once: this is where that leads to the caller. */
  #leads = false;
  /** What was taken for a retry that has not begun, and what the last one took. */
  #owed: Payment | undefined;
  #paid: Payment | undefined;
  #previousDelay = 0;
  #idle = 0;
  #immediate = 0;

  constructor(
    { target, policy, self, args, ordinal, startedAt }: Call,
    /** Attempts begun. */
    public attempt: number,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.target = target;
    this.policy = policy;
    this.self = self;
    this.args = args;
    this.ordinal = ordinal;
    this.startedAt = startedAt;
    this.attemptOrdinal = ordinal;
  }

  get cancellable(): boolean {
    return this.policy.cancellable;
  }

  get timeout(): number {
    return this.policy.attemptTimeout;
  }

  /** Begins the next attempt. */
  protected begin(): void {
    const { onAttempt } = this.policy;
    if (onAttempt) this.tell(onAttempt, startOf(this, this.attempt + 1), () => this.launch());
    else this.launch();
  }

  /** Makes an attempt, in a microtask of its own where this one does not lead to the caller. */
  launch(): void {
    const { turn } = this;
    if (this.#leads) this.#leads = false;
    else RESOLVED.then(() => (this.isLate(turn) ? PENDING_FOREVER : this.invoke())).then(this.resolve);
  }

  /** Begins something that may launch an attempt, where that leads to the caller; `land` makes the attempt. */
  protected lead(): void {
    this.#leads = true;
  }

  // Once all that led to it has returned: of the ten lines of a stack, few may be ours.
  protected land(): void {
    if (this.#leads) this.#leads = false;
    else this.invoke();
  }

  private invoke(): object {
    const { target, policy, self, args, turn, outcome } = this;
    const { fn, stats } = target;
    stats.attempts++;
    this.context = undefined;
    if (this.attempt++ > 0) {
      this.previousError = outcome?.ok === false ? outcome.error : undefined;
      stats.retries++;
      this.attemptOrdinal = nextOrdinal();
      this.#paid = this.#owed;
      this.#owed = undefined;
    }
    const outer = enter(this);
    let promise: Promise<unknown>;
    try {
      this.arm();
      promise = Promise.resolve(fn.apply(self, args as unknown[]));
    } catch (error) {
      // Dealt with in a microtask of its own, as a rejection is.
      RESOLVED.then(() => this.ended({ ok: false, error }, turn)).then(this.resolve);
      return PENDING_FOREVER;
    } finally {
      leave(outer);
    }
    const returned = policy.mustInspectValue ? (value: unknown) => this.returned(value, turn) : target.succeeded;
    promise.then(returned, (error) => this.ended({ ok: false, error }, turn)).then(this.resolve);
    return PENDING_FOREVER;
  }

  /** Something may have to end the attempt that begins now. */
  protected arm(): void {}

  /** Whether an interruption came after `turn`. */
  protected isLate(turn: number): boolean {
    return turn !== this.turn;
  }

  /** An attempt returned. Most values are the call's: they go on to its promise from here. */
  private returned(value: unknown, turn: number): unknown {
    if (this.isLate(turn) || !this.policy.takesAnyValue) return this.ended({ ok: true, value }, turn);
    // Before the budget is paid: its own code may abort, and what is accepted stays so.
    this.close();
    this.countSuccess();
    return value;
  }

  /** An attempt ended, in a microtask that leads to the caller. */
  private ended(outcome: Outcome, turn: number): object {
    const { onLateResult } = this.policy;
    if (!this.isLate(turn)) {
      this.lead();
      this.settled(outcome);
      this.land();
    } else if (onLateResult) callHook(this.policy, onLateResult, outcome);
    return PENDING_FOREVER;
  }

  /** An attempt ended: what follows? */
  settled(outcome: Outcome): void {
    const { turn } = this;
    try {
      const state = this.stateOf(outcome);
      this.decided(state, decide(this.policy, state, this.attemptOrdinal), turn);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  /** Goes by a decision, once it is there. */
  decided(state: State, decision: Decision | Promise<Decision>, turn = this.turn): void {
    this.outcome = state.outcome;
    if (typeof decision === "object") {
      this.hold(
        decision,
        turn,
        (made) => this.follow(state, made),
        (made) => this.refund(made, state),
      );
    } else if (turn === this.turn) this.follow(state, decision);
    else this.refund(decision, state);
  }

  private follow(state: State, decision: Decision): void {
    if (decision === "accept") this.accept(state);
    else if (typeof decision === "number") this.retry(state, decision);
    else this.giveUp(state, decision);
  }

  protected stateOf(outcome: Outcome): State {
    return stateOf(this, this.attempt, outcome, this.#previousDelay, this.#idle);
  }

  private retry(state: State, taken: number): void {
    // Read before the hook: a hook that writes to the state changes nothing.
    const { delay } = state;
    this.#owed = taken > 0 ? { tokens: taken, state } : undefined;
    const { onRetry } = this.policy;
    if (onRetry) this.tell(onRetry, state, () => this.sleep(state, delay));
    else this.sleep(state, delay);
  }

  /** Answers what ends the sleep: nobody does, and nobody need keep it, where nothing can interrupt the run. */
  protected sleep(_state: State, ms: number): (() => void) | undefined {
    const { clock, unref } = this.policy;
    if (ms === 0 && ++this.#immediate < IMMEDIATE_IN_A_ROW) {
      this.#previousDelay = 0;
      this.begin();
      return undefined;
    }
    this.#immediate = 0;
    const wake = () => {
      this.#previousDelay = ms;
      this.#idle += ms;
      this.target.stats.idle += ms;
      this.begin();
    };
    // A pause between immediate retries is no sleep: it keeps the process alive.
    return clock.setTimer(wake, ms, unref && ms > 0);
  }

  /** Takes the value for the call's: from then on nothing takes it back. */
  protected accept(state: State): void {
    // Read before the hook, as above.
    const { value } = state.outcome as { value: unknown };
    this.countSuccess();
    this.tell(this.policy.onSuccess, state, () => this.finish(value));
  }

  /** Returns the accepted value. */
  protected finish(value: unknown): void {
    this.close();
    this.resolve(value);
  }

  protected giveUp(state: State, reason: GiveUpReason, error = finalError(this.policy, state, reason)): void {
    const { onGiveUp } = this.policy;
    this.givenUp = finalState(state, reason, error);
    // A copy, so that a hook that writes to it changes nothing.
    if (onGiveUp) this.tell(onGiveUp, { ...this.givenUp }, () => this.fallBack());
    else this.fallBack();
  }

  protected fallBack(): void {
    const { fallback } = this.policy;
    const { turn } = this;
    if (!fallback) return this.fail(this.givenUp!.error);
    const answer = (value: unknown) => {
      this.target.stats.failures++;
      this.close();
      this.resolve(value);
    };
    try {
      const pending = fallback(this.givenUp!);
      if (isThenable(pending)) this.hold(Promise.resolve(pending), turn, answer);
      else if (turn === this.turn) answer(pending);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  /** Ends the call in `error`. */
  protected fail(error: unknown, final: Ending | undefined = this.givenUp): void {
    if (final && exhausts(final)) rememberExhausted(error, this.ordinal, isNonRetryable(final));
    this.target.stats.failures++;
    this.close();
    this.reject(error);
    this.refund();
  }

  /** The call is over: lets go of all that could still happen to it. */
  protected close(): void {}

  /** Calls a hook, if there is one, and goes on with `next`. */
  private tell<A>(hook: ((arg: A) => unknown) | undefined, arg: A, next: () => void): void {
    const { turn } = this;
    this.after(hook && callHook(this.policy, hook, arg), turn, next);
  }

  /** Goes on with `next` when a hook is done, unless the run was interrupted meanwhile. */
  protected after(pending: Promise<void> | undefined, turn: number, next: () => void): void {
    if (pending) this.hold(pending, turn, next);
    else if (!this.isLate(turn)) next();
  }

  /** Waits for something of the user's, which an interruption makes late. */
  private hold<V>(pending: Promise<V>, turn: number, next: (value: V) => void, late?: (value: V) => void): void {
    const fail = (error: unknown) => {
      if (turn === this.turn) this.fail(error);
    };
    pending.then((value) => (this.isLate(turn) ? late?.(value) : next(value))).then(undefined, fail);
  }

  private countSuccess(): void {
    const { policy, target } = this;
    target.stats.successes++;
    if (policy.budget) recordSuccess(policy, this.#paid?.tokens ?? 0, this.#paid?.state, this.args);
  }

  /** Gives back what was taken for a retry that is not going to begin. */
  protected refund(taken: Decision | undefined = this.#owed?.tokens, state = this.#owed?.state): void {
    this.#owed = undefined;
    // No other decision is above 0.
    if ((taken as number) > 0) bookInBudget(this.policy, "refund", taken as number, state);
  }
}
