import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Account } from "./installed.js";

// Ends the program and deletes the folder as soon as the input ends without the word "close", which it does however
// this process comes to its end. SIGQUIT first: of a killed PostgreSQL a segment of shared memory would remain.
const GUARD = `
program=
while read -r line; do
  [ "$line" = close ] && exit
  program=$line
done
if [ -n "$program" ]; then
  kill -QUIT "$program"
  tries=0
  while kill -0 "$program" && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$program"
fi 2>/dev/null
rm -rf "$1"
`;

export interface Running {
  /** Resolves when it has ended, however it came to that. */
  readonly ended: Promise<void>;
  readonly isRunning: boolean;
  signal(signal: NodeJS.Signals): void;
}

/** A folder, and what is run in it, one program at a time: neither outlives this process, even if that is killed. */
export class ThrowAway {
  readonly folder: string;
  readonly #account: Account | undefined;
  readonly #guard: ChildProcess;
  readonly #log: string;

  constructor(name: string, account?: Account) {
    this.folder = mkdtempSync(join(tmpdir(), `undaunted-${name}-`));
    this.#account = account;
    this.#log = join(this.folder, "log");
    if (account) chownSync(this.folder, account.uid, account.gid);
    // In a session of its own: a Ctrl-C that ends the tests must not end it too.
    this.#guard = spawn("sh", ["-c", GUARD, "sh", this.folder], {
      cwd: "/",
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#guard.stdin!.on("error", () => {});
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Starts a program, and resolves once the system has taken it. */
  async start(command: string, args: readonly string[]): Promise<Running> {
    const output = openSync(this.#log, "a");
    const child = spawn(command, args, {
      ...this.#account,
      cwd: this.folder,
      detached: true,
      env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    let isRunning = true;
    const ended = once(child, "exit").then(() => {
      isRunning = false;
      this.#tellGuard("");
    });
    await Promise.race([once(child, "spawn"), ended]);
    if (isRunning) this.#tellGuard(String(child.pid));
    return {
      ended,
      get isRunning() {
        return isRunning;
      },
      signal: (signal) => void child.kill(signal),
    };
  }

  /** What the programs have said so far. */
  log(): string {
    try {
      return readFileSync(this.#log, "utf8");
    } catch {
      return "";
    }
  }

  async close(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    if (this.#guard.exitCode !== null || this.#guard.signalCode !== null) return;
    const gone = once(this.#guard, "exit");
    this.#guard.stdin!.end("close\n");
    await gone;
  }

  #tellGuard(line: string): void {
    this.#guard.stdin!.write(`${line}\n`);
  }
}
