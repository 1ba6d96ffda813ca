// Plays every scenario and prints what came of it: `npm run simulate`, with `-- --markdown` for tables in Markdown and
// `-- --seed 2` for other clients. `-- --fleet` plays the bounds of shared guards with fleets of every size instead, some twenty minutes.

import { parseArgs } from "node:util";
import { printTargets } from "./fleet.js";
import { reports, tableOf } from "./report.js";
import { asMarkdown, asText } from "./table.js";

const { values } = parseArgs({
  options: { markdown: { type: "boolean" }, seed: { type: "string", default: "1" }, fleet: { type: "boolean" } },
});
const print = values.markdown ? asMarkdown : asText;

if (values.fleet) await printTargets();
else for (const report of reports) console.log(print(await tableOf(report, Number(values.seed))));
