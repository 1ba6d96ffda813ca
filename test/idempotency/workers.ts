import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export interface Order {
  readonly server: "postgres" | "redis";
  readonly connection: { readonly host: string; readonly port: number };
  readonly key: string;
  readonly inFlight: "refuse" | "wait";
  /** ms */
  readonly lease: number;
  /** So many calls must have begun before one is done. */
  readonly contenders: number;
  /** The function never ends. */
  readonly hangs?: boolean;
}

export type Answer =
  | { readonly ready: true }
  | { readonly began: true }
  | { readonly value: unknown }
  | { readonly failed: string };

/** A process that does calls for the test. */
export class Worker {
  readonly #answers: Answer[] = [];
  #told = () => {};

  private constructor(private readonly child: ChildProcess) {
    child.on("message", (answer: Answer) => {
      this.#answers.push(answer);
      this.#told();
    });
  }

  static async start(program: string): Promise<Worker> {
    const worker = new Worker(fork(program, { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
    await worker.next("ready");
    return worker;
  }

  begin(order: Order): void {
    this.child.send(order);
  }

  /** What the call in progress ends in. */
  async result(): Promise<unknown> {
    const answer = await this.next("value");
    return "value" in answer ? answer.value : answer;
  }

  /** The next answer that has this, or tells of a failure. */
  async next(what: "ready" | "began" | "value"): Promise<Answer> {
    for (;;) {
      while (this.#answers.length > 0) {
        const answer = this.#answers.shift()!;
        if (what in answer || "failed" in answer) return answer;
      }
      if (this.child.exitCode !== null) throw new Error(`the process has ended with ${this.child.exitCode}`);
      await new Promise<void>((resolve) => {
        this.#told = resolve;
        this.child.once("exit", resolve);
      });
    }
  }

  /** As a crash does it: at once, and without a word to anybody. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }
}

/** The program of a worker, bundled once, so that many of them start quickly. */
export async function workerProgram(): Promise<{ readonly file: string; delete(): void }> {
  const folder = mkdtempSync(join(tmpdir(), "undaunted-worker-"));
  const file = join(folder, "worker.cjs");
  await build({
    entryPoints: [fileURLToPath(new URL("worker.ts", import.meta.url))],
    outfile: file,
    tsconfig: fileURLToPath(new URL("../tsconfig.json", import.meta.url)),
    bundle: true,
    minify: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["pg-native"],
    logLevel: "error",
  });
  return { file, delete: () => rmSync(folder, { recursive: true }) };
}
