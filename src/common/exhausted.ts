import { errorsOf, readField } from "./inspect.js";

interface Ledger {
  /** Numbers calls and attempts in the order in which they begin. */
  count: number;
  /** The highest number noted so far: most failures are told from exhausted ones by it alone. */
  highest: number;
  /** Error → the number at which the run that gave up on it began. */
  readonly exhausted: WeakMap<object, number>;
  /** The same for runs that a `NonRetryableError` ended. */
  readonly hopeless: WeakMap<object, number>;
}

const KEY = Symbol.for("undaunted.exhausted");

// On globalThis, so that an ESM and a CJS copy of the package agree.
function shared(): Ledger {
  const home = globalThis as { [KEY]?: Ledger };
  home[KEY] ??= { count: 0, highest: 0, exhausted: new WeakMap(), hopeless: new WeakMap() };
  return home[KEY];
}

const ledger = /* @__PURE__ */ shared();

/** The number of a call or attempt that begins now. */
export function nextOrdinal(): number {
  return ++ledger.count;
}

/** Notes that the run with that ordinal gave up on `error`, for good if `hopeless`. */
export function rememberExhausted(error: unknown, ordinal: number, hopeless: boolean): void {
  if (ordinal > ledger.highest) ledger.highest = ordinal;
  note(ledger.exhausted, error, ordinal);
  if (hopeless) note(ledger.hopeless, error, ordinal);
}

/**
 * Whether a run that began after `ordinal`, that is inside the attempt with that number, already gave up on `error` or,
 * to `depth`, on one of its causes, or on all errors of an `AggregateError`.
 */
export function isExhausted(error: unknown, ordinal: number, depth: number): boolean {
  return ledger.highest > ordinal && isNoted(ledger.exhausted, error, ordinal, depth);
}

/** Whether such a run was ended by a `NonRetryableError`. */
export function isHopeless(error: unknown, ordinal: number, depth: number): boolean {
  return isNoted(ledger.hopeless, error, ordinal, depth);
}

function note(numbers: WeakMap<object, number>, error: unknown, ordinal: number): void {
  if (isTrackable(error) && !(numbers.get(error)! > ordinal)) numbers.set(error, ordinal);
}

function isNoted(numbers: WeakMap<object, number>, error: unknown, ordinal: number, depth: number): boolean {
  // A primitive is in no map.
  if (numbers.get(error as object)! > ordinal) return true;
  if (depth === 0 || error === undefined) return false;
  const cause = readField(error, "cause");
  if (cause !== undefined && isNoted(numbers, cause, ordinal, depth - 1)) return true;
  const errors = errorsOf(error);
  return !!errors && errors.every((each) => isNoted(numbers, each, ordinal, depth - 1));
}

// A primitive cannot be a key.
function isTrackable(error: unknown): error is object {
  return Object(error) === error;
}
