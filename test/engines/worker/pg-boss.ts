import { PgBoss } from "pg-boss";
import { retryPgBoss } from "undaunted/pg-boss";
import type { Call, Calls } from "./call.js";

export async function work(calls: Calls, { postgres }: { postgres: { host: string; port: number } }): Promise<void> {
  const boss = new PgBoss({ ...postgres, superviseIntervalSeconds: 1, monitorIntervalSeconds: 1 });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  const policy = retryPgBoss(boss, (job: { data: Call }) => calls.policyOf(job.data));
  const handler = policy.handler((job: import("pg-boss").JobWithMetadata<Call>, context) =>
    calls.attempt(job.data, context),
  );
  const options = { ...policy.workOptions, pollingIntervalSeconds: 0.5, localConcurrency: 20 } as const;
  await boss.work("calls", options, handler);
}
