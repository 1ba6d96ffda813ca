import type { GiveUpReason, GiveUpState, Outcome } from "../common/attempt.js";
import { RetryExhaustedError, StrategyError, TotalTimeoutError } from "../common/errors.js";
import { isExhausted, isHopeless } from "../common/exhausted.js";
import { codeOf, readField } from "../common/inspect.js";
import { isAbortError } from "../common/is-abort.js";
import { testSwitch } from "../common/test-switch.js";
import { isThenable } from "../common/thenable.js";
import { askPredicate } from "../common/traits.js";
import { show } from "../common/validate.js";
import { bookInBudget } from "./book.js";
import type { CompiledPolicy } from "./policy.js";
import type { State } from "./state.js";

/**
 * What follows an attempt: return its value; give up, and why; or, a number, try again after `state.delay` ms, having
 * taken that many tokens from the budget.
 */
export type Decision = "accept" | Exclude<GiveUpReason, "aborted"> | number;

// Recognised by their codes, so that an error of another copy of this package counts.
const NON_RETRYABLE = "ERR_NON_RETRYABLE";
const TRY_AGAIN = "ERR_TRY_AGAIN";
const NEVER_RETRIED: readonly unknown[] = [NON_RETRYABLE, "ERR_RETRY_STRATEGY", "ERR_CIRCUIT_OPEN"];

/**
 * Decides what follows the attempt with the number `ordinal`. A promise only where `retryIf` or the budget gave
 * one. Throws a `StrategyError` where a strategy failed.
 */
export function decide(policy: CompiledPolicy, state: State, ordinal: number): Decision | Promise<Decision> {
  const { outcome } = state;
  if (outcome.ok) return policy.readsValues ? byRetryIf(policy, state) : "accept";

  const { error } = outcome;
  const code = codeOf(error);
  // A TryAgainError overrules what its cause exhausted; only one that itself exhausted an inner run is gated.
  const depth = code === TRY_AGAIN ? 0 : 10;
  state.exhausted = isExhausted(error, ordinal, depth);
  if (code !== undefined && NEVER_RETRIED.includes(code)) return "not-retryable";
  if (state.exhausted) {
    if (!policy.retryExhausted) return "exhausted";
    if (isHopeless(error, ordinal, depth)) return "not-retryable";
  }
  return code === TRY_AGAIN ? plan(policy, state, false, readField(error, "after")) : byRetryIf(policy, state);
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
  return !!ask(policy, "stop", policy.stop, Object.assign({}, state, { elapsed: now, delay }));
}

/** The error that giving up for `reason` ends in. */
export function finalError(policy: CompiledPolicy, state: State, reason: GiveUpReason): unknown {
  const { outcome } = state;
  if (reason === "deadline") return new TotalTimeoutError(policy.totalTimeout, state.attempt, outcome);
  if (outcome.ok) return new RetryExhaustedError(state);
  const { error } = outcome;
  const cause = readField(error, "cause");
  const code = codeOf(error);
  if (code === NON_RETRYABLE && typeof cause === "object" && cause !== null) return cause;
  if (code === TRY_AGAIN && cause !== undefined) return cause;
  return error;
}

/** The state in which a call is given up. */
export function finalState(state: State, reason: GiveUpReason, error: unknown): GiveUpState {
  // No `{ ...state, reason }`: Node 20 takes 2 µs for each key that follows a spread.
  return Object.assign({}, state, { reason, error });
}

/** Why a call was given up, and on what. */
export type Ending = Pick<GiveUpState, "reason" | "outcome">;

/** Whether an outer run must not retry what this one gave up on. */
export function exhausts(final: Ending): boolean {
  return final.reason !== "not-retryable" || isNonRetryable(final);
}

/** Whether it must not do so in any case. */
export function isNonRetryable({ outcome }: Ending): boolean {
  return !outcome.ok && codeOf(outcome.error) === NON_RETRYABLE;
}

/** What follows by `retryIf`. */
function byRetryIf(policy: CompiledPolicy, state: State): Decision | Promise<Decision> {
  const { retryIf } = policy;
  const { outcome } = state;
  const error = outcome.ok ? undefined : outcome.error;
  if (!retryIf) return isAbortError(error) ? "not-retryable" : plan(policy, state, drawsBudget(policy, state));
  const wanted = ask(policy, "retryIf", (asked) => askPredicate(retryIf, error, asked), state);
  if (!(wanted instanceof Promise)) return afterRetryIf(policy, state, wanted);
  return wanted.then((answer) => afterRetryIf(policy, state, answer));
}

function afterRetryIf(policy: CompiledPolicy, state: State, wanted: unknown): Decision | Promise<Decision> {
  const { ok } = state.outcome;
  if (wanted) return plan(policy, state, drawsBudget(policy, state));
  return ok ? "accept" : "not-retryable";
}

/**
 * Whether the retry draws on the budget. A value that is not wanted yet is no failure of the callee, and an attempt
 * that a full bulkhead refused did not reach it.
 */
function drawsBudget({ isFree }: CompiledPolicy, state: State): boolean {
  const { outcome } = state;
  return !outcome.ok && codeOf(outcome.error) !== "ERR_BULKHEAD_FULL" && !isFree?.(state);
}

/** Another attempt is wanted: when, and is it allowed? `draws`: it costs tokens of the budget. */
function plan(policy: CompiledPolicy, state: State, draws: boolean, after?: unknown): Decision | Promise<Decision> {
  const { budget, wait, stop } = policy;
  const { outcome } = state;
  if (draws && budget?.recordFailure) bookInBudget(policy, "recordFailure", state);
  // Not by `ask`: a call that has one function to call, time and again, is quicker than one that has several.
  let asked: "wait" | "stop" = "wait";
  let delay = after;
  let stops: unknown;
  const test = testSwitch();
  try {
    delay ??= wait(state);
    if (!isPlain(delay)) examine(policy, asked, delay, state, outcome);
    state.delay = test?.waits === false ? 0 : (delay as number);
    asked = "stop";
    stops = (test?.stop ?? stop)(state);
    if (!isPlain(stops)) examine(policy, asked, stops, state, outcome);
  } catch (cause) {
    fail(asked, outcome, cause);
  }
  if (stops) return "stopped";
  amountOf("wait", delay, outcome);
  if (state.elapsed + state.delay >= policy.totalTimeout) return "deadline";
  if (!draws || !budget) return 0;
  const taken = ask(policy, "budget", (failed) => budget.acquire(failed), state);
  return taken instanceof Promise
    ? taken.then((tokens) => amountOf("budget", tokens, outcome) || "budget")
    : amountOf("budget", taken, outcome) || "budget";
}

/** ms or tokens. */
function amountOf(strategy: StrategyError["strategy"], answer: unknown, outcome: Outcome): number {
  if (typeof answer === "number" && answer >= 0 && answer < Infinity) return answer;
  return fail(strategy, outcome, new RangeError(`${strategy} must return a finite number >= 0, got ${show(answer)}`));
}

/**
 * Asks a strategy. Whatever it throws or rejects with is a `StrategyError`, and so is a result that it may not return. A
 * promise comes back only where the policy may wait for one.
 */
function ask(
  policy: CompiledPolicy,
  strategy: StrategyError["strategy"],
  fn: (state: State) => unknown,
  state: State,
): unknown {
  const { outcome } = state;
  try {
    const answer = fn(state);
    return isPlain(answer) ? answer : examine(policy, strategy, answer, state, outcome);
  } catch (cause) {
    return fail(strategy, outcome, cause);
  }
}

function isPlain(answer: unknown): boolean {
  return typeof answer !== "object" && typeof answer !== "function";
}

/** Looks at a result that is no plain value: a promise may do, a function never. */
function examine(
  policy: CompiledPolicy,
  strategy: StrategyError["strategy"],
  answer: unknown,
  state: State,
  outcome: Outcome,
): unknown {
  if (!isThenable(answer)) return checked(strategy, answer);
  const promise = Promise.resolve(answer);
  if (!policy.kind.sync && (strategy === "retryIf" || strategy === "budget")) {
    return promise
      .then((settled) => checked(strategy, settled))
      .then(undefined, (cause) => fail(strategy, outcome, cause));
  }
  // The error below says what went wrong: nothing waits for the promise. Tokens that it grants are given back.
  promise.then(
    (taken) => strategy === "budget" && (taken as number) > 0 && bookInBudget(policy, "refund", taken as number, state),
    () => {},
  );
  throw new TypeError(`${strategy} must be synchronous; it returned a promise`);
}

function checked(strategy: StrategyError["strategy"], answer: unknown): unknown {
  if (typeof answer !== "function") return answer;
  throw new TypeError(`${strategy} returned a function: was a factory passed without a call?`);
}

function fail(strategy: StrategyError["strategy"], outcome: Outcome, cause: unknown): never {
  throw new StrategyError(strategy, outcome, cause);
}
