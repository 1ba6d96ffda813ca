import type { GiveUpReason, GiveUpState, Outcome } from "./attempt.js";
import { Attempt, type AttemptSource, enter, leave } from "./current.js";
import { type Decision, decide, exhausts, finalError } from "./decide.js";
import { beginNumber, rememberExhausted } from "./exhausted.js";
import { callHook, reportHookError } from "./hooks.js";
import type { Policy } from "./policy.js";
import { State } from "./state.js";
import type { Target } from "./target.js";
import { isThenable } from "./thenable.js";

/** One call: `args` is `undefined` for a block, which gets the attempt's context instead. */
export interface Call {
  readonly target: Target;
  readonly policy: Policy;
  readonly self: unknown;
  readonly args: readonly unknown[] | undefined;
}

export const NO_ARGS: readonly unknown[] = [];

// After so many retries in a row without a delay, the next one lets timers and I/O have their turn.
const IMMEDIATE_IN_A_ROW = 64;

// A promise resolved with this stays pending for ever and holds nothing.
const NEVER = { then() {} };
const SOON = /* @__PURE__ */ Promise.resolve();

/**
 * One call in flight, once its first attempt has failed or something may interrupt it.
 *
 * One promise serves the whole call. Its own native `resolve` is handed to each attempt, since an engine follows only
 * native functions from a pending promise to whoever awaits it: that is what keeps the caller in the stack of an error
 * thrown by a later attempt (`at async …`).
 */
export class Run implements AttemptSource {
  protected readonly promise: Promise<unknown>;
  protected resolve!: (value: unknown) => void;
  protected reject!: (error: unknown) => void;
  /** Raised by every interruption: what began before it is late. */
  protected turn = 0;
  /** An attempt is in progress. */
  protected running = false;
  private attemptContext: Attempt | undefined;
  protected last: Outcome | undefined;
  /** The state of the value that was accepted: from then on nothing takes it back. */
  protected accepted: State | undefined;
  protected givenUp: GiveUpState | undefined;
  protected cancelSleep: (() => void) | undefined;
  /** Tokens taken for a retry that has not begun. */
  private owed = 0;
  /** Tokens that the last retry took, and the state they were paid for. */
  private taken = 0;
  private paidFor: State | undefined;
  private previousDelay = 0;
  private idle = 0;
  private immediate = 0;
  private attemptBegan: number;

  constructor(
    protected readonly call: Call,
    private readonly began: number,
    private readonly startedAt: number,
    /** Attempts begun. */
    protected attempt = 0,
  ) {
    this.attemptBegan = began;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** The context of the attempt in progress, made when first asked for. */
  get context(): Attempt {
    const { attempt, last } = this;
    this.attemptContext ??= new Attempt(attempt, last && !last.ok ? last.error : undefined);
    return this.attemptContext;
  }

  /** What the caller gets. */
  answer(): Promise<unknown> {
    if (this.call.policy.watched) return this.promise;
    return this.promise.then((value) => {
      this.countSuccess();
      return value;
    });
  }

  /** Begins the next attempt. */
  begin(): void {
    const { policy, target, args } = this.call;
    const { turn } = this;
    const name = policy.name ?? target.name;
    const start = { name, args: args ?? NO_ARGS, attempt: this.attempt + 1 };
    this.after(policy.onAttempt && callHook(policy, policy.onAttempt, start), turn, () => this.invoke());
  }

  /** Goes on with `next` when the hook is done, unless the run was interrupted meanwhile. */
  after(pending: Promise<void> | undefined, turn: number, next: () => void): void {
    if (pending) this.hold(pending, turn, next);
    else if (turn === this.turn) next();
  }

  /** An attempt ended: what follows? */
  settled(outcome: Outcome): void {
    this.running = false;
    this.last = outcome;
    const state = this.stateOf(outcome);
    const { turn } = this;
    try {
      const decision = decide(this.call.policy, state, this.attemptBegan);
      if (isThenable(decision)) {
        const follow = (made: Decision) => this.follow(state, made, turn);
        this.hold(decision as Promise<Decision>, turn, follow, (made) => this.refund(made));
      } else this.follow(state, decision, turn);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  follow(state: State, decision: Decision, turn: number): void {
    if (turn !== this.turn) this.refund(decision);
    else if (decision === "accept") this.accept(state);
    else if (typeof decision === "number") this.retry(state, decision);
    else this.giveUp(state, decision);
  }

  protected stateOf(outcome: Outcome): State {
    const { policy, target, args } = this.call;
    const elapsed = policy.needsClock ? policy.clock.now() - this.startedAt : 0;
    const { attempt, previousDelay, idle } = this;
    return new State(
      policy,
      policy.name ?? target.name,
      args ?? NO_ARGS,
      attempt,
      outcome,
      elapsed,
      previousDelay,
      idle,
    );
  }

  invoke(): void {
    const { target, self, args, policy } = this.call;
    const { fn, stats } = target;
    const { turn } = this;
    this.attempt++;
    stats.attempts++;
    this.running = true;
    this.attemptContext = undefined;
    if (this.attempt > 1) {
      stats.retries++;
      this.attemptBegan = beginNumber();
      this.taken = this.owed;
      this.owed = 0;
    }
    const outer = enter(this);
    let promise: Promise<unknown> | undefined;
    try {
      promise = Promise.resolve(args ? fn.apply(self, args as unknown[]) : fn(this.context));
    } catch (error) {
      this.threw(error, turn);
    } finally {
      leave(outer);
    }
    if (!promise) return;
    if (!policy.watched) promise.then(this.resolve, this.failed);
    else {
      promise
        .then(
          (value) => this.ended({ ok: true, value }, turn),
          (error) => this.ended({ ok: false, error }, turn),
        )
        .then(this.resolve);
    }
  }

  /** A sync throw is dealt with in a microtask of its own: attempts in a row do not grow the stack. */
  threw(error: unknown, turn = this.turn): void {
    SOON.then(() => this.ended({ ok: false, error }, turn));
  }

  private ended(outcome: Outcome, turn: number): object {
    const { onLateResult } = this.call.policy;
    if (turn === this.turn) this.settled(outcome);
    else if (onLateResult) callHook(this.call.policy, onLateResult, outcome);
    return NEVER;
  }

  private readonly failed = (error: unknown): void => this.settled({ ok: false, error });

  protected retry(state: State, taken: number): void {
    const { policy } = this.call;
    const { turn } = this;
    this.owed = taken;
    this.paidFor = taken > 0 ? state : undefined;
    this.after(policy.onRetry && callHook(policy, policy.onRetry, state), turn, () => this.sleep(state.delay));
  }

  private sleep(ms: number): void {
    const { clock, unref } = this.call.policy;
    this.previousDelay = ms;
    if (ms === 0 && ++this.immediate < IMMEDIATE_IN_A_ROW) return this.begin();
    this.immediate = 0;
    this.cancelSleep = clock.setTimer(
      () => {
        this.idle += ms;
        this.call.target.stats.idle += ms;
        this.begin();
      },
      ms,
      unref,
    );
  }

  protected accept(state: State): void {
    const { policy } = this.call;
    const { turn } = this;
    this.accepted = state;
    this.countSuccess();
    this.after(policy.onSuccess && callHook(policy, policy.onSuccess, state), turn, () => this.finish());
  }

  protected giveUp(state: State, reason: GiveUpReason, error = finalError(this.call.policy, state, reason)): void {
    const { policy } = this.call;
    const { turn } = this;
    const final = { ...state, reason, error };
    this.givenUp = final;
    this.after(policy.onGiveUp && callHook(policy, policy.onGiveUp, final), turn, () => this.fallBack(final));
  }

  protected fallBack(final: GiveUpState): void {
    const { fallback } = this.call.policy;
    const { turn } = this;
    if (!fallback) return this.fail(final.error);
    const fail = (error: unknown) => this.fail(error);
    const answer = (value: unknown) => {
      this.call.target.stats.failures++;
      this.settle();
      this.resolve(value);
    };
    try {
      const pending = fallback(final);
      if (isThenable(pending)) this.hold(Promise.resolve(pending), turn, answer, undefined, fail);
      else if (turn === this.turn) answer(pending);
    } catch (error) {
      if (turn === this.turn) fail(error);
    }
  }

  /** Returns the accepted value. */
  protected finish(): void {
    this.settle();
    this.resolve((this.accepted!.outcome as { value: unknown }).value);
  }

  /** Ends the call in `error`. */
  protected fail(error: unknown): void {
    if (this.givenUp && exhausts(this.givenUp)) rememberExhausted(error, this.began);
    this.call.target.stats.failures++;
    this.settle();
    this.reject(error);
  }

  /** The call is over: lets go of all that could still happen to it. */
  protected settle(): void {}

  /** Waits for something of the user's, which an interruption makes late. */
  private hold<V>(
    pending: Promise<V>,
    turn: number,
    next: (value: V) => void,
    late?: (value: V) => void,
    fail: (error: unknown) => void = (error) => this.fail(error),
  ): void {
    pending.then(
      (value) => (turn === this.turn ? next(value) : late?.(value)),
      (error) => {
        if (turn === this.turn) fail(error);
      },
    );
  }

  private countSuccess(): void {
    const { policy, target } = this.call;
    target.stats.successes++;
    countInBudget(policy, this.taken, this.paidFor);
  }

  /** Gives back what was taken for a retry that is not going to begin. */
  protected refund(taken: Decision = this.owed): void {
    const { policy } = this.call;
    this.owed = 0;
    if (typeof taken !== "number" || taken === 0) return;
    try {
      policy.budget!.refund(taken);
    } catch (error) {
      reportHookError(policy, policy.budget!, error);
    }
  }
}

/** Tells the budget of a success; what it throws cannot take the value back. */
export function countInBudget(policy: Policy, taken: number, paidFor?: State): void {
  if (!policy.budget) return;
  try {
    policy.budget.recordSuccess(taken, paidFor);
  } catch (error) {
    reportHookError(policy, policy.budget, error);
  }
}
