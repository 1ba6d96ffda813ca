import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import pg from "pg";
import { postgresIdempotencyStore } from "undaunted/idempotency";
import { type Postgres, startPostgres } from "../../transient/servers/index.js";
import type { Call } from "../worker/call.js";
import { Diary } from "../worker/diary.js";

export type Fate = "under way" | "completed" | "failed" | "cancelled";

/** An engine with its servers, and the one process that works for it. */
export interface Engine {
  readonly diary: Diary;
  submit(call: Call): Promise<void>;
  /** What the engine says of a call. */
  fate(id: string): Promise<Fate>;
  /** Cancels a call that sleeps. */
  cancel(id: string): Promise<void>;
  charges(id: string): Promise<number>;
  startWorker(): Promise<void>;
  killWorker(): Promise<void>;
  close(): Promise<void>;
}

/** What an engine of a test is made of. */
export interface Driver {
  submit(call: Call): Promise<void>;
  fate(id: string): Promise<Fate>;
  cancel(id: string): Promise<void>;
  /** What its worker is told beside the rest. */
  settings(): object | Promise<object>;
  /** Hears each line that the worker prints. */
  heard?(line: string): void;
  /** What is done once a worker is ready. */
  ready?(): Promise<void>;
  close(): Promise<void>;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The worker's program, bundled once. */
async function bundle(): Promise<string> {
  const outfile = join(
    fileURLToPath(new URL("..", import.meta.url)),
    "node_modules",
    ".undaunted",
    `${process.pid}.mjs`,
  );
  await build({
    entryPoints: [fileURLToPath(new URL("../worker/index.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    alias: { undaunted: join(root, "src/index.ts") },
    plugins: [
      {
        name: "undaunted",
        setup({ onResolve }) {
          onResolve({ filter: /^undaunted\// }, ({ path }) => ({
            path: join(root, "src", path.slice(10), "index.ts"),
          }));
          onResolve({ filter: /^[^.]/ }, ({ path, kind }) =>
            kind === "entry-point" || path.startsWith("undaunted") || path.startsWith("/")
              ? undefined
              : { external: true },
          );
        },
      },
    ],
    logLevel: "error",
  });
  return outfile;
}

export async function engineOf(
  name: string,
  make: (postgres: Postgres, folder: string) => Promise<Driver>,
): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "undaunted-engine-"));
  const [program, postgres] = [await bundle(), await startPostgres()];
  const pool = new pg.Pool(postgres.connection);
  pool.on("error", () => {});
  await pool.query("create table charges (call text not null)");
  await postgresIdempotencyStore(pool).setUp();
  const diary = new Diary(join(folder, "diary"));
  const driver = await make(postgres, folder);
  let worker: ChildProcess | undefined;

  const killWorker = async () => {
    if (!worker || worker.exitCode !== null || worker.signalCode !== null) return;
    const gone = once(worker, "exit");
    worker.kill("SIGKILL");
    await gone;
  };

  return {
    diary,
    submit: (call) => driver.submit(call),
    fate: (id) => driver.fate(id),
    cancel: (id) => driver.cancel(id),
    charges: async (id) => (await pool.query("select from charges where call = $1", [id])).rowCount ?? 0,
    killWorker,
    async startWorker() {
      const settings = JSON.stringify({
        diary: diary.file,
        postgres: postgres.connection,
        ...(await driver.settings()),
      });
      const started = spawn(process.execPath, [program, name, settings], { stdio: ["ignore", "pipe", "pipe"] });
      worker = started;
      const errors: string[] = [];
      started.stderr!.on("data", (chunk) => errors.push(String(chunk)));
      await new Promise<void>((resolve, reject) => {
        createInterface(started.stdout!).on("line", (line) => {
          if (line === "ready") resolve();
          else driver.heard?.(line);
        });
        started.once("exit", () => reject(new Error(`the worker of ${name} has ended:\n${errors.join("")}`)));
      });
      await driver.ready?.();
    },
    async close() {
      await killWorker();
      await driver.close();
      await pool.end();
      await postgres.close();
      rmSync(folder, { recursive: true, force: true });
      rmSync(program, { force: true });
    },
  };
}
