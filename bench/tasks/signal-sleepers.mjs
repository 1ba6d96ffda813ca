import { setMaxListeners } from "node:events";
import { shapesOf } from "../contenders/index.mjs";
import { costOf, expectEqual, expectTrue, freshLoop, turn } from "../measure.mjs";

const AN_HOUR = 3_600_000;
const WARM_UP = 1_000;

const sleepersOnASignal = (size, rounds, targets) => ({
  name: `signal-${size / 1000}k`,
  title: `${size.toLocaleString("en")} sleepers on one signal`,
  shape: "onSignal",
  rounds,
  perProcess: 1,
  timeout: 90_000,
  mayFail: true,
  columns: [
    { key: "scheduleCpu", title: "schedule, CPU ms", digits: 0 },
    { key: "scheduleMs", title: "schedule, ms", digits: 0 },
    { key: "cancelCpu", title: "cancel, CPU ms", digits: 0 },
    { key: "cancelMs", title: "cancel, ms", digits: 0 },
  ],
  targets,
  async prepare(contender) {
    const { onSignal } = await shapesOf(contender);
    const loop = await freshLoop();
    // A server that has to cancel so many calls has long been warm.
    for (let i = 0; i < 3; i++) await scheduleAndCancel(contender, loop, onSignal, WARM_UP);
    return () => scheduleAndCancel(contender, loop, onSignal, size);
  },
});

async function scheduleAndCancel({ id }, loop, onSignal, size) {
  const controller = new AbortController();
  const { signal } = controller;
  // Peers add a listener each, and Node warns of it once.
  setMaxListeners(0, signal);
  const counter = loop.concurrentWork(1, size);
  const call = onSignal(counter.fn, AN_HOUR, signal);
  const reason = new Error("cancelled");
  let cancelled = 0;
  let wrong = 0;
  const settled = [];
  const caller = async (x) => {
    try {
      await call(x);
      wrong++;
    } catch (error) {
      // Effect's rejection is an interruption of its own, not the signal's reason.
      if (error === reason || id === "effect") cancelled++;
      else wrong++;
    }
  };
  const schedule = await costOf(async () => {
    for (let x = 0; x < size; x++) settled.push(caller(x));
    // Until each has failed once and gone to sleep.
    for (let i = 0; i < 3; i++) await turn();
  });
  expectEqual(`${id}: calls made`, counter.calls, size);
  expectEqual(`${id}: calls settled while all must sleep`, cancelled + wrong, 0);
  const cancel = await costOf(async () => {
    controller.abort(reason);
    await Promise.all(settled);
  });
  expectEqual(`${id}: calls made`, counter.calls, size);
  expectTrue(`${id}: ${wrong} calls did not end in the signal's reason`, cancelled === size);
  return { scheduleCpu: schedule.cpu, scheduleMs: schedule.ms, cancelCpu: cancel.cpu, cancelMs: cancel.ms };
}

export const signalSleepers = [
  sleepersOnASignal(10_000, 3, [
    { contender: "undaunted", key: "scheduleCpu", max: 100, unit: "ms CPU", what: "schedule" },
    { contender: "undaunted", key: "cancelCpu", max: 25, unit: "ms CPU", what: "cancel" },
  ]),
  sleepersOnASignal(20_000, 2, []),
  sleepersOnASignal(40_000, 2, []),
];
