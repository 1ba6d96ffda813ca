import { circuitBreaker } from "undaunted";
import { expect, it } from "vitest";
import { fleetStore } from "../../src/fleet/store/index.js";
import { breakerRequest } from "../redis/requests.js";
import { fleetOfProcesses } from "./processes.js";

/** The stretch after a second in which a guard that may cost 100 exchanges had so many reports, and so many others. */
function stretchAfter(reports: number, others: number): number {
  const store = fleetStore();
  const said = { epoch: 0, generation: 0, most: 100 };
  const exchange = (calls: number, now: number) => {
    const { reply } = store.exchange(breakerRequest({ ...said, nonce: ++nonce, calls }), now);
    if (reply.kind === "breaker") Object.assign(said, { epoch: reply.epoch, generation: reply.generation });
    return reply.stretch;
  };
  let nonce = 0;
  exchange(0, 1_000);
  for (let n = 1; n < others; n++) exchange(0, 1_000 + n / 10);
  for (let n = 0; n < reports; n++) exchange(1, 1_500 + n / 10);
  return exchange(1, 2_000);
}

it.each([
  [90, 1, 90 / 89],
  [90, 60, 90 / 30],
  [90, 500, 90 / 25],
  [10, 500, 1],
])(
  "after %i reports and %i exchanges that no wait spares in a second, of 100, waits stretch by %f",
  (reports, others, stretch) => {
    expect(stretchAfter(reports, others)).toBeCloseTo(stretch, 9);
  },
);

it("a process whose calls are not counted, because its fleet is too large, does not look instead at each of them", async () => {
  const { clock, join, way, pass } = fleetOfProcesses();
  const { carry } = way;
  way.carry = (reply) => carry(() => ({ ...reply(), stretch: 1_000 }));
  const fleet = join();
  const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, clock }), { key: "payments" });
  await fleet.ready();
  way.requests.length = 0;

  for (let call = 0; call < 50; call++) {
    await breaker.run(async () => "up");
    await pass(10_000);
  }

  expect(way.requests.length).toBeLessThanOrEqual(5);
});
