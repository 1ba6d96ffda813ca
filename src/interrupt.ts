/** What an abort interrupts. */
export interface Interruptible {
  cut(reason: unknown): void;
}

/** The runs that an abort of `signal` interrupts. */
export interface Watch {
  readonly signal: AbortSignal;
  readonly listener: () => void;
  /** Most signals have one run at a time, which needs no set. */
  sole: Interruptible | undefined;
  readonly others: Set<Interruptible>;
}

// A listener per run makes n runs on one signal quadratic in Node; a set of runs behind one listener is linear.
const watches = /* @__PURE__ */ new WeakMap<AbortSignal, Watch>();

/** The one watch there is on a signal. */
export function watchOf(signal: AbortSignal): Watch {
  const known = watches.get(signal);
  if (known) return known;
  const watch: Watch = { signal, listener: () => cutAll(watch), sole: undefined, others: new Set() };
  watches.set(signal, watch);
  return watch;
}

/** Interrupts `run` when the signal aborts, until `unwatch`. */
export function watch(on: Watch, run: Interruptible): void {
  if (run === on.sole) return;
  if (on.sole === undefined && on.others.size === 0) {
    on.signal.addEventListener("abort", on.listener);
    on.sole = run;
  } else on.others.add(run);
}

/** Forgets `run`; the last one to leave takes the listener off. */
export function unwatch(on: Watch, run: Interruptible): void {
  if (run === on.sole) on.sole = undefined;
  else if (!on.others.delete(run)) return;
  if (on.sole === undefined && on.others.size === 0) on.signal.removeEventListener("abort", on.listener);
}

function cutAll({ signal, sole, others }: Watch): void {
  const errors: unknown[] = [];
  const cut = (run: Interruptible) => {
    try {
      run.cut(signal.reason);
    } catch (error) {
      // A clock of the user's that fails for one run must not keep the others from being cut.
      errors.push(error);
    }
  };
  if (sole) cut(sole);
  for (const each of others) cut(each);
  if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors);
}
