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
  /** Epoch ms: when the engine will begin the next attempt of a call that sleeps, by what it has on record. */
  due(id: string): Promise<number | undefined>;
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
  due(id: string): Promise<number | undefined>;
  cancel(id: string): Promise<void>;
  /** What its worker is told beside the rest. */
  settings(): object | Promise<object>;
  /** Hears each line that the worker prints. */
  heard?(line: string): void;
  /** What is done once a worker is ready. */
  ready?(): Promise<void>;
  close(): Promise<void>;
}

const here = fileURLToPath(new URL("..", import.meta.url));

/** The program of an engine's worker, bundled: it begins in a fraction of the time. */
async function bundle(name: string): Promise<string> {
  const outfile = join(here, "node_modules", ".undaunted", `${name}-${process.pid}.mjs`);
  await build({
    stdin: {
      contents: `
        import { Calls } from "./call.js";
        import { work } from "./${name}.js";
        // Whatever becomes of the test's process: a worker does not outlive it.
        process.stdin.on("end", () => process.exit(1)).resume();
        const settings = JSON.parse(process.argv[2]);
        await work(new Calls(settings), settings);
        console.log("ready");`,
      resolveDir: join(here, "worker"),
      loader: "ts",
    },
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    plugins: [{ name: "undaunted", setup: ({ onResolve }) => onResolve({ filter: /^[^./]/ }, found) }],
    logLevel: "error",
  });
  return outfile;
}

/** What is imported by name: the source of this package, or what is installed. */
function found({ path }: { readonly path: string }) {
  const [owner, entry] = path.split("/");
  if (owner !== "undaunted") return { external: true };
  return { path: join(here, "../../src", entry ?? "", "index.ts") };
}

export async function engineOf(
  name: string,
  make: (postgres: Postgres, folder: string) => Promise<Driver>,
): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "undaunted-engine-"));
  const [program, postgres] = [await bundle(name), await startPostgres()];
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
    due: (id) => driver.due(id),
    cancel: (id) => driver.cancel(id),
    charges: async (id) => (await pool.query("select from charges where call = $1", [id])).rowCount ?? 0,
    killWorker,
    async startWorker() {
      const settings = JSON.stringify({
        diary: diary.file,
        postgres: postgres.connection,
        ...(await driver.settings()),
      });
      const started = spawn(process.execPath, [program, settings], { stdio: ["pipe", "pipe", "pipe"] });
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
