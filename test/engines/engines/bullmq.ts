import { Queue } from "bullmq";
import { retryBullmq } from "undaunted/bullmq";
import { startRedis } from "../../transient/servers/index.js";
import { type Engine, engineOf, type Fate } from "./engine.js";

const FATES: Record<string, Fate> = { completed: "completed", failed: "failed", unknown: "cancelled" };

export function startBullmq(): Promise<Engine> {
  return engineOf("bullmq", async () => {
    const redis = await startRedis({ "maxmemory-policy": "noeviction" });
    const queue = new Queue("calls", { connection: redis.connection });
    const { jobOptions } = retryBullmq();
    return {
      submit: async (call) => void (await queue.add("call", call, { ...jobOptions, jobId: call.id })),
      fate: async (id) => FATES[await queue.getJobState(id)] ?? "under way",
      async due(id) {
        // The score is the time, and 12 bits that keep jobs of one ms in order.
        const score = Number(await redis.ask("ZSCORE", "bull:calls:delayed", id));
        return score > 0 ? Math.floor(score / 4096) : undefined;
      },
      cancel: async (id) => void (await queue.remove(id)),
      settings: () => ({ redis: redis.connection }),
      async close() {
        await queue.close();
        await redis.close();
      },
    };
  });
}
