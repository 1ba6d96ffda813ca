import { join } from "node:path";
import mysql from "mysql2/promise";
import { accountFor, programOf } from "./installed.js";
import { type Server, type Settings, serverOf } from "./server.js";

export interface Mariadb extends Server {
  /** What `mysql2` and `mariadb` need to connect as the superuser. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  };
}

const FAST: Settings = {
  "innodb-buffer-pool-size": "16M",
  "innodb-flush-log-at-trx-commit": 2,
  "innodb-flush-method": "nosync",
  "innodb-log-file-size": "8M",
  "performance-schema": "off",
  "skip-name-resolve": "on",
};

/** Starts a MariaDB of the test's own, with a database named test; `settings` are as in my.cnf. Needs seconds. */
export async function startMariadb(settings: Settings = {}): Promise<Mariadb> {
  const connectionOf = (port: number) => ({ host: "127.0.0.1", port, user: "root", password: "", database: "test" });
  const server = await serverOf(
    {
      name: "mariadb",
      account: accountFor("mysql"),
      fill: (folder) => [
        programOf("mariadb", "mariadb-install-db"),
        "--no-defaults",
        ...[`--datadir=${join(folder, "data")}`, "--auth-root-authentication-method=normal", "--skip-name-resolve"],
        ...options(FAST),
      ],
      command: ({ folder, port }, more) => [
        programOf("mariadb", "mariadbd"),
        "--no-defaults",
        ...[`--datadir=${join(folder, "data")}`, `--socket=${join(folder, "socket")}`],
        ...options({ ...FAST, "bind-address": "127.0.0.1", port, ...more }),
      ],
      greet: async (port) => {
        const client = await mysql.createConnection({ ...connectionOf(port), connectTimeout: 5_000 });
        await client.end();
      },
      signals: { orderly: "SIGTERM" },
    },
    settings,
  );
  return Object.assign(server, { connection: connectionOf(server.port) });
}

const options = (settings: Settings) => Object.entries(settings).map(([key, value]) => `--${key}=${value}`);
