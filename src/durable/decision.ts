import type { GiveUpReason, Outcome } from "../common/attempt.js";
import { AttemptState } from "../common/attempt-state.js";
import { kindOf } from "../common/brand.js";
import { callHook } from "../common/call-hook.js";
import { TotalTimeoutError } from "../common/errors.js";
import type { Watchable } from "../common/observed.js";
import { type PlainError, toPlainError } from "../common/plain-error.js";
import { bookInBudget, recordSuccess } from "../loop/book.js";
import {
  asksStopAgain,
  type Decision,
  decide,
  exhausts,
  finalError,
  finalState,
  NEVER_RETRIED,
  reachesDeadline,
} from "../loop/decide.js";
import type { CompiledPolicy } from "../loop/policy.js";
import { countsOf, seedCounts } from "./counts.js";
import { lastErrorOf, type RetryMemo } from "./memo.js";

/** Why a durable call was given up: by the policy, because a strategy failed, or because nobody knows its memo. */
export type DurableGiveUpReason = GiveUpReason | "strategy" | "memo";

/** What follows an attempt: plain JSON, wherever the accepted value is. */
export type NextAttempt<T = any> =
  | {
      readonly do: "retry";
      /** ms to wait before the next attempt. */
      readonly delay: number;
      /** Epoch ms: when that is. */
      readonly at: number;
      /** What the next decision is to be handed. */
      readonly memo: RetryMemo;
      /** What the attempt failed with; absent where it returned a value that is not wanted yet. */
      readonly error?: PlainError;
    }
  | { readonly do: "accept"; readonly value: T }
  | {
      readonly do: "giveUp";
      readonly reason: DurableGiveUpReason;
      /** What the call ends in, `exhausted` where nobody else is to try again. `reviveError` makes an error of it. */
      readonly error: PlainError;
      readonly memo: RetryMemo;
    };

/** An attempt that ended, and what is known of its call. */
export interface Facts {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly outcome: Outcome;
  /** Attempts made, this one included. */
  readonly attempt: number;
  /** Epoch ms. */
  readonly startedAt: number;
  /** Epoch ms: when this attempt began. */
  readonly begunAt: number;
  /** Epoch ms. */
  readonly now: () => number;
  /** The number of the attempt in this process, or 0. */
  readonly ordinal: number;
  /** What ended the attempt before it ended by itself. */
  readonly interruption?: "deadline" | "aborted" | "broken" | undefined;
  readonly memo: RetryMemo | undefined;
  /** The attempt, to those who observe. */
  readonly watched: Watchable | undefined;
}

/** A decision, and the very error that it is about: what the attempt failed with, or what the call ends in. */
export interface Decided {
  readonly next: NextAttempt;
  readonly error?: unknown;
}

interface Work {
  readonly policy: CompiledPolicy;
  readonly facts: Facts;
  readonly state: AttemptState;
}

/** Decides what follows an attempt, as the loop would. Never rejects. */
export async function decideNext(compiled: CompiledPolicy, facts: Facts): Promise<Decided> {
  const { name, args, attempt, outcome, startedAt, begunAt, memo, interruption } = facts;
  const policy: CompiledPolicy = { ...compiled, clock: { ...compiled.clock, now: facts.now } };
  const now = facts.now();
  const [elapsed, attemptElapsed] = [Math.max(0, now - startedAt), Math.max(0, now - begunAt)];
  const { previousDelay = 0, idle = 0 } = memo ?? {};
  const call = {};
  seedCounts(call, memo?.errors ?? {}, attempt - 1);
  const state = new AttemptState(
    call,
    name,
    args,
    attempt,
    outcome,
    elapsed,
    attemptElapsed,
    previousDelay,
    idle,
    policy.random,
  );
  const work = { policy, facts, state };
  facts.watched?.watch?.ended();
  if (interruption === "broken") return broken(work, errorOf(outcome));
  if (interruption) return giveUp(work, interruption, interruption === "aborted" ? errorOf(outcome) : late(work));
  let decision: Decision;
  try {
    decision = await decide(policy, state, facts.ordinal);
  } catch (error) {
    return broken(work, error);
  }
  if (typeof decision === "number") return retryAfter(work, decision);
  return decision === "accept" ? accept(work) : giveUp(work, decision);
}

function errorOf(outcome: Outcome): unknown {
  return outcome.ok ? undefined : outcome.error;
}

/** The deadline came in the attempt: its own error says nothing. */
function late({ policy, facts: { attempt, memo } }: Work): TotalTimeoutError {
  const error = memo && lastErrorOf(memo);
  return new TotalTimeoutError(policy.totalTimeout, attempt, error && { ok: false, error });
}

async function retryAfter(work: Work, taken: number): Promise<Decided> {
  const { policy, facts, state } = work;
  const { startedAt } = facts;
  // Read before the hook: a hook that writes to the state changes nothing.
  const { delay, elapsed, idle, outcome } = state;
  if (policy.onRetry) await callHook(policy, policy.onRetry, state);
  const over = (end: () => Decided | Promise<Decided>) => {
    if (taken > 0) bookInBudget(policy, "refund", taken, state);
    return end();
  };
  try {
    if (reachesDeadline(policy, startedAt, delay)) return over(() => giveUp(work, "deadline"));
    if (policy.stopsBeforeDelay && asksStopAgain(policy, startedAt, state, elapsed, delay)) {
      return over(() => giveUp(work, "stopped"));
    }
  } catch (error) {
    return over(() => broken(work, error));
  }
  facts.watched?.watch?.retry({ ...state, outcome, delay });
  const at = facts.now() + delay;
  const memo = { ...memoOf(work), previousDelay: delay, idle: idle + delay, at, taken };
  if (outcome.ok) return { next: { do: "retry", delay, at, memo } };
  const { error } = outcome;
  return { next: { do: "retry", delay, at, memo, error: toPlainError(error) }, error };
}

async function accept({ policy, facts, state }: Work): Promise<Decided> {
  const { memo, args } = facts;
  // Read before the hook, as above.
  const { value } = state.outcome as { value: unknown };
  if (policy.budget) recordSuccess(policy, memo?.taken ?? 0, memo && paidFor(state, memo), args);
  facts.watched?.succeeded(value);
  if (policy.onSuccess) await callHook(policy, policy.onSuccess, state);
  return { next: { do: "accept", value } };
}

/** The state that the last retry was paid for, as far as a memo knows it: a budget wants to know whether that was overload. */
function paidFor(state: AttemptState, memo: RetryMemo): AttemptState | undefined {
  const error = lastErrorOf(memo);
  if (!error) return undefined;
  const { call, name, args, random } = state;
  const { attempt, idle, previousDelay } = memo;
  const outcome = { ok: false, error } as const;
  return new AttemptState(call, name, args, attempt, outcome, 0, 0, previousDelay, idle, random);
}

async function giveUp(work: Work, reason: GiveUpReason, given?: unknown): Promise<Decided> {
  const { policy, facts, state } = work;
  const { onGiveUp, fallback, detached } = policy;
  const final = finalState(state, reason, given ?? finalError(policy, state, reason));
  facts.watched?.watch?.giveUp(final.reason, final.error, state);
  if (onGiveUp) await callHook(policy, onGiveUp, { ...final });
  let { error } = final;
  if (fallback && reason !== "aborted") {
    try {
      return { next: { do: "accept", value: await fallback(final) } };
    } catch (thrown) {
      error = thrown;
    }
  }
  return ended(work, final.reason, error, !detached && (exhausts(final) || isNeverRetried(error)));
}

/** A strategy failed. As in the loop, that is nothing to fall back from. */
function broken(work: Work, error: unknown): Decided {
  work.facts.watched?.watch?.giveUp("broken", error, work.state);
  return ended(work, "strategy", error, true);
}

/** Whether the loop would never retry it; by its class, which does not outlive a journal. */
function isNeverRetried(error: unknown): boolean {
  return NEVER_RETRIED.includes(kindOf(error));
}

function ended(work: Work, reason: DurableGiveUpReason, error: unknown, exhausted: boolean): Decided {
  const plain: PlainError = { ...toPlainError(error), ...(exhausted && { exhausted: true as const }) };
  return { next: { do: "giveUp", reason, error: plain, memo: memoOf(work) }, error };
}

function memoOf({ facts: { startedAt, attempt, now }, state }: Work): RetryMemo {
  const { previousDelay, idle } = state;
  return { v: 1, startedAt, attempt, previousDelay, idle, at: now(), taken: 0, errors: countsOf(state) };
}

/** Gives up on a call whose memo this release cannot go by. */
export function giveUpOnMemo(memo: unknown, error: unknown): Decided {
  const plain: PlainError = { ...toPlainError(error), exhausted: true };
  return { next: { do: "giveUp", reason: "memo", error: plain, memo: memo as RetryMemo }, error };
}
