import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { accountFor, programOf } from "./installed.js";
import { type Server, type Settings, serverOf } from "./server.js";

const FAST: Settings = { auth_type: "any", unix_socket_dir: "", listen_addr: "127.0.0.1", pool_mode: "transaction" };

/** Starts a pgbouncer of the test's own; `databases` and `settings` are as in pgbouncer.ini. */
export async function startPgbouncer(databases: Settings, settings: Settings = {}): Promise<Server> {
  return serverOf(
    {
      name: "pgbouncer",
      account: accountFor("postgres"),
      command: ({ folder, port }, more) => {
        const file = join(folder, "pgbouncer.ini");
        const pools = lines(databases);
        writeFileSync(file, `[databases]\n${pools}\n[pgbouncer]\n${lines({ ...FAST, listen_port: port, ...more })}\n`);
        return [programOf("pgbouncer", "pgbouncer"), file];
      },
      greet: (port) =>
        new Promise((resolve, reject) => {
          const socket = connect(port, "127.0.0.1", () => {
            socket.destroy();
            resolve();
          });
          socket.on("error", reject);
        }),
      signals: { orderly: "SIGTERM" },
    },
    settings,
  );
}

const lines = (entries: Settings) =>
  Object.entries(entries)
    .map(([key, value]) => `${key} = ${value}`)
    .join("\n");
