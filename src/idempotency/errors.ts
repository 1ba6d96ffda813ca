import { brandAs } from "../common/brand.js";
import { rename } from "../common/errors.js";
import { isGiven } from "../common/validate.js";

// See src/errors.ts for why `name` is a getter, and how it is told.

/**
 * Another call with the same key is still running. Worth another attempt, in `retryAfter` ms: then it should be done, or its lease
 * is over.
 *
 * @example
 * new IdempotencyInFlightError("order-42", 5_000).message; // => "a call with the key \"order-42\" is running"
 */
export class IdempotencyInFlightError extends Error {
  override get name(): "IdempotencyInFlightError" {
    return "IdempotencyInFlightError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_IDEMPOTENCY_IN_FLIGHT";

  constructor(
    readonly key: string,
    /** ms after which it is worth coming back: as long as such a call takes, at most until the other one's lease ends. */
    readonly retryAfter: number,
  ) {
    super(`a call with the key ${JSON.stringify(key)} is running`);
    brandAs(this);
  }
}

/** The key was used with other arguments. Never retried. */
export class IdempotencyMismatchError extends Error {
  override get name(): "IdempotencyMismatchError" {
    return "IdempotencyMismatchError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_IDEMPOTENCY_MISMATCH";

  constructor(readonly key: string) {
    super(`the key ${JSON.stringify(key)} was used with other arguments: a new call needs a new key`);
    brandAs(this);
  }
}

/**
 * A call with the key failed in such a manner that its effect may have happened, and nobody knows. Never retried: `settle`, `forget` or
 * `wasDone` decides. `cause` is what that call failed with, as far as it could be kept.
 *
 * @example
 * new IdempotencyUndecidedError("order-42").code; // => "ERR_IDEMPOTENCY_UNDECIDED"
 */
export class IdempotencyUndecidedError extends Error {
  override get name(): "IdempotencyUndecidedError" {
    return "IdempotencyUndecidedError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_IDEMPOTENCY_UNDECIDED";

  constructor(
    readonly key: string,
    options: { cause?: unknown } = {},
  ) {
    super(
      `a call with the key ${JSON.stringify(key)} may have had its effect, or not: settle or forget the key, or give wasDone`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
  }
}

/** The call ran for longer than `maxRun`: its key is undecided until it ends, or until somebody decides. Never retried. */
export class IdempotencyTimeoutError extends Error {
  override get name(): "IdempotencyTimeoutError" {
    return "IdempotencyTimeoutError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_IDEMPOTENCY_TIMEOUT";

  constructor(
    readonly key: string,
    /** ms allowed. */
    readonly timeout: number,
  ) {
    super(`the call with the key ${JSON.stringify(key)} ran for longer than ${timeout} ms`);
  }
}

/**
 * The call ran, but its result is not on record: it cannot be kept, the lease was lost meanwhile, or the store failed.
 * Never retried: it would happen again. `value` is what the call returned.
 */
export class IdempotencyRecordError extends Error {
  override get name(): "IdempotencyRecordError" {
    return "IdempotencyRecordError";
  }
  override set name(name: string) {
    rename(this, name);
  }
  readonly code = "ERR_IDEMPOTENCY_RECORD";
  /** Not enumerable: logging the error does not log the result. `undefined` in a later call. */
  declare readonly value: unknown;

  constructor(
    readonly key: string,
    why: string,
    options: { value?: unknown; cause?: unknown } = {},
  ) {
    super(
      `the call with the key ${JSON.stringify(key)} ran, but its result is not on record: ${why}`,
      isGiven(options, "cause") ? { cause: options.cause } : undefined,
    );
    brandAs(this);
    Object.defineProperty(this, "value", { value: options.value });
  }
}
