import { readFileSync, writeFileSync } from "node:fs";
import { classifyError } from "undaunted/transient";
import { revive } from "./fixtures/revive.js";

export interface OrmRecording {
  readonly stack: string;
  /** The server and its version. */
  readonly database: string;
  /** The packages and their versions. */
  readonly versions: string;
  readonly failures: Readonly<Record<string, object>>;
}

const PAGE = new URL("../../docs/transient-errors.md", import.meta.url);
const MARKS = ["<!-- recorded: npm run orms -- record -->\n", "<!-- end -->"] as const;

/** What the classifiers make of each recorded failure, as Markdown. */
export function ormTable(recordings: readonly OrmRecording[]): string {
  const failures = Object.keys(recordings[0]!.failures);
  const rows = recordings.map(({ stack, database, versions, failures: recorded }) => [
    `**${stack}** (${versions}; ${database})`,
    ...failures.map((failure) => cellOf(recorded[failure]!)),
  ]);
  const lines = [["", ...failures], ["", ...failures].map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function cellOf(error: object): string {
  return "name" in error && error.name === "Waits" ? "waits" : classifyError(revive({ error }));
}

/** The table that the page has. */
export function ormTableOfPage(): string {
  const [, rest = ""] = readFileSync(PAGE, "utf8").split(MARKS[0]);
  return rest.split(MARKS[1])[0]!;
}

/** Puts the table into the page. */
export function writeOrmTable(recordings: readonly OrmRecording[]): void {
  const page = readFileSync(PAGE, "utf8");
  const [before, after] = [page.split(MARKS[0])[0], page.split(MARKS[1])[1]];
  writeFileSync(PAGE, [before, MARKS[0], ormTable(recordings), MARKS[1], after].join(""));
}
