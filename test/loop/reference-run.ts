import {
  type AttemptStart,
  AttemptTimeoutError,
  type Clock,
  type GiveUpReason,
  type GiveUpState,
  type Outcome,
  type RetryBudget,
  RetryExhaustedError,
  type RetryState,
  TotalTimeoutError,
} from "undaunted";

/** The options that the reference run knows. */
export interface ReferenceOptions {
  readonly clock: Clock;
  readonly stop: (state: RetryState) => boolean;
  readonly wait: (state: RetryState) => number;
  /** Of errors and of values. */
  readonly retryIf: (state: RetryState) => boolean | Promise<boolean>;
  readonly budget?: RetryBudget | undefined;
  readonly attemptTimeout?: number | undefined;
  readonly totalTimeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onAttempt?: ((start: AttemptStart) => unknown) | undefined;
  readonly onRetry?: ((state: RetryState) => unknown) | undefined;
  readonly onSuccess?: ((state: RetryState) => unknown) | undefined;
  readonly onGiveUp?: ((state: GiveUpState) => unknown) | undefined;
  readonly onHookError?: ((error: unknown) => void) | undefined;
  readonly onLateResult?: ((outcome: Outcome) => unknown) | undefined;
  readonly fallback?: ((state: GiveUpState) => unknown) | undefined;
}

type Decision = "accept" | GiveUpReason | number;
type Filled = RetryState & { delay: number };

class GivenUp {
  constructor(
    readonly state: Filled,
    readonly reason: GiveUpReason,
    readonly error: unknown,
  ) {}
}

/** What can end a call from outside, and what is thrown at it then. */
class Ends {
  aborted: { readonly reason: unknown } | undefined = undefined;
  expired = false;
  #hasDeadline = true;
  #happened!: () => void;
  happened!: Promise<void>;

  constructor() {
    this.#renew();
  }

  #renew(): void {
    this.happened = new Promise((resolve) => {
      this.#happened = resolve;
    });
  }

  abort(reason: unknown): void {
    this.aborted ??= { reason };
    this.#happened();
  }

  expire(): void {
    if (!this.#hasDeadline) return;
    this.expired = true;
    this.#happened();
  }

  /** The deadline ends no more: the call was given up. */
  forgetDeadline(): void {
    this.#hasDeadline = false;
    this.expired = false;
    if (!this.aborted) this.#renew();
  }

  look(): void {
    if (this.aborted || this.expired) throw this;
  }

  /** Waits, unless the call ends meanwhile. */
  async until<T>(value: T | PromiseLike<T>): Promise<T> {
    Promise.resolve(value).then(undefined, () => {});
    this.look();
    const settled = await Promise.race([this.happened, value]);
    this.look();
    return settled as T;
  }
}

/**
 * What `retry` means, written as plain async code: no path for what is quick, a race wherever a call may be ended, and
 * timers that are set whether they are needed or not. The real loop is compared with it.
 */
export async function referenceRun(fn: () => unknown, name: string, options: ReferenceOptions): Promise<unknown> {
  const { clock, signal, budget, attemptTimeout = Infinity, totalTimeout = Infinity } = options;
  const { onAttempt, onRetry, onSuccess, onGiveUp, onLateResult, fallback } = options;
  const startedAt = clock.now();
  const ends = new Ends();
  const timers = new Set<() => void>();
  const call = {};
  let begunAt = startedAt;
  let attempt = 0;
  let inAttempt = false;
  let previousDelay = 0;
  let idle = 0;
  /** The state that a decision is waited for about. */
  let undecided: Filled | undefined;
  /** How the last attempt ended. */
  let last: Filled | undefined;
  /** What the coming retry took from the budget, and what the last one did. */
  let owed: { readonly tokens: number; readonly state: Filled } | undefined;
  let paid: typeof owed;

  function after(ms: number, then: () => void): () => void {
    const cancel = ms < Infinity ? clock.setTimer(then, ms) : () => {};
    timers.add(cancel);
    return cancel;
  }

  function stateOf(outcome: Outcome): Filled {
    const elapsed = clock.now() - startedAt;
    const attemptElapsed = clock.now() - begunAt;
    const facts = { call, name, args: [], attempt, outcome, elapsed, attemptElapsed, previousDelay, idle };
    return { ...facts, delay: 0, exhausted: false, random: () => 0 };
  }

  /** The state in which a call is interrupted. */
  function stateNow(otherwise: Outcome): Filled {
    const delay = inAttempt ? 0 : (last?.delay ?? 0);
    return { ...stateOf(last?.outcome ?? otherwise), delay };
  }

  /** Calls a hook: what it throws changes nothing. */
  function tell<A>(hook: ((arg: A) => unknown) | undefined, arg: A): Promise<void> | undefined {
    try {
      const told = hook?.(arg);
      if (told instanceof Promise) return told.catch((error) => options.onHookError?.(error)) as Promise<void>;
    } catch (error) {
      options.onHookError?.(error);
    }
    return undefined;
  }

  function refund(): void {
    if (owed) budget?.refund(owed.tokens, owed.state);
    owed = undefined;
  }

  async function makeAttempt(): Promise<Outcome> {
    let isLate = false;
    const settled = (async () => fn())().then(
      (value): Outcome => ({ ok: true, value }),
      (error): Outcome => ({ ok: false, error }),
    );
    void settled.then((outcome) => {
      if (isLate) tell(onLateResult, outcome);
    });
    let cancel = () => {};
    const timedOut = new Promise<Outcome>((resolve) => {
      cancel = after(attemptTimeout, () => {
        isLate = true;
        resolve({ ok: false, error: new AttemptTimeoutError(attemptTimeout, attempt) });
      });
    });
    inAttempt = true;
    begunAt = clock.now();
    try {
      const outcome = await ends.until(Promise.race([settled, timedOut]));
      inAttempt = false;
      return outcome;
    } catch (end) {
      isLate = true;
      throw end;
    } finally {
      cancel();
    }
  }

  /** What follows an attempt: its value counts, or it is over, or, a number, it is tried again for so many tokens. */
  function decide(state: Filled): Decision | Promise<Decision> {
    const wanted = options.retryIf(state);
    return wanted instanceof Promise ? wanted.then((answer) => plan(state, answer)) : plan(state, wanted);
  }

  function plan(state: Filled, isWanted: boolean): Decision | Promise<Decision> {
    const { outcome } = state;
    // Nobody waits for what more there is to decide: the call has ended meanwhile.
    if (!isWanted || undecided !== state || ends.aborted || ends.expired)
      return outcome.ok ? "accept" : "not-retryable";
    // In this order, since its `stop` is one that does not read the delay.
    if (options.stop(state)) return "stopped";
    state.delay = options.wait(state);
    if (state.elapsed + state.delay >= totalTimeout) return "deadline";
    if (!budget || outcome.ok) return 0;
    const tokens = budget.acquire(state);
    return tokens instanceof Promise ? tokens.then((taken) => taken || "budget") : tokens || "budget";
  }

  /** Waits for the decision; tokens taken for nothing go back. */
  async function decided(state: Filled): Promise<Decision> {
    undecided = state;
    const decision = decide(state);
    try {
      return await ends.until(decision);
    } catch (end) {
      undecided = undefined;
      void Promise.resolve(decision).then(
        (made) => typeof made === "number" && made > 0 && budget!.refund(made, state),
      );
      throw end;
    }
  }

  function errorOf(state: Filled): unknown {
    return state.outcome.ok ? new RetryExhaustedError(state) : state.outcome.error;
  }

  function tooLate(state: Filled): GivenUp {
    return new GivenUp(state, "deadline", new TotalTimeoutError(totalTimeout, attempt, state.outcome));
  }

  async function attempts(): Promise<unknown> {
    for (;;) {
      ends.look();
      await ends.until(tell(onAttempt, { name, args: [], attempt: attempt + 1 }));
      attempt++;
      paid = owed;
      owed = undefined;
      const state = stateOf(await makeAttempt());
      last = state;
      const decision = await decided(state);
      if (decision === "accept") return accept(state);
      if (decision === "deadline") throw tooLate(state);
      if (typeof decision === "string") throw new GivenUp(state, decision, errorOf(state));
      owed = decision > 0 ? { tokens: decision, state } : undefined;
      const { delay } = state;
      await ends.until(tell(onRetry, state));
      if (clock.now() - startedAt + delay >= totalTimeout) throw tooLate(state);
      if (delay > 0) await ends.until(new Promise<void>((resolve) => void after(delay, resolve)));
      previousDelay = delay;
      idle += delay;
    }
  }

  /** From now on nothing takes the value back. */
  async function accept(state: Filled): Promise<unknown> {
    budget?.recordSuccess(paid?.tokens ?? 0, paid?.state, state.args);
    await ends.until(tell(onSuccess, state)).catch(() => {});
    return (state.outcome as { value: unknown }).value;
  }

  async function giveUp({ state, reason, error }: GivenUp): Promise<unknown> {
    const final: GiveUpState = { ...state, reason, error };
    const { expired } = ends;
    const told = tell(onGiveUp, { ...final });
    // Past the deadline nothing waits for a hook.
    if (!expired) await ends.until(told).catch(() => {});
    ends.forgetDeadline();
    ends.look();
    if (!fallback) throw error;
    return ends.until(fallback(final));
  }

  async function run(): Promise<unknown> {
    try {
      return await attempts();
    } catch (end) {
      refund();
      if (end instanceof GivenUp) return await giveUp(end);
      if (end !== ends) throw end;
      if (!ends.aborted) {
        const error = new TotalTimeoutError(totalTimeout, attempt, last?.outcome);
        return await giveUp(new GivenUp(stateNow(error.outcome), "deadline", error));
      }
      const error = ends.aborted.reason;
      void tell(onGiveUp, { ...stateNow({ ok: false, error }), reason: "aborted", error });
      throw end;
    }
  }

  const onAbort = () => ends.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  const cancelDeadline = after(totalTimeout, () => ends.expire());
  try {
    return await run();
  } catch (error) {
    // An abort counts more than what was thrown after it.
    throw ends.aborted ? ends.aborted.reason : error;
  } finally {
    cancelDeadline();
    signal?.removeEventListener("abort", onAbort);
    for (const cancel of timers) cancel();
  }
}
