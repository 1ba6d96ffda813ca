import type { Clock, SyncClock } from "./clock.js";

/** How an attempt ended: with a value, or with whatever was thrown. */
export type Outcome<T = any> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/**
 * What every strategy and hook sees: one object per attempt, complete when the attempt's fate is decided and never
 * touched afterwards, so a hook may keep it.
 */
export interface RetryState<T = any> {
  /** One object for each call, the same in all of its states: a `WeakMap` keeps by it what a strategy needs to remember. */
  readonly call: object;
  /** The policy's `name`, else the function's or method's own. */
  readonly name: string;
  /** The call's arguments; empty in `runWithRetry`. */
  readonly args: readonly unknown[];
  /** Attempts made so far, from 1. (0 only where a call is aborted before its first attempt.) */
  readonly attempt: number;
  readonly outcome: Outcome<T>;
  /** ms since the call began, read when the attempt ended. */
  readonly elapsed: number;
  /** ms that the attempt took. */
  readonly attemptElapsed: number;
  /** ms, the coming sleep: 0 until `wait` has returned. */
  readonly delay: number;
  /** ms slept before this attempt, 0 for the first. */
  readonly previousDelay: number;
  /** ms slept so far in this call. */
  readonly idle: number;
  /** The error already exhausted a retry nested inside this attempt. */
  readonly exhausted: boolean;
  /** The policy's source of randomness, in [0, 1). */
  readonly random: () => number;
}

/** Decides, after a failed attempt, whether to give up. */
export type Stop = (state: RetryState) => boolean;

/** Answers how many ms to wait before the next attempt: finite, not negative. */
export type Wait = (state: RetryState) => number;

/**
 * Decides whether what an attempt threw deserves another one. Gets the error, and the state where it declares a second
 * parameter; a function of the error alone costs a call that succeeds nothing.
 *
 * It is asked about **errors only**: what looks at values is made with `retryIfResult`, `retryIfNotResult` or
 * `retryIfOutcome`. A function of your own around one of those is asked about errors only, like any other: combine them
 * with `retryIfAny` or `retryIfAll`, which hand on what each looks at.
 *
 * `error` is `unknown`: `error instanceof HttpError && error.status === 503` narrows it, and so does
 * `retryIfErrorType(HttpError, (error) => error.status === 503)`.
 */
export type RetryIf<T = any> = (error: unknown, state: RetryState<T>) => boolean | Promise<boolean>;

/** A `RetryIf` that returns its verdict at once, as a sync policy needs it. */
export type SyncRetryIf<T = any> = (error: unknown, state: RetryState<T>) => boolean;

/** Why a call was given up. `"body-not-replayable"` is for the HTTP clients: a retry was due, but the body is spent. */
export type GiveUpReason =
  | "not-retryable"
  | "exhausted"
  | "stopped"
  | "deadline"
  | "budget"
  | "aborted"
  | "body-not-replayable";

/** What `onGiveUp` and `fallback` see: the last attempt's state, why, and the error the call ends in. */
export interface GiveUpState<T = any> extends RetryState<T> {
  readonly reason: GiveUpReason;
  /** What the call rejects with unless a `fallback` returns a value. */
  readonly error: unknown;
}

/** What `onAttempt` sees. */
export interface AttemptStart {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly attempt: number;
}

/** The attempt in progress, as the code inside it sees it. */
export interface AttemptContext {
  /** From 1, the first call included. */
  readonly attempt: number;
  /**
   * Aborts with the caller's reason, an `AttemptTimeoutError` or a `TotalTimeoutError` when this attempt is abandoned.
   * Made only when read; read late, it is found already aborted.
   */
  readonly signal: AbortSignal;
  /** What the attempt before this one threw; `undefined` in the first, or where it returned a value. */
  readonly previousError: unknown;
}

/**
 * Tokens that retries are paid with, shared by the calls of one dependency, so that retries cannot multiply an outage.
 * The core only asks; any object of this shape will do.
 */
export interface RetryBudget {
  /** What events call it. */
  readonly name?: string | undefined;
  /** Takes tokens for one retry and returns how many; 0 refuses it. */
  acquire(state: RetryState): number | Promise<number>;
  /**
   * A call succeeded: `taken` is what its last retry took (0 without one), `after` the state that was paid for, `args`
   * the call's arguments (empty in `runWithRetry`).
   */
  recordSuccess(taken: number, after?: RetryState, args?: readonly unknown[]): void;
  /** An attempt failed in a way that deserves a retry. */
  recordFailure?(state: RetryState): void;
  /** Gives back what was taken for a retry that was never made; `state` is what `acquire` saw. */
  refund(taken: number, state?: RetryState): void;
  /** Tokens there are now; `undefined` where that cannot be said at once, as of a budget that many processes share. */
  readonly balance: number | undefined;
}

/**
 * Watches a call from outside. A hook can never change an outcome; what it throws goes to `onHookError`. A promise that it returns is
 * waited for, until `totalTimeout` or an abort.
 */
export interface Hooks<T = any> {
  /** Before each attempt. */
  onAttempt?: ((start: AttemptStart) => unknown) | undefined;
  /** When a retry is decided, before its sleep of `state.delay` ms. */
  onRetry?: ((state: RetryState<T>) => unknown) | undefined;
  /** When a value is accepted. */
  onSuccess?: ((state: RetryState<T>) => unknown) | undefined;
  /** When the call gives up, before `fallback`. */
  onGiveUp?: ((state: GiveUpState<T>) => unknown) | undefined;
}

interface CommonOptions<T> extends Hooks<T> {
  /**
   * When to give up.
   * @default stopAfterAttempt(4)
   */
  stop?: Stop | undefined;
  /**
   * How long to wait before the next attempt.
   * @default waitFullJitter({ base: 500, max: 20_000 })
   */
  wait?: Wait | undefined;
  /**
   * Retry also what exhausted a retry nested inside the attempt: a slow outer policy may want what a quick inner one
   * gave up on.
   * @default false
   */
  retryExhausted?: boolean | undefined;
  /** Where retries are paid from. One per thing that can fail alone. */
  budget?: RetryBudget | undefined;
  /**
   * ms: a hard deadline from the call's start over attempts, sleeps, hooks and strategies, but not `fallback`. Ends in a
   * `TotalTimeoutError`; a sleep that would pass it is not begun. For a soft limit use `stopBeforeDelay`.
   */
  totalTimeout?: number | undefined;
  /** Receives what hooks throw or reject with. By default a warning, once per hook (written inline, a few times). */
  onHookError?: ((error: unknown) => void) | undefined;
  /**
   * What strategies, hooks and errors call the function.
   * @default the function's or method's name
   */
  name?: string | undefined;
  /**
   * The source of randomness, in [0, 1).
   * @default Math.random
   */
  random?: (() => number) | undefined;
}

/** The policy of an async function. Every option is optional; an unknown one is a `TypeError`. */
export interface RetryOptions<T = any> extends CommonOptions<T> {
  /**
   * What deserves another attempt.
   * @default every error but an abort (`retryIfError()`)
   */
  retryIf?: RetryIf<T> | undefined;
  /**
   * ms per attempt, or a function of the attempt's number, from 1, that returns them: then its `signal` aborts and the attempt has failed with an `AttemptTimeoutError`, even if the
   * function takes no notice.
   */
  attemptTimeout?: number | ((attempt: number) => number) | undefined;
  /** Rejects the call at once with `signal.reason`, whatever it is doing. */
  signal?: AbortSignal | undefined;
  /**
   * Answers in place of a failure, but not of an abort or of a `StrategyError`: what it returns is the result, what it
   * throws is the error. It may take longer than `totalTimeout`.
   */
  fallback?: ((state: GiveUpState<T>) => NoInfer<T> | PromiseLike<NoInfer<T>>) | undefined;
  /** What an attempt that had timed out or was aborted settled with after all. */
  onLateResult?: ((outcome: Outcome<T>) => void) | undefined;
  /**
   * A call that begins in the synchronous part of an attempt ends with that attempt, when it times out or is aborted.
   * `true`: it does not, and what it gives up on may be retried: for work that several calls share, as a token that all wait for.
   * @default false
   */
  detached?: boolean | undefined;
  /**
   * `true`: a pending sleep or timeout does not keep the process alive.
   * @default false
   */
  unref?: boolean | undefined;
  /** Time: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: Clock | undefined;
}

/** The policy of a sync function: no signal, no attempt timeout, and no promise from any callback. */
export interface SyncRetryOptions<T = any> extends CommonOptions<T> {
  /**
   * What deserves another attempt.
   * @default every error but an abort (`retryIfError()`)
   */
  retryIf?: SyncRetryIf<T> | undefined;
  /** Answers in place of a failure: what it returns is the result, what it throws is the error. */
  fallback?: ((state: GiveUpState<T>) => NoInfer<T>) | undefined;
  /** Time: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: SyncClock | undefined;
}

/** Live counters of a wrapped function. */
export interface RetryStats {
  readonly calls: number;
  readonly attempts: number;
  readonly retries: number;
  /** Calls whose value was accepted. */
  readonly successes: number;
  /** Calls that gave up, also those for which a `fallback` then returned a value. */
  readonly failures: number;
  /** ms slept. */
  readonly idle: number;
}

/** Any function. */
export type AnyFn = (...args: any) => any;

/** A function like `F` that returns a plain promise. */
export type Plain<F extends AnyFn> = (
  this: ThisParameterType<F>,
  ...args: Parameters<F>
) => Promise<Awaited<ReturnType<F>>>;

/**
 * `F` as a wrapper gives it back: `F` itself where it returns a plain promise, which keeps its generics and overloads,
 * else the same with a plain promise.
 */
// `any` passes as a promise: it is also what a generic function's result looks like before its type is known.
export type Promised<F extends AnyFn> = [ReturnType<F>] extends [Promise<any>]
  ? [Promise<any>] extends [ReturnType<F>]
    ? F
    : Plain<F>
  : Plain<F>;

/** Options, or a function that returns them each time a call starts, with the call's `this` and arguments. */
export type OptionsFor<F extends AnyFn, O> = O | ((this: ThisParameterType<F>, ...args: Parameters<F>) => O);
