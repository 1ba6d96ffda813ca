import { seededRandom } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { simulationClock } from "../../src/simulation/clock.js";
import { inImmediates, inMessages } from "../../src/simulation/tasks.js";

describe("the simulation's clock", () => {
  it("plays events in the order of time, and of setting where that is the same", async () => {
    const clock = simulationClock();
    const random = seededRandom(1);
    const due = Array.from({ length: 2_500 }, () => Math.floor(random() * 50));
    const played: [at: number, order: number][] = [];

    due.forEach((at, order) => {
      clock.setTimer(() => played.push([clock.now(), order]), at);
    });
    await clock.run();

    const expected = due.map((at, order): [number, number] => [at, order]);
    expect(played).toEqual(expected.sort((one, other) => one[0] - other[0] || one[1] - other[1]));
  });

  it("plays the rest in order where some are cancelled, and forgets those at once", async () => {
    const clock = simulationClock();
    const random = seededRandom(2);
    const due = Array.from({ length: 200 }, () => random());
    const played: number[] = [];
    const cancels = due.map((at) => clock.setTimer(() => played.push(at), at));

    for (const [n, cancel] of cancels.entries()) if (n % 3 > 0) cancel();
    const pending = clock.pending;
    await clock.run();

    expect(pending).toBe(67);
    expect(played).toEqual(due.filter((_, n) => n % 3 === 0).sort((one, other) => one - other));
  });

  it("takes no notice of a cancel that comes too late or twice", async () => {
    const clock = simulationClock();
    const played: string[] = [];
    const cancelFired = clock.setTimer(() => played.push("fired"), 1);
    await clock.run();
    const cancel = clock.setTimer(() => played.push("cancelled"), 1);
    for (const name of ["one", "two", "three"]) clock.setTimer(() => played.push(name), 2);

    cancel();
    cancel();
    cancelFired();
    await clock.run();

    expect(played).toEqual(["fired", "one", "two", "three"]);
  });

  it("lets all that follows from an event happen before the next", async () => {
    const clock = simulationClock();
    const seen: string[] = [];
    clock.setTimer(async () => {
      for (let n = 0; n < 50; n++) await undefined;
      seen.push("what follows");
    }, 1);
    clock.setTimer(() => seen.push("the next"), 1);

    await clock.run();

    expect(seen).toEqual(["what follows", "the next"]);
  });

  it("rejects with what an event throws", async () => {
    const clock = simulationClock();
    clock.setTimer(() => {
      throw new Error("broken event");
    }, 1);

    await expect(clock.run()).rejects.toThrow("broken event");
  });

  it("ends its run with what it was failed with, and plays nothing after that", async () => {
    const clock = simulationClock();
    const seen: string[] = [];
    clock.setTimer(() => clock.fail(new Error("wrong policy")), 1);
    clock.setTimer(() => seen.push("later"), 2);

    await expect(clock.run()).rejects.toThrow("wrong policy");
    expect(seen).toEqual([]);
  });

  it("plays nothing that is due after the end", async () => {
    const clock = simulationClock();
    const seen: number[] = [];
    for (const ms of [9, 10, 11]) clock.setTimer(() => seen.push(ms), ms);

    await clock.run(10);

    expect(seen).toEqual([9, 10]);
    expect(clock.pending).toBe(1);
  });
});

describe.each([
  ["immediates", inImmediates],
  ["messages", inMessages],
])("a batch of tasks, as %s", (_, inTasks) => {
  it("lets all microtasks of one step run before the next", async () => {
    const seen: string[] = [];
    let steps = 0;

    await inTasks(3, async () => {
      const step = ++steps;
      for (let n = 0; n < 50; n++) await undefined;
      seen.push(`${step} of ${steps}`);
    });

    expect(seen).toEqual(["1 of 1", "2 of 2", "3 of 3"]);
  });
});
