import { monitorEventLoopDelay } from "node:perf_hooks";
import { shapesOf } from "../contenders/index.mjs";
import { costOf, expectEqual, freshLoop, turn } from "../measure.mjs";

const DELAY = 100;
const FAILURES = 2;
// So many calls begin in one turn of the event loop: in one go, the lag would be that of the benchmark itself.
const A_SLICE = 1_000;
const RESOLUTION = 5;
const WARM_UP = 2_000;

const concurrentCalls = (size, title, more) => ({
  name: `concurrent-${title}`,
  title: `${size.toLocaleString("en")} concurrent calls that fail twice, ${DELAY} ms apart`,
  shape: "sleeping",
  limit: "sleeping",
  perProcess: 1,
  columns: [
    { key: "ratio", title: "CPU, of the limit" },
    { key: "us", title: "CPU µs/call" },
    { key: "lag", title: "p99 lag, ms", digits: 0 },
    { key: "ms", title: "took, ms", digits: 0 },
  ],
  targets: [],
  ...more,
  async prepare(contender) {
    const sides = [];
    for (const each of [{ id: "hand-loop" }, contender]) {
      const loop = await freshLoop();
      const { sleeping } = await shapesOf(each);
      sides.push(async () => {
        // What the other side left behind is not this one's to collect; the optimised code that goes with it is made anew.
        globalThis.gc();
        for (let i = 0; i < 3; i++) await runAll(each, loop, sleeping, WARM_UP);
        return runAll(each, loop, sleeping, size);
      });
    }
    return async (round) => {
      const order = round % 2 === 0 ? [0, 1] : [1, 0];
      const costs = [];
      for (const which of order) costs[which] = await sides[which]();
      const [limit, measured] = costs;
      return { ...measured, us: (measured.cpu * 1000) / size, ratio: measured.cpu / limit.cpu };
    };
  },
});

async function runAll({ id }, loop, sleeping, size) {
  const counter = loop.concurrentWork(FAILURES, size);
  const call = sleeping(counter.fn, DELAY);
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
  let sum = 0;
  let left = size;
  const cost = await costOf(async () => {
    histogram.enable();
    await new Promise((resolve, reject) => {
      const caller = async (x) => {
        try {
          const value = await call(x);
          sum += value;
          if (--left === 0) resolve();
        } catch (error) {
          reject(error);
        }
      };
      const start = async () => {
        for (let x = 0; x < size; x++) {
          caller(x);
          if (x % A_SLICE === A_SLICE - 1) await turn();
        }
      };
      start();
    });
    histogram.disable();
  });
  expectEqual(`${id}: calls made`, counter.calls, size * (FAILURES + 1));
  expectEqual(`${id}: sum of the values returned`, sum, (size * (size + 1)) / 2);
  // The histogram holds the time between two of its own timers.
  return { ...cost, lag: Math.max(0, histogram.percentile(99) / 1e6 - RESOLUTION) };
}

export const concurrent = [
  concurrentCalls(10_000, "10k", { rounds: 5 }),
  concurrentCalls(100_000, "100k", { rounds: 3, targets: [{ contender: "undaunted", key: "ratio", max: 1 }] }),
  concurrentCalls(1_000_000, "1m", {
    rounds: 1,
    // Half a minute each, and known from 100,000.
    without: ["p-retry", "exponential-backoff", "effect", "typescript-retry-decorator"],
    note: () => "One round; without those that take more than twice the CPU at 100,000 calls.",
    timeout: 90_000,
    mayFail: true,
    execArgv: ["--max-old-space-size=6144"],
  }),
];
