import { breaker } from "./breaker.mjs";
import { bytes } from "./bytes.mjs";
import { calls } from "./calls.mjs";
import { concurrent } from "./concurrent.mjs";
import { importTime } from "./import-time.mjs";
import { memory } from "./memory.mjs";
import { signalSleepers } from "./signal-sleepers.mjs";
import { stack } from "./stack.mjs";
import { syncCalls } from "./sync.mjs";
import { waits } from "./waits.mjs";

export const tasks = [
  ...stack,
  ...calls,
  ...syncCalls,
  ...breaker,
  ...memory,
  ...signalSleepers,
  ...concurrent,
  ...waits,
  ...importTime,
  ...bytes,
];
