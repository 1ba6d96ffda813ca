import type { Outcome } from "./attempt.js";
import { report } from "./call-hook.js";
import { type Attempt, theAttempt } from "./current.js";
import { errorTypeOf, shortCodeOf } from "./error-type.js";
import { readField } from "./inspect.js";
import type { AttemptEvent, ObservedEvent } from "./observe-events.js";
import { type Around, type Note, observed, sourceOf, type Watch, type Watchable, type Watched } from "./observed.js";

/** What the calls that are watched share. */
interface Desk {
  readonly attempts: WeakMap<Attempt, AttemptEvent>;
  readonly notes: WeakMap<object, Note>;
  deliver(event: ObservedEvent, call: number): void;
  now(clock: { now(): number }): number;
}

/** `target` as one call sees it: it reports, and what it calls runs in whatever is put around attempts. */
export function watchCall<T extends Watchable>(
  target: T,
  { options, clock, budget, before }: Watched,
  self: unknown,
  call: number,
  { attempts, notes, deliver, now }: Desk,
): T {
  const name = options.name ?? target.name ?? nameOf(self);
  let begunAt = now(clock);
  const startedAt = begunAt - (before?.elapsed ?? 0);
  let attempt = before?.attempts ?? 0;
  let attemptElapsed: number | undefined;
  /** Facts that every event of this call has; `at` is the clock's last reading. */
  const base = (at: number) => ({ name, call, attempt, at });
  const times = (at: number) => ({ attemptElapsed: attempt > 0 ? (attemptElapsed ?? at - begunAt) : 0 });
  const tell = (event: ObservedEvent) => deliver(event, call);

  const watch: Watch = {
    ended() {
      attemptElapsed ??= now(clock) - begunAt;
    },
    retry(state) {
      const at = now(clock);
      const { outcome, delay } = state;
      const { source = sourceOf(state), hint } = notes.get(state) ?? {};
      if (hint !== undefined) tell({ type: "hint", ...base(at), asked: hint });
      tell({ type: "retry", ...base(at), ...failureOf(outcome), ...times(at), delay, source });
    },
    giveUp(reason, error, state) {
      const at = now(clock);
      if (reason === "budget") {
        tell({ type: "budget-refused", ...base(at), name: budget?.name ?? "retry budget" });
      }
      const said = (state && notes.get(state)?.reason) ?? reason;
      const failure = failureOf({ ok: false, error });
      tell({ type: "give-up", ...base(at), ...failure, ...times(at), reason: said, elapsed: at - startedAt });
    },
    late(of, outcome) {
      tell({ type: "late-result", ...base(now(clock)), attempt: of, ...failureOf(outcome) });
    },
  };

  return {
    ...target,
    watch,
    fn(this: unknown, ...args: unknown[]) {
      const current = theAttempt()!;
      begunAt = now(clock);
      attemptElapsed = undefined;
      attempt++;
      const event: AttemptEvent = Object.freeze({ type: "attempt", ...base(begunAt), http: !!target.http });
      attempts.set(current, event);
      tell(event);
      return runIn([...observed.arounds], event, () => target.fn.apply(this, args));
    },
    succeeded<V>(value: V): V {
      const at = now(clock);
      tell({ type: "success", ...base(at), ...times(at), elapsed: at - startedAt });
      return target.succeeded(value);
    },
  };
}

/** Calls `fn` inside all of `arounds`, which may change nothing: it is called once, and what it does is what happens. */
function runIn(arounds: readonly Around[], event: AttemptEvent, fn: () => unknown): unknown {
  let outcome: Outcome | undefined;
  const run = () => {
    try {
      outcome = { ok: true, value: fn() };
    } catch (error) {
      outcome = { ok: false, error };
    }
  };
  arounds.reduceRight<() => void>((next, around) => once(() => runInOne(around, event, next)), once(run))();
  const made = outcome as Outcome | undefined;
  if (made!.ok) return made!.value;
  throw made!.error;
}

function runInOne(around: Around, event: AttemptEvent, next: () => void): void {
  try {
    around(event, next);
  } catch (error) {
    report({ kind: { sync: "" } }, around, error);
  }
  // One that failed, or forgot it.
  next();
}

function once(fn: () => void): () => void {
  let called = false;
  return () => {
    if (called) return;
    called = true;
    fn();
  };
}

/** What an event says of an outcome. */
function failureOf(outcome: Outcome): { errorType: string | undefined; code: string | number | undefined } {
  if (outcome.ok) return { errorType: undefined, code: undefined };
  return { errorType: errorTypeOf(outcome.error), code: shortCodeOf(outcome.error) };
}

function nameOf(fn: unknown): string {
  const name = readField(fn, "name");
  return (typeof name === "string" && name) || "anonymous";
}
