import type { AttemptContext } from "../common/attempt.js";
import { checkCallable } from "../common/callable.js";
import { describe } from "../common/inspect.js";
import { readOptions, STRING } from "../common/validate.js";
import { takeMemo, withMemo } from "../durable/memo-in-data.js";
import { type DurableOptions, durableKind, durablePolicy } from "../durable/options.js";
import { attemptAndDecide, type KnownOfAttempt } from "../durable/run-attempt.js";

/** The helpers of a task of graphile-worker, as far as a policy needs them. */
export interface GraphileHelpers {
  readonly job: {
    readonly id: string;
    readonly task_identifier: string;
    readonly key: string | null;
    readonly priority: number;
    readonly attempts: number;
    readonly max_attempts: number;
    readonly flags: Readonly<Record<string, true>> | null;
    readonly created_at: Date;
    readonly run_at: Date;
  };
  readonly logger: { error(message: string, meta?: any): unknown };
  readonly abortSignal?: AbortSignal;
  getQueueName(): string | null | PromiseLike<string | null>;
  addJob(identifier: any, payload: any, spec?: any): Promise<any>;
  withPgClient(fn: (client: any) => Promise<any>): Promise<any>;
}

/** A policy, or a function of the job's payload and helpers that returns it for each attempt. */
export type GraphileOptions = DurableOptions | ((payload: any, helpers: any) => DurableOptions);

/** What names the place of graphile-worker's tables. */
export interface GraphileTaskOptions {
  /**
   * The schema of graphile-worker's tables.
   * @default "graphile_worker"
   */
  readonly schema?: string | undefined;
}

const KIND = /* @__PURE__ */ durableKind("retryGraphile");

/**
 * Makes a task of graphile-worker of `fn`, which gets the payload, the helpers and the attempt's context. The delay of each retry, and whether
 * there is one, are decided next to the error that `fn` threw: then the job is added again under its `jobKey`, due at that time and with what
 * the policy remembers in its payload, where `fn` does not see it, and this one is complete. A job that is given up fails for good. Give each
 * job a `jobKey`: without one, a process that dies in the wrong millisecond leaves the old job beside the new one, and a job that
 * is given up in its first attempt is completed, with an error in the log. Bad input is thrown at once, as a `TypeError` or `RangeError`.
 *
 * @example
 * const taskList = {
 *   charge: retryGraphile(async (payload: { order: string }) => payload.order, { stop: stopAfterAttempt(5) }),
 * };
 * typeof taskList.charge; // => "function"
 */
export function retryGraphile<H extends GraphileHelpers, P = any>(
  fn: (payload: P, helpers: H, context: AttemptContext) => unknown,
  options?: GraphileOptions,
  place: GraphileTaskOptions = {},
): (payload: unknown, helpers: H) => Promise<void> {
  checkCallable("retryGraphile", fn);
  const { schema = "graphile_worker" } = readOptions("retryGraphile's place", place, { schema: STRING });
  const policyOf = durablePolicy(KIND, options);
  return async (given, helpers) => {
    const { job } = helpers;
    const { data: payload, memo } = takeMemo(given, keyOf(job));
    const known: KnownOfAttempt = {
      name: job.task_identifier,
      memo,
      // graphile-worker moves run_at when an attempt has failed.
      startedAt: memo ? undefined : (job.attempts === 1 ? job.run_at : job.created_at).getTime(),
      args: [payload, helpers],
      signal: helpers.abortSignal,
    };
    const task = (context: AttemptContext) => fn(payload as P, helpers, context);
    const { next, error } = await attemptAndDecide(task, policyOf(payload, helpers), known);
    if (next.do === "retry") await addAgain(helpers, withMemo(payload, next.memo, keyOf(job)), next.at);
    if (next.do !== "giveUp") return;
    // A worker that shuts down has not tried: graphile-worker hands the job to another one.
    if (next.reason === "aborted") throw error;
    await failForGood(helpers, schema, error);
  };
}

/** What a job and those that take its place are known by. */
function keyOf({ key, id }: GraphileHelpers["job"]): string {
  return key ?? `retry:${id}`;
}

async function addAgain(helpers: GraphileHelpers, payload: object, at: number): Promise<void> {
  const { task_identifier, priority, max_attempts, flags } = helpers.job;
  const queueName = await helpers.getQueueName();
  await helpers.addJob(task_identifier, payload, {
    // To replace a job that is running makes it one that never runs again.
    jobKey: keyOf(helpers.job),
    runAt: new Date(at),
    priority,
    maxAttempts: max_attempts,
    ...(queueName !== null && { queueName }),
    ...(flags && { flags: Object.keys(flags) }),
  });
}

/** Ends the job: with the error on record, where it has a key by which its other attempts can be taken away. */
async function failForGood(helpers: GraphileHelpers, schema: string, error: unknown): Promise<void> {
  const { key, attempts, max_attempts, id, task_identifier } = helpers.job;
  if (attempts >= max_attempts) throw error;
  if (key === null) {
    helpers.logger.error(`${task_identifier}: job ${id} was given up, and has no key to fail by: ${describe(error)}`);
    return;
  }
  const removeJob = `"${schema.replaceAll('"', '""')}".remove_job`;
  await helpers.withPgClient((client) => client.query(`select ${removeJob}($1)`, [key]));
  throw error;
}
