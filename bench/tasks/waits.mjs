import { costOf, expectTrue } from "../measure.mjs";

const DELAYS = 1_000_000;
// Powers of two, so that picking a state costs next to nothing.
const STATES = 16;

// What every look at the time costs, whoever takes it.
const clock = {
  name: "clock",
  title: "one reading of the clock",
  only: ["hand-loop"],
  rounds: 9,
  columns: [{ key: "ns", title: "ns" }],
  targets: [],
  async prepare() {
    const read = (n) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += performance.now();
      return sum;
    };
    read(DELAYS / 10);
    return async () => {
      const { cpu } = await costOf(() => read(DELAYS));
      return { ns: (cpu * 1e6) / DELAYS };
    };
  },
};

export const waits = [
  clock,
  {
    name: "waits",
    title: "cost of a delay",
    only: ["undaunted"],
    rounds: 9,
    transposed: "ns/delay",
    columns: [],
    targets: [],
    async prepare() {
      const { retryState } = await import("../../dist/testing.js");
      const made = await waitsOf(await import("../../dist/index.js"));
      const states = Array.from({ length: STATES }, (_, i) =>
        retryState({ attempt: (i % 8) + 1, previousDelay: i * 50, elapsed: i * 100, random: Math.random }),
      );
      const values = {};
      const loops = new Map();
      for (const [name, wait] of Object.entries(made)) {
        // A loop for each wait, so that none is measured in what the others left behind.
        const { delays } = await import(`../delays.mjs?${name}`);
        delays(wait, states, DELAYS / 10);
        loops.set(name, () => delays(wait, states, DELAYS));
      }
      return async () => {
        for (const [name, loop] of loops) {
          let sum = 0;
          const { cpu } = await costOf(() => {
            sum = loop();
          });
          expectTrue(`${name}: a delay is no number of ms`, sum >= 0 && sum < Infinity);
          values[name] = (cpu * 1e6) / DELAYS;
        }
        return { ...values };
      };
    },
  },
];

async function waitsOf(undaunted) {
  const { waitFixed, waitExponential } = undaunted;
  const range = { base: 100, max: 10_000 };
  const made = {
    waitNone: undaunted.waitNone,
    waitFixed: waitFixed(100),
    waitRandom: undaunted.waitRandom(100, 200),
    waitIncrementing: undaunted.waitIncrementing({ start: 100, increment: 100, max: 1_000 }),
    waitExponential: waitExponential(range),
    waitFibonacci: undaunted.waitFibonacci(range),
    waitFullJitter: undaunted.waitFullJitter(range),
    waitEqualJitter: undaunted.waitEqualJitter(range),
    waitDecorrelatedJitter: undaunted.waitDecorrelatedJitter(range),
    waitJittered: undaunted.waitJittered(waitExponential(range), { from: 0.5, to: 1.5 }),
    waitChain: undaunted.waitChain(waitFixed(1), waitFixed(2), waitFixed(3)),
    waitSum: undaunted.waitSum(waitFixed(1), waitExponential(range)),
    waitMax: undaunted.waitMax(waitFixed(1), waitExponential(range)),
    waitMin: undaunted.waitMin(waitFixed(1), waitExponential(range)),
    waitResetAfter: undaunted.waitResetAfter(waitExponential(range), 60_000),
    waitFromError: undaunted.waitFromError(() => undefined, waitFixed(1)),
    waitFromResult: undaunted.waitFromResult(() => undefined, waitFixed(1)),
  };
  for (const name of Object.keys(undaunted)) {
    expectTrue(`waits: ${name} is not measured`, !name.startsWith("wait") || name in made);
  }
  return made;
}
