import type { GiveUpReason, Outcome } from "./attempt.js";
import { kindOf } from "./brand.js";
import type { Callable } from "./callable.js";
import type { Attempt } from "./current.js";
import { readField } from "./inspect.js";
import type { AttemptEvent, GuardFacts, ObservedEvent } from "./observe-events.js";
import { sharedUnder } from "./shared.js";

/** Hears what happens to one call. The loops know this and no more: what it does comes with `observe`. */
export interface Watch {
  /** An attempt is over, whatever follows. */
  ended(): void;
  retry(state: object & { readonly outcome: Outcome; readonly delay: number }): void;
  giveUp(reason: GiveUpReason | "broken", error: unknown, state?: object): void;
  late(attempt: number, outcome: Outcome): void;
}

/** What is called and counted, watched or not. */
export interface Watchable {
  readonly fn: Callable;
  readonly name: string | undefined;
  readonly succeeded: <T>(value: T) => T;
  readonly watch: Watch | undefined;
  /** Its attempts are HTTP requests. */
  readonly http?: boolean;
}

/** What a watcher looks at in a policy. */
export interface Watched {
  readonly options: { readonly name?: string | undefined };
  readonly clock: { now(): number };
  readonly budget?: { readonly name?: string | undefined } | undefined;
  /** What the call did in other processes: attempts, and ms. */
  readonly before?: { readonly attempts: number; readonly elapsed: number } | undefined;
}

/** Turns what happens into events. */
export interface Watcher {
  /** What stands for `target` in one call that begins now. */
  begin<T extends Watchable>(target: T, policy: Watched, self: unknown, call: number): T;
  /** Something happened at a guard, in `attempt`: by default the one being started. */
  emit(facts: GuardFacts, clock?: object, attempt?: Attempt): void;
  /** ms by a guard's clock. */
  now(clock?: object): number;
}

/** What only a strategy, or the loop, knows of an attempt's state. */
export interface Note {
  readonly source?: "cap" | "hint";
  /** ms that a server's hint asked for. */
  readonly hint?: number;
  readonly reason?: GiveUpReason;
  /** Tokens that the budget took for the retry. */
  readonly paid?: number;
}

/** Calls `run`, which makes an attempt, in a context of its own. */
export type Around = (attempt: AttemptEvent, run: () => void) => void;

interface Observed {
  /** There where anybody listens: all else is asked of it. */
  watcher: Watcher | undefined;
  /** Who listens, and the number from which on calls are theirs. */
  readonly listeners: Map<(event: ObservedEvent) => unknown, number>;
  readonly arounds: Set<Around>;
  /** By state; there from when the first program asked for them. */
  notes: WeakMap<object, Note> | undefined;
}

/** Who observes, for all copies of this package. */
export const observed = /* @__PURE__ */ sharedUnder<Observed>("observed", {
  watcher: undefined,
  listeners: new Map(),
  arounds: new Set(),
  notes: undefined,
});

/** Says of an attempt's state what nobody else knows, where that is of use. */
export function note(state: object, said: Note): void {
  const { notes } = observed;
  notes?.set(state, { ...notes.get(state), ...said });
}

/** Has notes taken from now on. */
export function takeNotes(): WeakMap<object, Note> {
  observed.notes ??= new WeakMap();
  return observed.notes;
}

/** `ms`, at most `max`; notes that the cap set the delay. */
export function capped(state: object, ms: number, max: number): number {
  if (ms < max) return ms;
  note(state, { source: "cap" });
  return max;
}

/** `ms`; notes that what failed asked for it. */
export function hinted(state: object, ms: number): number {
  note(state, { source: "hint" });
  return ms;
}

/** Where a delay came from that nobody noted: the error said so itself, or the policy did. */
export function sourceOf({ outcome, delay }: { readonly outcome: Outcome; readonly delay: number }): "hint" | "policy" {
  const error = outcome.ok ? undefined : outcome.error;
  return kindOf(error) === "ERR_TRY_AGAIN" && readField(error, "after") === delay ? "hint" : "policy";
}
