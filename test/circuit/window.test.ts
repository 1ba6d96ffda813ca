import { seededRandom } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { CallWindow, TimeWindow, type Window } from "../../src/circuit/window.js";

const totals = ({ calls, failures, slow }: Window) => [calls, failures, slow];

/** Calls that failed or were slow by chance. */
function byChance(count: number): { at: number; failed: boolean; slow: boolean }[] {
  const random = seededRandom(7);
  let at = 0;
  return Array.from({ length: count }, () => {
    at += Math.floor(random() * 60);
    return { at, failed: random() < 0.5, slow: random() < 0.3 };
  });
}

const sums = (calls: readonly { failed: boolean; slow: boolean }[]) => [
  calls.length,
  calls.filter(({ failed }) => failed).length,
  calls.filter(({ slow }) => slow).length,
];

describe("a window of calls", () => {
  it.each([1, 2, 7, 100])("a window of calls of %d has seen the last ones", (size) => {
    const window = new CallWindow(size);
    const calls = byChance(300);

    for (const [index, { failed, slow }] of calls.entries()) {
      window.add(failed, slow);
      expect(totals(window)).toEqual(sums(calls.slice(Math.max(0, index + 1 - size), index + 1)));
    }
  });

  it("that is empty has seen nothing, and saves nothing", () => {
    const window = new CallWindow(3);

    expect(totals(window)).toEqual([0, 0, 0]);
    expect(window.save()).toEqual([]);
  });

  it("saves calls of one kind in a row as one entry, the oldest first", () => {
    const window = new CallWindow(10);

    for (const kind of "FFSLLX") window.add("FX".includes(kind), "LX".includes(kind));

    expect(window.save()).toEqual([
      [0, 2, 2, 0],
      [0, 1, 0, 0],
      [0, 2, 0, 2],
      [0, 1, 1, 1],
    ]);
  });

  it.each([1, 5, 50, 51, 299])("goes on after %d calls as if it had not been saved", (count) => {
    const calls = byChance(400);
    const [window, other] = [new CallWindow(50), new CallWindow(50)];
    for (const { failed, slow } of calls.slice(0, count)) window.add(failed, slow);

    other.restore(window.save());

    for (const { failed, slow } of calls.slice(count)) {
      expect(totals(other)).toEqual(totals(window));
      window.add(failed, slow);
      other.add(failed, slow);
    }
  });

  it("a window of calls takes up the last calls of one that was larger", () => {
    const [large, small] = [new CallWindow(10), new CallWindow(2)];
    for (const failed of [true, true, true, false]) large.add(failed, false);

    small.restore(large.save());

    expect(totals(small)).toEqual([2, 1, 0]);
  });
});

describe("a window of time", () => {
  it("a window of time has seen the calls of its last ten tenths", () => {
    const window = new TimeWindow(1_000);
    const calls = byChance(300);

    for (const [index, { at, failed, slow }] of calls.entries()) {
      window.add(failed, slow, at);
      const kept = calls.slice(0, index + 1).filter((call) => Math.floor(call.at / 100) > Math.floor(at / 100) - 10);
      expect(totals(window)).toEqual(sums(kept));
    }
  });

  it.each([
    [1_099, [2, 1, 0]],
    [1_100, [1, 0, 0]],
  ])("lets a tenth go whole: at %d ms it has seen %j", (at, seen) => {
    const window = new TimeWindow(1_000);
    window.add(true, false, 199);
    window.add(false, false, at);

    expect(totals(window)).toEqual(seen);
  });

  it("a window of time is empty after a long pause", () => {
    const window = new TimeWindow(1_000);
    for (let at = 0; at < 1_000; at += 50) window.add(true, true, at);

    window.add(false, false, 1e9);

    expect(totals(window)).toEqual([1, 0, 0]);
  });

  it("holds no more buckets than ten, however long it runs", () => {
    const window = new TimeWindow(1_000);

    for (let at = 0; at < 100_000; at += 10) window.add(false, false, at);

    expect(window.save(99_990)).toHaveLength(10);
  });

  it("saves its tenths with their age, the oldest first, without those that are too old", () => {
    const window = new TimeWindow(1_000);
    window.add(true, false, 50);
    window.add(true, true, 250);
    window.add(false, false, 260);

    expect(window.save(300)).toEqual([
      [300, 1, 1, 0],
      [100, 2, 1, 1],
    ]);
    expect(window.save(1_000)).toEqual([[800, 2, 1, 1]]);
    expect(window.save(1_200)).toEqual([]);
  });

  it.each([1, 5, 50, 299])("goes on after %d calls as if it had not been saved, by another clock", (count) => {
    const shift = 123_456_789;
    const calls = byChance(400);
    const [window, other] = [new TimeWindow(1_000), new TimeWindow(1_000)];
    for (const { at, failed, slow } of calls.slice(0, count)) window.add(failed, slow, at);
    const { at: now } = calls[count - 1]!;

    other.restore(window.save(now), now + shift);

    for (const { at, failed, slow } of calls.slice(count)) {
      expect(totals(other)).toEqual(totals(window));
      window.add(failed, slow, at);
      other.add(failed, slow, at + shift);
    }
  });

  it("counts a call whose time is a little earlier with the last ones", () => {
    const window = new TimeWindow(1_000);
    window.add(false, false, 500);

    window.add(true, false, 100);

    expect(totals(window)).toEqual([2, 1, 0]);
    expect(window.save(600)).toEqual([[100, 2, 1, 0]]);
  });
});

describe("a window", () => {
  it("says whether time matters to it", () => {
    expect([new CallWindow(1).timed, new TimeWindow(1).timed]).toEqual([false, true]);
  });
});
