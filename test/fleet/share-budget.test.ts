import {
  circuitBreaker,
  type RetryBudget,
  retryBudget,
  retryBudgets,
  retryRateLimit,
  retrySync,
  stopAfterAttempt,
  waitNone,
} from "undaunted";
import { describe, expect, it } from "vitest";
import { failed } from "../docs/prelude.js";
import { fleetOfProcesses, never } from "./processes.js";

const state = failed(new Error("busy"));

/** `size` processes with a shared budget each, of which the store has heard. */
async function withBudgets(size: number, options = {}) {
  const all = fleetOfProcesses();
  const { clock } = all;
  const fleets = Array.from({ length: size }, () => all.join());
  const budgets = fleets.map((fleet) => fleet.share(retryBudget({ clock, ...options }), { key: "payments" }));
  await Promise.all(fleets.map((fleet) => fleet.ready()));
  return { ...all, fleets, budgets };
}

describe("a shared retry budget", () => {
  it("is one bucket for all processes", async () => {
    const { budgets } = await withBudgets(20);
    let granted = 0;

    for (let round = 0; round < 5; round++) for (const budget of budgets) granted += await budget.acquire(state);

    expect(granted).toBe(10);
  });

  it("is paid by the successes of all processes", async () => {
    const { budgets, pass } = await withBudgets(2);
    while ((await budgets[0]!.acquire(state)) === 1);

    for (let call = 0; call < 50; call++) budgets[1]!.recordSuccess(0);
    await pass(2_000);
    let granted = 0;
    for (let retry = 0; retry < 20; retry++) granted += await budgets[0]!.acquire(state);

    expect(granted).toBe(9);
  });

  it("asks once for all that wait", async () => {
    const { budgets, way } = await withBudgets(1);
    const before = way.requests.length;

    const granted = await Promise.all(Array.from({ length: 8 }, () => budgets[0]!.acquire(state)));

    expect(granted).toEqual(Array.from({ length: 8 }, () => 1));
    // The first one alone, then all that came meanwhile.
    expect(way.requests.length - before).toBe(2);
  });

  it("remembers a refusal for about a second, and asks nothing meanwhile", async () => {
    const { budgets, way, pass } = await withBudgets(1);
    while ((await budgets[0]!.acquire(state)) === 1);
    const before = way.requests.length;

    expect(budgets[0]!.acquire(state)).toBe(0);
    expect(way.requests.length).toBe(before);
    await pass(1_300);
    await budgets[0]!.acquire(state);
    expect(way.requests.length).toBeGreaterThan(before);
  });

  it("takes a token of its own when no answer comes in time, and gives one back that comes too late", async () => {
    const { budgets, way, pass } = await withBudgets(1);
    const { carry } = way;
    let answer = () => {};
    way.carry = (reply) =>
      new Promise((resolve) => {
        answer = () => resolve(reply());
      });
    const taken = budgets[0]!.acquire(state);
    await pass(60);
    expect(await taken).toBe(1);
    answer();
    way.carry = carry;
    await pass(200);

    expect(way.requests.at(-1)).toMatchObject({ kind: "budget", refunds: 1, wanted: 0 });
  });

  it.each([
    ["a retry that had no answer, which takes it", (budget: RetryBudget) => budget.acquire(state), 0],
    ["a report", (budget: RetryBudget) => budget.recordSuccess(0), 1],
  ])("begins with one token of its own, at once, where a store is lost by %s", async (_, ask, left) => {
    const { budgets, way, pass } = await withBudgets(1);
    way.carry = () => Promise.reject(new Error("gone"));
    ask(budgets[0]!);
    await pass(200);

    expect(budgets[0]!.acquire(state)).toBe(left);
    expect(budgets[0]!.acquire(state)).toBe(0);
  });

  it("does not spend its own bucket on a fleet that is dry", async () => {
    const { budgets, way, pass } = await withBudgets(2);
    for (const budget of budgets) while ((await budget.acquire(state)) === 1);
    way.carry = () => Promise.reject(new Error("gone"));
    await pass(1_300);
    for (const budget of budgets) await budget.acquire(state);
    await pass(600);

    expect(budgets.map((budget) => budget.acquire(state))).toEqual([0, 0]);
  });

  it("knows no balance before the store has said it, and then the fleet's", async () => {
    const { clock, join } = fleetOfProcesses();
    const fleet = join();
    const budget = fleet.share(retryBudget({ clock }), { key: "payments" });

    expect(budget.balance).toBeUndefined();
    await fleet.ready();
    expect(budget.balance).toBe(10);
    await fleet.close();
    expect(budget.balance).toBe(10);
  });

  it("grants a sync policy from its own bucket and never asks", async () => {
    const { budgets, way, clock } = await withBudgets(1);
    const before = way.requests.length;
    let attempts = 0;
    const call = retrySync(
      () => {
        attempts++;
        throw new Error("busy");
      },
      { budget: budgets[0]!, clock, wait: waitNone, stop: stopAfterAttempt(3) },
    );

    expect(call).toThrow("busy");
    expect(attempts).toBe(3);
    expect(way.requests.length).toBe(before);
  });

  it("gives a token back for a retry that succeeds, but not after overload", async () => {
    const { budgets, way, pass } = await withBudgets(1);
    budgets[0]!.recordSuccess(1, state);
    budgets[0]!.recordSuccess(1, failed(Object.assign(new Error("slow down"), { status: 503 })));
    await pass(200);

    expect(way.requests.at(-1)).toMatchObject({ successes: 2, refunds: 1 });
  });

  it("is reported of by one newcomer in four, four times as much, until it has heard from the store", async () => {
    const { join, pass, way, clock } = fleetOfProcesses();
    const budgets = Array.from({ length: 400 }, () => join().share(retryBudget({ clock }), { key: "payments" }));

    for (const budget of budgets) budget.recordSuccess(0);
    await pass(200);

    const reported = way.requests.reduce((sum, request) => sum + ("successes" in request ? request.successes : 0), 0);
    expect(way.requests.length).toBeGreaterThan(70);
    expect(way.requests.length).toBeLessThan(130);
    expect(reported).toBe(4 * way.requests.length);
  });

  it("is one for each key of retryBudgets", async () => {
    const { clock, join } = fleetOfProcesses();
    const [one, other] = [0, 1].map(() =>
      join().share(retryBudgets({ key: (shard: string) => shard, capacity: 2, clock }), { key: "shards" }),
    );
    const of = (shard: string) => ({ ...state, args: [shard] });

    const granted = [];
    for (const budget of [one!, other!, one!, other!]) granted.push(await budget.acquire(of("a")));

    expect(granted).toEqual([1, 1, 0, 0]);
    expect(await other!.acquire(of("b"))).toBe(1);
  });
});

describe("a shared rate limit", () => {
  it("is one limit for all processes", async () => {
    const { clock, join, pass } = fleetOfProcesses();
    const limits = Array.from({ length: 10 }, () =>
      join().share(retryRateLimit({ perSecond: 5, clock }), { key: "payments" }),
    );
    let granted = 0;
    for (let round = 0; round < 100; round++) {
      for (const limit of limits) Promise.resolve(limit.acquire(state)).then((tokens) => (granted += tokens));
      await pass(100);
    }

    expect(granted).toBeGreaterThan(35);
    expect(granted).toBeLessThanOrEqual(55);
  });

  /** A process that asked for a token each 100 ms, ten times, of a limit of 20 a second. */
  async function steady() {
    const all = fleetOfProcesses();
    const { clock, join, pass } = all;
    const [limit, other] = [0, 1].map(() =>
      join().share(retryRateLimit({ perSecond: 20, clock }), { key: "payments" }),
    );
    for (let time = 0; time < 10; time++) {
      await limit!.acquire(state);
      await pass(100);
    }
    return { ...all, limit: limit!, other: other! };
  }

  it("has tokens for one interval leased ahead where a process asks steadily: no call waits for the store", async () => {
    const { limit, way, pass } = await steady();
    way.requests.length = 0;

    const tokens: unknown[] = [];
    for (let time = 0; time < 10; time++) {
      tokens.push(limit.acquire(state));
      await pass(100);
    }

    expect(tokens).toEqual(Array(10).fill(1));
    expect(way.requests.length).toBeLessThanOrEqual(10);
  });

  it("gives back what was leased ahead and not used for a second or two", async () => {
    const { limit, other, way, pass } = await steady();

    await pass(2_100);
    await pass(1_000);
    await other.acquire(state);

    expect(way.requests.some((request) => "refunds" in request && request.refunds === 1)).toBe(true);
    expect(limit.acquire(state)).toBeInstanceOf(Promise);
    expect(other.balance).toBe(19);
  });

  it("leases nothing ahead while less than half of its burst is left", async () => {
    const { limit, other, pass } = await steady();
    for (let time = 0; time < 15; time++) await other.acquire(state);

    // The one that is leased is used, and another one asked for, which may not be.
    limit.acquire(state);
    await pass(5);
    await limit.acquire(state);
    await pass(5);

    expect(limit.acquire(state)).toBeInstanceOf(Promise);
  });

  it("goes by its part of the burst, and by nothing that was leased ahead, while the store is lost", async () => {
    const { limit, other, way, pass } = await steady();
    await other.acquire(state);
    await pass(1_000);
    await limit.acquire(state);
    await limit.acquire(state);
    await pass(10);
    way.carry = () => Promise.reject(new Error("gone"));
    limit.acquire(state);
    await pass(10);

    let granted = 0;
    for (let time = 0; time < 30; time++) granted += limit.acquire(state) as number;

    // Its part of the burst, which two processes share, and not one more.
    expect(granted).toBe(10);
  });

  it("is divided by the processes when the store is lost", async () => {
    const { clock, join, pass, way } = fleetOfProcesses();
    const fleets = Array.from({ length: 10 }, () => join());
    const limits = fleets.map((fleet) => fleet.share(retryRateLimit({ perSecond: 20, clock }), { key: "payments" }));
    await Promise.all(fleets.map((fleet) => fleet.ready()));
    await pass(2_000);
    for (const limit of limits) await limit.acquire(state);
    way.carry = () => Promise.reject(new Error("gone"));
    await pass(1_500);
    for (const limit of limits) await limit.acquire(state);
    await pass(10);
    let granted = 0;

    for (let round = 0; round < 100; round++) {
      for (const limit of limits) granted += (await limit.acquire(state)) as number;
      await pass(100);
    }

    expect(granted).toBeGreaterThan(150);
    expect(granted).toBeLessThanOrEqual(230);
  });
});

describe("a call that may go", () => {
  it("waits for nothing: it settles after as many microtasks as through a breaker that is not shared", async () => {
    const { clock, join, way } = fleetOfProcesses();
    const fleet = join();
    const own = circuitBreaker({ failureRate: 0.5, clock });
    const shared = fleet.share(circuitBreaker({ failureRate: 0.5, clock }), { key: "payments" });
    await fleet.ready();
    way.carry = never;
    const turnsOf = async (call: () => Promise<unknown>) => {
      let settled = false;
      call().then(() => {
        settled = true;
      });
      for (let turn = 0; ; turn++) {
        if (settled) return turn;
        await undefined;
      }
    };

    const turns = await turnsOf(() => shared.run(async () => "up"));

    expect(turns).toBe(await turnsOf(() => own.run(async () => "up")));
  });
});
