import { shapesOf } from "../contenders/index.mjs";
import { expectEqual, freshLoop, pause, turn } from "../measure.mjs";

const SLEEPERS = 100_000;
const AN_HOUR = 3_600_000;
const KB = 1024;

export const memory = [
  {
    name: "memory",
    title: "memory per sleeping call, 100,000 of them",
    shape: "sleeping",
    rounds: 3,
    perProcess: 1,
    columns: [
      { key: "heap", title: "heap, B", digits: 0 },
      { key: "rss", title: "resident, B", digits: 0 },
      { key: "awaitedHeap", title: "heap with its caller, B", digits: 0 },
      { key: "awaitedRss", title: "resident with its caller, B", digits: 0 },
    ],
    targets: [{ contender: "undaunted", key: "heap", max: 950, unit: "B", what: "heap" }],
    note: () =>
      "The caller is an async function that awaits the call, as somebody does in a program; the target is about the call.",
    async prepare(contender) {
      const { sleeping } = await shapesOf(contender);
      const loop = await freshLoop();
      await warmUp(loop, sleeping);
      return async () => {
        const alone = await measure(contender, loop, sleeping, (call, x) => call(x));
        const awaited = await measure(contender, loop, sleeping, async (call, x) => {
          await call(x);
        });
        return { heap: alone.heap, rss: alone.rss, awaitedHeap: awaited.heap, awaitedRss: awaited.rss };
      };
    },
  },
  {
    name: "memory-pending",
    title: "memory per pending call with both timeouts, 100,000 of them",
    shape: "pending",
    rounds: 3,
    perProcess: 1,
    columns: [{ key: "heap", title: "heap, B", digits: 0 }],
    targets: [{ contender: "undaunted", key: "heap", max: 680, unit: "B", what: "heap" }],
    note: () => "What the function returned, a promise that never settles, is counted too.",
    async prepare(contender) {
      const call = (await shapesOf(contender)).pending(() => new Promise(() => {}));
      for (let x = 0; x < KB; x++) call(x);
      return async () => {
        const before = await used();
        for (let x = 0; x < SLEEPERS; x++) call(x);
        const after = await used();
        return { heap: (after.heap - before.heap) / SLEEPERS };
      };
    },
  },
];

async function measure({ id }, loop, sleeping, caller) {
  const counter = loop.concurrentWork(1, SLEEPERS);
  const call = sleeping(counter.fn, AN_HOUR);
  let settled = 0;
  const settle = () => {
    settled++;
  };
  const before = await used();
  for (let x = 0; x < SLEEPERS; x++) {
    const promise = caller(call, x);
    // Only of a few: each reaction takes memory.
    if (x % KB === 0) promise.then(settle, settle);
  }
  // exponential-backoff and others need some turns until they sleep.
  await pause(500);
  const after = await used();
  expectEqual(`${id}: calls made`, counter.calls, SLEEPERS);
  expectEqual(`${id}: calls settled while all must sleep`, settled, 0);
  return { heap: (after.heap - before.heap) / SLEEPERS, rss: (after.rss - before.rss) / SLEEPERS };
}

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
