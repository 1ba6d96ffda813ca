import { asText, type Table } from "./table.js";
import { type Measured, measure, SIZES, TARGETS, type Target } from "./targets.js";

const SEEDS = [1, 2, 3];

/** The worst of all seeds, for each target a table of its bounds by size. */
export async function targetTable(target: Target): Promise<Table> {
  const rows: string[][] = [];
  for (const size of SIZES) {
    const runs: Measured[][] = [];
    for (const seed of SEEDS) runs.push(await measure(target, size, seed));
    const cells = runs[0]!.map(({ what, bound }, n) => {
      const all = runs.map((run) => run[n]!);
      const worst = all.reduce((one, other) => (other.slack < one.slack ? other : one));
      return [what, bound, worst.shown, worst.holds ? "" : "missed"];
    });
    rows.push(...cells.map((cell) => [size.name, ...cell]));
  }
  return {
    title: `${target.title}: the worst of seeds ${SEEDS.join(", ")}`,
    columns: ["fleet", "what", "bound", "measured", ""],
    rows,
  };
}

export async function printTargets(): Promise<void> {
  for (const target of TARGETS) console.log(asText(await targetTable(target)));
}
