import { callHook } from "./call-hook.js";
import { now as systemNow } from "./clock.js";
import { type Attempt, theAttempt } from "./current.js";
import { nextOrdinal } from "./exhausted.js";
import type { AttemptEvent, ObservedEvent } from "./observe-events.js";
import { type Around, observed, takeNotes, type Watcher } from "./observed.js";
import { check, FUNCTION } from "./validate.js";
import { watchCall } from "./watch-call.js";

/**
 * Calls `listener` for what happens to every policy and guard of this process, also of another copy of this package: at
 * once, in the order in which it happens, with a frozen event. Returns a function that ends it. A call that began before
 * is not reported, nor one that a listener begins. What a listener throws changes nothing and is warned of once. Nobody
 * listening costs nothing.
 *
 * @example
 * const seen: string[] = [];
 * const stop = observe(({ type, name }) => seen.push(`${name}: ${type}`));
 * await retry(flaky([new Error("busy"), "ok"]), { wait: waitNone, name: "load" })(); // => "ok"
 * stop();
 * seen; // => ["load: attempt", "load: retry", "load: attempt", "load: success"]
 */
export function observe(listener: (event: ObservedEvent) => unknown): () => void {
  check("observe", "listener", listener, FUNCTION);
  // One of its own, so that the same function may listen twice.
  const own = (event: ObservedEvent) => callHook(OWNER, listener, event);
  observed.listeners.set(own, nextOrdinal());
  refresh();
  return () => {
    observed.listeners.delete(own);
    refresh();
  };
}

/** Runs attempts inside `around`, until the function that it returns is called. Of several, the first is the outermost. */
export function runAttemptsIn(around: Around): () => void {
  observed.arounds.add(around);
  refresh();
  return () => {
    observed.arounds.delete(around);
    refresh();
  };
}

function refresh(): void {
  const { listeners, arounds } = observed;
  if (listeners.size + arounds.size === 0) observed.watcher = undefined;
  else observed.watcher ??= watcherOf();
}

const OWNER = { kind: { sync: "" } };

function watcherOf(): Watcher {
  const attempts = new WeakMap<Attempt, AttemptEvent>();
  const notes = takeNotes();
  const deliver = inOrder();
  return {
    begin(target, policy, self, call) {
      // It would hear of itself for ever.
      if (deliver.busy) return target;
      return watchCall(target, policy, self, call, { attempts, notes, deliver: deliver.event, now: timeOf });
    },
    emit(facts, clock, attempt = theAttempt()) {
      const inside = attempt && attempts.get(attempt);
      const event = { ...facts, call: inside?.call, attempt: inside?.attempt, at: timeOf(clock) };
      deliver.event(event as ObservedEvent, Infinity);
    },
    now: timeOf,
  };
}

/** Hands events to all who listen; what one of them causes comes after. */
function inOrder() {
  const queue: { readonly event: ObservedEvent; readonly call: number }[] = [];
  const deliver = {
    busy: false,
    /** `call`: the number of the call that it belongs to, which only they hear of who listened when it began. */
    event(event: ObservedEvent, call: number): void {
      queue.push({ event: Object.freeze(event), call });
      if (deliver.busy) return;
      deliver.busy = true;
      for (let next = queue.shift(); next; next = queue.shift()) {
        for (const [listener, since] of observed.listeners) if (next.call > since) listener(next.event);
      }
      deliver.busy = false;
    },
  };
  return deliver;
}

/** ms by a clock; by the system's where it has no time, or fails. */
function timeOf(clock?: object): number {
  try {
    return (clock as { now?(): number } | undefined)?.now?.() ?? systemNow();
  } catch {
    return systemNow();
  }
}
