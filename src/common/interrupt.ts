/** Something that an AbortSignal can cancel. */
export interface AbortListener {
  /** Must not throw: others wait for their turn. */
  cut(reason: unknown): void;
}

/** The runs that an abort of `signal` interrupts. */
export interface AbortSource {
  readonly signal: AbortSignal;
  readonly listener: () => void;
  readonly runs: Set<AbortListener>;
}

// A listener per run makes n runs on one signal quadratic in Node; a set of runs behind one listener is linear.
const abortSources = /* @__PURE__ */ new WeakMap<AbortSignal, AbortSource>();

/** The one abort source there is on a signal. */
export function abortSourceOf(signal: AbortSignal): AbortSource {
  const known = abortSources.get(signal);
  if (known) return known;
  const runs = new Set<AbortListener>();
  const listener = () => {
    for (const each of runs) each.cut(signal.reason);
  };
  const source = { signal, listener, runs };
  abortSources.set(signal, source);
  return source;
}

/** Interrupts `run` when the signal aborts, until `offAbort`. */
export function onAbort({ signal, listener, runs }: AbortSource, run: AbortListener): void {
  if (runs.size === 0) signal.addEventListener("abort", listener);
  runs.add(run);
}

/** Forgets `run`; the last one to leave takes the listener off. */
export function offAbort({ signal, listener, runs }: AbortSource, run: AbortListener): void {
  if (runs.delete(run) && runs.size === 0) signal.removeEventListener("abort", listener);
}
