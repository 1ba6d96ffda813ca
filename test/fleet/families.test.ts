import { circuitBreaker, circuitBreakers, retryBudget, retryBudgets, retryRateLimit } from "undaunted";
import { describe, expect, it } from "vitest";
import { fleetOfProcesses } from "./processes.js";

const up = async (_?: unknown) => "up";
const first = (key: unknown) => key as string;

/** One process of a fleet, and what it is told. */
function alone() {
  const all = fleetOfProcesses();
  const told: string[] = [];
  const fleet = all.join({ onHookError: (error) => told.push((error as Error).message) });
  const breakers = (options = {}) => circuitBreakers({ key: first, failureRate: 0.5, clock: all.clock, ...options });
  const keys = () => [...new Set(all.way.requests.map(({ key }) => key))].sort();
  return { ...all, fleet, told, breakers, keys };
}

describe("a family of guards is refused as it is shared", () => {
  it("where its breakers have no rate", () => {
    const { fleet, breakers } = alone();

    expect(() => fleet.share(breakers({ failureRate: undefined }))).toThrow("needs failureRate or slowRate");
  });

  it.each([
    ["without a key", undefined],
    ["with the same key", "hosts"],
  ])("where another of its kind is shared %s", async (_, key) => {
    const { fleet, breakers, told } = alone();
    const [users, orders] = [breakers(), breakers()];
    fleet.share(users, { key });

    expect(() => fleet.share(orders, { key })).toThrow("key must be another");

    expect(await users.wrap(up)("a")).toBe("up");
    expect(await orders.wrap(up)("a")).toBe("up");
    // It is free to be shared under another key.
    fleet.share(orders, { key: "orders" });
    expect(told).toEqual([]);
  });

  it("but not where that is one of another kind, or has another key", () => {
    const { fleet, breakers } = alone();
    fleet.share(breakers());

    expect(() => fleet.share(retryBudgets({ key: first }))).not.toThrow();
    expect(() => fleet.share(breakers(), { key: "orders" })).not.toThrow();
  });

  it("where it is shared already, though its keys are made anew", () => {
    const { fleet, breakers, told, keys } = alone();
    const shards = fleet.share(breakers());

    expect(() => fleet.share(shards, { key: "again" })).toThrow("shared already");

    expect([told, keys()]).toEqual([[], []]);
  });
});

describe("a call is never failed by its fleet, though its family's key", () => {
  it.each([
    ["null", null],
    ["a boolean", true],
    ["a bigint", 5n],
    ["an object", {}],
    ["a symbol", Symbol("a")],
    ["half a pair of surrogates", "a\ud800"],
  ])("is %s: its guard stays the process's own, and that is said once", async (_, key) => {
    const { fleet, breakers, told, keys, clock } = alone();
    const shards = fleet.share(breakers({ minimumCalls: 1 }));
    const budgets = fleet.share(retryBudgets({ key: first, clock }));
    const failing = shards.wrap(async (_: unknown) => {
      throw new Error("down");
    });

    expect(await shards.wrap(up)(key)).toBe("up");
    await expect(failing(key)).rejects.toThrow("down");
    await expect(failing(key)).rejects.toThrow("circuit");
    budgets.get(key).recordSuccess(0);
    await fleet.ready();

    const about = expect.stringContaining("keys must be well-formed strings or numbers");
    expect(told).toEqual([about, about]);
    shards.get(Symbol("other"));
    expect(told).toHaveLength(2);
    expect(shards.get(key).stats.fleet).toBeUndefined();
    expect(keys()).toEqual([]);
  });

  it("was there before, and cannot be shared", () => {
    const { fleet, breakers, told } = alone();
    const shards = breakers();
    shards.get(null);

    expect(fleet.share(shards)).toBe(shards);
    expect(told).toHaveLength(1);
  });

  it("is another guard's", async () => {
    const { fleet, breakers, told, clock } = alone();
    fleet.share(circuitBreaker({ failureRate: 0.5, clock }), { key: "hosts/s:a" });
    const shards = fleet.share(breakers(), { key: "hosts" });

    expect(await shards.wrap(up)("a")).toBe("up");
    expect(await shards.wrap(up)("b")).toBe("up");

    expect(told).toEqual([expect.stringContaining("key is taken by another guard of this process: breaker hosts/s:a")]);
    expect([shards.get("a").stats.fleet, shards.get("b").stats.fleet?.connected]).toEqual([undefined, true]);
  });

  it("comes again after its family had let go of it: the new one is the shared one", async () => {
    const { fleet, breakers, told, keys } = alone();
    const shards = fleet.share(breakers({ max: 2 }));
    const old = shards.get("a");

    for (const key of ["a", "b", "c", "a"]) expect(await shards.wrap(up)(key)).toBe("up");

    expect(told).toEqual([]);
    expect(keys()).toEqual(["/s:a", "/s:b", "/s:c"]);
    expect([old.stats.fleet, shards.get("a").stats.fleet?.connected]).toEqual([undefined, true]);
  });

  it("comes again where all are open and none may go", async () => {
    const { fleet, breakers, told } = alone();
    const shards = fleet.share(breakers({ max: 1 }));
    shards.get("a").isolate({ local: true });

    for (let call = 0; call < 3; call++) expect(await shards.wrap(up)("b")).toBe("up");

    expect(told).toEqual([]);
  });
});

describe("an option of share", () => {
  it.each([
    ["a breaker", () => circuitBreaker({ failureRate: 0.5 })],
    ["breakers", () => circuitBreakers({ key: first, failureRate: 0.5 })],
    ["a rate limit", () => retryRateLimit({ perSecond: 5 })],
  ])("is refused where it is capacitySeconds and the guard is %s", (_, make) => {
    const guard = make();
    const { fleet } = alone();

    expect(() => fleet.share(guard, { key: "k", capacitySeconds: 2 })).toThrow(
      "fleet.share: capacitySeconds must be given with a retryBudget or retryBudgets alone, got 2",
    );
    expect(fleet.share(guard, { key: "k", capacitySeconds: undefined })).toBe(guard);
  });

  it("is taken where it is capacitySeconds and the guard is a budget", () => {
    const { fleet } = alone();

    expect(() => fleet.share(retryBudget(), { key: "k", capacitySeconds: 2 })).not.toThrow();
    expect(() => fleet.share(retryBudgets({ key: first }), { capacitySeconds: 2 })).not.toThrow();
  });

  it("is refused where it is a key that no encoding has", () => {
    const { fleet } = alone();

    expect(() => fleet.share(retryBudget(), { key: "\ud800" })).toThrow("key must be a well-formed string");
    expect(() => fleet.share(retryBudget(), { key: "😀" })).not.toThrow();
  });
});
