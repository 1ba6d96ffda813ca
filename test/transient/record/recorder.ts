import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { within } from "../servers/until.js";
import { type Fields, fieldsOf } from "./fields-of.js";

export type Phase = "connect" | "query" | "commit" | "idle" | "pool";

export interface Recorded {
  readonly driver: string;
  readonly version: string;
  readonly server: string;
  readonly failure: string;
  readonly phase: Phase;
  readonly error: Fields;
}

/** What one failure needs only while it is provoked. */
export interface Scope {
  /** Done when the failure is recorded, the last first. What it throws is nobody's concern. */
  defer(cleanUp: () => unknown): void;
}

/** Answers what was thrown. A failure to set the failure up is thrown on. */
export type Provoke = (scope: Scope) => Promise<unknown>;

export class Recorder {
  readonly #rows: Recorded[] = [];

  constructor(private readonly what: Pick<Recorded, "driver" | "version" | "server">) {}

  async record(phase: Phase, failure: string, provoke: Provoke): Promise<void> {
    const cleanUps: (() => unknown)[] = [];
    try {
      const label = () => `${this.what.driver}: ${failure}`;
      const error = await within(provoke({ defer: (cleanUp) => void cleanUps.push(cleanUp) }), 60_000, label);
      this.#rows.push({ ...this.what, failure, phase, error: fieldsOf(error) });
      console.log(`${label()}: ${summary(error)}`);
    } catch (error) {
      throw new Error(`${this.what.driver}: ${failure}: could not be provoked`, { cause: error });
    } finally {
      // One clean-up may need another.
      for (let next = cleanUps.pop(); next; next = cleanUps.pop()) await settled(next);
    }
  }

  /** Writes the fixture of this name. */
  write(name: string): void {
    const file = fileURLToPath(new URL(`../fixtures/${name}.json`, import.meta.url));
    writeFileSync(file, JSON.stringify(this.#rows));
    execFileSync("npx", ["biome", "check", "--write", file], { stdio: "inherit" });
  }
}

/** What a promise rejects with; a failure that it resolves. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`it has not failed, but answered ${JSON.stringify(value)}`);
}

/** Lets a promise that is awaited later reject meanwhile. */
export function later<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

async function settled(cleanUp: () => unknown): Promise<void> {
  try {
    await within(Promise.resolve(cleanUp()), 10_000, () => "the cleaning up");
  } catch {
    // A connection that is broken already.
  }
}

function summary(error: unknown): string {
  const shown = ["constructor", "name", "message", "code", "errno", "sqlState"];
  return JSON.stringify(fieldsOf(error), shown);
}
