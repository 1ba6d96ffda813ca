import { simulate } from "undaunted/simulation";
import { noRetries } from "./contenders.js";
import { playShared } from "./shared.js";

for (const [clients, rate] of [
  [10_000, 0.1],
  [1_000, 1],
] as const)
  for (const seed of [1, 2, 3]) {
    const scene = { outage: { kind: "slow", lasts: 30_000 }, before: 60_000, after: 60_000, clients, rate } as const;
    const a = await playShared(scene, { guards: "budget", shared: true }, seed);
    const b = await simulate({ ...scene, seed, policy: noRetries.policy });
    console.log(clients, seed, Math.round(a.success * a.calls), Math.round(b.success * b.calls), a.calls);
  }
