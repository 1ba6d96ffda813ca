import type { PreviewRow } from "undaunted";

/** A table that a page says is what `previewPolicy(policy)` or `previewPolicy(policy, rows)` answers. */
export interface Table {
  readonly file: string;
  /** Of its head. */
  readonly line: number;
  readonly rows: number | undefined;
  readonly text: string;
}

export function tablesOf(file: string, text: string): Table[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const [match, rows] = /^<!-- previewPolicy\(policy(?:, (\d+))?\) -->$/.exec(line) ?? [];
    if (match === undefined) return [];
    const from = index + 1;
    const end = lines.findIndex((each, at) => at >= from && !each.startsWith("|"));
    return [{ file, line: from + 1, rows: rows ? Number(rows) : undefined, text: lines.slice(from, end).join("\n") }];
  });
}

/** The rows as the pages show them, in whole ms. */
export function tableOf(rows: readonly PreviewRow[]): string {
  const ms = (time: number) => Math.round(time).toLocaleString("en-US");
  const cells = rows.map((row) => [
    row.attempt,
    ms(row.minDelay),
    ms(row.maxDelay),
    ms(row.minElapsed),
    ms(row.maxElapsed),
    row.mayStop ? "yes" : "no",
  ]);
  const head = ["attempt", "min delay", "max delay", "min elapsed", "max elapsed", "may stop"];
  const rule = "|--:|--:|--:|--:|--:|:-:|";
  const [first, ...rest] = [head, ...cells].map((each) => `| ${each.join(" | ")} |`);
  return [first, rule, ...rest].join("\n");
}
