import { circuitBreaker, circuitBreakers } from "undaunted";
import { describe, expect, it } from "vitest";
import { fleetOfProcesses, never } from "./processes.js";

const up = async () => "up";
const down = () => Promise.reject(new Error("down"));
const OPEN = { state: "open", openings: 1, openFor: 30_000, remaining: 30_000 } as const;

describe("a breaker that was isolated before it was shared", () => {
  it.each([
    ["by isolate()", {}],
    ["by its initialState", { initialState: { state: "isolated" } as const }],
  ])("stays isolated in this process and leaves its fleet alone, %s", async (_, options) => {
    const { join, clock, pass } = fleetOfProcesses();
    const make = (more = {}) => circuitBreaker({ failureRate: 0.5, clock, ...more });
    const other = join().share(make(), { key: "payments" });
    const breaker = make(options);
    if (!("initialState" in options)) breaker.isolate();
    const fleet = join();

    fleet.share(breaker, { key: "payments" });
    await fleet.ready();
    await pass(10_000);

    await expect(breaker.run(up)).rejects.toThrow("isolated");
    expect(await other.run(up)).toBe("up");
  });

  it("stays so whatever its fleet does, until close(), or close({ local: true }) for this process", async () => {
    const { join, clock, pass } = fleetOfProcesses();
    const make = () => circuitBreaker({ failureRate: 0.5, clock });
    const [one, other] = [make(), make()];
    const fleets = [join(), join(), join()] as const;
    one.isolate();
    other.isolate();
    fleets[0].share(one, { key: "payments" });
    fleets[1].share(other, { key: "payments" });
    const third = fleets[2].share(make(), { key: "payments" });
    await Promise.all(fleets.map((fleet) => fleet.ready()));

    third.isolate();
    await pass(10);
    third.close();
    await pass(10);
    expect([one.state, other.state, third.state]).toEqual(["isolated", "isolated", "closed"]);
    third.isolate();
    await pass(10);
    one.close({ local: true });
    await pass(10);
    expect([one.state, other.state, third.state]).toEqual(["isolated", "isolated", "isolated"]);
    one.close();
    await pass(10);
    expect([one.state, other.state, third.state]).toEqual(["closed", "isolated", "closed"]);
  });

  it("is one of a family, too", async () => {
    const { join, clock, pass } = fleetOfProcesses();
    const shards = circuitBreakers({ key: (shard: string) => shard, failureRate: 0.5, clock });
    shards.get("a").isolate();
    const fleet = join();

    fleet.share(shards, { key: "shards" });
    await fleet.ready();
    await pass(10_000);

    expect(shards.get("a").state).toBe("isolated");
  });
});

describe("a breaker that had opened before it was shared", () => {
  it.each([
    ["by failures", {}],
    ["by its initialState", { initialState: OPEN }],
  ])("stays open for as long as it would have, %s, and closes when its probe succeeds", async (_, more) => {
    const { join, clock, pass } = fleetOfProcesses();
    const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 1, openFor: 30_000, clock, ...more });
    await breaker.run(down).catch(() => {});
    const fleet = join();

    fleet.share(breaker, { key: "payments" });
    await fleet.ready();
    await pass(29_999);
    expect(breaker.state).toBe("open");
    await pass(1);
    expect(breaker.state).toBe("half-open");
    await breaker.run(up);

    expect(breaker.state).toBe("closed");
  });

  it("goes by its fleet where that is open, and when that closes", async () => {
    const { join, clock, pass } = fleetOfProcesses();
    const make = (more = {}) => circuitBreaker({ failureRate: 0.5, clock, ...more });
    const first = join().share(make(), { key: "payments" });
    first.isolate();
    await pass(10);
    const fleet = join();
    const breaker = fleet.share(make({ initialState: OPEN }), { key: "payments" });
    await fleet.ready();
    expect(breaker.state).toBe("isolated");

    first.close();
    await pass(10);

    expect(breaker.state).toBe("closed");
  });

  it("lets another probe through where one was under way as it was shared", async () => {
    const { join, clock } = fleetOfProcesses();
    const breaker = circuitBreaker({ failureRate: 0.5, clock, initialState: { ...OPEN, remaining: 0 } });
    breaker.run(never).catch(() => {});
    await expect(breaker.run(up)).rejects.toThrow("circuit");
    const fleet = join();

    fleet.share(breaker, { key: "payments" });
    await fleet.ready();

    expect(await breaker.run(up)).toBe("up");
    expect(breaker.state).toBe("closed");
  });
});
