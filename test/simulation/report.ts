import {
  budgetPerShard,
  type Contender,
  contenders,
  noBudget,
  noRetries,
  withBreaker,
  withBudget,
} from "./contenders.js";
import { type Run, type Scenario, simulate } from "./fleet.js";
import { amplification, overallLoad, peakAfter, recovery, success, sumOf } from "./measures.js";
import { outageOf, shardOutage, smallClients, unlucky } from "./scenarios.js";
import type { Table } from "./table.js";

/** A table: who plays what, and what is read off it. */
export interface Report {
  readonly title: string;
  readonly scenario: Scenario;
  readonly contenders: readonly Contender[];
  readonly columns: readonly Column[];
}

type Column = readonly [name: string, cell: (run: Run) => string];

const times = (load: number) => load.toFixed(2);

const ofOutage: readonly Column[] = [
  ["load in the outage", (run) => times(amplification(run))],
  ["peak after", (run) => times(peakAfter(run))],
  ["recovered after", (run) => afterSeconds(recovery(run), run)],
  ["calls that succeeded", (run) => percent(success(run), 1)],
];

const ofBadLuck: readonly Column[] = [
  ["calls", (run) => String(sumOf(run.seconds, "calls"))],
  ["load", (run) => overallLoad(run).toFixed(3)],
  ["calls that succeeded", (run) => percent(success(run), 2)],
];

const outage = (title: string, scenario: Scenario, list = contenders): Report => ({
  title,
  scenario,
  contenders: list,
  columns: ofOutage,
});

/** What `npm run simulate` prints. Load is in attempts per call that was due. */
export const reports: readonly Report[] = [
  outage("For 30 s nothing answers", outageOf("blackhole")),
  outage("For 30 s connections are refused", outageOf("refused")),
  outage("For 30 s the server has 0.4 of its capacity", outageOf("slow")),
  outage("For 30 s one of eight shards has 0.4 of its capacity: what its callers see", shardOutage, [
    noRetries,
    noBudget,
    withBudget,
    budgetPerShard,
  ]),
  outage("Small clients: for 30 s nothing answers, after a minute of life", smallClients(60, "blackhole"), [
    noRetries,
    noBudget,
    withBudget,
    withBreaker,
  ]),
  outage("The same after ten minutes of life", smallClients(600, "blackhole"), [withBudget]),
  {
    title: "One request in ten fails at random",
    scenario: unlucky,
    contenders: [noRetries, noBudget, withBudget],
    columns: ofBadLuck,
  },
];

/** Plays a report. */
export async function tableOf(report: Report, seed: number): Promise<Table> {
  const { title, scenario, columns } = report;
  const rows: string[][] = [];
  for (const contender of report.contenders) {
    const run = await simulate(scenario, contender, seed);
    rows.push([contender.name, ...columns.map(([, cell]) => cell(run))]);
  }
  const { clients, rate, capacity, queue } = scenario;
  const fleet = `${clients} clients of ${rate} calls/s, capacity ${capacity}, queue ${queue} s, seed ${seed}`;
  return { title: `${title} (${fleet}).`, columns: ["client", ...columns.map(([name]) => name)], rows };
}

function percent(share: number, digits: number): string {
  return `${(100 * share).toFixed(digits)} %`;
}

function afterSeconds(seconds: number, { scenario }: Run): string {
  return seconds < Infinity ? `${seconds} s` : `not in ${scenario.after} s`;
}
