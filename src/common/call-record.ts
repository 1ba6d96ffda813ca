import type { GiveUpReason } from "./attempt.js";

/** One attempt in a `CallRecord`. */
export interface AttemptRecord {
  /** From 1. */
  readonly attempt: number;
  /** ms that it took. */
  readonly took: number;
  /** What it threw, in one line; `undefined` where it returned a value. */
  readonly error: string | undefined;
  /** What decided what follows it, in the order in which they were asked. */
  readonly said: readonly string[];
  /** ms until the next attempt; `undefined` where none followed. */
  readonly delay: number | undefined;
  /** Where the delay came from: the policy's `wait`, the cap that bounds it, or a hint of what failed. */
  readonly source: "policy" | "cap" | "hint" | undefined;
}

/** What happened in one call, and why. */
export interface CallRecord {
  readonly name: string;
  /** The first five and the last five. */
  readonly attempts: readonly AttemptRecord[];
  /** How many between them are left out. */
  readonly omitted: number;
  /** Attempts made. */
  readonly made: number;
  /** ms that the call took. */
  readonly elapsed: number;
  /** Why it was given up; `undefined` where it returned its value. */
  readonly reason: GiveUpReason | "broken" | undefined;
  /** What it was given up with, in one line; `undefined` as above. */
  readonly error: string | undefined;
  /** All of it as lines to read. */
  toString(): string;
}

const MOST = 5;

/** The attempts of one call. */
export class CallRows {
  made = 0;
  private readonly first: AttemptRecord[] = [];
  private readonly last: AttemptRecord[] = [];

  add(row: AttemptRecord): void {
    this.made = row.attempt;
    if (this.first.length < MOST) this.first.push(row);
    else if (this.last.push(row) > MOST) this.last.shift();
  }

  record(
    name: string,
    made: number,
    elapsed: number,
    reason: CallRecord["reason"],
    error: string | undefined,
  ): CallRecord {
    const attempts = [...this.first, ...this.last];
    const record = { name, attempts, omitted: made - attempts.length, made, elapsed, reason, error };
    return Object.defineProperty(record, "toString", { value: () => textOf(record) });
  }
}

function textOf(record: Omit<CallRecord, "toString">): string {
  const { name, attempts, omitted, made, elapsed, reason, error } = record;
  const end = reason === undefined ? "succeeded" : `gave up (${reason})`;
  const head = `${name}: ${end} after ${made} attempt${made === 1 ? "" : "s"} in ${ms(elapsed)}${error === undefined ? "" : `: ${error}`}`;
  const lines = attempts.map(lineOf);
  if (omitted > 0) lines.splice(MOST, 0, `  (${omitted} more)`);
  return [head, ...lines].join("\n");
}

function lineOf({ attempt, took, error, said, delay, source }: AttemptRecord): string {
  const value = said.length > 0 ? "a value that was not wanted" : "a value that was taken";
  const next = delay === undefined ? "" : `; the next in ${ms(delay)} (${source})`;
  return `  ${attempt}: ${ms(took)}, ${error ?? value}${said.length > 0 ? `; ${said.join(", ")}` : ""}${next}`;
}

const ms = (time: number) => `${Math.round(time)} ms`;
