import { playShared } from "./shared.js";

for (const [clients, rate] of [
  [4, 10],
  [2, 10],
  [10, 2],
  [5, 5],
  [3, 1],
  [1, 10],
] as const)
  for (const seed of [1, 2, 3]) {
    const scene = {
      outage: { kind: "blackhole", lasts: 30_000 },
      before: 60_000,
      after: 60_000,
      clients,
      rate,
    } as const;
    const a = await playShared(scene, { guards: "breaker", shared: true }, seed);
    const b = await playShared(scene, { guards: "breaker", shared: false }, seed);
    console.log(clients, rate, seed, a.load.toFixed(3), b.load.toFixed(3), a.recovery, b.recovery);
  }
