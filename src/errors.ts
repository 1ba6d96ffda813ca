import type { Outcome } from "./attempt.js";
import { check, TIME } from "./validate.js";

// `name` is a getter on the prototype: it heads the stack and is no own key of the error. `code` tells an error of
// another copy of this package, where `instanceof` fails.

/**
 * Thrown inside an attempt: give up at once. The call rejects with `cause` where that is an object, else with this
 * error. An outer retry does not try again either.
 *
 * @example
 * if (response.status === 404) throw new NonRetryableError("no such user");
 */
export class NonRetryableError extends Error {
  override get name() {
    return "NonRetryableError" as const;
  }
  readonly code = "ERR_NON_RETRYABLE";
}

/**
 * Thrown inside an attempt: try again, whatever `retryIf` would say, after `after` ms where given (a finite number
 * from 0, else `RangeError`), unless `stop` or a timeout ends the call. It draws no budget. On giving up the call
 * rejects with `cause` where there is one.
 *
 * @example
 * if (job.state === "pending") throw new TryAgainError({ after: 1_000 });
 */
export class TryAgainError extends Error {
  override get name() {
    return "TryAgainError" as const;
  }
  readonly code = "ERR_TRY_AGAIN";
  /** ms to wait before the next attempt; where absent, `wait` decides. */
  readonly after: number | undefined;

  constructor(options: { after?: number | undefined; cause?: unknown } = {}) {
    super("another attempt was asked for", "cause" in options ? { cause: options.cause } : undefined);
    this.after = options.after;
    if (options.after !== undefined) check("TryAgainError", "after", options.after, TIME);
  }
}

/** The call gave up on a value that `retryIf` did not want, or `throwRetryExhausted` was asked to say so. */
export class RetryExhaustedError extends Error {
  override get name() {
    return "RetryExhaustedError" as const;
  }
  readonly code = "ERR_RETRY_EXHAUSTED";
  /** Attempts made. */
  readonly attempts: number;
  /** ms since the call began. */
  readonly elapsed: number;
  /** How the last attempt ended. */
  readonly outcome: Outcome;
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
    this.outcome = state.outcome;
    this.task = state.name;
    Object.defineProperty(this, "args", { value: state.args });
  }
}

/** An attempt took longer than `attemptTimeout`. Retryable like any other error. */
export class AttemptTimeoutError extends Error {
  override get name() {
    return "AttemptTimeoutError" as const;
  }
  readonly code = "ERR_ATTEMPT_TIMEOUT";

  constructor(
    /** ms allowed. */
    readonly timeout: number,
    /** Which attempt, from 1. */
    readonly attempt: number,
  ) {
    super(`attempt ${attempt} took longer than ${timeout} ms`);
  }
}

/** The call reached its `totalTimeout`. `cause` is the last attempt's error, `outcome` how the last attempt ended. */
export class TotalTimeoutError extends Error {
  override get name() {
    return "TotalTimeoutError" as const;
  }
  readonly code = "ERR_TOTAL_TIMEOUT";
  /** How the last attempt ended; where none had, a failure with this error. */
  readonly outcome: Outcome;

  constructor(
    /** ms allowed. */
    readonly timeout: number,
    /** Attempts begun. */
    readonly attempts: number,
    outcome?: Outcome,
  ) {
    super(
      `the call reached its total timeout of ${timeout} ms in attempt ${attempts}`,
      outcome && !outcome.ok ? { cause: outcome.error } : undefined,
    );
    this.outcome = outcome ?? { ok: false, error: this };
  }
}

/** A strategy (`stop`, `wait`, `retryIf` or `budget`) threw, or answered what it may not. Never retried. */
export class StrategyError extends Error {
  override get name() {
    return "StrategyError" as const;
  }
  readonly code = "ERR_RETRY_STRATEGY";

  constructor(
    /** Which one. */
    readonly strategy: "stop" | "wait" | "retryIf" | "budget",
    /** The outcome it was asked about: the attempt's own error is not lost. */
    readonly outcome: Outcome,
    cause: unknown,
  ) {
    super(`the policy's ${strategy} failed: ${describe(cause)}`, { cause });
  }
}

/** A circuit breaker refused the call. Never retried: failing fast is the breaker's point. */
export class CircuitOpenError extends Error {
  override get name() {
    return "CircuitOpenError" as const;
  }
  readonly code = "ERR_CIRCUIT_OPEN";
  /** ms until it is worth coming back; `undefined` while isolated by hand. */
  readonly retryAfter: number | undefined;

  constructor(message: string, options: { retryAfter?: number | undefined; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.retryAfter = options.retryAfter;
  }
}

/** A bulkhead had no slot and no place in its queue. */
export class BulkheadFullError extends Error {
  override get name() {
    return "BulkheadFullError" as const;
  }
  readonly code = "ERR_BULKHEAD_FULL";
}

/** An error's property, or `undefined` where there is none or reading it throws. */
export function readField(error: unknown, key: string): unknown {
  try {
    return (error as Record<string, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

/** One line about anything thrown. */
export function describe(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "something that cannot be shown";
  }
}

/** An error and its causes, outermost first, to depth 10: a cycle ends there too. */
export function chainOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let each = error; each !== undefined && each !== null && chain.length <= 10; each = readField(each, "cause")) {
    chain.push(each);
  }
  return chain;
}
