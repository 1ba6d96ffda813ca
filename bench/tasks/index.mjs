import { breaker } from "./breaker.mjs";
import { bytes } from "./bytes.mjs";
import { calls } from "./calls.mjs";
import { concurrent } from "./concurrent.mjs";
import { http } from "./http.mjs";
import { importTime } from "./import-time.mjs";
import { memory } from "./memory.mjs";
import { signalSleepers } from "./signal-sleepers.mjs";
import { stack } from "./stack.mjs";
import { syncCalls } from "./sync.mjs";
import { waits } from "./waits.mjs";

/** Measured again where the newest peers run, which want a newer Node. The targets are about Node 20. */
const AGAIN = ["success", "failures", "breaker"];
const again = [...calls, ...breaker]
  .filter(({ name }) => AGAIN.includes(name))
  .map((task) => ({ ...task, name: `${task.name}-24`, title: `${task.title}, on Node 24`, newer: true, targets: [] }));

export const tasks = [
  ...stack,
  ...calls,
  ...again,
  ...syncCalls,
  ...breaker,
  ...http,
  ...memory,
  ...signalSleepers,
  ...concurrent,
  ...waits,
  ...importTime,
  ...bytes,
];
