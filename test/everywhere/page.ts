import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./project.js";
import type { Found, Runtime } from "./runtimes.js";
import { CHECKS } from "./suite/checks.mjs";
import { DIFFERENCES, differenceOf } from "./suite/expected.mjs";

const PAGE = join(root, "docs/runtimes.md");

/** What a runtime found out in both formats, and its version. */
export interface Column {
  readonly runtime: Runtime;
  readonly version: string;
  readonly found: Found;
}

/** The table of the checks: what each runtime has found out, with the reasons where that is not the check's own answer. */
export function checksTable(columns: readonly Column[]): string {
  const reasons: string[] = [];
  const note = (why: string) => {
    if (!reasons.includes(why)) reasons.push(why);
    return reasons.indexOf(why) + 1;
  };
  const cell = ({ runtime, found }: Column, says: string, answer: unknown) => {
    if (isSame(found[says], answer)) return "✓";
    const difference = differenceOf(runtime.name, says);
    return difference && isSame(found[says], difference.answer) ? `${difference.cell} [${note(difference.why)}]` : "✗";
  };
  const rows = CHECKS.map(({ says, answer }) => [says, ...columns.map((column) => cell(column, says, answer))]);
  const table = tableOf(["", ...columns.map(({ runtime }) => runtime.name)], rows);
  return [table, "", ...reasons.map((why, index) => `${index + 1}. ${why}`)].join("\n");
}

/** The table of what was run. */
export function versionsTable(columns: readonly Column[]): string {
  return tableOf(
    ["", "version", ""],
    columns.map(({ runtime, version }) => [runtime.name, version, runtime.about ?? ""]),
  );
}

export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** Whether two answers are the same, which came as JSON. */
export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The part of docs/runtimes.md between the marks of that name. */
export function readPart(name: string): string {
  return partOf(readFileSync(PAGE, "utf8"), name).text;
}

/** Writes the part anew. */
export function writePart(name: string, text: string): void {
  const page = readFileSync(PAGE, "utf8");
  const { from, to } = partOf(page, name);
  writeFileSync(PAGE, `${page.slice(0, from)}\n${text}\n${page.slice(to)}`);
}

/** Whether pages are written anew: `npm run everywhere -- record`. */
export const records = process.env.RECORD === "1";

function partOf(page: string, name: string): { readonly from: number; readonly to: number; readonly text: string } {
  const opening = `<!-- ${name}: printed by npm run everywhere -- record -->`;
  const from = page.indexOf(opening) + opening.length;
  const to = page.indexOf(`<!-- /${name} -->`);
  if (from < opening.length || to < from) throw new Error(`docs/runtimes.md has no part ${name}`);
  return { from, to, text: page.slice(from, to).trim() };
}

/** Differences that no runtime makes any more, or that no check is about. */
export function idleDifferences(columns: readonly Column[]): readonly string[] {
  return DIFFERENCES.flatMap(({ runtime, says, answer }) =>
    says
      .filter(
        (each) => !columns.some((column) => runtime.test(column.runtime.name) && isSame(column.found[each], answer)),
      )
      .map((each) => `${runtime}: ${each}`),
  );
}
