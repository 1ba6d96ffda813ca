import { type JobHelpers, makeWorkerUtils, run } from "graphile-worker";
import { retryGraphile } from "undaunted/graphile-worker";
import type { Call, Calls } from "./call.js";

interface Settings {
  readonly postgres: { readonly host: string; readonly port: number; readonly user: string; readonly database: string };
  /** The worker pools that are gone. */
  readonly gone: readonly string[];
}

export async function work(calls: Calls, { postgres, gone }: Settings): Promise<void> {
  const { host, port, user, database } = postgres;
  const connectionString = `postgres://${user}@${host}:${port}/${database}`;
  const utils = await makeWorkerUtils({ connectionString });
  // Else what they had locked stays so for four hours.
  if (gone.length > 0) await utils.forceUnlockWorkers([...gone]);
  await utils.release();
  const call = retryGraphile<JobHelpers, Call>(
    (payload, _helpers, context) => calls.attempt(payload, context),
    (payload: Call) => calls.policyOf(payload),
  );
  const runner = await run({
    connectionString,
    concurrency: 20,
    pollInterval: 200,
    noHandleSignals: true,
    taskList: { call },
  });
  runner.events.on("worker:create", ({ worker }) => console.log(`worker ${worker.workerId}`));
}
