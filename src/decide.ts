import type { GiveUpReason, GiveUpState, Outcome } from "./attempt.js";
import {
  describe,
  RetryExhaustedError,
  readField,
  StrategyError,
  TotalTimeoutError,
  type TryAgainError,
} from "./errors.js";
import { isExhausted } from "./exhausted.js";
import type { Policy } from "./policy.js";
import type { State } from "./state.js";
import { isThenable } from "./thenable.js";

/**
 * What follows an attempt: return its value; give up, and why; or, a number, try again after `state.delay` ms, having
 * taken that many tokens from the budget.
 */
export type Decision = "accept" | Exclude<GiveUpReason, "aborted"> | number;

// Told by their codes, so that an error of another copy of this package counts.
const NON_RETRYABLE = "ERR_NON_RETRYABLE";
const TRY_AGAIN = "ERR_TRY_AGAIN";
const NEVER_RETRIED: readonly unknown[] = [NON_RETRYABLE, "ERR_RETRY_STRATEGY", "ERR_CIRCUIT_OPEN"];

/**
 * Decides what follows the attempt that began at number `began`. A promise only where `retryIf` or the budget gave
 * one. Throws a `StrategyError` where a strategy failed.
 */
export function decide(policy: Policy, state: State, began: number): Decision | Promise<Decision> {
  const { outcome } = state;
  if (outcome.ok) return policy.readsValues ? judge(policy, state) : "accept";

  const { error } = outcome;
  const code = readField(error, "code");
  // A TryAgainError overrules what its cause exhausted; only one that itself exhausted an inner run is gated.
  state.exhausted = isExhausted(error, began, code !== TRY_AGAIN);
  if (NEVER_RETRIED.includes(code)) return "not-retryable";
  if (state.exhausted && !policy.retryExhausted) return "exhausted";
  if (code === TRY_AGAIN) return plan(policy, state, false, (error as TryAgainError).after);
  return judge(policy, state);
}

/** The error that giving up for `reason` ends in. */
export function finalError(policy: Policy, state: State, reason: GiveUpReason): unknown {
  const { outcome } = state;
  if (reason === "deadline") return new TotalTimeoutError(policy.totalTimeout, state.attempt, outcome);
  if (outcome.ok) return new RetryExhaustedError(state);
  const { error } = outcome;
  const cause = readField(error, "cause");
  const code = readField(error, "code");
  if (code === NON_RETRYABLE && typeof cause === "object" && cause !== null) return cause;
  if (code === TRY_AGAIN && cause !== undefined) return cause;
  return error;
}

/** Whether an outer run must not retry what this one gave up on. */
export function exhausts({ reason, outcome }: GiveUpState): boolean {
  return reason !== "not-retryable" || (!outcome.ok && readField(outcome.error, "code") === NON_RETRYABLE);
}

function judge(policy: Policy, state: State): Decision | Promise<Decision> {
  if (!policy.retryIf) return plan(policy, state, true);
  const wanted = ask(policy, "retryIf", policy.retryIf, state);
  if (!isThenable(wanted)) return judged(policy, state, wanted as boolean);
  return wanted.then(
    (answer) => judged(policy, state, !!settled("retryIf", answer, state.outcome)),
    (cause) => fail("retryIf", state.outcome, cause),
  );
}

function judged(policy: Policy, state: State, wanted: boolean): Decision | Promise<Decision> {
  if (state.outcome.ok) return wanted ? plan(policy, state, false) : "accept";
  return wanted ? plan(policy, state, true) : "not-retryable";
}

/** Another attempt is wanted: when, and is it allowed? `paid`: by the budget. */
function plan(policy: Policy, state: State, paid: boolean, after?: number): Decision | Promise<Decision> {
  const { outcome } = state;
  if (paid && policy.budget?.recordFailure) note(policy, state);
  state.delay = after ?? (ask(policy, "wait", policy.wait, state) as number);
  if (ask(policy, "stop", policy.stop, state)) return "stopped";
  const { delay } = state;
  if (typeof delay !== "number" || !(delay >= 0 && delay < Infinity)) {
    fail("wait", outcome, new RangeError(`a delay must be a finite number of ms from 0, got ${describe(delay)}`));
  }
  if (state.elapsed + delay >= policy.totalTimeout) return "deadline";
  return paid && policy.budget ? pay(policy, state) : 0;
}

function note({ budget }: Policy, state: State): void {
  try {
    budget!.recordFailure!(state);
  } catch (cause) {
    fail("budget", state.outcome, cause);
  }
}

function pay(policy: Policy, state: State): Decision | Promise<Decision> {
  const taken = ask(policy, "budget", (each) => policy.budget!.acquire(each), state);
  if (!isThenable(taken)) return paidWith(taken, state.outcome);
  return taken.then(
    (tokens) => paidWith(tokens, state.outcome),
    (cause) => fail("budget", state.outcome, cause),
  );
}

function paidWith(taken: unknown, outcome: Outcome): Decision {
  if (typeof taken === "number" && taken >= 0 && taken < Infinity) return taken || "budget";
  return fail("budget", outcome, new RangeError(`tokens taken must be a finite number from 0, got ${describe(taken)}`));
}

/** Asks a strategy. Whatever it throws is a `StrategyError`, and so is an answer that it may not give. */
function ask(
  policy: Policy,
  strategy: StrategyError["strategy"],
  fn: (state: State) => unknown,
  state: State,
): unknown {
  let answer: unknown;
  try {
    answer = fn(state);
  } catch (cause) {
    fail(strategy, state.outcome, cause);
  }
  if (isThenable(answer)) {
    const mayBeAsync = !policy.sync && (strategy === "retryIf" || strategy === "budget");
    if (mayBeAsync) return answer;
    // Its rejection is nobody's any more: the error below says what went wrong.
    answer.then(undefined, () => {});
    fail(strategy, state.outcome, new TypeError(`${strategy} must answer at once here, got a promise`));
  }
  return settled(strategy, answer, state.outcome);
}

function settled(strategy: StrategyError["strategy"], answer: unknown, outcome: Outcome): unknown {
  if (typeof answer !== "function") return answer;
  return fail(
    strategy,
    outcome,
    new TypeError(`${strategy} answered a function: was a factory passed without a call?`),
  );
}

function fail(strategy: StrategyError["strategy"], outcome: Outcome, cause: unknown): never {
  throw new StrategyError(strategy, outcome, cause);
}
