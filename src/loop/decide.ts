import type { GiveUpReason, GiveUpState, Outcome } from "../common/attempt.js";
import { changed } from "../common/attempt-state.js";
import { kindOf, MISUSE } from "../common/brand.js";
import { RetryExhaustedError, StrategyError, TotalTimeoutError } from "../common/errors.js";
import { isExhausted, isHopeless } from "../common/exhausted.js";
import { readField } from "../common/inspect.js";
import { isAbortError } from "../common/is-abort.js";
import { UNCALLED } from "../common/meant.js";
import { note } from "../common/observed.js";
import { testSwitch } from "../common/test-switch.js";
import { isThenable, requireSync } from "../common/thenable.js";
import { askPredicate, READS_DELAY, traitsOf } from "../common/traits.js";
import { show } from "../common/validate.js";
import { bookInBudget } from "./book.js";
import type { CompiledPolicy } from "./policy.js";
import type { State } from "./state.js";

/**
 * What follows an attempt: return its value; give up, and why; or, a number, try again after `state.delay` ms, having
 * taken that many tokens from the budget.
 */
export type Decision = "accept" | Exclude<GiveUpReason, "aborted"> | number;

/** Whom a decision is for. */
interface Undecided {
  /** Nothing has ended it meanwhile. */
  readonly goesOn: boolean;
}

const NON_RETRYABLE = "ERR_NON_RETRYABLE";
const TRY_AGAIN = "ERR_TRY_AGAIN";
export const NEVER_RETRIED: readonly unknown[] = [NON_RETRYABLE, MISUSE, "ERR_RETRY_STRATEGY", "ERR_CIRCUIT_OPEN"];

type Strategy = StrategyError["strategy"];

// On the state, where a strategy threw something to end the call: copies of the state take it with them.
const thrownToEnd: unique symbol = /* @__PURE__ */ Symbol("undaunted.end");

type MayEnd = { [thrownToEnd]?: unknown };

/**
 * Decides what follows the attempt with the number `ordinal`. A promise only where `retryIf` or the budget gave
 * one. A strategy that throws a `NonRetryableError` ends the call with it; one that fails in another way, a
 * `StrategyError` is thrown.
 */
export function decide(
  policy: CompiledPolicy,
  state: State,
  ordinal: number,
  run?: Undecided,
): Decision | Promise<Decision> {
  const end = (thrown: unknown): Decision => {
    noteEnd(state, thrown);
    return "not-retryable";
  };
  try {
    const decision = weigh(policy, state, ordinal, run);
    return decision instanceof Promise ? decision.then(undefined, end) : decision;
  } catch (thrown) {
    return end(thrown);
  }
}

/** Notes that a strategy ended the call; what else it threw is thrown on. */
function noteEnd(state: State, thrown: unknown): void {
  if (kindOf(thrown) !== NON_RETRYABLE) throw thrown;
  (state as MayEnd)[thrownToEnd] = thrown;
}

function weigh(
  policy: CompiledPolicy,
  state: State,
  ordinal: number,
  run: Undecided | undefined,
): Decision | Promise<Decision> {
  const { outcome } = state;
  if (outcome.ok) return policy.readsValues ? byRetryIf(policy, state, run) : "accept";

  const { error } = outcome;
  const kind = kindOf(error);
  // A TryAgainError overrules what its cause exhausted; only one that itself exhausted an inner run is gated.
  const depth = kind === TRY_AGAIN ? 0 : 10;
  state.exhausted = isExhausted(error, ordinal, depth);
  if (kind !== undefined && NEVER_RETRIED.includes(kind)) return "not-retryable";
  if (state.exhausted) {
    if (!policy.retryExhausted) return "exhausted";
    if (isHopeless(error, ordinal, depth)) return "not-retryable";
  }
  return kind === TRY_AGAIN ? plan(policy, state, false, readField(error, "after")) : byRetryIf(policy, state, run);
}

/** ms that attempt `n` may take. Throws a `StrategyError` where the user's function fails at that; `last` is what came before. */
export function attemptTimeoutOf({ attemptTimeout }: CompiledPolicy, n: number, last?: Outcome): number {
  if (typeof attemptTimeout === "number") return attemptTimeout;
  try {
    const ms = requireSync("attemptTimeout", attemptTimeout(n));
    if (typeof ms === "number" && ms > 0) return ms;
    throw new RangeError(`attemptTimeout must return a number of ms above 0, got ${show(ms)}`);
  } catch (cause) {
    throw new StrategyError("attemptTimeout", last, cause);
  }
}

/** Whether a sleep that would begin now has no time left: strategies and hooks may have taken it meanwhile. */
export function reachesDeadline({ totalTimeout, clock }: CompiledPolicy, startedAt: number, delay: number): boolean {
  return totalTimeout < Infinity && clock.now() - startedAt + delay >= totalTimeout;
}

/**
 * Whether a `stop` that looks at the coming sleep would stop by now, where more than `elapsed` ms have passed: predicates,
 * hooks, a budget or a late timer may have taken them.
 */
export function asksStopAgain(
  policy: CompiledPolicy,
  startedAt: number,
  state: State,
  elapsed: number,
  delay: number,
): boolean {
  const now = policy.clock.now() - startedAt;
  if (now <= elapsed) return false;
  const later = changed(state, { elapsed: now, delay });
  try {
    return !!ask(policy, "stop", policy.stop, later, state.outcome);
  } catch (thrown) {
    noteEnd(state, thrown);
    return true;
  }
}

/** The error that giving up for `reason` ends in. */
export function finalError(policy: CompiledPolicy, state: State, reason: GiveUpReason): unknown {
  const { outcome } = state;
  if (reason === "deadline") return new TotalTimeoutError(policy.totalTimeout, state.attempt, outcome);
  const thrown = (state as MayEnd)[thrownToEnd];
  if (outcome.ok && !thrown) return new RetryExhaustedError(state);
  const error = outcome.ok ? thrown : (thrown ?? outcome.error);
  const cause = readField(error, "cause");
  const kind = kindOf(error);
  if (kind === NON_RETRYABLE && typeof cause === "object" && cause !== null) return cause;
  if (kind === TRY_AGAIN && cause !== undefined) return cause;
  return error;
}

/** The state in which a call is given up. */
export function finalState(state: State, reason: GiveUpReason, error: unknown): GiveUpState {
  return changed(state, { reason: thrownToEnd in state ? "not-retryable" : reason, error });
}

/** Why a call was given up, and on what. */
export type Ending = Pick<GiveUpState, "reason" | "outcome">;

/** Whether an outer run must not retry what this one gave up on. */
export function exhausts(final: Ending): boolean {
  return final.reason !== "not-retryable" || isNonRetryable(final);
}

/** Whether it must not do so in any case. */
export function isNonRetryable(final: Ending): boolean {
  return thrownToEnd in final || (!final.outcome.ok && kindOf(final.outcome.error) === NON_RETRYABLE);
}

/** What follows by `retryIf`. */
function byRetryIf(policy: CompiledPolicy, state: State, run: Undecided | undefined): Decision | Promise<Decision> {
  const { retryIf } = policy;
  const { outcome } = state;
  const error = outcome.ok ? undefined : outcome.error;
  if (!retryIf) return isAbortError(error) ? "not-retryable" : plan(policy, state, drawsBudget(policy, state));
  const judged = (wanted: unknown) => {
    // Nothing more is asked about a call that something has ended meanwhile, and nobody goes by what is decided.
    if (wanted && run?.goesOn !== false) return plan(policy, state, drawsBudget(policy, state));
    return outcome.ok ? "accept" : "not-retryable";
  };
  const wanted = ask(policy, "retryIf", (asked) => askPredicate(retryIf, error, asked), state, outcome);
  return wanted instanceof Promise ? wanted.then(judged) : judged(wanted);
}

/**
 * Whether the retry draws on the budget. A value that is not wanted yet is no failure of the callee, and an attempt
 * that a full bulkhead refused did not reach it.
 */
function drawsBudget({ isFree }: CompiledPolicy, state: State): boolean {
  const { outcome } = state;
  return !outcome.ok && kindOf(outcome.error) !== "ERR_BULKHEAD_FULL" && !isFree?.(state);
}

/** Another attempt is wanted: when, and is it allowed? `draws`: it costs tokens of the budget. */
function plan(policy: CompiledPolicy, state: State, draws: boolean, after?: unknown): Decision | Promise<Decision> {
  const { budget } = policy;
  // Read before a strategy can write to the state.
  const { outcome } = state;
  if (draws && budget?.recordFailure) bookInBudget(policy, "recordFailure", state);
  const test = testSwitch();
  const stop = test?.stop ?? policy.stop;
  const readsDelay = (traitsOf(stop) & READS_DELAY) > 0;
  if (!readsDelay && ask(policy, "stop", stop, state, outcome)) return "stopped";
  let broken: unknown;
  try {
    const delay = ask(policy, "wait", after === undefined ? policy.wait : () => after, state, outcome);
    state.delay = test?.waits === false ? 0 : (delay as number);
  } catch (error) {
    // Where `stop` ends the call anyway, the attempt's own error says more.
    if (!readsDelay || kindOf(error) === NON_RETRYABLE) throw error;
    broken = error;
  }
  if (readsDelay && ask(policy, "stop", stop, state, outcome)) return "stopped";
  if (broken) throw broken;
  if (state.elapsed + state.delay >= policy.totalTimeout) return "deadline";
  if (!draws || !budget) return 0;
  const paid = (tokens: unknown): Decision => {
    note(state, { paid: tokens as number });
    return (tokens as number) || "budget";
  };
  const taken = ask(policy, "budget", (failed) => budget.acquire(failed), state, outcome);
  return taken instanceof Promise ? taken.then(paid) : paid(taken);
}

/**
 * Asks a strategy. Whatever it throws or rejects with is a `StrategyError`, and so is a result that it may not return; a
 * `NonRetryableError` comes through, to end the call. A promise comes back only where the policy may wait for one.
 */
function ask(
  policy: CompiledPolicy,
  strategy: Strategy,
  fn: (state: State) => unknown,
  state: State,
  outcome: Outcome,
): unknown {
  const fail = (cause: unknown): never => {
    throw kindOf(cause) === NON_RETRYABLE ? cause : new StrategyError(strategy, outcome, cause);
  };
  try {
    const answer = fn(state);
    if (!isThenable(answer)) return checked(strategy, answer);
    const promise = Promise.resolve(answer);
    if (!policy.kind.sync && (strategy === "retryIf" || strategy === "budget")) {
      return promise.then((settled) => checked(strategy, settled)).then(undefined, fail);
    }
    // The error below says what went wrong: nothing waits for the promise. Tokens that it grants are given back.
    promise.then(
      (taken) =>
        strategy === "budget" && (taken as number) > 0 && bookInBudget(policy, "refund", taken as number, state),
      () => {},
    );
    throw new TypeError(`${strategy} must be synchronous; it returned a promise`);
  } catch (cause) {
    return fail(cause);
  }
}

/** What a strategy returned, if it may. */
function checked(strategy: Strategy, answer: unknown): unknown {
  if (typeof answer === "function") {
    throw new TypeError(`${strategy} returned a function${UNCALLED}`);
  }
  // ms or tokens.
  const isAmount = strategy === "wait" || strategy === "budget";
  if (isAmount && !(typeof answer === "number" && answer >= 0 && answer < Infinity)) {
    throw new RangeError(`${strategy} must return a finite number >= 0, got ${show(answer)}`);
  }
  return answer;
}
