import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis as Ioredis } from "ioredis";
import { vi } from "vitest";
import { PATIENCE } from "../limits.js";
import { freePort } from "../transient/servers/index.js";

/** Starts a sentinel of the test's own, which watches the Redis on `port` under the name "main" and decides alone. */
export async function startSentinel(watched: number) {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "sentinel-"));
  const file = join(folder, "sentinel.conf");
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${folder}`,
    `sentinel monitor main 127.0.0.1 ${watched} 1`,
    "sentinel down-after-milliseconds main 1000",
    "sentinel failover-timeout main 3000",
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const child = spawn("redis-sentinel", [file], { stdio: "ignore" });
  const client = new Ioredis({ host: "127.0.0.1", port, retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on("error", () => {});
  // It has found the replica: else there is nobody to take over.
  await vi.waitFor(
    async () => {
      const replicas = (await client.call("SENTINEL", "REPLICAS", "main")) as unknown[];
      if (replicas.length === 0) throw new Error("the sentinel knows no replica");
    },
    { timeout: 3 * PATIENCE, interval: 50 },
  );
  return {
    port,
    async close() {
      client.disconnect();
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
