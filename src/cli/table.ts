/** Rows as text: the first row is the head; numbers stand to the right. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const isNumeric = rows[0]!.map((_, column) => rows.slice(1).every((row) => /^[\d.,∞–-]/.test(row[column]!)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}

/** ms as a person reads them: `250 ms`, `1.5 s`, `2 min`. */
export function spanOf(ms: number): string {
  if (!Number.isFinite(ms)) return "∞";
  if (ms < 1_000) return `${round(ms)} ms`;
  return ms < 60_000
    ? `${round(ms / 1_000)} s`
    : ms < 3_600_000
      ? `${round(ms / 60_000)} min`
      : `${round(ms / 3_600_000)} h`;
}

function round(amount: number): string {
  return String(Number(amount.toFixed(amount < 10 ? 2 : 1)));
}
