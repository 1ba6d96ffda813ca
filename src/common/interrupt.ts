/** What an abort interrupts. */
export interface Interruptible {
  /** Must not throw: others wait for their turn. */
  cut(reason: unknown): void;
}

/** The runs that an abort of `signal` interrupts. */
export interface Watch {
  readonly signal: AbortSignal;
  readonly listener: () => void;
  readonly runs: Set<Interruptible>;
}

// A listener per run makes n runs on one signal quadratic in Node; a set of runs behind one listener is linear.
const watches = /* @__PURE__ */ new WeakMap<AbortSignal, Watch>();

/** The one watch there is on a signal. */
export function watchOf(signal: AbortSignal): Watch {
  const known = watches.get(signal);
  if (known) return known;
  const runs = new Set<Interruptible>();
  const listener = () => {
    for (const each of runs) each.cut(signal.reason);
  };
  const watch = { signal, listener, runs };
  watches.set(signal, watch);
  return watch;
}

/** Interrupts `run` when the signal aborts, until `unwatch`. */
export function watch({ signal, listener, runs }: Watch, run: Interruptible): void {
  if (runs.size === 0) signal.addEventListener("abort", listener);
  runs.add(run);
}

/** Forgets `run`; the last one to leave takes the listener off. */
export function unwatch({ signal, listener, runs }: Watch, run: Interruptible): void {
  if (runs.delete(run) && runs.size === 0) signal.removeEventListener("abort", listener);
}
