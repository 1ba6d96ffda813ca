import type { GiveUpReason, GiveUpState, Outcome } from "./attempt.js";
import { bookInBudget, callHook, recordSuccess } from "./call-hook.js";
import { Attempt, type AttemptSource, enter, leave } from "./current.js";
import { type Decision, decide, exhausts, finalError, isNonRetryable } from "./decide.js";
import { beginNumber, rememberExhausted } from "./exhausted.js";
import { argsOf, type Call, type State, startOf, stateOf } from "./state.js";
import { isThenable } from "./thenable.js";

// After so many retries in a row without a delay, the next one lets timers and I/O have their turn.
const IMMEDIATE_IN_A_ROW = 64;

// A promise resolved with this stays pending for ever and holds nothing.
const NEVER = { then() {} };
const SOON = /* @__PURE__ */ Promise.resolve();

interface Payment {
  readonly tokens: number;
  /** What they were taken for. */
  readonly state: State;
}

/**
 * One call in flight, once its first attempt has not ended it, or where something must come before that attempt or may
 * interrupt it.
 *
 * One promise serves the whole call, and every later attempt begins, and is waited for, under a `then` that ends in that
 * promise's own native `resolve`: an engine follows only native functions from a pending promise to whoever awaits it,
 * and that is what keeps the caller in the stack of an error thrown by a later attempt (`at async …`).
 */
export class Run implements AttemptSource, Call {
  readonly target: Call["target"];
  readonly policy: Call["policy"];
  readonly self: unknown;
  readonly args: Call["args"];
  protected readonly promise: Promise<unknown>;
  protected resolve!: (value: unknown) => void;
  protected reject!: (error: unknown) => void;
  protected over = false;
  /** Raised by every interruption: what began before it is late. */
  protected turn = 0;
  /** How the last attempt ended. */
  protected outcome: Outcome | undefined;
  protected givenUp: GiveUpState | undefined;
  protected attemptBegan: number;
  #attemptContext: Attempt | undefined;
  /** What was taken for a retry that has not begun, and what the last one took. */
  #owed: Payment | undefined;
  #paid: Payment | undefined;
  #previousDelay = 0;
  #idle = 0;
  #immediate = 0;

  constructor(
    { target, policy, self, args }: Call,
    private readonly began: number,
    protected readonly startedAt: number,
    /** Attempts begun. */
    protected attempt = 0,
  ) {
    this.target = target;
    this.policy = policy;
    this.self = self;
    this.args = args;
    this.attemptBegan = began;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get guarded(): boolean {
    return this.policy.guarded;
  }

  /** The context of the attempt in progress, made when first asked for. */
  get context(): Attempt {
    const { outcome } = this;
    this.#attemptContext ??= new Attempt(this.attempt, outcome && !outcome.ok ? outcome.error : undefined);
    return this.#attemptContext;
  }

  /** What the caller gets. */
  answer(): Promise<unknown> {
    if (this.policy.watched) return this.promise;
    // Without a budget nothing of the run's is needed for it, and a sleeping call is lighter by a closure.
    if (!this.policy.budget) return this.promise.then(this.target.succeeded);
    return this.promise.then((value) => {
      this.countSuccess();
      return value;
    });
  }

  /** Begins the next attempt: a first one at once where nothing must be waited for, so that the caller itself calls it. */
  begin(): void {
    const { onAttempt } = this.policy;
    let atOnce = this.attempt === 0;
    if (onAttempt) {
      this.tell(onAttempt, startOf(this, this.attempt + 1), () => (atOnce ? this.invoke() : this.launch()));
      atOnce = false;
    } else if (atOnce) this.invoke();
    else this.launch();
  }

  /** Calls the function in a microtask that leads to the caller. */
  launch(): void {
    const { turn } = this;
    SOON.then(() => (turn === this.turn ? this.invoke() : NEVER)).then(this.resolve);
  }

  private invoke(): object {
    const { target, self, args, policy } = this;
    const { fn, stats } = target;
    const { turn } = this;
    this.attempt++;
    stats.attempts++;
    this.#attemptContext = undefined;
    if (this.attempt > 1) {
      stats.retries++;
      this.attemptBegan = beginNumber();
      this.#paid = this.#owed;
      this.#owed = undefined;
    }
    this.arm();
    const outer = enter(this);
    let promise: Promise<unknown>;
    try {
      promise = Promise.resolve(args ? fn.apply(self, args as unknown[]) : fn(this.context));
    } catch (error) {
      this.threw(error, turn);
      return NEVER;
    } finally {
      leave(outer);
    }
    if (!policy.watched) promise.then(this.resolve, (error) => this.settled({ ok: false, error }));
    else {
      promise
        .then(
          (value) => this.ended({ ok: true, value }, turn),
          (error) => this.ended({ ok: false, error }, turn),
        )
        .then(this.resolve);
    }
    return NEVER;
  }

  /** Something may have to end the attempt that begins now. */
  protected arm(): void {}

  /** A sync throw is dealt with in a microtask of its own, as a rejection is. */
  threw(error: unknown, turn = this.turn): void {
    SOON.then(() => this.ended({ ok: false, error }, turn));
  }

  private ended(outcome: Outcome, turn: number): object | undefined {
    const { onLateResult } = this.policy;
    if (turn === this.turn) this.settled(outcome);
    else if (onLateResult) callHook(this.policy, onLateResult, outcome);
    // Once the call is over its promise takes nothing more, and need not be kept from what follows.
    return this.over ? undefined : NEVER;
  }

  /** An attempt ended: what follows? */
  settled(outcome: Outcome): void {
    const { turn } = this;
    if (outcome.ok && this.policy.takesAnyValue) return this.accept(outcome.value);
    try {
      const state = this.stateOf(outcome);
      this.decided(state, decide(this.policy, state, this.attemptBegan), turn);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  /** Goes by a decision, once it is there. */
  decided(state: State, decision: Decision | Promise<Decision>, turn = this.turn): this {
    this.outcome = state.outcome;
    if (typeof decision === "object") {
      const follow = (made: Decision) => this.follow(state, made, turn);
      this.hold(decision, turn, follow, (made) => this.refund(made, state));
    } else this.follow(state, decision, turn);
    return this;
  }

  private follow(state: State, decision: Decision, turn: number): void {
    if (turn !== this.turn) this.refund(decision, state);
    else if (decision === "accept") this.accept((state.outcome as { value: unknown }).value, state);
    else if (typeof decision === "number") this.retry(state, decision);
    else this.giveUp(state, decision);
  }

  protected stateOf(outcome: Outcome): State {
    return stateOf(this, this.attempt, outcome, this.startedAt, this.#previousDelay, this.#idle);
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

  /** Takes a value for the call's: from then on nothing takes it back. */
  protected accept(value: unknown, state?: State): void {
    this.countSuccess();
    const { onSuccess } = this.policy;
    if (!state || !onSuccess) return this.finish(value);
    this.tell(onSuccess, state, () => this.finish(value));
  }

  /** Returns the accepted value. */
  protected finish(value: unknown): void {
    this.close();
    this.resolve(value);
  }

  protected giveUp(state: State, reason: GiveUpReason, error = finalError(this.policy, state, reason)): void {
    this.givenUp = { ...state, reason, error };
    // A copy, so that a hook that writes to it changes nothing.
    this.tell(this.policy.onGiveUp, { ...this.givenUp }, () => this.fallBack());
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
  protected fail(error: unknown): void {
    const { givenUp } = this;
    if (givenUp && exhausts(givenUp)) rememberExhausted(error, this.began, isNonRetryable(givenUp));
    this.target.stats.failures++;
    this.close();
    this.reject(error);
    this.refund();
  }

  /** The call is over: lets go of all that could still happen to it. */
  protected close(): void {
    this.over = true;
  }

  /** Calls a hook, if there is one, and goes on with `next`. */
  private tell<A>(hook: ((arg: A) => unknown) | undefined, arg: A, next: () => void): void {
    const { turn } = this;
    this.after(hook && callHook(this.policy, hook, arg), turn, next);
  }

  /** Goes on with `next` when a hook is done, unless the run was interrupted meanwhile. */
  after(pending: Promise<void> | undefined, turn: number, next: () => void): void {
    if (pending) this.hold(pending, turn, next);
    else if (turn === this.turn) next();
  }

  /** Waits for something of the user's, which an interruption makes late. */
  private hold<V>(pending: Promise<V>, turn: number, next: (value: V) => void, late?: (value: V) => void): void {
    const fail = (error: unknown) => {
      if (turn === this.turn) this.fail(error);
    };
    pending.then((value) => (turn === this.turn ? next(value) : late?.(value))).then(undefined, fail);
  }

  private countSuccess(): void {
    const { policy, target } = this;
    target.stats.successes++;
    if (policy.budget) recordSuccess(policy, this.#paid?.tokens ?? 0, this.#paid?.state, argsOf(this));
  }

  /** Gives back what was taken for a retry that is not going to begin. */
  protected refund(taken: Decision = this.#owed?.tokens ?? 0, state = this.#owed?.state): void {
    this.#owed = undefined;
    if (typeof taken === "number" && taken > 0) bookInBudget(this.policy, "refund", taken, state);
  }
}
