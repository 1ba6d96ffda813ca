import { shapesOf } from "../contenders/index.mjs";
import { costOf, expectEqual, freshLoop } from "../measure.mjs";

// Long enough for the clock of the CPU and a few garbage collections; short where a contender sleeps on timers, whose
// time is long and whose CPU is not.
const SECTION_CPU = 50;
const SECTION_TIME = 150;
const WARM_UP = 250;

/** A task that compares the CPU of calls, one after the other, to that of the limit, section by section. */
export function callTask({
  shape,
  limit = "success",
  work = "fn",
  failures = 0,
  flight,
  unit = "ratio",
  max,
  ...task
}) {
  const targets = max === undefined ? [] : [{ contender: "undaunted", key: unit, max }];
  const columns =
    unit === "ratio"
      ? [
          { key: "ratio", title: "of the limit" },
          { key: "ns", title: "ns/call" },
        ]
      : [
          { key: "over", title: "ns over the limit" },
          { key: "ns", title: "ns/call" },
        ];
  return {
    shape,
    limit,
    flight,
    // What V8 makes of the code is settled anew in each process.
    rounds: 12,
    perProcess: 4,
    columns,
    targets,
    matrix: unit === "ratio",
    ...task,
    async prepare(contender) {
      const [limiting, measured] = await Promise.all([
        sideOf({ id: "hand-loop" }, limit, work, failures, flight),
        sideOf(contender, shape, work, failures, flight),
      ]);
      const sections = [await calibrate(limiting), await calibrate(measured)];
      return async (round) => {
        // Each goes first in half of the rounds.
        const order = round % 2 === 0 ? [0, 1] : [1, 0];
        const ns = [];
        for (const which of order) ns[which] = await section([limiting, measured][which], sections[which]);
        return { ns: ns[1], limit: ns[0], ratio: ns[1] / ns[0], over: ns[1] - ns[0] };
      };
    },
  };
}

async function sideOf(contender, shape, work, failures, flight) {
  const loop = await freshLoop();
  const counter = loop.work(failures);
  const make = (await shapesOf(contender))[shape];
  const inFlight = (each, n) => loop.runInFlight(each, n, flight);
  const run = flight ? inFlight : work === "sync" ? loop.runSync : loop.run;
  const call = work === "method" ? methodCall(make, counter.method) : make(counter[work]);
  return { id: contender.id, loop, counter, call, failures, run };
}

function methodCall(decorate, method) {
  class Service {
    step = 1;
  }
  Service.prototype.load = decorate(method);
  const service = new Service();
  return (x) => service.load(x);
}

/** CPU per call in ns; fails where the function was not called as often as it must be, or a value came back wrong. */
async function section(side, n) {
  const { cpu } = await cost(side, n);
  return (cpu * 1e6) / n;
}

async function cost({ id, loop, counter, call, failures, run }, n) {
  counter.calls = 0;
  let sum = 0;
  const spent = await costOf(async () => {
    sum = await run(call, n);
  });
  let expected = 0;
  for (let i = 0; i < n; i++) expected += loop.argument(i) + 1;
  expectEqual(`${id}: calls made`, counter.calls, n * (failures + 1));
  expectEqual(`${id}: sum of the values returned`, sum, expected);
  return spent;
}

/** How many calls make a section, found while they are warmed up: V8 optimises a long way piece by piece. */
async function calibrate(side) {
  let n = 256;
  for (let spent = 0; ; ) {
    const { cpu, ms } = await cost(side, n);
    spent += ms;
    const scale = Math.min(SECTION_CPU / cpu, SECTION_TIME / ms);
    if (scale > 1) n *= 2;
    else if (spent >= WARM_UP) return Math.max(16, Math.round(n * scale));
  }
}

export const calls = [
  callTask({ name: "success", title: "success, wrapped once, default policy", shape: "success", max: 0.95 }),
  callTask({ name: "own-stop", title: "the same with a user's own stop", shape: "ownStop", max: 1.6 }),
  callTask({ name: "own-wait", title: "… a user's own wait", shape: "ownWait", max: 1.6 }),
  callTask({ name: "on-retry", title: "… a sync onRetry", shape: "onRetry", max: 1.6 }),
  callTask({ name: "on-attempt", title: "… a sync onAttempt", shape: "onAttempt" }),
  callTask({ name: "own-retry-if", title: "… a user's own retryIf", shape: "ownRetryIf", max: 0.95 }),
  callTask({
    name: "own-retry-if-state",
    title: "… one that takes the state too",
    shape: "ownRetryIfOfState",
    max: 1.5,
  }),
  callTask({ name: "on-success", title: "… a sync onSuccess", shape: "onSuccess", max: 2 }),
  callTask({ name: "signal", title: "… a signal", shape: "signal", max: 3 }),
  callTask({
    name: "signal-later",
    title: "… a signal, of a function that awaits",
    shape: "signal",
    work: "later",
    max: 2,
  }),
  callTask({ name: "attempt-timeout", title: "… attemptTimeout", shape: "attemptTimeout" }),
  callTask({ name: "budget", title: "… a budget that does nothing", shape: "budget" }),
  callTask({ name: "run", title: "a block, constant options (runWithRetry)", shape: "run", max: 0.9 }),
  callTask({
    name: "failures",
    title: "three failures, then success, no delay",
    shape: "failures",
    limit: "failures",
    failures: 3,
  }),
  callTask({
    name: "failures-own",
    title: "three failures, less what throwing costs",
    shape: "failures",
    limit: "failures",
    work: "prepared",
    failures: 3,
    max: 0.85,
  }),
  callTask({ name: "method", title: "decorated method", shape: "method", limit: "method", work: "method" }),
];
