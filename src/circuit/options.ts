import type { Outcome } from "../common/attempt.js";
import { type HookOwner, report } from "../common/call-hook.js";
import { systemTime } from "../common/clock.js";
import type { CircuitOpenError } from "../common/errors.js";
import { readField } from "../common/inspect.js";
import { requireSync } from "../common/thenable.js";
import {
  COUNT,
  check,
  checkOrder,
  FUNCTION,
  OPTIONS,
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
import type { Rules, State } from "./machine.js";
import { checkSaved, isTime, type SavedCircuit } from "./saved.js";
import { CallWindow, TimeWindow, type Window } from "./window.js";

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
   * The half-open breaker's own rule. `calls` are let through, its probes; they close it, or open it again, as soon as the
   * verdict is certain: by `failureRate` and `slowRate` (above 0 and at most 1, the latter needs `slowAfter`), which are
   * the closed breaker's unless given here, and where there is no `failureRate` by the first failure.
   * @default { calls: 1 }
   */
  halfOpen?: HalfOpenOptions | undefined;
  /**
   * ms after which a call that has not settled is a failure, and a slow call: calls that hang would never be seen. Where
   * it is not given, a call in an attempt with a longer `attemptTimeout` or `totalTimeout` is ended by that alone. Calls that
   * may well take longer and have no such timeout need a longer lease.
   * @default 60_000, or slowAfter where that is longer
   */
  lease?: number | undefined;
  /**
   * What a call that ended says; `"ignored"` counts as nothing, `undefined` is as by default.
   * @default a value is a success, an error a failure, a timeout too; an abort (`isAbortError`), a `CircuitOpenError` or
   * `BulkheadFullError` from inside, a `NonRetryableError` and a `TryAgainError` are ignored
   */
  classify?: ((outcome: Outcome) => CircuitVerdict | undefined) | undefined;
  /**
   * ms (not seconds) for which a failure asks not to be called again, if it does; what is no number counts as no.
   * @default error.retryAfter
   */
  retryAfter?: ((error: unknown) => number | undefined) | undefined;
  /** What `toJSON()` gave, of this or another process. */
  initialState?: SavedCircuit | undefined;
  /** Called for each change of state. It belongs to no call: its async context is that of the call that brought the change. */
  onStateChange?: ((change: CircuitStateChange) => unknown) | undefined;
  /** Called for each call that is refused, in that call's async context. */
  onRefused?: ((refusal: CircuitRefusal) => unknown) | undefined;
  /** Receives what hooks throw or reject with. By default a warning, once per hook. */
  onHookError?: ((error: unknown) => void) | undefined;
  /** Time: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: { now(): number } | undefined;
}

/** What the calls that a half-open breaker lets through are judged by. */
export interface HalfOpenOptions {
  calls?: number | undefined;
  failureRate?: number | undefined;
  slowRate?: number | undefined;
}

/** What a call says about the health of what it called. */
export type CircuitVerdict = "success" | "failure" | "ignored";

/** A breaker's options, checked and filled. */
export interface CircuitSettings extends HookOwner {
  readonly name: string;
  /** What events call it: without the key, where it is one of many. */
  readonly eventName: string;
  readonly rules: Rules;
  /** ms from which a call is slow, Infinity for never. */
  readonly slowAfter: number;
  /** ms after which a permit that has not come back is a failure. */
  readonly lease: number;
  /** ms of an attempt's limit from which that ends its permit, and no lease does. */
  readonly longTimeout: number;
  readonly newWindow: () => Window | undefined;
  readonly classify: ((outcome: Outcome) => CircuitVerdict | undefined) | undefined;
  readonly retryAfter: (error: unknown) => unknown;
  readonly onStateChange: ((change: CircuitStateChange) => unknown) | undefined;
  /** Called before any hook. */
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
  /** Where it opened, the last failure before: `undefined` if there was none, as where calls were only slow. */
  readonly cause: unknown;
  /** The counters as of then. */
  readonly stats: CircuitStats;
  /** The breaker is shared, and its fleet decided. */
  readonly remote?: true;
}

export interface CircuitRefusal {
  readonly name: string;
  readonly error: CircuitOpenError;
}

/** Live counters of a breaker. */
export interface CircuitStats {
  /**
   * Calls let through that ended as a success, as a failure (a lease that ended is one), or in a way that says nothing. One that
   * ends in another generation than it began in is in none of them.
   */
  readonly successes: number;
  readonly failures: number;
  readonly ignored: number;
  /** Calls let through that took `slowAfter` ms or longer. */
  readonly slow: number;
  /** Calls not let through. */
  readonly refused: number;
  /** Times it opened. */
  readonly openings: number;
  /** Of a shared breaker: how it stands with its fleet. */
  readonly fleet?: FleetStats;
}

/** How a guard stands with its fleet, live. */
export interface FleetStats {
  /** The store answers. */
  readonly connected: boolean;
  /** What was sent to the store, and what was not answered in time. */
  readonly exchanges: number;
  readonly unanswered: number;
  /** ms that an answer takes of late. */
  readonly roundTrip: number;
  /** Processes that the store heard of in the last 30 s, about. */
  readonly known: number;
  /** How much longer than usual this process waits between two reports, so that a large fleet does not overload its store. */
  readonly stretch: number;
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
  halfOpen: OPTIONS,
  lease: SPAN,
  classify: FUNCTION,
  retryAfter: FUNCTION,
  initialState: ["what toJSON() gave", "object"],
  onStateChange: FUNCTION,
  onRefused: FUNCTION,
  onHookError: FUNCTION,
  clock: TIME_SOURCE,
};

const HALF_OPEN: Record<string, Rule> = { calls: WHOLE, failureRate: RATE, slowRate: RATE };
const CALLS: Rule = ["a whole number from 1 to 1,000,000", "number", (n) => n >= 1 && n <= 1e6 && Number.isInteger(n)];

const DEFAULT_OPEN_FOR = 30_000;

/** Options checked and filled. */
export function settingsOf(owner: string, given: CircuitBreakerOptions): CircuitSettings {
  const options = readOptions(owner, given, RULES);
  const { failureRate, slowRate, slowAfter, minimumCalls, clock = systemTime, onHookError } = options;
  const { openFor = DEFAULT_OPEN_FOR } = options;
  const rated = failureRate !== undefined || slowRate !== undefined;
  const halfOpen = readOptions(`${owner} halfOpen`, options.halfOpen ?? {}, HALF_OPEN);
  const slowRates = slowRate ?? halfOpen.slowRate;
  if ((slowRates === undefined) !== (slowAfter === undefined)) {
    throw new TypeError(
      `${owner}: slowRate and slowAfter need each other, got ${slowRates === undefined ? "slowAfter" : "slowRate"} alone`,
    );
  }
  if (!rated && (options.window || minimumCalls !== undefined)) {
    const unused = options.window ? "window" : "minimumCalls";
    throw new TypeError(`${owner}: ${unused} needs a rate, failureRate or slowRate, got none`);
  }
  const { calls = Infinity, ms } = readWindow(owner, options.window ?? { calls: 100 });
  if (minimumCalls !== undefined) checkOrder(owner, "minimumCalls", minimumCalls, "the window's calls", calls);
  const lease =
    options.lease ?? (slowAfter !== undefined && slowAfter < Infinity ? Math.max(60_000, slowAfter) : 60_000);
  const hooks = { kind: { sync: "" }, onHookError };
  if (options.initialState) checkSaved(owner, options.initialState);
  return {
    ...hooks,
    name: options.name ?? "circuit breaker",
    eventName: options.name ?? "circuit breaker",
    rules: {
      consecutiveFailures: options.consecutiveFailures ?? (rated ? Infinity : 5),
      failureRate: failureRate ?? Infinity,
      slowRate: slowRate ?? Infinity,
      minimumCalls: minimumCalls ?? Math.min(20, calls),
      halfOpen: {
        calls: halfOpen.calls ?? 1,
        failureRate: halfOpen.failureRate ?? failureRate ?? Infinity,
        slowRate: halfOpen.slowRate ?? slowRate ?? Infinity,
      },
      openFor: typeof openFor === "function" ? guarded(openFor, hooks) : () => openFor,
      maxOpenFor: options.maxOpenFor ?? 3_600_000,
    },
    slowAfter: slowAfter ?? Infinity,
    lease,
    longTimeout: options.lease === undefined ? lease : Infinity,
    newWindow: () => (rated ? (ms === undefined ? new CallWindow(calls) : new TimeWindow(ms)) : undefined),
    classify: options.classify,
    retryAfter: options.retryAfter ?? ((error) => readField(error, "retryAfter")),
    onStateChange: options.onStateChange,
    onRefused: options.onRefused,
    clock,
    initialState: options.initialState,
  };
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

/** A user's `openFor` where it may fail: then the circuit stays open for as long as by default. */
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
