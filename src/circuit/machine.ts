//            too many failures                openFor is over
//   closed ────────────────────► open ──────────────────────► half-open
//     ▲                            ▲        a probe too many failed │
//     │                            └────────────────────────────────┤
//     └─────────────────────────────────────────────────────────────┘ enough succeeded
//
// Pure: (rules, state, event, time) → state. Times are ms of the breaker's clock. Every change of state, and every
// isolate() and close(), raises the generation: a result belongs to the generation that let its call through.

import type { Totals } from "./window.js";

/** When to open, and for how long. Numbers that are off are Infinity. */
export interface Rules {
  readonly consecutiveFailures: number;
  readonly failureRate: number;
  readonly slowRate: number;
  readonly minimumCalls: number;
  /** The probes let through while half-open, and the shares of them that open it again. */
  readonly halfOpen: { readonly calls: number; readonly failureRate: number; readonly slowRate: number };
  /** ms for the n-th opening in a row; must not throw. */
  readonly openFor: (openings: number) => number;
  readonly maxOpenFor: number;
}

interface Closed {
  readonly name: "closed";
  readonly generation: number;
  /** Openings in a row. */
  readonly openings: number;
  /** When those are forgotten. */
  readonly forgetAt: number;
  /** Failures in a row. */
  readonly failures: number;
  /** Before this a failure asked not to be called. */
  readonly comeBackAt: number;
}

interface Open {
  readonly name: "open";
  readonly generation: number;
  readonly openings: number;
  readonly since: number;
  readonly until: number;
}

interface HalfOpen {
  readonly name: "half-open";
  readonly generation: number;
  readonly openings: number;
  /** ms that the opening before lasted. */
  readonly openFor: number;
  /** Permits given, less those given back. */
  readonly taken: number;
  readonly recorded: number;
  readonly failures: number;
  readonly slow: number;
  readonly comeBackAt: number;
}

interface Isolated {
  readonly name: "isolated";
  readonly generation: number;
}

export type State = Closed | Open | HalfOpen | Isolated;

/** How a call that had been let through ended. */
export interface Result {
  readonly failed: boolean;
  readonly slow: boolean;
  /** Before this the failure asks not to be called; -Infinity where it does not. */
  readonly comeBackAt: number;
}

const NEVER_ASKED = -Infinity;
export const SUCCESS: Result = { failed: false, slow: false, comeBackAt: NEVER_ASKED };
/** A call that had not ended when its lease did. */
export const LAPSED: Result = { failed: true, slow: true, comeBackAt: NEVER_ASKED };

/** A closed circuit without a past. */
export function closed(generation: number): Closed {
  return { name: "closed", generation, openings: 0, forgetAt: 0, failures: 0, comeBackAt: NEVER_ASKED };
}

/** A circuit that only `close()` ends. */
export function isolated(generation: number): Isolated {
  return { name: "isolated", generation };
}

/** Time passes. */
export function elapse(state: State, now: number): State {
  if (state.name !== "open" || now < state.until) return state;
  return {
    name: "half-open",
    generation: state.generation + 1,
    openings: state.openings,
    openFor: state.until - state.since,
    taken: 0,
    recorded: 0,
    failures: 0,
    slow: 0,
    comeBackAt: NEVER_ASKED,
  };
}

/** A call asks to be let through; `undefined` refuses it. */
export function admit({ halfOpen }: Rules, state: State): State | undefined {
  if (state.name === "closed") return state;
  if (state.name !== "half-open" || state.taken >= halfOpen.calls) return undefined;
  return { ...state, taken: state.taken + 1 };
}

/** A call that had been let through ended in a way that says nothing: its permit is free again. */
export function release(state: State): State {
  return state.name === "half-open" ? { ...state, taken: state.taken - 1 } : state;
}

/** A call that had been let through ended; `seen` are the window's totals with it, where rates are asked for. */
export function record(rules: Rules, state: State, result: Result, seen: Totals | undefined, now: number): State {
  if (state.name === "closed") return recordClosed(rules, state, result, seen, now);
  if (state.name === "half-open") return recordHalfOpen(rules, state, result, now);
  return state;
}

function recordClosed(rules: Rules, state: Closed, result: Result, seen: Totals | undefined, now: number): State {
  if (!result.failed && !state.failures && !exceedsRate(rules, seen)) return state;
  const failures = result.failed ? state.failures + 1 : 0;
  const comeBackAt = Math.max(state.comeBackAt, result.comeBackAt);
  if (failures >= rules.consecutiveFailures || exceedsRate(rules, seen)) {
    return open(rules, state.generation, now < state.forgetAt ? state.openings : 0, comeBackAt, now);
  }
  return { ...state, failures, comeBackAt };
}

/** Whether the window is enough to open the circuit. */
export function exceedsRate({ failureRate, slowRate, minimumCalls }: Rules, seen: Totals | undefined): boolean {
  if (!seen) return false;
  const { calls, failures, slow } = seen;
  return calls >= minimumCalls && (failures / calls >= failureRate || slow / calls >= slowRate);
}

function recordHalfOpen(rules: Rules, state: HalfOpen, result: Result, now: number): State {
  const recorded = state.recorded + 1;
  const failures = state.failures + (result.failed ? 1 : 0);
  const slow = state.slow + (result.slow ? 1 : 0);
  const comeBackAt = Math.max(state.comeBackAt, result.comeBackAt);
  if (failsProbe(rules, failures, slow)) return open(rules, state.generation, state.openings, comeBackAt, now);
  const left = rules.halfOpen.calls - recorded;
  if (failsProbe(rules, failures + left, slow + left)) return { ...state, recorded, failures, slow, comeBackAt };
  return {
    ...closed(state.generation + 1),
    openings: state.openings,
    forgetAt: now + state.openFor,
  };
}

/** Whether so many failures or slow calls among the probes open the circuit again. */
function failsProbe({ halfOpen }: Rules, failures: number, slow: number): boolean {
  const { calls, failureRate, slowRate } = halfOpen;
  const failed = failureRate < Infinity ? failures / calls >= failureRate : failures > 0;
  return failed || slow / calls >= slowRate;
}

function open(rules: Rules, generation: number, openingsBefore: number, comeBackAt: number, now: number): Open {
  const openings = openingsBefore + 1;
  const openFor = Math.min(Math.max(rules.openFor(openings), comeBackAt - now), rules.maxOpenFor);
  return { name: "open", generation: generation + 1, openings, since: now, until: now + openFor };
}

/** A state as another process can take it up: remaining times instead of dates. */
export type Snapshot =
  | {
      readonly state: "closed";
      /** Failures in a row. */
      readonly failures: number;
      /** Openings in a row, forgotten in `forgetIn` ms. */
      readonly openings: number;
      readonly forgetIn: number;
      /** ms for which a failure asked not to be called. */
      readonly comeBackIn: number;
    }
  | {
      /** A half-open circuit is an open one with 0 ms left. */
      readonly state: "open";
      readonly openings: number;
      /** ms the opening lasts in all, and what is left of it. */
      readonly openFor: number;
      readonly remaining: number;
    }
  | { readonly state: "isolated" };

export function toSnapshot(state: State, now: number): Snapshot {
  switch (state.name) {
    case "closed": {
      const forgetIn = Math.max(0, state.forgetAt - now);
      const openings = forgetIn > 0 ? state.openings : 0;
      // JSON has no Infinity.
      const comeBackIn = Math.min(Math.max(0, state.comeBackAt - now), Number.MAX_VALUE);
      return { state: "closed", failures: state.failures, openings, forgetIn, comeBackIn };
    }
    case "open":
      return {
        state: "open",
        openings: state.openings,
        openFor: state.until - state.since,
        remaining: Math.max(0, state.until - now),
      };
    case "half-open":
      return { state: "open", openings: state.openings, openFor: state.openFor, remaining: 0 };
    case "isolated":
      return { state: "isolated" };
  }
}

export function fromSnapshot(snapshot: Snapshot, { maxOpenFor }: Rules, now: number): State {
  switch (snapshot.state) {
    case "closed": {
      const { failures, openings, forgetIn, comeBackIn } = snapshot;
      return {
        name: "closed",
        generation: 0,
        failures,
        openings,
        forgetAt: now + forgetIn,
        comeBackAt: now + comeBackIn,
      };
    }
    case "open": {
      const { openings } = snapshot;
      const openFor = Math.min(snapshot.openFor, maxOpenFor);
      const until = now + Math.min(snapshot.remaining, maxOpenFor);
      return { name: "open", generation: 0, openings, since: until - openFor, until };
    }
    case "isolated":
      return isolated(0);
  }
}
