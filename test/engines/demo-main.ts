import { demo } from "./demo.js";
import { startBullmq } from "./engines/bullmq.js";
import { startDbos } from "./engines/dbos.js";
import { startGraphile } from "./engines/graphile.js";
import { startPgBoss } from "./engines/pg-boss.js";
import { startRestate } from "./engines/restate.js";

// `npm run demo:engines`: all of them, or those that are named.
const ENGINES = {
  bullmq: ["BullMQ", startBullmq],
  "pg-boss": ["pg-boss", startPgBoss],
  graphile: ["graphile-worker", startGraphile],
  restate: ["Restate", startRestate],
  dbos: ["DBOS", startDbos],
} as const;

const named = process.argv.slice(2);
const unknown = named.filter((name) => !(name in ENGINES));
if (unknown.length > 0) {
  console.error(`there is no engine ${unknown.join(", ")}; there are ${Object.keys(ENGINES).join(", ")}`);
  process.exit(1);
}
for (const [key, [name, start]] of Object.entries(ENGINES)) {
  if (named.length > 0 && !named.includes(key)) continue;
  await demo(name, start, console.log);
  console.log();
}
process.exit(0);
