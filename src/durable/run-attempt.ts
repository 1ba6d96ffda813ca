import type { AttemptContext, RetryOptions } from "../common/attempt.js";
import { checkCallable, NO_ARGS } from "../common/callable.js";
import { systemClock } from "../common/clock.js";
import type { CompiledPolicy } from "../loop/policy.js";
import { ownName } from "../loop/target.js";
import { attemptOnce } from "./attempt-once.js";
import { type Decided, decideNext, giveUpOnMemo, type NextAttempt } from "./decision.js";
import { lastErrorOf, type RetryMemo, readMemo } from "./memo.js";
import { compileDurable, durableKind } from "./options.js";
import { watchedAttempt } from "./watched.js";

const KIND = /* @__PURE__ */ durableKind("runAttempt", false);

/**
 * Makes one attempt of `task` and decides what follows: `attemptTimeout`, what is left of `totalTimeout`, `signal` and `onAttempt` hold for it,
 * its context and `currentAttempt()` know its number in the call, and what it threw is looked at while it is still the error that it was.
 * `memo` is what the decision before returned. Of `previousError` no more is left than its name and codes.
 *
 * `clock`, `signal`, `unref` and `onLateResult` mean this attempt; the time of a `clock` is taken for epoch ms. The promise never rejects, as
 * that of `nextAttempt`; bad input is thrown at once.
 *
 * @example
 * const next = await runAttempt(({ attempt }) => `attempt ${attempt}`, { attemptTimeout: 1_000 });
 * next; // => { do: "accept", value: "attempt 1" }
 */
export function runAttempt<T = any>(
  task: (context: AttemptContext) => T,
  options?: RetryOptions<NoInfer<Awaited<T>>>,
  memo?: RetryMemo | null,
): Promise<NextAttempt<Awaited<T>>> {
  checkCallable("runAttempt", task);
  const policy = compileDurable(KIND, options);
  return attemptAndDecide(task, policy, { memo }).then(({ next }) => next);
}

/** What an engine knows of an attempt. */
export interface KnownOfAttempt {
  /** What it calls the task, unless the policy has a name. */
  readonly name?: string | undefined;
  readonly memo?: unknown;
  readonly attempt?: number | undefined;
  readonly startedAt?: number | undefined;
  readonly previousError?: unknown;
  readonly args?: readonly unknown[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly now?: (() => number) | undefined;
}

/** Makes an attempt and decides what follows. Never rejects. */
export async function attemptAndDecide(
  task: (context: AttemptContext) => unknown,
  policy: CompiledPolicy,
  known: KnownOfAttempt,
): Promise<Decided> {
  const { clock, totalTimeout } = policy;
  const now = known.now ?? (clock === systemClock ? Date.now : () => clock.now());
  let memo: RetryMemo | undefined;
  try {
    memo = readMemo(known.memo);
  } catch (error) {
    return giveUpOnMemo(known.memo, error);
  }
  const { args = NO_ARGS, signal, attempt = (memo?.attempt ?? 0) + 1, startedAt = memo?.startedAt ?? now() } = known;
  const { previousError = memo && lastErrorOf(memo) } = known;
  const name = policy.name ?? known.name ?? ownName(task);
  const elapsed = Math.max(0, now() - startedAt);
  const watched = watchedAttempt(policy, name, { attempts: attempt - 1, elapsed }, task);
  const of = { attempt, previousError, left: totalTimeout - elapsed, name, args, now, signal, watched };
  const { begun, ...ended } = await attemptOnce(task, policy, of);
  // One that was over before it began is none.
  const made = begun ? attempt : attempt - 1;
  return decideNext(policy, { ...ended, name, args, attempt: made, startedAt, now, memo, watched });
}
