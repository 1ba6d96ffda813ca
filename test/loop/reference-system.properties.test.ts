import fc from "fast-check";
import { type Clock, retry } from "undaunted";
import { expect, it, vi } from "vitest";
import { allOf, Observed, type Plan, plan, realCall, referenceCall } from "./observed-call.ts";

/**
 * Timers that the test drives, and that were there before the library was loaded: they are the system's own to it, so that a
 * timeout takes its place in a queue of deadlines, as it does in production and never under a virtual clock.
 */
const system = vi.hoisted(() => {
  interface Timer {
    readonly at: number;
    readonly fn: () => void;
    ref(): void;
    unref(): void;
  }
  const turn = globalThis.setImmediate;
  let time = 0;
  let timers: Timer[] = [];
  let armed = 0;
  const set = (fn: () => void, ms = 0) => {
    const timer: Timer = { at: time + Math.max(0, ms), fn, ref() {}, unref() {} };
    timers.push(timer);
    armed++;
    return timer;
  };
  const clear = (timer: unknown) => {
    timers = timers.filter((each) => each !== timer);
  };
  Object.assign(globalThis, { setTimeout: set, clearTimeout: clear, setImmediate: (fn: () => void) => set(fn) });
  Object.defineProperty(globalThis, "performance", { value: { now: () => time }, configurable: true });
  return {
    set,
    clear,
    now: () => time,
    get armed() {
      return armed;
    },
    begin() {
      time = 0;
      timers = [];
      armed = 0;
    },
    /** Lets all that is due happen, each in a turn of its own. */
    async runAll() {
      const othersRun = () => new Promise<void>((resolve) => void turn(resolve));
      await othersRun();
      while (timers.length > 0) {
        const next = timers.reduce((first, each) => (each.at < first.at ? each : first));
        clear(next);
        time = Math.max(time, next.at);
        next.fn();
        await othersRun();
      }
    },
  };
});

/** The same time for the reference run, which sets a timer for everything. */
const plainClock: Clock = {
  now: system.now,
  setTimer(fn, ms) {
    const timer = system.set(fn, ms);
    return () => system.clear(timer);
  },
};

/** All that is seen of a call, and how many timers were set in it. */
async function play(planned: Plan, callOf: (seen: Observed) => () => Promise<unknown>, isReal: boolean) {
  system.begin();
  const seen = new Observed(planned, plainClock);
  if (isReal) Object.assign(seen.options, { clock: undefined });
  const call = callOf(seen);
  if (isReal) {
    // A policy has a queue from its second call on.
    seen.isMuted = true;
    await call().catch(() => {});
    seen.isMuted = false;
    system.begin();
  }
  void seen.settled(call);
  await system.runAll();
  return allOf(seen);
}

it("does what the reference run does, at the same instants, on any script, by the system's own timers", async () => {
  await fc.assert(
    fc.asyncProperty(plan, async (planned) => {
      const real = await play(planned, realCall, true);

      expect(real).toEqual(await play(planned, referenceCall, false));
    }),
    { numRuns: 1_000 },
  );
});

it("takes the queue of deadlines for its timeouts there: a hundred calls in flight set one timer", async () => {
  system.begin();
  const load = retry(async () => "ok", { attemptTimeout: 50, totalTimeout: 80 });
  await load();
  const before = system.armed;

  const calls = Array.from({ length: 100 }, () => load());

  expect(system.armed - before).toBe(1);
  expect(await Promise.all(calls)).toEqual(Array(100).fill("ok"));
});
