import { rename } from "../common/errors.js";

// See src/errors.ts for why `name` is a getter, and what `code` is for.

/**
 * Another call with the same key is still running. Worth another attempt, in `retryAfter` ms: then it is done, or its lease is
 * over.
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
    /** ms until the other call's lease ends, unless it is renewed. */
    readonly retryAfter: number,
  ) {
    super(`a call with the key ${JSON.stringify(key)} is running`);
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
  }
}

/**
 * The call ran, but its result is not on record: it cannot be kept as JSON, the lease was lost meanwhile, or the store failed.
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
      "cause" in options ? { cause: options.cause } : undefined,
    );
    Object.defineProperty(this, "value", { value: options.value });
  }
}
