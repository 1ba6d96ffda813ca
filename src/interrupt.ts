/** What an abort interrupts. */
export interface Interruptible {
  cut(reason: unknown): void;
}

interface Watch {
  readonly runs: Set<Interruptible>;
  readonly listener: () => void;
}

// A listener per run makes n runs on one signal quadratic in Node; a set of runs behind one listener is linear.
const watches = new WeakMap<AbortSignal, Watch>();

/** Interrupts `run` when `signal` aborts, until `unwatch`. */
export function watch(signal: AbortSignal, run: Interruptible): void {
  let entry = watches.get(signal);
  if (!entry) {
    const runs = new Set<Interruptible>();
    const listener = () => {
      for (const each of runs) each.cut(signal.reason);
    };
    entry = { runs, listener };
    watches.set(signal, entry);
    signal.addEventListener("abort", listener);
  }
  entry.runs.add(run);
}

/** Forgets `run`; the last one to leave takes the listener off. */
export function unwatch(signal: AbortSignal, run: Interruptible): void {
  const entry = watches.get(signal);
  if (entry?.runs.delete(run) && entry.runs.size === 0) {
    watches.delete(signal);
    signal.removeEventListener("abort", entry.listener);
  }
}
