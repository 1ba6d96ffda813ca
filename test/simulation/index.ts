// Plays every scenario and prints what came of it: `npm run simulate`, with `-- --markdown` for tables in Markdown and
// `-- --seed 2` for other clients.

import { parseArgs } from "node:util";
import { reports, tableOf } from "./report.js";
import { asMarkdown, asText } from "./table.js";

const { values } = parseArgs({ options: { markdown: { type: "boolean" }, seed: { type: "string", default: "1" } } });
const print = values.markdown ? asMarkdown : asText;

for (const report of reports) console.log(print(await tableOf(report, Number(values.seed))));
