import fc from "fast-check";
import { beforeEach, expect, it, vi } from "vitest";
import { DeadlineQueue, type Timed } from "../../src/loop/deadline-queue.js";

// The queue on time that the test makes: timers fire as late as it likes, and other code runs before I/O has had its turn.

interface FakeTimer {
  at: number;
  fn: () => void;
  isRef: boolean;
  ref(): void;
  unref(): void;
}

const time = vi.hoisted(() => ({
  now: 0,
  timers: [] as FakeTimer[],
  turns: [] as (() => void)[],
  /** When the turn of I/O was asked for: what is due since then has had none. */
  asked: 0,
  canUnref: true,
}));

vi.mock("../../src/common/clock.js", () => ({
  systemNow: () => time.now,
  startTimer(fn: () => void, ms: number, unref: boolean) {
    const timer = { at: time.now + ms, fn, isRef: !unref } as FakeTimer;
    timer.ref = () => {
      timer.isRef = true;
    };
    timer.unref = () => {
      timer.isRef = false;
    };
    if (!time.canUnref) Object.assign(timer, { ref: undefined, unref: undefined });
    time.timers.push(timer);
    return timer;
  },
  stopTimer: (timer: FakeTimer) => void time.timers.splice(time.timers.indexOf(timer), 1),
  whenIoHadItsTurn(fn: () => void) {
    time.turns.push(fn);
    time.asked = time.now;
  },
}));

const TOLERANCE = 1;
const MS = 50;

const op = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ op: "add" as const }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("remove" as const), which: fc.nat(20) }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant("pass" as const), ms: fc.nat(120).map((quarters) => quarters / 4) }),
  },
  { weight: 4, arbitrary: fc.constant({ op: "fire" as const }) },
  { weight: 3, arbitrary: fc.constant({ op: "turn" as const }) },
);

beforeEach(() => {
  Object.assign(time, { now: 0, timers: [], turns: [] });
});

it.each([
  { canUnref: true, unref: false },
  { canUnref: true, unref: true },
  { canUnref: false, unref: false },
])("a queue ends what is due, in order, never early, on one timer, however late that is: %o", ({ canUnref, unref }) => {
  fc.assert(
    fc.property(fc.array(op, { minLength: 5, maxLength: 80 }), (ops) => {
      Object.assign(time, { now: 0, timers: [], turns: [], canUnref });
      const queue = new DeadlineQueue(MS, unref);
      const inLine: Timed[] = [];
      let judgedAt: number | undefined;
      const add = () => {
        const timed: Timed = {
          startedAt: time.now,
          earlier: undefined,
          later: undefined,
          timeUp() {
            expect(inLine.shift()).toBe(timed);
            expect(judgedAt ?? time.now).toBeGreaterThan(timed.startedAt + MS - TOLERANCE);
          },
        };
        inLine.push(timed);
        queue.add(timed);
      };
      const fire = () => {
        const due = time.timers.filter(({ at }) => at <= time.now);
        for (const timer of due) {
          time.timers.splice(time.timers.indexOf(timer), 1);
          timer.fn();
        }
      };
      const turn = () => {
        const [end] = time.turns.splice(0);
        if (!end) return;
        judgedAt = time.asked;
        end();
        judgedAt = undefined;
        expect(inLine.every(({ startedAt }) => startedAt + MS - time.asked >= TOLERANCE)).toBe(true);
      };

      for (const each of ops) {
        if (each.op === "add") add();
        else if (each.op === "pass") time.now += each.ms;
        else if (each.op === "fire") fire();
        else if (each.op === "turn") turn();
        else if (inLine.length > 0) {
          const [timed] = inLine.splice(each.which % inLine.length, 1);
          queue.remove(timed!);
          // What has left may leave again.
          queue.remove(timed!);
        }

        expect(time.timers.length + time.turns.length).toBeLessThanOrEqual(1);
        const [first] = inLine;
        const [timer] = time.timers;
        // Something will come for the first in line, at the latest a millisecond after it is due.
        if (first)
          expect(time.turns.length === 1 || timer!.at <= Math.max(first.startedAt + MS, time.now) + TOLERANCE).toBe(
            true,
          );
        if (timer) expect(timer.isRef).toBe(!unref && inLine.length > 0);
      }

      // What came due while a turn was waited for ends after the next.
      for (let n = 0; n < 2; n++) {
        time.now += 2 * MS;
        fire();
        turn();
      }
      expect(inLine).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
