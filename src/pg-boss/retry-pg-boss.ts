import type { AttemptContext } from "../common/attempt.js";
import { checkCallable } from "../common/callable.js";
import { toPlainError } from "../common/plain-error.js";
import { check, hasMethods, type Rule } from "../common/validate.js";
import type { NextAttempt } from "../durable/decision.js";
import { takeMemo, withMemo } from "../durable/memo-in-data.js";
import { type DurableOptions, durableKind, durablePolicy } from "../durable/options.js";
import { attemptAndDecide, type KnownOfAttempt } from "../durable/run-attempt.js";
import type { CompiledPolicy } from "../loop/policy.js";

/** A started `PgBoss`, as far as a policy needs it. */
export interface PgBossClient {
  /** Its own, which has transactions. */
  getDb(): object;
  fail(name: string, job: any, output?: object | null, options?: any): Promise<any>;
  update(name: string, data?: object | null, options?: any): Promise<any>;
}

/** A job of pg-boss 12, with its metadata. */
export interface PgBossJob {
  readonly id: string;
  readonly name: string;
  data: any;
  readonly retryCount: number;
  readonly retryLimit: number;
  readonly createdOn: Date;
  readonly startAfter: Date;
  readonly signal: AbortSignal;
}

/** What a handler says of a job to pg-boss. */
export interface PgBossResult {
  readonly id: string;
  readonly status: "completed" | "deadletter" | "failed";
  readonly output?: any;
}

/** A policy, or a function of the job that returns it for each attempt; `clock`, `signal`, `unref` and `onLateResult` are an error. */
export type PgBossOptions = DurableOptions | ((job: any) => DurableOptions);

/** What `boss.work` is given. */
export interface PgBossRetry {
  /** For `boss.work`: the handler says of each job what became of it, and needs to know what pg-boss knows. */
  readonly workOptions: { readonly includeMetadata: true; readonly perJobResults: true };
  /**
   * Makes `fn` the handler: it gets one job, also of a batch, and the attempt's context, whose `signal` aborts on `attemptTimeout`, on what is left of
   * `totalTimeout`, and when pg-boss gives the job up. What it returns is the job's output.
   */
  handler<J extends PgBossJob, R>(fn: (job: J, context: AttemptContext) => R): (jobs: J[]) => Promise<PgBossResult[]>;
}

const BOSS: Rule = ["a PgBoss", "object", /* @__PURE__ */ hasMethods("getDb", "fail", "update")];
const KIND = /* @__PURE__ */ durableKind("retryPgBoss");

/**
 * A policy for the jobs of a pg-boss queue: the delay of each retry, and whether there is one, are decided next to the error that the handler
 * threw, and the job itself goes back to its queue until then, in one transaction with what the policy remembers. That travels in the job's
 * data, where the handler does not see it. A job that is given up fails for good, and goes to the queue's dead letters. `retryLimit` bounds the
 * processes that may die of one attempt, and must be above 0. Bad input is thrown at once, as a `TypeError` or `RangeError`.
 *
 * @example
 * const boss = { getDb: () => ({}), fail: async () => {}, update: async () => {} };
 * const charges = retryPgBoss(boss, { stop: stopAfterAttempt(5), wait: waitFullJitter({ base: 1_000, max: 60_000 }) });
 * charges.workOptions; // => { includeMetadata: true, perJobResults: true }
 */
export function retryPgBoss(boss: PgBossClient, options?: PgBossOptions): PgBossRetry {
  check("retryPgBoss", "boss", boss, BOSS);
  const policyOf = durablePolicy(KIND, options);
  return {
    workOptions: { includeMetadata: true, perJobResults: true },
    handler(fn) {
      checkCallable("retryPgBoss", fn);
      return (jobs) => Promise.all(jobs.map((job) => work(boss, policyOf, fn, job)));
    },
  };
}

async function work<J extends PgBossJob>(
  boss: PgBossClient,
  policyOf: (job: J) => CompiledPolicy,
  fn: (job: J, context: AttemptContext) => unknown,
  job: J,
): Promise<PgBossResult> {
  const { id } = job;
  try {
    const { data, memo } = takeMemo(job.data, id);
    job.data = data;
    const known: KnownOfAttempt = {
      name: job.name,
      memo,
      startedAt: memo ? undefined : firstDue(job),
      args: [job],
      signal: job.signal,
    };
    const policy = lastChance(policyOf(job), job);
    const { next } = await attemptAndDecide((context) => fn(job, context), policy, known);
    if (next.do === "accept") return { id, status: "completed", output: next.value };
    // A worker that shuts down has not tried: the job goes to another one.
    if (next.do === "giveUp")
      return { id, status: next.reason === "aborted" ? "failed" : "deadletter", output: next.error };
    await sendBack(boss, job, next);
    // It is not active any more, and what is said of it here changes nothing.
    return { id, status: "completed" };
  } catch (error) {
    // A policy that cannot be made, or a database that is away: as if the worker had died.
    return { id, status: "failed", output: toPlainError(error) };
  }
}

/** When a job was due first, as far as it can be told. */
function firstDue({ retryCount, startAfter, createdOn }: PgBossJob): number {
  // pg-boss moves startAfter when a worker has died.
  return (retryCount === 0 ? startAfter : createdOn).getTime();
}

/** pg-boss lets no job back into its queue that has used up its starts: the policy is to say so, and its hooks. */
function lastChance(policy: CompiledPolicy, { retryCount, retryLimit }: PgBossJob): CompiledPolicy {
  return retryCount < retryLimit ? policy : { ...policy, stop: () => true };
}

async function sendBack(
  boss: PgBossClient,
  job: PgBossJob,
  { error, memo, at }: Extract<NextAttempt, { do: "retry" }>,
): Promise<void> {
  const { id, name, data, retryLimit } = job;
  const send = async (db: unknown) => {
    // With its retryCount: of a worker that lost its claim pg-boss hears nothing.
    const { affected } = await boss.fail(name, job, error ?? { message: "the value was not wanted yet" }, { db });
    if (affected !== 1) throw new Error(`job ${id} was taken away from this worker`);
    const later = { id, startAfter: new Date(at), retryLimit: retryLimit + 1, db };
    const { updated } = await boss.update(name, withMemo(data, memo, id), later);
    if (updated !== 1) throw new Error(`job ${id} could not be sent back to its queue`);
  };
  const db = boss.getDb() as { withTransaction?(fn: (db: unknown) => Promise<void>): Promise<void> };
  if (!db.withTransaction) throw new TypeError("retryPgBoss: the database of this PgBoss has no withTransaction");
  await db.withTransaction(send);
}
