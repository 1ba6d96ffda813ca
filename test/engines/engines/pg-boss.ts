import { PgBoss } from "pg-boss";
import { type Engine, engineOf, type Fate } from "./engine.js";

const FATES: Record<string, Fate> = { completed: "completed", failed: "failed", cancelled: "cancelled" };

export function startPgBoss(): Promise<Engine> {
  return engineOf("pg-boss", async (postgres) => {
    const boss = new PgBoss({ ...postgres.connection, supervise: false });
    boss.on("error", () => {});
    await boss.start();
    // The least that there is: a job whose worker was killed is taken up when this time is over.
    await boss.createQueue("calls", { retryLimit: 10, retryDelay: 0, expireInSeconds: 8 });
    const ids = new Map<string, string>();
    return {
      async submit(call) {
        ids.set(call.id, (await boss.send("calls", call))!);
      },
      fate: async (id) => FATES[(await boss.getJobById("calls", ids.get(id)!))?.state ?? ""] ?? "under way",
      async due(id) {
        const job = await boss.getJobById("calls", ids.get(id)!);
        return job?.state === "retry" ? job.startAfter.getTime() : undefined;
      },
      cancel: async (id) => void (await boss.cancel("calls", ids.get(id)!)),
      settings: () => ({}),
      close: () => boss.stop({ graceful: false }),
    };
  });
}
