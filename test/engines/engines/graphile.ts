import { makeWorkerUtils } from "graphile-worker";
import pg from "pg";
import { type Engine, engineOf } from "./engine.js";

export function startGraphile(): Promise<Engine> {
  return engineOf("graphile", async (postgres) => {
    const { host, port, user, database } = postgres.connection;
    const utils = await makeWorkerUtils({ connectionString: `postgres://${user}@${host}:${port}/${database}` });
    await utils.migrate();
    const pool = new pg.Pool(postgres.connection);
    pool.on("error", () => {});
    const lockedBy = async () => {
      const { rows } = await pool.query(
        "select distinct locked_by from graphile_worker._private_jobs where locked_by is not null",
      );
      return rows.map((row) => row.locked_by as string);
    };
    const cancelled = new Set<string>();
    return {
      submit: async (call) => void (await utils.addJob("call", call, { jobKey: call.id })),
      async fate(id) {
        if (cancelled.has(id)) return "cancelled";
        const text =
          "select attempts, max_attempts, locked_at, payload from graphile_worker._private_jobs where payload->>'id' = $1";
        const { rows } = await pool.query(text, [id]);
        const live = rows.filter((row) => row.locked_at || row.attempts < row.max_attempts);
        return live.length > 0 ? "under way" : rows.length > 0 ? "failed" : "completed";
      },
      async due(id) {
        const text =
          "select run_at from graphile_worker._private_jobs where key = $1 and locked_at is null and run_at > now()";
        return (await pool.query(text, [id])).rows[0]?.run_at.getTime();
      },
      async cancel(id) {
        cancelled.add(id);
        await pool.query("select graphile_worker.remove_job($1)", [id]);
      },
      settings: async () => ({ gone: await lockedBy() }),
      close: async () => {
        await utils.release();
        await pool.end();
      },
    };
  });
}
