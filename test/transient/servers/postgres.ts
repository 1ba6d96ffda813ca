import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { accountFor, programOf } from "./installed.js";
import { type Server, type Settings, serverOf } from "./server.js";

export interface Postgres extends Server {
  /** What `pg` needs to connect as the superuser. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
  };
  /** `"smart"` waits for its clients to leave; `"fast"`, unless told, ends them; `"immediate"` does not even say so. */
  stop(how?: "smart" | "fast" | "immediate"): Promise<void>;
}

// Nothing here outlives a crash of the system, but all outlives a crash of the server: the system keeps what it wrote.
const FAST: Settings = { fsync: "off", shared_buffers: "16MB", max_wal_size: "64MB", jit: "off" };

const ONLY_TCP: Settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  // Shared memory as files in the folder: what else a killed server leaves is hard to find.
  dynamic_shared_memory_type: "mmap",
};

// The role "guarded" needs a password, "nobody" may not connect at all, the others just connect.
const ACCESS = `
host all guarded 127.0.0.1/32 scram-sha-256
host all nobody 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
`;

/** Starts a PostgreSQL of the test's own; `settings` are as in postgresql.conf. Needs seconds. */
export async function startPostgres(settings: Settings = {}): Promise<Postgres> {
  const connectionOf = (port: number) => ({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  const server = await serverOf(
    {
      name: "postgres",
      account: accountFor("postgres"),
      fill: (folder) => [
        programOf("postgres", "initdb"),
        ...["-D", join(folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
      ],
      command: ({ folder, port }, more) => {
        const data = join(folder, "data");
        writeFileSync(join(data, "pg_hba.conf"), ACCESS);
        const all = Object.entries({ ...FAST, ...ONLY_TCP, port, ...more });
        return [
          programOf("postgres", "postgres"),
          "-D",
          data,
          ...all.flatMap(([key, value]) => ["-c", `${key}=${value}`]),
        ];
      },
      greet: async (port) => {
        const client = new pg.Client({ ...connectionOf(port), connectionTimeoutMillis: 5_000 });
        client.on("error", () => {});
        await client.connect();
        await client.end();
      },
      signals: { fast: "SIGINT", smart: "SIGTERM", immediate: "SIGQUIT" },
      heldUp: /pre-existing shared memory block|lock file "[^"]*" already exists/,
      cleanUp: freeSharedMemory,
    },
    settings,
  );
  return Object.assign(server, { connection: connectionOf(server.port) });
}

/** A postmaster that was killed could not free its segment; its number is the last word of a file that it left. */
function freeSharedMemory(folder: string): void {
  let segment: string | undefined;
  try {
    segment = readFileSync(join(folder, "data", "postmaster.pid"), "utf8")
      .split("\n")[6]
      ?.trim()
      .split(/\s+/)
      .at(-1);
  } catch {
    return;
  }
  if (!segment) return;
  try {
    execFileSync("ipcrm", ["-m", segment], { stdio: "ignore" });
  } catch {
    // The system has freed it already.
  }
}
