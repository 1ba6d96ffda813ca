import type { AttemptStart, GiveUpState, Outcome, RetryBudget, RetryOptions, RetryState } from "../common/attempt.js";
import type { AbortSource } from "../common/interrupt.js";
import { askPredicate, JUDGES_ERRORS, mark, READS_ELAPSED, traitsOf, traitsOfPredicate } from "../common/traits.js";
import { ASYNC, CompiledPolicy } from "../loop/policy.js";
import type { StreamPolicy } from "./options.js";

/** What the last retry took from the budget, and for what. */
export interface Paid {
  readonly tokens: number;
  readonly state: RetryState | undefined;
}

/** What a stream does where its policy would only look at a pull. */
export interface PullListener {
  /** The state that strategies and hooks see in the place of a pull's own. */
  seen<S extends RetryState>(state: S): S;
  paid(paid: Paid): void;
  /** A retry was decided. */
  retrying(state: RetryState): Promise<unknown> | undefined;
  givenUp(state: GiveUpState): unknown;
  /** The number of the attempt that opens a source, if this one does. */
  opens(attempt: number): number | undefined;
}

/** The policy of a stream's pulls: the user's strategies see the stream's state, and its hooks hear of openings. */
export function pullPolicy(
  policy: StreamPolicy,
  sources: readonly AbortSource[],
  listener: PullListener,
): CompiledPolicy {
  const { retryIf, budget, attemptTimeout, totalTimeout, onAttempt, onGiveUp, onLateResult, onHookError } = policy;
  const { name, unref, detached, clock, random, retryExhausted } = policy;
  const seen = <V>(strategy: (state: RetryState) => V) =>
    mark((state: RetryState) => strategy(listener.seen(state)), traitsOf(strategy));
  const opens = (start: AttemptStart) => {
    const attempt = listener.opens(start.attempt);
    return attempt === undefined ? undefined : onAttempt?.({ ...start, attempt });
  };
  const options: RetryOptions = {
    stop: seen(policy.stop),
    wait: seen(policy.wait),
    retryIf: retryIf && predicateOf(retryIf, listener),
    budget: budget && budgetOf(budget, listener),
    // A deadline that began before needs to know when the attempt does.
    onAttempt: onAttempt || totalTimeout < Infinity ? opens : undefined,
    onRetry: (state) => listener.retrying(state),
    onGiveUp: onGiveUp && ((state) => listener.givenUp(state)),
    onLateResult: onLateResult && ((late) => onLateResult(itemOf(late))),
    ...{ attemptTimeout, totalTimeout, retryExhausted, onHookError, name, unref, detached, clock, random },
  };
  return new CompiledPolicy(ASYNC, options, sources);
}

function predicateOf(predicate: NonNullable<StreamPolicy["retryIf"]>, { seen }: PullListener) {
  const bits = traitsOfPredicate(predicate);
  return mark(
    (error: unknown, state: RetryState) => askPredicate(predicate, error, seen(state)),
    JUDGES_ERRORS | (bits & READS_ELAPSED),
  );
}

/** A stream pays once, when it ends; its retries are paid one by one. */
function budgetOf(budget: RetryBudget, { seen, paid }: PullListener): RetryBudget {
  const own: RetryBudget = {
    acquire: (state) => budget.acquire(seen(state)),
    recordSuccess: (tokens, state) => tokens > 0 && paid({ tokens, state }),
    refund: (tokens, state) => budget.refund(tokens, state),
    get balance() {
      return budget.balance;
    },
  };
  if (budget.recordFailure) own.recordFailure = (state) => budget.recordFailure!(seen(state));
  return mark(own, 0);
}

function itemOf(late: Outcome): Outcome {
  return late.ok ? { ok: true, value: late.value?.value } : late;
}
