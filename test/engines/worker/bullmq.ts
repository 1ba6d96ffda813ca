import { Worker } from "bullmq";
import { retryBullmq } from "undaunted/bullmq";
import type { Call, Calls } from "./call.js";

export async function work(calls: Calls, { redis }: { redis: { host: string; port: number } }): Promise<void> {
  const policy = retryBullmq((job: { data: Call }) => calls.policyOf(job.data));
  const processor = policy.processor((job: import("bullmq").Job<Call>, context) => calls.attempt(job.data, context));
  const worker = new Worker("calls", processor, {
    connection: { ...redis, maxRetriesPerRequest: null },
    settings: policy.settings,
    concurrency: 50,
    // A job whose worker was killed is taken up after its lock and the next check.
    lockDuration: 5_000,
    stalledInterval: 1_000,
    maxStalledCount: 10,
  });
  worker.on("error", (error) => console.error(error));
  await worker.waitUntilReady();
}
