import { DBOSClient } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import { type Engine, engineOf, type Fate } from "./engine.js";

const FATES: Record<string, Fate> = { SUCCESS: "completed", ERROR: "failed", CANCELLED: "cancelled" };

export function startDbos(): Promise<Engine> {
  return engineOf("dbos", async (postgres) => {
    const { host, port, user, database } = postgres.connection;
    const pool = new pg.Pool(postgres.connection);
    pool.on("error", () => {});
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
      async due(id) {
        const text =
          "select output from dbos.operation_outputs where workflow_uuid = $1 and function_name = 'DBOS.sleep'";
        const { rows } = await pool.query(text, [id]);
        return rows.length > 0 ? Number(JSON.parse(rows.at(-1).output)) : undefined;
      },
      cancel: async (id) => void (await client!.cancelWorkflow(id)),
      async close() {
        await client?.destroy();
        await pool.end();
      },
    };
  });
}
