/** Rows of text under a heading. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** For a terminal: the first column to the left, numbers to the right. */
export function asText({ title, columns, rows }: Table): string {
  const lines = [columns, ...rows];
  const widths = columns.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  const lineOf = (cells: readonly string[]) =>
    cells.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join("   ");
  return [title, "", ...lines.map(lineOf), ""].join("\n");
}

export function asMarkdown({ title, columns, rows }: Table): string {
  const lineOf = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, column) => (column === 0 ? "---" : "---:"));
  const cells = rows.map(([name = "", ...rest]) => [name.includes("(") ? `\`${name}\`` : name, ...rest]);
  return [title, "", ...[columns, rule, ...cells].map(lineOf), ""].join("\n");
}
