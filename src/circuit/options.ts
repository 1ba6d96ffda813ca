import type { Outcome } from "../common/attempt.js";
import { type HookOwner, report } from "../common/call-hook.js";
import { systemClock } from "../common/clock.js";
import type { CircuitOpenError } from "../common/errors.js";
import { readField } from "../common/inspect.js";
import { requireSync } from "../common/thenable.js";
import {
  COUNT,
  check,
  checkOrder,
  FUNCTION,
  RATE,
  type Rule,
  readOptions,
  SPAN,
  STRING,
  TIME,
  TIME_SOURCE,
  TIMEOUT,
  WHOLE,
} from "../common/validate.js";
import type { Rules, Snapshot, State } from "./machine.js";
import { CallWindow, type SavedCalls, TimeWindow, type Window } from "./window.js";

/** When a breaker opens, for how long, and how it closes again. Every option is optional. */
export interface CircuitBreakerOptions {
  /**
   * What errors and hooks call it.
   * @default "circuit breaker"
   */
  name?: string | undefined;
  /**
   * Opens after so many failures in a row.
   * @default 5 where neither rate is given, else off
   */
  consecutiveFailures?: number | undefined;
  /** Opens when the share of failures in the window reaches this, above 0 and at most 1. */
  failureRate?: number | undefined;
  /** Opens when the share of slow calls in the window reaches this; needs `slowAfter`. */
  slowRate?: number | undefined;
  /** ms from which a call is slow. */
  slowAfter?: number | undefined;
  /**
   * What the rates are taken over: the last calls, or the calls of the last ms, which leave it by tenths.
   * @default { calls: 100 }
   */
  window?: { calls: number; ms?: never } | { ms: number; calls?: never } | undefined;
  /**
   * No rate is taken over fewer calls.
   * @default 20, or the window's calls where those are fewer
   */
  minimumCalls?: number | undefined;
  /**
   * ms that it stays open, or a function of the openings in a row, from 1: they go on counting until it has been closed
   * for as long as the last opening lasted. Longer where a failure asked for more time (`retryAfter`).
   * @default 30_000
   */
  openFor?: number | ((openings: number) => number) | undefined;
  /**
   * ms that it stays open at most, whatever `openFor` and the failures say.
   * @default 3_600_000
   */
  maxOpenFor?: number | undefined;
  /**
   * Calls let through while half-open. They close it, or open it again, as soon as the verdict is certain: against
   * `failureRate` and `slowRate`, and where there is no `failureRate` by the first failure.
   * @default 1
   */
  halfOpenCalls?: number | undefined;
  /**
   * ms after which a call that has not settled is a failure, and a slow call: calls that hang would never be seen.
   * @default 60_000
   */
  lease?: number | undefined;
  /**
   * What a call that ended says; `"ignored"` counts as nothing, `undefined` is as by default.
   * @default a value is a success, an error a failure; a `CircuitOpenError` or `BulkheadFullError` from inside, a
   * `NonRetryableError` and a `TryAgainError` are ignored, outside a retry an error named `AbortError` too
   */
  classify?: ((outcome: Outcome) => CircuitVerdict | undefined) | undefined;
  /**
   * ms (not seconds) for which a failure asks not to be called again, if it does; what is no number counts as no.
   * @default error.retryAfter
   */
  retryAfter?: ((error: unknown) => number | undefined) | undefined;
  /** What `toJSON()` gave, of this or another process. */
  initialState?: SavedCircuit | undefined;
  onStateChange?: ((change: CircuitStateChange) => unknown) | undefined;
  onRefused?: ((refusal: CircuitRefusal) => unknown) | undefined;
  /** Receives what hooks throw or reject with. By default a warning, once per hook. */
  onHookError?: ((error: unknown) => void) | undefined;
  /** Time: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: { now(): number } | undefined;
}

/** What a call says about the health of what it called. */
export type CircuitVerdict = "success" | "failure" | "ignored";

/** A breaker's options, checked and filled. */
export interface CircuitSettings extends HookOwner {
  readonly name: string;
  readonly rules: Rules;
  /** ms from which a call is slow, Infinity for never. */
  readonly slowAfter: number;
  /** ms after which a permit that has not come back is a failure. */
  readonly lease: number;
  readonly newWindow: () => Window | undefined;
  readonly classify: ((outcome: Outcome) => CircuitVerdict | undefined) | undefined;
  readonly retryAfter: (error: unknown) => unknown;
  readonly onStateChange: ((change: CircuitStateChange) => unknown) | undefined;
  /** Told before any hook. */
  readonly changed?: (state: CircuitState) => void;
  readonly onRefused: ((refusal: CircuitRefusal) => unknown) | undefined;
  readonly clock: { now(): number };
  readonly initialState: SavedCircuit | undefined;
}

/** Where a breaker stands. */
export type CircuitState = State["name"];

export interface CircuitStateChange {
  readonly name: string;
  readonly from: CircuitState;
  readonly to: CircuitState;
}

export interface CircuitRefusal {
  readonly name: string;
  readonly error: CircuitOpenError;
}

/** A breaker's state as JSON, to be taken up by another process: remaining times instead of dates. */
export type SavedCircuit = Snapshot & {
  /** The calls that rates are taken over. */
  readonly window?: readonly SavedCalls[];
};

/** Live counters of a breaker. */
export interface CircuitStats {
  /** Calls let through that ended as a success, as a failure (a lease that ended is one), or in a way that says nothing. */
  readonly successes: number;
  readonly failures: number;
  readonly ignored: number;
  /** Calls let through that took `slowAfter` ms or longer. */
  readonly slow: number;
  /** Calls not let through. */
  readonly refused: number;
  /** Times it opened. */
  readonly openings: number;
}

/** What a breaker takes. */
export const RULES: Record<string, Rule> = {
  name: STRING,
  consecutiveFailures: COUNT,
  failureRate: RATE,
  slowRate: RATE,
  slowAfter: TIMEOUT,
  window: ["{ calls } or { ms }", "object"],
  minimumCalls: WHOLE,
  openFor: ["a finite number of ms from 0, or a function", "any", (of) => typeof of === "function" || isTime(of)],
  maxOpenFor: TIME,
  halfOpenCalls: WHOLE,
  lease: SPAN,
  classify: FUNCTION,
  retryAfter: FUNCTION,
  initialState: ["what toJSON() gave", "object"],
  onStateChange: FUNCTION,
  onRefused: FUNCTION,
  onHookError: FUNCTION,
  clock: TIME_SOURCE,
};

const CALLS: Rule = ["a whole number from 1 to 1,000,000", "number", (n) => n >= 1 && n <= 1e6 && Number.isInteger(n)];

const DEFAULT_OPEN_FOR = 30_000;

/** Options checked and filled. */
export function settingsOf(owner: string, given: CircuitBreakerOptions): CircuitSettings {
  const options = readOptions(owner, given, RULES);
  const { failureRate, slowRate, slowAfter, minimumCalls, clock = systemClock, onHookError } = options;
  const { openFor = DEFAULT_OPEN_FOR } = options;
  const rated = failureRate !== undefined || slowRate !== undefined;
  if ((slowRate === undefined) !== (slowAfter === undefined)) {
    throw new TypeError(
      `${owner}: slowRate and slowAfter need each other, got ${slowRate === undefined ? "slowAfter" : "slowRate"} alone`,
    );
  }
  if (!rated && (options.window || minimumCalls !== undefined)) {
    const unused = options.window ? "window" : "minimumCalls";
    throw new TypeError(`${owner}: ${unused} needs a rate, failureRate or slowRate, got none`);
  }
  const { calls = Infinity, ms } = readWindow(owner, options.window ?? { calls: 100 });
  if (minimumCalls !== undefined) checkOrder(owner, "minimumCalls", minimumCalls, "the window's calls", calls);
  const hooks = { kind: { sync: false }, onHookError };
  if (options.initialState) checkSaved(owner, options.initialState);
  return {
    ...hooks,
    name: options.name ?? "circuit breaker",
    rules: {
      consecutiveFailures: options.consecutiveFailures ?? (rated ? Infinity : 5),
      failureRate: failureRate ?? Infinity,
      slowRate: slowRate ?? Infinity,
      minimumCalls: minimumCalls ?? Math.min(20, calls),
      halfOpenCalls: options.halfOpenCalls ?? 1,
      openFor: typeof openFor === "function" ? guarded(openFor, hooks) : () => openFor,
      maxOpenFor: options.maxOpenFor ?? 3_600_000,
    },
    slowAfter: slowAfter ?? Infinity,
    lease: options.lease ?? 60_000,
    newWindow: () => (rated ? (ms === undefined ? new CallWindow(calls) : new TimeWindow(ms)) : undefined),
    classify: options.classify,
    retryAfter: options.retryAfter ?? ((error) => readField(error, "retryAfter")),
    onStateChange: options.onStateChange,
    onRefused: options.onRefused,
    clock,
    initialState: options.initialState,
  };
}

function isTime(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value < Infinity;
}

function readWindow(owner: string, window: object): { calls?: number; ms?: number } {
  const given: { calls?: number; ms?: number } = readOptions(`${owner} window`, window, { calls: CALLS, ms: SPAN });
  if ((given.calls === undefined) === (given.ms === undefined)) {
    throw new TypeError(
      `${owner}: window must be { calls } or { ms }, got ${given.ms === undefined ? "neither" : "both"}`,
    );
  }
  return given;
}

/** A user's `openFor` that cannot leave the circuit without an answer. */
function guarded(openFor: (openings: number) => number, hooks: HookOwner): (openings: number) => number {
  return (openings) => {
    try {
      const ms = requireSync("openFor", openFor(openings));
      check("circuitBreaker", "what openFor returned", ms, TIME);
      return ms;
    } catch (error) {
      report(hooks, openFor, error);
      return DEFAULT_OPEN_FOR;
    }
  };
}

const NATURAL: Rule = ["a whole number from 0", "number", (n) => n >= 0 && Number.isInteger(n)];
const SAVED: Record<string, Record<string, Rule>> = {
  closed: { failures: NATURAL, openings: NATURAL, forgetIn: TIME, comeBackIn: TIME },
  open: { openings: WHOLE, openFor: TIME, remaining: TIME },
  isolated: {},
};

/** A saved state comes from outside: fields that are not known may be of a later version, the others must be right. */
function checkSaved(owner: string, saved: SavedCircuit): void {
  const states = Object.keys(SAVED);
  check(owner, "initialState.state", saved.state, [
    `one of ${states.join(", ")}`,
    "string",
    (name) => states.includes(name),
  ]);
  for (const [field, rule] of Object.entries(SAVED[saved.state]!)) {
    check(owner, `initialState.${field}`, (saved as unknown as Record<string, unknown>)[field], rule);
  }
  const calls = ["a list of [age, calls, failures, slow]", "object", isSavedCalls] as const;
  if (saved.window !== undefined) check(owner, "initialState.window", saved.window, calls);
}

function isSavedCalls(window: unknown): boolean {
  const isCount = (count: unknown) => isTime(count) && Number.isInteger(count);
  const isEntry = (entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 4) return false;
    const [age, calls, failures, slow] = entry;
    return isTime(age) && [calls, failures, slow].every(isCount) && failures <= calls && slow <= calls;
  };
  return Array.isArray(window) && window.every(isEntry);
}
