import { callHook } from "../common/call-hook.js";
import { NO_ARGS } from "../common/callable.js";
import { type Attempt, type AttemptSource, enter, FIRST, leave } from "../common/current.js";
import { nextOrdinal } from "../common/exhausted.js";
import { recordSuccess } from "./book.js";
import { CancellableRun } from "./cancellable-run.js";
import { type Decision, decide } from "./decide.js";
import type { CompiledPolicy } from "./policy.js";
import { RESOLVED, Run } from "./run.js";
import { type Call, callOf, type State, startOf, stateOf } from "./state.js";
import type { Target } from "./target.js";

/** Starts a call. A success of its first attempt ends here; a run is made where that fails, or where more is asked for. */
export function start(
  target: Target,
  policy: CompiledPolicy,
  self: unknown,
  args: readonly unknown[],
  context: AttemptSource | Attempt = FIRST,
): Promise<unknown> {
  const { fn, stats } = target;
  const ordinal = nextOrdinal();
  const call = callOf(target, policy, self, args, ordinal, policy.needsClock ? policy.clock.now() : 0);
  stats.calls++;
  if (policy.cancellable) {
    const run = new CancellableRun(call);
    run.start();
    return run.promise;
  }
  if (policy.onAttempt) {
    const pending = callHook(policy, policy.onAttempt, startOf(call, 1));
    if (pending) return pending.then(() => runOf(call, 0, (run) => run.launch()));
  }
  const outer = enter(context);
  let promise: Promise<unknown>;
  stats.attempts++;
  try {
    // A block, which is its call's `this`, has its context already: that is quicker.
    promise = Promise.resolve(
      context === FIRST ? fn.apply(self, args as unknown[]) : (self as (context: unknown) => unknown)(context),
    );
  } catch (error) {
    return RESOLVED.then(() => failed(call, error));
  } finally {
    leave(outer);
  }
  let returned: (value: unknown) => unknown = target.succeeded;
  if (policy.mustInspectValue) {
    returned =
      policy.takesAnyValue && !policy.budgetReadsArgs ? payingFor(target, policy) : (value) => judged(call, value);
  }
  return promise.then(returned, (error) => failed(call, error));
}

/**
 * What the caller's promise is resolved with where a call goes on as a run: it hands over its own native `resolve` and
 * `reject`, so that the run needs no promise of its own.
 */
function runOf(call: Call, attempt: number, begin: (run: Run) => void): PromiseLike<unknown> {
  const then = (resolve: (value: unknown) => void, reject: (error: unknown) => void) =>
    begin(new Run(call, attempt, resolve, reject));
  return { then } as PromiseLike<unknown>;
}

function failed(call: Call, error: unknown): PromiseLike<unknown> {
  return runOf(call, 1, (run) => run.settled({ ok: false, error }));
}

/** A first value that somebody looks at: what is accepted at once needs no run. */
function judged(call: Call, value: unknown): unknown {
  const { policy } = call;
  if (policy.takesAnyValue) return paid(call, value);
  const state = stateOf(call, 1, { ok: true, value }, 0, 0);
  if (policy.readsValues) {
    const decision = decisionOn(call, state);
    if (decision !== "accept") return runOf(call, 1, (run) => run.decided(state, decision));
  }
  paid(call, value);
  const { onSuccess } = policy;
  const pending = onSuccess && callHook(policy, onSuccess, state);
  return pending ? pending.then(() => value) : value;
}

function decisionOn({ target, policy, ordinal }: Call, state: State): Decision | Promise<Decision> {
  try {
    return decide(policy, state, ordinal);
  } catch (error) {
    target.stats.failures++;
    throw error;
  }
}

/** Counts a call that succeeded at once, pays its budget, and hands the value on. */
function paid({ target, policy, args }: Call, value: unknown): unknown {
  if (policy.budget) recordSuccess(policy, 0, undefined, args);
  return target.succeeded(value);
}

/** `paid` for a budget that does not look at the arguments: one closure for all calls under one policy. */
function payingFor(target: Target, policy: CompiledPolicy): (value: unknown) => unknown {
  if (target.paying?.policy !== policy) {
    const call = callOf(target, policy, undefined, NO_ARGS, 0, 0);
    target.paying = { policy, succeeded: (value) => paid(call, value) };
  }
  return target.paying.succeeded;
}
