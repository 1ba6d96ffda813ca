import type { AttemptContext } from "../common/attempt.js";
import { report } from "../common/call-hook.js";
import { checkCallable } from "../common/callable.js";
import { TryAgainError } from "../common/errors.js";
import { describe, readField } from "../common/inspect.js";
import type { RetryMemo } from "../durable/memo.js";
import { takeMemo, withMemo } from "../durable/memo-in-data.js";
import { type DurableOptions, durableKind, durablePolicy } from "../durable/options.js";
import { attemptAndDecide, type KnownOfAttempt } from "../durable/run-attempt.js";
import type { CompiledPolicy } from "../loop/policy.js";

/** A job of BullMQ, as far as a policy needs it. */
export interface BullmqJob {
  readonly id?: string;
  readonly name: string;
  data: any;
  readonly opts: { readonly attempts?: number; readonly backoff?: unknown; readonly delay?: number };
  readonly attemptsMade: number;
  /** Epoch ms: when it was added. */
  readonly timestamp: number;
  updateData(data: any): Promise<void>;
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
}

/** A policy, or a function of the job that returns it for each attempt; `clock`, `signal`, `unref` and `onLateResult` are an error. */
export type BullmqOptions = DurableOptions | ((job: any) => DurableOptions);

/** What a queue and its workers are given. */
export interface BullmqRetry {
  /** For `queue.add`, or a queue's `defaultJobOptions`: the policy, and not a count, ends the attempts. */
  readonly jobOptions: { readonly attempts: number; readonly backoff: { readonly type: "undaunted" } };
  /** For the worker's `settings`. It never rejects, and returns a whole number of ms, or -1 to give up. */
  readonly settings: {
    readonly backoffStrategy: (attemptsMade?: number, type?: string, error?: any, job?: any) => Promise<number>;
  };
  /**
   * Makes `fn` a worker's processor: it gets the job and the attempt's context, whose `signal` aborts on `attemptTimeout`, on what is left of
   * `totalTimeout`, and when the worker cancels the job.
   */
  processor<J extends BullmqJob, R>(
    fn: (job: J, context: AttemptContext) => R,
  ): (job: J, token?: string, signal?: AbortSignal) => Promise<Awaited<R>>;
}

const TYPE = "undaunted";
// More than any policy makes, and a number that BullMQ counts down from.
const ATTEMPTS = 2_147_483_647;
const KIND = /* @__PURE__ */ durableKind("retryBullmq");

/**
 * A policy for the jobs of a BullMQ queue: the delay of each retry, and whether there is one, are decided next to the error that the
 * processor threw, and the queue does the waiting. A job's deadline begins when it was due first. What the policy remembers travels in the
 * job's data, where the processor does not see it. Bad options are thrown at once, as a `TypeError` or `RangeError`.
 *
 * @example
 * const charges = retryBullmq({ stop: stopAfterAttempt(5), wait: waitFullJitter({ base: 1_000, max: 60_000 }) });
 * charges.jobOptions.backoff; // => { type: "undaunted" }
 */
export function retryBullmq(options?: BullmqOptions): BullmqRetry {
  const policyOf = durablePolicy(KIND, options);
  // ms, or -1, for a job whose attempt the processor has decided on.
  const verdicts = new WeakMap<object, number>();

  const backoffStrategy = async (_attemptsMade?: number, _type?: string, error?: unknown, job?: BullmqJob) => {
    // A sandboxed processor runs elsewhere, and what it threw is all that is known. BullMQ leaves a job active for ever whose strategy fails.
    return verdicts.get(job!) ?? decideHere(policyOf, job!, error).catch(() => -1);
  };

  return {
    jobOptions: { attempts: ATTEMPTS, backoff: { type: TYPE } },
    settings: { backoffStrategy },
    processor(fn) {
      checkCallable("retryBullmq", fn);
      // BullMQ makes a signal only for a processor that declares three parameters.
      return async (job, token, signal) => {
        const policy = policyOf(job);
        const taken = read(job);
        job.data = taken.data;
        // A process died between the decision and the sleep.
        if (taken.dueAt > Date.now()) return postpone(job, taken.dueAt, token);
        const { next, error } = await attemptAndDecide((context) => fn(job, context), policy, {
          ...taken.known,
          signal,
        });
        if (next.do === "accept") return next.value;
        const asks = isAsked(job, backoffStrategy);
        if (next.do === "retry") {
          await keep(policy, job, taken.data, next.memo);
          verdicts.set(job, Math.ceil(next.delay));
          if (!asks) return postpone(job, Math.ceil(next.at), token);
          throw error ?? new TryAgainError();
        }
        verdicts.set(job, -1);
        // Whoever adds the job again, or retries it by hand, begins anew.
        if (taken.known.memo) await keep(policy, job, taken.data);
        throw asks || (job.opts.attempts ?? 1) <= job.attemptsMade + 1 ? error : new FinalError(error);
      };
    },
  };
}

/** What is known of a job's coming attempt. */
function read(job: BullmqJob) {
  const { data, memo } = takeMemo(job.data, job.id);
  const { attempt = 0, at = 0 } = (memo ?? {}) as Partial<RetryMemo>;
  const known: KnownOfAttempt = {
    name: job.name,
    memo,
    // What was moved by us, or decided before a process died, does not count for BullMQ.
    attempt: Math.max(attempt, job.attemptsMade) + 1,
    startedAt: job.timestamp + (job.opts.delay ?? 0),
    args: [job],
  };
  return { data, known, dueAt: attempt > job.attemptsMade ? at : 0 };
}

/** Whether BullMQ will ask our strategy about this attempt's failure: else it goes by a count, or does not retry at all. */
function isAsked(job: BullmqJob, strategy: unknown): boolean {
  const settings = readField(readField(readField(job, "queue"), "opts"), "settings");
  return readField(job.opts.backoff, "type") === TYPE && readField(settings, "backoffStrategy") === strategy;
}

/** Sends a job back to sleep without BullMQ's asking anybody. */
async function postpone(job: BullmqJob, at: number, token: string | undefined): Promise<never> {
  await job.moveToDelayed(at, token);
  throw new MovedError("the job was moved");
}

/** Keeps a memo in the job's data, or takes it out. */
async function keep(policy: CompiledPolicy, job: BullmqJob, data: unknown, memo?: RetryMemo): Promise<void> {
  try {
    await job.updateData(memo ? withMemo(data, memo, job.id) : data);
  } catch (error) {
    // Without it attempts and deadline are still known, by BullMQ's own count.
    report(policy, job, error);
  }
  job.data = data;
}

/** Decides about an attempt that was made elsewhere: ms, or -1. */
async function decideHere(
  policyOf: (job: BullmqJob) => CompiledPolicy,
  job: BullmqJob,
  error: unknown,
): Promise<number> {
  const { onAttempt: _, ...policy } = policyOf(job);
  const { data, known } = read(job);
  const { next } = await attemptAndDecide(() => Promise.reject(error), policy as CompiledPolicy, known);
  if (next.do !== "retry") return -1;
  await keep(policy as CompiledPolicy, job, data, next.memo);
  return Math.ceil(next.delay);
}

// BullMQ knows these two by their names.

class MovedError extends Error {
  override readonly name = "DelayedError";
}

/** Ends a job that has attempts left by another count than the policy's. */
class FinalError extends Error {
  override readonly name = "UnrecoverableError";

  constructor(cause: unknown) {
    super(String(readField(cause, "message") ?? describe(cause)), { cause });
  }
}
