import { RESOLVED } from "./thenable.js";

/** Something that an AbortSignal can cancel. */
export interface AbortListener {
  /** Must not throw: others wait for their turn. */
  cut(reason: unknown): void;
}

/** A listener that most often leaves in the turn in which it came: until then it costs a place in an array. */
export interface Newcomer extends AbortListener {
  /** Nobody else writes to it. */
  place: number;
}

/** The one listener that there is on a signal, and those whom it serves: a listener per call is quadratic in Node. */
export class AbortSource {
  readonly #listeners = new Set<AbortListener>();
  readonly #newcomers: Newcomer[] = [];
  #listening = false;
  /** The end of this turn is waited for. */
  #due = false;

  constructor(readonly signal: AbortSignal) {}

  /** Whether it has aborted and its listeners have not heard of it. */
  get isUnheard(): boolean {
    return !this.#listening && this.signal.aborted;
  }

  /** Adds a listener that hears of an abort before anything but microtasks follows, or at once after `listen`. */
  join(newcomer: Newcomer): void {
    newcomer.place = this.#newcomers.push(newcomer) - 1;
    if (this.#due) return;
    this.#due = true;
    if (sources.push(this) === 1) atEndOfTurn(settleAll);
  }

  /** Forgets a listener that joined. */
  leave(newcomer: Newcomer): void {
    const newcomers = this.#newcomers;
    if (newcomers[newcomer.place] !== newcomer) return this.remove(newcomer);
    const last = newcomers.pop()!;
    if (last === newcomer) return this.#rest();
    newcomers[newcomer.place] = last;
    last.place = newcomer.place;
  }

  add(listener: AbortListener): void {
    this.#listeners.add(listener);
    this.listen();
  }

  remove(listener: AbortListener): void {
    if (this.#listeners.delete(listener)) this.#rest();
  }

  /** The last one to leave takes the listener off the signal. */
  #rest(): void {
    if (!this.#listening || this.#newcomers.length + this.#listeners.size > 0) return;
    this.#listening = false;
    // Some stand-ins have none.
    this.signal.removeEventListener?.("abort", this.#heard);
  }

  /** Listens from now on, so that an abort is heard at once. */
  listen(): void {
    if (this.#listening) return;
    if (this.signal.aborted) return this.#heard();
    this.#listening = true;
    this.signal.addEventListener("abort", this.#heard);
  }

  /** The turn ends: those who are still there stay. */
  settle(): void {
    this.#due = false;
    this.#keepNewcomers();
    if (this.#listeners.size > 0) this.listen();
  }

  #keepNewcomers(): void {
    for (const each of this.#newcomers) this.#listeners.add(each);
    this.#newcomers.length = 0;
  }

  readonly #heard = (): void => {
    this.#keepNewcomers();
    for (const each of this.#listeners) each.cut(reasonOf(this.signal));
  };
}

const known = /* @__PURE__ */ new WeakMap<AbortSignal, AbortSource>();

/** The one abort source there is of a signal. */
export function abortSourceOf(signal: AbortSignal): AbortSource {
  let source = known.get(signal);
  if (!source) {
    source = new AbortSource(signal);
    known.set(signal, source);
  }
  return source;
}

/** Cancels `listener` when the signal aborts, until `offAbort`. */
export function onAbort(source: AbortSource, listener: AbortListener): void {
  source.add(listener);
}

export function offAbort(source: AbortSource, listener: AbortListener): void {
  source.remove(listener);
}

/**
 * Why a signal aborted. One of an older make (abort-controller, which React Native bundles) has no `reason`: then it is
 * an `AbortError`, as in the platform.
 */
export function reasonOf(signal: AbortSignal): unknown {
  return signal.reason === undefined ? abortError() : signal.reason;
}

/** What an abort that nobody gave a reason for rejects with. */
export function abortError(): Error {
  const message = "aborted";
  // React Native has none.
  if (typeof DOMException === "function") return new DOMException(message, "AbortError");
  return Object.assign(new Error(message), { name: "AbortError" });
}

let sources: AbortSource[] = [];

// Most of what a signal costs is to come and go as its listener: calls that are over in the turn in which they began are
// spared it, and those of one turn share it.
function settleAll(): void {
  const due = sources;
  sources = [];
  for (const each of due) each.settle();
}

/** Calls back when the microtasks of this turn are done, where the runtime can say so, else in a microtask. */
function atEndOfTurn(callback: () => void): void {
  const { process } = globalThis as { process?: { nextTick?: NextTick } };
  RESOLVED.then(() => {
    // A fake one, which has a clock, may never call back.
    if (process?.nextTick && !("clock" in process.nextTick)) process.nextTick(callback);
    else callback();
  });
}

type NextTick = (callback: () => void) => void;
