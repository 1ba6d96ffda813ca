import { type Job, Queue, QueueEvents, Worker, type WorkerOptions } from "bullmq";
import { retryIfErrorCode, stopAfterAttempt, waitFixed } from "undaunted";
import { type BullmqOptions, retryBullmq } from "undaunted/bullmq";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Redis, startRedis } from "../transient/servers/index.js";

// What docs/bullmq.md says of jobs that BullMQ does not ask our strategy about, and of processors that it runs elsewhere.
let redis: Redis;
let count = 0;

beforeAll(async () => {
  redis = await startRedis({ "maxmemory-policy": "noeviction" });
});

afterAll(() => redis?.close());

/** A queue, its events, and what adds a job and waits for its end. */
async function queueOf() {
  const name = `queue-${++count}`;
  const { connection } = redis;
  const [queue, events] = [new Queue(name, { connection }), new QueueEvents(name, { connection })];
  onTestFinished(() => Promise.all([queue.close(), events.close()]).then(() => {}));
  await events.waitUntilReady();
  const work = async (
    processor: string | URL | ((job: Job, token?: string, signal?: AbortSignal) => Promise<unknown>),
    options: Partial<WorkerOptions> = {},
  ) => {
    const worker = new Worker(name, processor, {
      connection: { ...connection, maxRetriesPerRequest: null },
      ...options,
    });
    onTestFinished(() => worker.close(true));
    await worker.waitUntilReady();
    return worker;
  };
  return { queue, events, work };
}

const busy = () => Object.assign(new Error("busy"), { code: "EBUSY" });
const policy: BullmqOptions = { wait: waitFixed(50), stop: stopAfterAttempt(3), retryIf: retryIfErrorCode("EBUSY") };

describe("a job that was added without our options", () => {
  it.each([
    ["with one attempt, as by default", {}],
    ["with a backoff of its own", { attempts: 9, backoff: { type: "exponential", delay: 1 } }],
  ])("%s is retried by the policy, and fails for good", async (_what, options) => {
    const { queue, events, work } = await queueOf();
    const attempts: number[] = [];
    const { processor, settings } = retryBullmq(policy);
    await work(
      processor((_job, { attempt }) => {
        attempts.push(attempt);
        throw busy();
      }),
      { settings },
    );

    const job = await queue.add("charge", { order: "42" }, options);

    await expect(job.waitUntilFinished(events)).rejects.toThrow("busy");
    expect(attempts).toEqual([1, 2, 3]);
    expect((await queue.getJob(job.id!))?.data).toEqual({ order: "42" });
  });

  it("returns the value of the attempt that succeeds", async () => {
    const { queue, events, work } = await queueOf();
    await work(
      retryBullmq(policy).processor((_job, { attempt }) => {
        if (attempt < 3) throw busy();
        return `attempt ${attempt}`;
      }),
    );

    expect(await (await queue.add("charge", {})).waitUntilFinished(events)).toBe("attempt 3");
  });
});

describe("a sandboxed processor", () => {
  const file = new URL("worker/sandboxed.mjs", import.meta.url);

  it("is retried by what is left of its error", async () => {
    const { queue, events, work } = await queueOf();
    const { settings, jobOptions } = retryBullmq(policy);
    await work(file, { settings });

    const job = await queue.add("charge", { code: "EBUSY" }, jobOptions);

    expect(await job.waitUntilFinished(events)).toBe("done");
    expect((await queue.getJob(job.id!))?.attemptsMade).toBe(3);
  });

  it("fails at once where that is not retryable", async () => {
    const { queue, events, work } = await queueOf();
    const { settings, jobOptions } = retryBullmq(policy);
    await work(file, { settings });

    const job = await queue.add("charge", { code: "EINVAL" }, jobOptions);

    await expect(job.waitUntilFinished(events)).rejects.toThrow("busy");
    expect((await queue.getJob(job.id!))?.attemptsMade).toBe(1);
  });
});

it("a job that its worker cancels ends its attempt and is not retried", async () => {
  const { queue, events, work } = await queueOf();
  const { processor, settings, jobOptions } = retryBullmq(policy);
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const worker = await work(
    processor((_job, context) => {
      signal = context.signal;
      begin();
      return new Promise(() => {});
    }),
    { settings },
  );
  const job = await queue.add("charge", {}, jobOptions);
  await begun;

  worker.cancelJob(job.id!, "no longer wanted");

  await expect(job.waitUntilFinished(events)).rejects.toThrow();
  expect(signal?.aborted).toBe(true);
  expect((await queue.getJob(job.id!))?.attemptsMade).toBe(1);
});
