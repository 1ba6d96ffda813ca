import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { freePort } from "../../transient/servers/index.js";
import { type Engine, engineOf, type Fate } from "./engine.js";

const require = createRequire(import.meta.url);
const program = join(
  dirname(require.resolve("@restatedev/restate-server-linux-x64/package.json")),
  "bin/restate-server",
);

export function startRestate(): Promise<Engine> {
  return engineOf("restate", async (_postgres, folder) => {
    const [node, ingress, admin, port] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const server = await startServer(folder, { node, ingress, admin });
    const ids = new Map<string, string>();
    const ask = async (url: string, init: RequestInit = {}) => {
      const headers = { "content-type": "application/json", accept: "application/json", ...init.headers };
      const response = await fetch(url, { ...init, headers });
      if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
      return response.json() as Promise<any>;
    };
    let isRegistered = false;
    return {
      settings: () => ({ port }),
      async ready() {
        if (isRegistered) return;
        const body = JSON.stringify({ uri: `http://127.0.0.1:${port}` });
        await ask(`http://127.0.0.1:${admin}/deployments`, { method: "POST", body });
        isRegistered = true;
      },
      async submit(call) {
        // With a key Restate remembers how it ended.
        const headers = { "idempotency-key": call.id };
        const init = { method: "POST", headers, body: JSON.stringify(call) };
        const { invocationId } = await ask(`http://127.0.0.1:${ingress}/calls/call/send`, init);
        ids.set(call.id, invocationId);
      },
      async fate(id) {
        const query = `select status, completion_result, completion_failure from sys_invocation where id = '${ids.get(id)}'`;
        const body = JSON.stringify({ query });
        const { rows } = await ask(`http://127.0.0.1:${admin}/query`, { method: "POST", body });
        return fateOf(rows[0]);
      },
      async due(id) {
        const query = `select entry_lite_json from sys_journal where id = '${ids.get(id)}' and entry_type = 'Command: Sleep'`;
        const { rows } = await ask(`http://127.0.0.1:${admin}/query`, {
          method: "POST",
          body: JSON.stringify({ query }),
        });
        return rows.length > 0 ? JSON.parse(rows.at(-1).entry_lite_json).Command.Sleep.wake_up_time : undefined;
      },
      async cancel(id) {
        const url = `http://127.0.0.1:${admin}/invocations/${ids.get(id)}/cancel`;
        const response = await fetch(url, { method: "PATCH" });
        if (!response.ok) throw new Error(`${url}: ${response.status}`);
      },
      close: () => end(server),
    };
  });
}

function fateOf(row: { status: string; completion_result?: string; completion_failure?: string } | undefined): Fate {
  if (row?.status !== "completed") return "under way";
  if (row.completion_result === "success") return "completed";
  return /cancel/i.test(row.completion_failure ?? "") ? "cancelled" : "failed";
}

async function startServer(folder: string, ports: { node: number; ingress: number; admin: number }) {
  const at = (port: number) => `127.0.0.1:${port}`;
  // It ends with its input, whatever becomes of this process.
  const script = '"$0" --no-logo & server=$!; read -r _; kill -KILL $server; wait $server';
  const server = spawn("/bin/sh", ["-c", script, program], {
    cwd: folder,
    stdio: ["pipe", "ignore", "ignore"],
    env: {
      ...process.env,
      RESTATE_BASE_DIR: join(folder, "restate"),
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_ADDRESS: at(ports.node),
      RESTATE_ADVERTISED_ADDRESS: `http://${at(ports.node)}`,
      RESTATE_INGRESS__BIND_ADDRESS: at(ports.ingress),
      RESTATE_ADMIN__BIND_ADDRESS: at(ports.admin),
      RESTATE_DEFAULT_NUM_PARTITIONS: "1",
      RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE: "256 MB",
      DO_NOT_TRACK: "1",
      RESTATE_DISABLE_TELEMETRY: "true",
      RUST_LOG: "error",
    },
  });
  const dead = once(server, "exit").then(([code]) => {
    throw new Error(`restate-server has ended with ${code}`);
  });
  dead.catch(() => {});
  await Promise.race([dead, answers(ports.admin)]);
  await Promise.race([dead, answers(ports.ingress, "/restate/health")]);
  return server;
}

async function answers(port: number, path = "/health"): Promise<void> {
  const patience = Date.now() + 60_000;
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
    if (response?.ok) return;
    if (Date.now() > patience) throw new Error(`restate-server does not answer on ${port}${path}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function end(server: ChildProcess): Promise<void> {
  const gone = once(server, "exit");
  server.stdin!.end();
  await gone;
}
