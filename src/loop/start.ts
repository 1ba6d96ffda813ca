import { callHook } from "../common/call-hook.js";
import { NO_ARGS } from "../common/callable.js";
import { type Attempt, abandonableAttempt, enter, FIRST, leave } from "../common/current.js";
import { nextOrdinal } from "../common/exhausted.js";
import { observed } from "../common/observed.js";
import { promiseOf, RESOLVED } from "../common/thenable.js";
import { recordSuccess } from "./book.js";
import { CancellableCall } from "./cancellable-call.js";
import { type Decision, decide } from "./decide.js";
import type { CompiledPolicy } from "./policy.js";
import { EXPIRED, runOf } from "./run.js";
import { type Call, callOf, type State, startOf, stateOf } from "./state.js";
import { type Target, watched } from "./target.js";

/** Starts a call, observed where anybody observes. */
export function start(
  target: Target,
  policy: CompiledPolicy,
  self: unknown,
  args: readonly unknown[],
  succeeded?: (value: unknown) => unknown,
  /** A block, which is its call's `this`, is given its context: that is quicker than to have it ask. */
  block?: Attempt,
): Promise<unknown> {
  target.stats.calls++;
  const ordinal = nextOrdinal();
  if (!observed.watcher) {
    return begin(target, policy, self, args, ordinal, succeeded ?? succeededUnder(target, policy), block);
  }
  const reported = watched(target, policy, self, ordinal);
  return begin(reported, policy, self, args, ordinal, succeededUnder(reported, policy), undefined);
}

/**
 * A success of the first attempt ends here; a run is made where that fails, or where more is asked for. V8 puts a function of
 * at most 460 bytes of its code into its caller: what is rare is elsewhere.
 */
function begin(
  target: Target,
  policy: CompiledPolicy,
  self: unknown,
  args: readonly unknown[],
  ordinal: number,
  succeeded: ((value: unknown) => unknown) | undefined,
  block: Attempt | undefined,
): Promise<unknown> {
  const { fn, stats } = target;
  let startedAt: number;
  try {
    startedAt = policy.needsClock ? policy.clock.now() : 0;
  } catch (error) {
    return brokenBy(target, error);
  }
  const outer = outerOf(policy);
  if (outer || policy.cancellable) {
    return new CancellableCall(target, policy, self, args, ordinal, startedAt, outer).start();
  }
  const call = callOf(target, policy, self, args, ordinal, startedAt);
  const later = policy.onAttempt && tellFirst(call);
  if (later) return later;
  stats.attempts++;
  let promise: Promise<unknown>;
  const before = enter(block ?? FIRST);
  try {
    promise = promiseOf(
      block ? (self as (context: unknown) => unknown)(block.context) : fn.apply(self, args as unknown[]),
    );
  } catch (error) {
    return RESOLVED.then(() => failed(call, error));
  } finally {
    leave(before);
  }
  const returned = succeeded ?? ((value: unknown) => inspected(call, value));
  return promise.then(returned, (error) => failed(call, error));
}

/** Calls `onAttempt` before the first attempt; what the call is then, where that takes time. */
function tellFirst(call: Call): Promise<unknown> | undefined {
  const { policy } = call;
  return callHook(policy, policy.onAttempt!, startOf(call, 1))?.then(() => runOf(call, 0, () => true));
}

function brokenBy(target: Target, error: unknown): Promise<never> {
  countBroken(target, error);
  return Promise.reject(error);
}

/**
 * Starts a call that is a part of something which began at `startedAt`, and whose `totalTimeout` is counted from there. It can be
 * cancelled, and is observed as what `target` says.
 */
export function startPart(
  target: Target,
  policy: CompiledPolicy,
  self: unknown,
  args: readonly unknown[],
  startedAt: number,
): Promise<unknown> {
  target.stats.calls++;
  const call = new CancellableCall(target, policy, self, args, nextOrdinal(), startedAt, outerOf(policy));
  if (policy.totalTimeout < Infinity && policy.clock.now() - startedAt >= policy.totalTimeout) call.interrupt(EXPIRED);
  return call.start();
}

/** The attempt that a call ends with; one that was handed that attempt's signal ends by that. */
function outerOf({ detached, abortSources }: CompiledPolicy): Attempt | undefined {
  const outer = detached ? undefined : abandonableAttempt();
  return outer && abortSources.some(({ signal }) => outer.owns(signal)) ? undefined : outer;
}

function failed(call: Call, error: unknown): PromiseLike<unknown> {
  return runOf(call, 1, (run) => run.settle({ ok: false, error }));
}

/** A first value that somebody looks at: what is accepted at once needs no run. */
function inspected(call: Call, value: unknown): unknown {
  const { policy } = call;
  if (policy.takesAnyValue) return recordAndCount(call, value);
  const state = stateOf(call, 1, { ok: true, value }, 0, 0);
  if (policy.readsValues) {
    const decision = decisionOn(call, state);
    if (decision !== "accept") return runOf(call, 1, (run) => run.goBy(state, decision));
  }
  recordAndCount(call, value);
  const { onSuccess } = policy;
  const pending = onSuccess && callHook(policy, onSuccess, state);
  return pending ? pending.then(() => value) : value;
}

function decisionOn({ target, policy, ordinal }: Call, state: State): Decision | Promise<Decision> {
  try {
    return decide(policy, state, ordinal);
  } catch (error) {
    countBroken(target, error);
    throw error;
  }
}

/** Counts a call that a strategy or a clock which failed has ended. */
function countBroken({ stats, watch }: Target, error: unknown): void {
  stats.failures++;
  watch?.giveUp("broken", error);
}

/** Counts a call that succeeded at once, pays its budget, and hands the value on. */
function recordAndCount({ target, policy, args }: Call, value: unknown): unknown {
  if (policy.budget) recordSuccess(policy, 0, undefined, args);
  return target.succeeded(value);
}

/** What counts a call that succeeded at once, for all calls alike, where nothing looks at its value or its arguments. */
export function succeededUnder(target: Target, policy: CompiledPolicy): ((value: unknown) => unknown) | undefined {
  if (!policy.mustInspectValue) return target.succeeded;
  if (!policy.takesAnyValue || policy.budgetReadsArgs) return undefined;
  const call = callOf(target, policy, undefined, NO_ARGS, 0, 0);
  return (value) => recordAndCount(call, value);
}
