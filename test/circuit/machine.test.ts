import { describe, expect, it } from "vitest";
import {
  admit,
  closed,
  elapse,
  fromSnapshot,
  isolated,
  type Rules,
  record,
  release,
  type State,
  toSnapshot,
} from "../../src/circuit/machine.js";

const rules: Rules = {
  consecutiveFailures: 2,
  failureRate: Infinity,
  slowRate: Infinity,
  minimumCalls: 1,
  halfOpen: { calls: 2, failureRate: Infinity, slowRate: Infinity },
  openFor: (openings) => openings * 100,
  maxOpenFor: 1_000,
};

const success = { failed: false, slow: false, comeBackAt: -Infinity };
const failure = { failed: true, slow: false, comeBackAt: -Infinity };

/** What follows from results at a time, where no rate is asked for. */
function follow(state: State, now: number, ...results: (typeof success)[]): State {
  return results.reduce<State>((last, result) => record(rules, Object.freeze(last), result, undefined, now), state);
}

const open = follow(closed(7), 50, failure, failure);
const halfOpen = elapse(open, 150);

describe("time", () => {
  it("ends an opening, and not before it is over", () => {
    expect(elapse(open, 149)).toBe(open);
    expect(halfOpen).toMatchObject({ name: "half-open", openings: 1, openFor: 100, taken: 0, recorded: 0 });
  });

  it.each([closed(1), isolated(1), halfOpen])("time moves no other state: $name", (state) => {
    expect(elapse(state, Number.MAX_VALUE)).toBe(state);
  });
});

describe("a call", () => {
  it("a call is admitted by a closed circuit, which stays as it is", () => {
    const state = closed(1);

    expect(admit(rules, state)).toBe(state);
  });

  it.each([open, isolated(1)])("a call is refused by one that is $name", (state) => {
    expect(admit(rules, state)).toBeUndefined();
  });

  it("a call takes one of as many permits as a half-open one has", () => {
    const one = admit(rules, halfOpen)!;
    const two = admit(rules, one)!;

    expect([halfOpen, one, two].map((state) => (state as { taken?: number }).taken)).toEqual([0, 1, 2]);
    expect(admit(rules, two)).toBeUndefined();
  });

  it("that says nothing gives its permit back, and no other trace of it remains", () => {
    const one = admit(rules, halfOpen)!;

    expect(release(one)).toEqual(halfOpen);
    expect(release(open)).toBe(open);
  });
});

describe("a result", () => {
  it("a result of a call that succeeded leaves a closed circuit without failures as it is", () => {
    const state = closed(1);

    expect(follow(state, 0, success)).toBe(state);
  });

  it("a result of a call that failed counts in a row, until one succeeds", () => {
    expect(follow(closed(1), 0, failure)).toMatchObject({ name: "closed", failures: 1 });
    expect(follow(closed(1), 0, failure, success)).toMatchObject({ name: "closed", failures: 0 });
  });

  it("opens at the time of the result, for as long as the rules say", () => {
    expect(open).toEqual({ name: "open", generation: 8, openings: 1, since: 50, until: 150 });
  });

  it("opens for what a failure asked for, from when it asked, and never past the longest opening", () => {
    const asking = (comeBackAt: number) => ({ ...failure, comeBackAt });

    expect(follow(closed(1), 50, asking(400), failure)).toMatchObject({ since: 50, until: 400 });
    expect(follow(closed(1), 50, asking(5_000), failure)).toMatchObject({ since: 50, until: 1_050 });
    expect(follow(closed(1), 50, asking(60), failure)).toMatchObject({ since: 50, until: 150 });
  });

  it.each([open, isolated(1)])("says nothing to a circuit that is $name", (state) => {
    expect(follow(state, 0, failure)).toBe(state);
  });

  it("a result of a probe that fails opens for longer, in the same row", () => {
    expect(follow(halfOpen, 200, failure)).toMatchObject({ name: "open", openings: 2, since: 200, until: 400 });
  });

  it("a result of the last probe closes, and the openings are kept as long as the last one was", () => {
    const again = follow(halfOpen, 200, success, success);

    expect(again).toMatchObject({ name: "closed", openings: 1, forgetAt: 300, failures: 0 });
    expect(follow(again, 299, failure, failure)).toMatchObject({ openings: 2 });
    expect(follow(again, 300, failure, failure)).toMatchObject({ openings: 1 });
  });

  it.each([
    [{ calls: 3, failures: 3, slow: 3 }, "closed"],
    [{ calls: 4, failures: 2, slow: 0 }, "open"],
    [{ calls: 5, failures: 2, slow: 0 }, "closed"],
    [{ calls: 4, failures: 0, slow: 3 }, "open"],
    [{ calls: 4, failures: 0, slow: 2 }, "closed"],
  ])("opens at either rate over enough calls, even where it is a success: %j: %s", (seen, name) => {
    const rated = { ...rules, failureRate: 0.5, slowRate: 0.75, minimumCalls: 4 };

    expect(record(rated, closed(1), success, seen, 0).name).toBe(name);
  });
});

describe("the generation", () => {
  it("the generation is raised by every change of state", () => {
    const states = [closed(7), open, halfOpen, follow(halfOpen, 200, success, success)];

    expect(states.map(({ generation }) => generation)).toEqual([7, 8, 9, 10]);
    expect(follow(halfOpen, 200, failure).generation).toBe(10);
  });

  it("stays while permits are taken and results recorded", () => {
    expect(admit(rules, halfOpen)!.generation).toBe(9);
    expect(follow(halfOpen, 200, success).generation).toBe(9);
    expect(follow(closed(7), 0, failure).generation).toBe(7);
  });
});

describe("a snapshot", () => {
  it.each<[string, State]>([
    ["closed", follow(elapse(open, 150), 200, success, success)],
    ["closed with a failure", follow(closed(1), 0, failure)],
    ["open", open],
    ["isolated", isolated(3)],
  ])("means the same at another time: %s", (_, state) => {
    const snapshot = toSnapshot(state, 120);

    expect(toSnapshot(fromSnapshot(snapshot, rules, 9_000), 9_000)).toEqual(snapshot);
    expect(toSnapshot(fromSnapshot(snapshot, rules, 9_000), 9_020)).toEqual(toSnapshot(state, 140));
  });

  it("a snapshot of a half-open circuit is that of an open one with nothing left, which is half-open at once", () => {
    const snapshot = toSnapshot(halfOpen, 500);

    expect(snapshot).toEqual({ state: "open", openings: 1, openFor: 100, remaining: 0 });
    expect(elapse(fromSnapshot(snapshot, rules, 9_000), 9_000)).toMatchObject({
      name: "half-open",
      openings: 1,
      openFor: 100,
    });
  });

  it("a snapshot of an opening longer than these rules allow is cut to what they do", () => {
    const snapshot = { state: "open", openings: 3, openFor: 9_000, remaining: 5_000 } as const;

    expect(fromSnapshot(snapshot, rules, 200)).toMatchObject({ since: 200, until: 1_200 });
  });

  it("says how long is left, and never less than nothing", () => {
    expect(toSnapshot(open, 120)).toMatchObject({ remaining: 30, openFor: 100 });
    expect(toSnapshot(open, 500)).toMatchObject({ remaining: 0, openFor: 100 });
  });

  it("says of openings that are forgotten that there were none", () => {
    const again = follow(halfOpen, 200, success, success);

    expect(toSnapshot(again, 299)).toMatchObject({ openings: 1, forgetIn: 1 });
    expect(toSnapshot(again, 300)).toMatchObject({ openings: 0, forgetIn: 0 });
  });
});
