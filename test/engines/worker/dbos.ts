import { DBOS } from "@dbos-inc/dbos-sdk";
import { type DurableEngine, retryDurably } from "undaunted/durable";
import type { Call, Calls } from "./call.js";

// The recipe of docs/durable.md.
const engine: DurableEngine = {
  step: (name, fn) => DBOS.runStep(fn, { name }),
  sleep: (ms) => DBOS.sleep(ms),
};

interface Settings {
  readonly postgres: { readonly host: string; readonly port: number; readonly user: string; readonly database: string };
}

export async function work(calls: Calls, { postgres }: Settings): Promise<void> {
  const { host, port, user, database } = postgres;
  DBOS.setConfig({
    name: "calls",
    systemDatabaseUrl: `postgresql://${user}@${host}:${port}/${database}`,
    applicationVersion: "1",
    logLevel: "error",
    runAdminServer: false,
  });
  DBOS.registerWorkflow(
    (call: Call) => retryDurably(engine, (context) => calls.attempt(call, context), calls.policyOf(call)),
    { name: "call" },
  );
  // Goes on with what a process before this one left.
  await DBOS.launch();
  await DBOS.registerQueue("calls", { minPollingIntervalMs: 100 });
}
