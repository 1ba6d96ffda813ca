import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** Something that happened to a call, in some process. */
export interface Entry {
  readonly call: string;
  readonly what: "attempt" | "retry" | "accepted" | "given up" | "aborted" | "hangs" | "charges" | "inner attempt";
  readonly attempt: number;
  /** Epoch ms. */
  readonly at: number;
  /** Of the process. */
  readonly pid: number;
  readonly delay?: number;
  readonly reason?: string;
  readonly code?: unknown;
  readonly message?: string;
}

/** What happened to the calls, in a file: each line is there as soon as it is written, whoever is killed then. */
export class Diary {
  constructor(readonly file: string) {}

  write(entry: Omit<Entry, "at" | "pid">): void {
    appendFileSync(this.file, `${JSON.stringify({ ...entry, at: Date.now(), pid: process.pid })}\n`);
  }

  /** All entries so far, of one call where it is named. */
  read(call?: string): Entry[] {
    if (!existsSync(this.file)) return [];
    const lines = readFileSync(this.file, "utf8").split("\n").slice(0, -1);
    const entries = lines.map((line) => JSON.parse(line) as Entry);
    return call === undefined ? entries : entries.filter((entry) => entry.call === call);
  }
}
