// `npm run fleet`: outages of a real server that hangs, refuses and is slow, and a Redis that is killed in mid-outage, beside
// the same with guards of each process's own. Counts are held; what is told beside is held nowhere. `FLEET_OUTAGE` is ms.

import assert from "node:assert/strict";
import { claimsOf, linesOf } from "./claims.js";
import { MEMBERS, type Outage, PROCESSES, play } from "./play.js";

const lasts = Number(process.env.FLEET_OUTAGE ?? 30_000);
const outages: readonly Outage[] = [
  { trouble: "hangs", lasts },
  { trouble: "refuses", lasts },
  { trouble: "slow", lasts },
  { trouble: "hangs", lasts, redisDies: true },
  { trouble: "refuses", lasts, redisDies: true },
];

console.log(`${PROCESSES} processes, ${MEMBERS} members of each crew in each, an outage of ${lasts / 1_000} s`);
for (const outage of outages) {
  const result = await play(outage);
  console.log(`the server ${outage.trouble}${outage.redisDies ? ", and Redis is killed in mid-outage" : ""}`);
  for (const line of linesOf(result)) console.log(line);
  assert.deepEqual(
    claimsOf(outage, result).filter(({ holds }) => !holds),
    [],
  );
}
