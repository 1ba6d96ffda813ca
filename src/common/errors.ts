import type { Outcome } from "./attempt.js";
import { brandAs, hide } from "./brand.js";
import { describe } from "./inspect.js";
import { check, isGiven, OPTIONS, type Rule, readOptions, TIME } from "./validate.js";

// `name` is a getter on the prototype: it heads the stack and is no own key of the error; a subclass may set its own.
// `code` recognises an error of another copy of this package, where `instanceof` fails.

/**
 * Thrown inside an attempt: give up at once. The call rejects with `cause` where that is an object, else with this
 * error. An outer retry does not try again either. Given an error in the place of a message, it has that error's message, and
 * the error as its cause.
 *
 * @example
 * await runWithRetry(() => {
 *   throw new NonRetryableError("no such user");
 * }); // rejects NonRetryableError: no such user
 */
export class NonRetryableError extends Error {
  override get name(): "NonRetryableError" {
    return "NonRetryableError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_NON_RETRYABLE";

  constructor(message?: string | Error, options?: ErrorOptions) {
    super(isObject(message) ? message.message : message, isObject(message) ? { cause: message, ...options } : options);
    brandAs(this);
  }
}

/**
 * Thrown inside an attempt: try again, whatever `retryIf` would say, after `after` ms where given (a finite number
 * from 0, else `RangeError`), unless `stop` or a timeout ends the call. It draws no budget. On giving up the call
 * rejects with `cause` where there is one.
 *
 * @example
 * await runWithRetry(({ attempt }) => {
 *   if (attempt < 3) throw new TryAgainError({ after: 5 });
 *   return attempt;
 * }); // => 3
 */
export class TryAgainError extends Error {
  override get name(): "TryAgainError" {
    return "TryAgainError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_TRY_AGAIN";
  /** ms to wait before the next attempt; where absent, `wait` decides. */
  readonly after: number | undefined;

  constructor(options: { after?: number | undefined; cause?: unknown } = {}) {
    super("another attempt was asked for", causeIn("TryAgainError", options, "after"));
    brandAs(this);
    this.after = readOptions("TryAgainError", options, TRY_AGAIN).after;
  }
}

/** The call gave up on a value that `retryIf` did not want, or `throwRetryExhausted` was asked to say so. */
export class RetryExhaustedError extends Error {
  override get name(): "RetryExhaustedError" {
    return "RetryExhaustedError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_RETRY_EXHAUSTED";
  /** Attempts made. */
  readonly attempts: number;
  /** ms since the call began. */
  readonly elapsed: number;
  /** How the last attempt ended; not enumerable, as `args` are not: a value may hold secrets. */
  declare readonly outcome: Outcome;
  /** The policy's or function's name. */
  readonly task: string;
  /** The call's arguments; not enumerable, so that logging the error leaks nothing. */
  declare readonly args: readonly unknown[];

  constructor(state: {
    readonly name: string;
    readonly args: readonly unknown[];
    readonly attempt: number;
    readonly elapsed: number;
    readonly outcome: Outcome;
    readonly error?: unknown;
  }) {
    super(
      `${state.name}: gave up after ${state.attempt} attempt${state.attempt === 1 ? "" : "s"}`,
      state.outcome.ok ? undefined : { cause: state.error ?? state.outcome.error },
    );
    this.attempts = state.attempt;
    this.elapsed = state.elapsed;
    this.task = state.name;
    hide(this, "outcome", state.outcome);
    hide(this, "args", state.args);
    brandAs(this);
  }
}

/** An attempt took longer than `attemptTimeout`. Retryable like any other error. */
export class AttemptTimeoutError extends Error {
  override get name(): "AttemptTimeoutError" {
    return "AttemptTimeoutError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_ATTEMPT_TIMEOUT";

  constructor(
    /** ms allowed. */
    readonly timeout: number,
    /** Which attempt, from 1. */
    readonly attempt: number,
  ) {
    super(`timed out after ${timeout} ms`);
    brandAs(this);
  }
}

/** The call reached its `totalTimeout`. `cause` is the last attempt's error, `outcome` how the last attempt ended. */
export class TotalTimeoutError extends Error {
  override get name(): "TotalTimeoutError" {
    return "TotalTimeoutError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_TOTAL_TIMEOUT";
  /** How the last attempt ended; where none had, a failure with this error. */
  declare readonly outcome: Outcome;

  constructor(
    /** ms allowed. */
    readonly timeout: number,
    /** Attempts begun. */
    readonly attempts: number,
    outcome?: Outcome,
  ) {
    super(
      `the total timeout of ${timeout} ms leaves no time ${attempts ? "after" : "for"} attempt ${attempts || 1}`,
      outcome && !outcome.ok ? { cause: outcome.error } : undefined,
    );
    // Not enumerable: where no attempt had ended it is this very error, and a logger would go round in circles.
    hide(this, "outcome", outcome ?? { ok: false, error: this });
    brandAs(this);
  }
}

/**
 * A strategy (`stop`, `wait`, `retryIf`, `budget`, a function as `attemptTimeout`, a breaker's `classify`) threw, or returned
 * what it may not. Never retried.
 */
export class StrategyError extends Error {
  override get name(): "StrategyError" {
    return "StrategyError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_RETRY_STRATEGY";
  /**
   * What it was asked about: the attempt's own error is not lost. Before the first attempt, a failure with this error. Not
   * enumerable: a value may hold secrets.
   */
  declare readonly outcome: Outcome;

  constructor(
    /** Which one. */
    readonly strategy: "stop" | "wait" | "retryIf" | "budget" | "attemptTimeout" | "classify" | "hint",
    outcome: Outcome | undefined,
    cause: unknown,
  ) {
    super(`${strategy} failed: ${describe(cause)}`, { cause });
    hide(this, "outcome", outcome ?? { ok: false, error: this });
    brandAs(this);
  }
}

/** A circuit breaker refused the call. Never retried: failing fast is the breaker's point. */
export class CircuitOpenError extends Error {
  override get name(): "CircuitOpenError" {
    return "CircuitOpenError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_CIRCUIT_OPEN";
  /** ms until it is worth coming back; `undefined` while isolated by hand. */
  readonly retryAfter: number | undefined;

  constructor(message: string, options: { retryAfter?: number | undefined; cause?: unknown } = {}) {
    super(message, causeIn("CircuitOpenError", options));
    this.retryAfter = options.retryAfter;
    brandAs(this);
  }
}

/** A bulkhead had no slot and no place in its queue. */
export class BulkheadFullError extends Error {
  override get name(): "BulkheadFullError" {
    return "BulkheadFullError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_BULKHEAD_FULL";

  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    brandAs(this);
  }
}

const TRY_AGAIN: Record<string, Rule> = { after: TIME, cause: ["anything", "any"] };

function isObject(value: unknown): value is Error {
  return typeof value === "object" && value !== null;
}

function causeIn(owner: string, options: { cause?: unknown }, first?: string): ErrorOptions | undefined {
  check(owner, "options", options, OPTIONS, first);
  return isGiven(options, "cause") ? { cause: options.cause } : undefined;
}

/** Gives an error another name than its class has. */
export function rename(error: Error, value: string): void {
  Object.defineProperty(error, "name", { value, writable: true, configurable: true });
}
