import { readField } from "./errors.js";

interface Ledger {
  /** Numbers calls and attempts in the order in which they begin. */
  count: number;
  /** Error → the number at which the run that gave up on it began. */
  readonly errors: WeakMap<object, number>;
}

const KEY = Symbol.for("undaunted.exhausted");

// On globalThis, so that an ESM and a CJS copy of the package agree.
function shared(): Ledger {
  const home = globalThis as { [KEY]?: Ledger };
  home[KEY] ??= { count: 0, errors: new WeakMap() };
  return home[KEY];
}

const ledger = /* @__PURE__ */ shared();

/** The number of a call or attempt that begins now. */
export function beginNumber(): number {
  return ++ledger.count;
}

/** Notes that the run that began at `began` gave up on `error`. */
export function rememberExhausted(error: unknown, began: number): void {
  if (isTrackable(error) && !(ledger.errors.get(error)! > began)) ledger.errors.set(error, began);
}

/**
 * Whether a run that began after `began`, that is inside the attempt with that number, already gave up on `error` or
 * (`deep`) on one of its causes, to depth 10.
 */
export function isExhausted(error: unknown, began: number, deep: boolean): boolean {
  for (let depth = 0; depth <= (deep ? 10 : 0) && isTrackable(error); depth++) {
    if (ledger.errors.get(error)! > began) return true;
    error = readField(error, "cause");
  }
  return false;
}

function isTrackable(error: unknown): error is object {
  return (typeof error === "object" && error !== null) || typeof error === "function";
}
