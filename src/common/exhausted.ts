import { errorsOf, readField } from "./inspect.js";
import { sharedUnder } from "./shared.js";

/** Error → the number at which the run that gave up on it began. */
type Numbers = WeakMap<object, number>;

interface Ledger {
  /** Numbers calls and attempts in the order in which they begin. */
  count: number;
  /** The highest number noted so far: most failures are told from exhausted ones by it alone. */
  highest: number;
  readonly exhausted: Numbers;
  /** The same for runs that a `NonRetryableError` ended. */
  readonly hopeless: Numbers;
}

const ledger = /* @__PURE__ */ sharedUnder<Ledger>("exhausted", {
  count: 0,
  highest: 0,
  exhausted: new WeakMap(),
  hopeless: new WeakMap(),
});

/** The number of a call or attempt that begins now. */
export function nextOrdinal(): number {
  return ++ledger.count;
}

/** Notes that the run with that ordinal gave up on `error`, for good if `hopeless`. */
export function rememberExhausted(error: unknown, ordinal: number, hopeless: boolean): void {
  // A primitive cannot be a key.
  if (Object(error) !== error) return;
  if (ordinal > ledger.highest) ledger.highest = ordinal;
  note(ledger.exhausted, error as object, ordinal);
  if (hopeless) note(ledger.hopeless, error as object, ordinal);
}

function note(numbers: Numbers, error: object, ordinal: number): void {
  if (!(numbers.get(error)! > ordinal)) numbers.set(error, ordinal);
}

/**
 * Whether a run that began after `ordinal`, that is inside the attempt with that number, already gave up on `error` or,
 * to `depth`, on one of its causes, or on all errors of an `AggregateError`.
 */
export function isExhausted(error: unknown, ordinal: number, depth: number, numbers = ledger.exhausted): boolean {
  if (ledger.highest <= ordinal) return false;
  // A primitive is in no map.
  if (numbers.get(error as object)! > ordinal) return true;
  if (depth === 0 || error === undefined) return false;
  const among = (each: unknown) => isExhausted(each, ordinal, depth - 1, numbers);
  return among(readField(error, "cause")) || !!errorsOf(error)?.every(among);
}

/** Whether such a run was ended by a `NonRetryableError`. */
export function isHopeless(error: unknown, ordinal: number, depth: number): boolean {
  return isExhausted(error, ordinal, depth, ledger.hopeless);
}

/**
 * For so many microtasks a call that gives up keeps its error to itself. What is wrapped around it can have the error only
 * from it, and so later: whoever decides about the same error meanwhile was given it by somebody else, as drivers give one
 * error to all that waits on a connection.
 */
const HELD_BACK = 32;

/** Gives up on `error` as `rememberExhausted` notes it and rejects with it, 32 microtasks later, both in one. */
export async function giveUpOn(
  error: unknown,
  ordinal: number,
  hopeless: boolean,
  reject: (error: unknown) => void,
): Promise<void> {
  for (let i = 0; i < HELD_BACK; i++) await undefined;
  rememberExhausted(error, ordinal, hopeless);
  reject(error);
}
