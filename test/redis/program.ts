import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** A program in TypeScript, bundled once with all that it imports, so that many processes of it start quickly. */
export async function programOf(source: URL): Promise<{ readonly file: string; delete(): void }> {
  const folder = mkdtempSync(join(tmpdir(), "undaunted-fleet-"));
  const file = join(folder, "program.cjs");
  await build({
    entryPoints: [fileURLToPath(source)],
    outfile: file,
    tsconfig: fileURLToPath(new URL("../tsconfig.json", import.meta.url)),
    ...{ bundle: true, platform: "node", format: "cjs", target: "node20", logLevel: "error" },
  });
  return { file, delete: () => rmSync(folder, { recursive: true }) };
}

/** A process of a program that is told what to do, and says what came of it. */
export class Process<Said> {
  readonly #said: Said[] = [];
  #heard = () => {};

  private constructor(private readonly child: ChildProcess) {
    child.on("message", (message) => {
      this.#said.push(message as Said);
      this.#heard();
    });
    child.once("exit", () => this.#heard());
  }

  /** Starts one, which finds `order` among its arguments, and waits for its first word. */
  static async start<Said>(file: string, order: object, options: ForkOptions = {}): Promise<Process<Said>> {
    // Without what this process was started with: its loaders have no business there.
    const process = new Process<Said>(fork(file, [JSON.stringify(order)], { execArgv: [], ...options }));
    await process.next();
    return process;
  }

  tell(word: string): void {
    this.child.send(word);
  }

  /** What it says next. */
  async next(): Promise<Said> {
    while (this.#said.length === 0) {
      if (this.#isOver) throw new Error(`the process has ended with ${this.child.exitCode ?? this.child.signalCode}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
    return this.#said.shift()!;
  }

  /** Resolves with the exit code once it has ended by itself. */
  async ended(): Promise<number | null> {
    if (!this.#isOver) await once(this.child, "exit");
    return this.child.exitCode;
  }

  get #isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async kill(): Promise<void> {
    if (this.#isOver) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}
