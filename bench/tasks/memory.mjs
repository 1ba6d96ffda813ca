import { shapesOf } from "../contenders/index.mjs";
import { expectEqual, freshLoop, pause, turn } from "../measure.mjs";

const SLEEPERS = 100_000;
const AN_HOUR = 3_600_000;
const KB = 1024;

export const memory = [
  {
    name: "memory",
    title: "memory per sleeping call, 100,000 of them, each with a caller that awaits it",
    shape: "sleeping",
    rounds: 3,
    fresh: true,
    columns: [
      { key: "heap", title: "heap, B", digits: 0 },
      { key: "rss", title: "resident, B", digits: 0 },
    ],
    targets: [{ contender: "undaunted", key: "heap", max: 950, unit: "B" }],
    async prepare(contender) {
      const { sleeping } = await shapesOf(contender);
      const loop = await freshLoop();
      await warmUp(loop, sleeping);
      return async () => {
        const counter = loop.concurrentWork(1, SLEEPERS);
        const call = sleeping(counter.fn, AN_HOUR);
        let settled = 0;
        // Somebody awaits each call, as somebody does in a program.
        const caller = async (x) => {
          await call(x);
          settled++;
        };
        const before = await used();
        for (let x = 0; x < SLEEPERS; x++) caller(x);
        // exponential-backoff and others need some turns until they sleep.
        await pause(500);
        const after = await used();
        expectEqual(`${contender.id}: calls made`, counter.calls, SLEEPERS);
        expectEqual(`${contender.id}: calls settled while all must sleep`, settled, 0);
        return { heap: (after.heap - before.heap) / SLEEPERS, rss: (after.rss - before.rss) / SLEEPERS };
      };
    },
  },
];

async function warmUp(loop, sleeping) {
  const counter = loop.concurrentWork(1, KB);
  const call = sleeping(counter.fn, 1);
  await Promise.all(Array.from({ length: KB }, (_, x) => call(x)));
}

async function used() {
  // One collection does not see what finalizers and weak references let go of.
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await turn();
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss };
}
