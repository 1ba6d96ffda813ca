import type { SimulatedSecond } from "undaunted/simulation";
import { expect, it } from "vitest";
import { measuresOf } from "../../src/simulation/measures.js";

const second = (
  calls: number,
  attempts: number,
  firstSuccesses: number,
  successes = firstSuccesses,
): SimulatedSecond => ({ calls, attempts, firstSuccesses, successes });
const well = second(100, 100, 100);
const ill = second(100, 100, 98);

/** One second before an outage of two, and the rest after it; 100 calls a second. */
const measured = (...seconds: SimulatedSecond[]) =>
  measuresOf({ before: 1_000, during: 2_000, after: 1_000 * (seconds.length - 3) }, seconds, 100);

it("the load is that of the outage alone", () => {
  const { load } = measured(well, second(100, 150, 0), second(100, 250, 0), second(100, 900, 0));

  expect(load).toBe(2);
});

it("the load is that of the whole run where there is no outage", () => {
  const { load } = measuresOf({ before: 2_000, during: 0, after: 2_000 }, [well, well, well, second(100, 500, 100)], 1);

  expect(load).toBe(2);
});

it("the load is that of every second that the outage touches", () => {
  const seconds = [well, second(100, 200, 0), second(100, 400, 0), well];

  const { load } = measuresOf({ before: 1_500, during: 1_000, after: 1_500 }, seconds, 100);

  expect(load).toBe(3);
});

it("the peak is that of the busiest second after the outage, as a multiple of the normal load", () => {
  const { peak } = measured(well, second(100, 900, 0), well, second(100, 300, 0), well);

  expect(peak).toBe(3);
});

it("recovery lasts from the end of the outage to the second from which on all is well", () => {
  const { recovery } = measured(well, well, well, ill, well, ill, well);

  expect(recovery).toBe(3_000);
});

it("recovery from an outage that ends within a second begins with the next", () => {
  const { recovery } = measuresOf({ before: 500, during: 900, after: 2_600 }, [well, ill, ill, well], 100);

  expect(recovery).toBe(1_600);
});

it("a second is well where 99 % of first attempts succeed", () => {
  expect(measured(well, well, well, second(100, 100, 99), well).recovery).toBe(0);
});

it("recovery is a matter of first attempts, not of what retries saved", () => {
  expect(measured(well, well, well, second(100, 120, 90, 100), well).recovery).toBe(1_000);
});

it("there is no recovery where the last second is not well", () => {
  expect(measured(well, well, well, well, second(100, 100, 0)).recovery).toBe(Infinity);
});

it("success, calls and attempts are those of the whole run", () => {
  const { success, calls, attempts } = measured(well, second(100, 200, 0, 50), well, well);

  expect({ success, calls, attempts }).toEqual({ success: 0.875, calls: 400, attempts: 500 });
});

it("nothing is measured where nobody has called", () => {
  const { load, success } = measured(second(0, 0, 0), second(0, 0, 0), second(0, 0, 0));

  expect({ load, success }).toEqual({ load: 0, success: 0 });
});
