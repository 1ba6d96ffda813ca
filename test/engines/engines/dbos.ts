import { DBOSClient } from "@dbos-inc/dbos-sdk";
import { type Engine, engineOf, type Fate } from "./engine.js";

const FATES: Record<string, Fate> = { SUCCESS: "completed", ERROR: "failed", CANCELLED: "cancelled" };

export function startDbos(): Promise<Engine> {
  return engineOf("dbos", async (postgres) => {
    const { host, port, user, database } = postgres.connection;
    let client: DBOSClient | undefined;
    return {
      settings: () => ({}),
      async ready() {
        // The worker's first launch makes the tables.
        client ??= await DBOSClient.create({ systemDatabaseUrl: `postgresql://${user}@${host}:${port}/${database}` });
      },
      submit: async (call) =>
        void (await client!.enqueue({ queueName: "calls", workflowName: "call", workflowID: call.id }, call)),
      fate: async (id) => FATES[(await client!.getWorkflow(id))?.status ?? ""] ?? "under way",
      cancel: async (id) => void (await client!.cancelWorkflow(id)),
      close: async () => client?.destroy(),
    };
  });
}
