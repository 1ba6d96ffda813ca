import type { AttemptContext, Outcome } from "../common/attempt.js";
import { NO_ARGS } from "../common/callable.js";
import { type Attempt, abandonableAttempt, PlainAttempt, resume, theAttempt } from "../common/current.js";
import { AttemptTimeoutError } from "../common/errors.js";
import { nextOrdinal } from "../common/exhausted.js";
import type { Watchable } from "../common/observed.js";
import { promiseOf } from "../common/thenable.js";
import { attemptTimeoutOf } from "../loop/decide.js";
import { ASYNC, type CompiledPolicy, compile, overlay } from "../loop/policy.js";
import { startPart } from "../loop/start.js";
import { TASK_TARGET } from "../loop/target.js";
import { retryNever } from "../strategies/retry-if.js";

/** Which attempt of a call is to be made. */
export interface Numbered {
  /** From 1. */
  readonly attempt: number;
  readonly previousError: unknown;
  /** ms until the call's deadline; Infinity for none. */
  readonly left: number;
  readonly name: string;
  readonly args: readonly unknown[];
  /** Epoch ms. */
  readonly now: () => number;
  /** Aborts this attempt, beside the policy's own. */
  readonly signal?: AbortSignal | undefined;
  /** The attempt, to those who observe. */
  readonly watched: Watchable | undefined;
}

/** How it ended. */
export interface Attempted {
  readonly outcome: Outcome;
  /** What ended it before it ended by itself; `"broken"`: its timeout could not be found, and it did not begin. */
  readonly interruption?: "deadline" | "aborted" | "broken" | undefined;
  /** Its number in this process. */
  readonly ordinal: number;
  /** Epoch ms. */
  readonly begunAt: number;
  /** Whether the task was called. */
  readonly begun: boolean;
}

/**
 * Makes one attempt under a policy: its timeout, signals and deadline, its context, and the attempt that it is begun in end it as they would
 * in the loop, which makes it, as a call of one attempt. Never rejects.
 */
export async function attemptOnce(
  task: (context: AttemptContext) => unknown,
  policy: CompiledPolicy,
  of: Numbered,
): Promise<Attempted> {
  const { attempt, previousError, left, now, watched } = of;
  let ordinal = nextOrdinal();
  let begunAt = now();
  let begun = false;
  let timeout = Infinity;
  let timedOut: unknown;
  let interruption: Attempted["interruption"];
  // The attempt that this one ends with, if there is one.
  const outer = policy.detached ? undefined : abandonableAttempt();

  const own = (): Promise<Outcome> => {
    const inner = theAttempt()!;
    const numbered = new PlainAttempt(attempt, previousError, inner.cancellable, timeout, policy.clock);
    inner.onAbandoned({
      abandoned(reason, late) {
        const isOwn = late && !outer?.ending;
        timedOut = isOwn ? new AttemptTimeoutError(timeout, attempt) : undefined;
        numbered.abandon(timedOut ?? reason, late);
      },
    });
    ordinal = nextOrdinal();
    begunAt = now();
    begun = true;
    return settled(numbered, watched ? (context) => watched.fn(context) : task);
  };

  const end = (outcome: Outcome): Attempted => ({ outcome, interruption, ordinal, begunAt, begun });
  try {
    timeout = attemptTimeoutOf(policy, attempt);
  } catch (error) {
    interruption = "broken";
    return end({ ok: false, error });
  }
  try {
    const single = singlePolicy(policy, of, timeout, (reason) => {
      if (reason === "deadline" || reason === "aborted") interruption = reason;
    });
    return end((await startPart(TASK_TARGET, single, own, NO_ARGS, single.clock.now())) as Outcome);
  } catch (error) {
    return end({ ok: false, error: interruption ? error : (timedOut ?? error) });
  }

  function tooLate(outcome: Outcome): unknown {
    watched?.watch?.late(attempt, outcome);
    return policy.onLateResult?.(outcome);
  }

  function singlePolicy(
    { unref, detached, onLateResult, onHookError, onAttempt, clock, signal: _, abortSources }: CompiledPolicy,
    { name, args, signal }: Numbered,
    attemptTimeout: number,
    onEnd: (reason: string) => void,
  ): CompiledPolicy {
    const single = compile(ASYNC, {
      name,
      unref,
      detached,
      clock,
      onHookError,
      attemptTimeout,
      totalTimeout: left,
      stop: () => true,
      retryIf: retryNever,
      onAttempt: onAttempt && (() => onAttempt({ name, args, attempt })),
      onGiveUp: ({ reason }: { reason: string }) => onEnd(reason),
      onLateResult: (onLateResult || watched) && ((late: Outcome) => late.ok && tooLate(late.value)),
    });
    const signals = [...abortSources.map((source) => source.signal), signal].filter((each) => each !== undefined);
    return signals.reduce((joined, each) => overlay(ASYNC, joined, { signal: each }) as CompiledPolicy, single);
  }
}

/** What the task settles with, as a value: the call that makes the attempt decides nothing. */
async function settled(numbered: Attempt, task: (context: AttemptContext) => unknown): Promise<Outcome> {
  try {
    return { ok: true, value: await promiseOf(resume(numbered, () => task(numbered.context))) };
  } catch (error) {
    return { ok: false, error };
  }
}
