import * as bullmq from "./bullmq.js";
import { Calls } from "./call.js";
import * as graphile from "./graphile.js";
import * as pgBoss from "./pg-boss.js";

// The process that is killed: `node worker.mjs <engine> <settings as JSON>`.
const ENGINES = { bullmq, graphile, "pg-boss": pgBoss };

const [engine, settings] = process.argv.slice(2);
const given = JSON.parse(settings!);
await ENGINES[engine as keyof typeof ENGINES].work(new Calls(given), given);
console.log("ready");
