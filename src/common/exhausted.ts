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

/**
 * For so many microtasks a call that gives up keeps its error to itself. What is wrapped around it can have the error only
 * from it, and so later: whoever decides about the same error meanwhile was given it by somebody else, as drivers give one
 * error to all that waits on a connection.
 */
const HELD_BACK = 32;

interface GivingUp {
  readonly error: unknown;
  readonly ordinal: number;
  readonly hopeless: boolean;
  readonly reject: (error: unknown) => void;
  readonly due: number;
}

const RESOLVED = /* @__PURE__ */ Promise.resolve();
let ticks = 0;
// All calls that give up at about the same time share one list, in the order in which they are due.
let givingUp: GivingUp[] = [];
let released = 0;

/** Gives up on `error` as `rememberExhausted` notes it and rejects with it, 32 microtasks later, both in one. */
export function giveUpOn(error: unknown, ordinal: number, hopeless: boolean, reject: (error: unknown) => void): void {
  givingUp.push({ error, ordinal, hopeless, reject, due: ticks + HELD_BACK });
  if (givingUp.length === 1) RESOLVED.then(tick);
}

function tick(): void {
  ticks++;
  for (let next = givingUp[released]; next && next.due <= ticks; next = givingUp[released]) {
    released++;
    rememberExhausted(next.error, next.ordinal, next.hopeless);
    next.reject(next.error);
  }
  if (released < givingUp.length) RESOLVED.then(tick);
  else {
    givingUp = [];
    released = 0;
  }
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
