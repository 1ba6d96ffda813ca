import { callTask } from "./calls.mjs";

// In ns over the hand loop, which the compiler turns into a handful of instructions: no ratio says anything.
const sync = { shape: "sync", limit: "sync", work: "sync", unit: "over" };

export const syncCalls = [
  callTask({ ...sync, name: "sync-success", title: "sync success", max: 5 }),
  callTask({ ...sync, name: "sync-failures", title: "sync, three failures, then success, no delay", failures: 3 }),
];
