/** What an abort interrupts. */
export interface Interruptible {
  cut(reason: unknown): void;
}

interface Watch {
  readonly runs: Set<Interruptible>;
  readonly listener: () => void;
}

// A listener per run makes n runs on one signal quadratic in Node; a set of runs behind one listener is linear.
const watches = /* @__PURE__ */ new WeakMap<AbortSignal, Watch>();

/** Interrupts `run` when `signal` aborts, until `unwatch`. */
export function watch(signal: AbortSignal, run: Interruptible): void {
  let entry = watches.get(signal);
  if (!entry) {
    entry = watchOf(signal);
    watches.set(signal, entry);
  }
  if (entry.runs.size === 0) signal.addEventListener("abort", entry.listener);
  entry.runs.add(run);
}

/** Forgets `run`; the last one to leave takes the listener off. */
export function unwatch(signal: AbortSignal, run: Interruptible): void {
  const entry = watches.get(signal);
  if (entry?.runs.delete(run) && entry.runs.size === 0) signal.removeEventListener("abort", entry.listener);
}

function watchOf(signal: AbortSignal): Watch {
  const runs = new Set<Interruptible>();
  const listener = () => {
    const errors: unknown[] = [];
    for (const each of runs) {
      try {
        each.cut(signal.reason);
      } catch (error) {
        // A clock of the user's that fails for one run must not keep the others from being cut.
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors);
  };
  return { runs, listener };
}
