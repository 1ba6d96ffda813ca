import { type PreviewRow, previewPolicy } from "undaunted";
import { type Io, UsageFault } from "./io.js";
import { optionsOf, policyData, withoutRefs } from "./policy-argument.js";
import { spanOf, tableOf } from "./table.js";

/** Shows what a policy will do, a row per attempt, and a plot of the delays. */
export async function preview(
  argument: string | undefined,
  flags: { attempts?: string; json?: boolean },
  io: Io,
): Promise<number> {
  const attempts = Number(flags.attempts ?? 20);
  if (!(Number.isInteger(attempts) && attempts > 0))
    throw new UsageFault(`--attempts must be a whole number from 1, got ${flags.attempts}`);
  const { data, leftOut } = withoutRefs(await policyData(argument, io));
  const rows = previewPolicy(optionsOf(data, {}), attempts);
  if (flags.json) {
    io.out(JSON.stringify(rows, null, 2));
    return 0;
  }
  io.out(tableOf([["attempt", "then waits", "ends by", ""], ...rows.map(cells)]));
  const plot = plotOf(rows, io.columns);
  if (plot) io.out(`\n${plot}`);
  if (leftOut.length > 0) io.err(`left out, since only a program has them: ${leftOut.join(", ")}`);
  return 0;
}

function cells({ attempt, minDelay, maxDelay, minElapsed, maxElapsed, mayStop }: PreviewRow): string[] {
  return [String(attempt), between(minDelay, maxDelay), between(minElapsed, maxElapsed), mayStop ? "may stop" : ""];
}

function between(low: number, high: number): string {
  return low === high ? spanOf(low) : `${spanOf(low)} – ${spanOf(high)}`;
}

/** The span of each delay, on a line of its own. */
function plotOf(rows: readonly PreviewRow[], columns: number): string {
  const most = Math.max(...rows.map(({ maxDelay }) => maxDelay));
  if (!(most > 0 && most < Infinity)) return "";
  const label = `after ${rows.length} `.length;
  const end = spanOf(most);
  const width = Math.max(10, Math.min(72, columns - label - 3));
  const place = (ms: number) => Math.round((ms / most) * width);
  const lines = rows
    .filter(({ maxDelay }) => maxDelay > 0)
    .map(({ attempt, minDelay, maxDelay }) => {
      const [from, to] = [place(minDelay), place(maxDelay)];
      return `${`after ${attempt}`.padEnd(label)}│${" ".repeat(Math.min(from, width - 1))}${"█".repeat(Math.max(1, to - from))}`;
    });
  const axis = `${" ".repeat(label)}└${"─".repeat(width)}\n${" ".repeat(label)} 0${end.padStart(width - 1)}`;
  return `${lines.join("\n")}\n${axis}`;
}
