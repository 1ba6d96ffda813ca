import { circuitBreaker, retryBudget, retryRateLimit } from "undaunted";
import { describe, expect, it } from "vitest";
import { failed } from "../docs/prelude.js";
import { fleetOfProcesses, never } from "./processes.js";

const state = failed(new Error("busy"));
const up = async () => "up";

/** A fleet of one process, and whether something has settled. */
function alone() {
  const all = fleetOfProcesses();
  const fleet = all.join();
  const settled = async (promise: Promise<unknown>) => {
    let outcome: unknown = "pending";
    promise.then(
      (value) => (outcome = value),
      (error) => (outcome = error),
    );
    await all.pass(0);
    return outcome;
  };
  return { ...all, fleet, settled };
}

describe("what waits for the store as its fleet is closed goes on:", () => {
  it("the first call of a breaker", async () => {
    const { fleet, way, clock, settled } = alone();
    const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, clock }), { key: "payments" });
    way.carry = never;
    const call = breaker.run(up);
    expect(await settled(call)).toBe("pending");

    await fleet.close();

    expect(await settled(call)).toBe("up");
    expect(clock.pending).toBe(0);
  });

  it("a call that may be the probe of a half-open breaker", async () => {
    const { fleet, way, clock, settled, pass } = alone();
    const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, clock }), { key: "payments" });
    await fleet.ready();
    for (let call = 0; call < 80; call++) {
      breaker.run(() => Promise.reject(new Error("down"))).catch(() => {});
      await pass(20);
    }
    while (breaker.state !== "half-open") await pass(100);
    way.carry = never;
    const call = breaker.run(up);
    expect(await settled(call)).toBe("pending");

    await fleet.close();

    expect(await settled(call)).toBe("up");
  });

  it.each([
    ["a budget", () => retryBudget()],
    ["a rate limit", () => retryRateLimit({ perSecond: 10 })],
  ])("a retry that asks %s for a token", async (_, make) => {
    const { fleet, way, settled } = alone();
    const budget = fleet.share(make(), { key: "payments" });
    await fleet.ready();
    way.carry = never;
    const asked = [budget.acquire(state), budget.acquire(state)].map((each) => Promise.resolve(each));
    expect(await Promise.all(asked.map(settled))).toEqual(["pending", "pending"]);

    await fleet.close();

    expect(await Promise.all(asked.map(settled))).toEqual([1, 1]);
  });

  it("ready()", async () => {
    const { fleet, way, clock, settled } = alone();
    fleet.share(circuitBreaker({ failureRate: 0.5, clock }), { key: "payments" });
    fleet.share(retryBudget({ clock }), { key: "payments" });
    fleet.pauses({ key: () => "all" });
    way.carry = never;
    const ready = fleet.ready();
    expect(await settled(ready)).toBe("pending");

    await fleet.close();

    expect(await settled(ready)).toBe(undefined);
  });
});
