import { type SimulationResult, simulate } from "undaunted/simulation";
import {
  budgetPerShard,
  type Contender,
  contenders,
  noBudget,
  noRetries,
  withBreaker,
  withBudget,
} from "./contenders.js";
import { outageOf, type Scene, shardOutage, smallClients, unlucky } from "./scenarios.js";
import { withSharedBreaker, withSharedBudget } from "./shared.js";
import type { Table } from "./table.js";

/** A table: who plays what, and what is read off it. */
export interface Report {
  readonly title: string;
  readonly scene: Scene;
  readonly contenders: readonly Contender[];
  readonly columns: readonly Column[];
}

type Column = readonly [name: string, cell: (result: SimulationResult, scene: Scene) => string];

const MINUTE = 60_000;

const times = (load: number) => load.toFixed(2);

const ofOutage: readonly Column[] = [
  ["load in the outage", ({ load }) => times(load)],
  ["peak after", ({ peak }) => times(peak)],
  ["recovered after", ({ recovery }, { after = MINUTE }) => afterSeconds(recovery, after)],
  ["calls that succeeded", ({ success }) => percent(success, 1)],
];

const ofBadLuck: readonly Column[] = [
  ["calls", ({ calls }) => String(calls)],
  ["load", ({ load }) => load.toFixed(3)],
  ["calls that succeeded", ({ success }) => percent(success, 2)],
];

const shared = [withSharedBudget, withSharedBreaker];

const outage = (title: string, scene: Scene, list = [...contenders, ...shared]): Report => ({
  title,
  scene,
  contenders: list,
  columns: ofOutage,
});

/** What `npm run simulate` prints. Load is in attempts per call that was due. */
export const reports: readonly Report[] = [
  outage("For 30 s nothing answers", outageOf("blackhole")),
  outage("For 37 s nothing answers", { outage: { kind: "blackhole", lasts: 37_000 } }, [
    noRetries,
    withBudget,
    withBreaker,
    ...shared,
  ]),
  outage("For 30 s connections are refused", outageOf("refused")),
  outage("For 30 s the server has 0.4 of its capacity", outageOf("slow")),
  outage("For 30 s one of eight shards has 0.4 of its capacity: what its callers see", shardOutage, [
    noRetries,
    noBudget,
    withBudget,
    budgetPerShard,
  ]),
  outage("Small clients: for 30 s nothing answers, after a minute of life", smallClients(MINUTE, "blackhole"), [
    noRetries,
    noBudget,
    withBudget,
    withBreaker,
    ...shared,
  ]),
  outage("The same after ten minutes of life", smallClients(10 * MINUTE, "blackhole"), [withBudget]),
  {
    title: "One request in ten fails at random",
    scene: unlucky,
    contenders: [noRetries, noBudget, withBudget],
    columns: ofBadLuck,
  },
];

/** Plays a report. */
export async function tableOf(report: Report, seed: number): Promise<Table> {
  const { title, scene, columns } = report;
  const rows: string[][] = [];
  for (const { name, policy } of report.contenders) {
    const result = await simulate({ ...scene, policy, seed });
    rows.push([name, ...columns.map(([, cell]) => cell(result, scene))]);
  }
  const { clients = 20, rate = 10, server: { capacity = 1.2, queue = 2_000 } = {} } = scene;
  const fleet = `${clients} clients of ${rate} calls/s, capacity ${capacity}, queue ${queue / 1_000} s, seed ${seed}`;
  return { title: `${title} (${fleet}).`, columns: ["client", ...columns.map(([name]) => name)], rows };
}

function percent(share: number, digits: number): string {
  return `${(100 * share).toFixed(digits)} %`;
}

function afterSeconds(recovery: number, after: number): string {
  return recovery < Infinity ? `${recovery / 1_000} s` : `not in ${after / 1_000} s`;
}
