import { type CircuitBreaker, circuitBreaker } from "undaunted";
import { describe, expect, it } from "vitest";
import type { BreakerReply, BreakerRequest } from "../../src/fleet/protocol.js";
import { fleetStore } from "../../src/fleet/store/index.js";
import { breakerRequest } from "../redis/requests.js";
import { fleetOfProcesses } from "./processes.js";

const up = async () => "up";
const DAY = 86_400_000;

/** Processes with a shared breaker, which call it again and again. */
function processes() {
  const all = fleetOfProcesses();
  const join = () => {
    const fleet = all.join();
    const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, clock: all.clock }), { key: "payments" });
    return { fleet, breaker };
  };
  const call = async (breakers: readonly CircuitBreaker[], ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      for (const breaker of breakers) breaker.run(up).catch(() => {});
      await all.pass(100);
    }
  };
  return { ...all, join, call };
}

describe("an isolation by hand", () => {
  it("outlives a store that forgot it and that a newcomer asks first", async () => {
    const { join, call, wipe } = processes();
    const [one, other] = [join(), join()];
    await Promise.all([one.fleet.ready(), other.fleet.ready()]);
    one.breaker.isolate();
    await call([one.breaker, other.breaker], 1_000);

    wipe();
    const newcomer = join();
    await newcomer.fleet.ready();
    expect(newcomer.breaker.state).toBe("closed");
    const breakers = [one, other, newcomer].map(({ breaker }) => breaker);
    await call(breakers, 8_000);
    expect(breakers.map(({ state }) => state)).toEqual(["isolated", "isolated", "isolated"]);
    newcomer.breaker.close();
    await call(breakers, 8_000);

    expect(breakers.map(({ state }) => state)).toEqual(["closed", "closed", "closed"]);
  });

  it("is not brought back by one that was idle when it was ended, nor a day later", async () => {
    const { join, call, way, pass } = processes();
    const [one, idle] = [join(), join()];
    await Promise.all([one.fleet.ready(), idle.fleet.ready()]);
    one.breaker.isolate();
    await call([one.breaker], 1_000);
    way.pushes = false;
    one.breaker.close();
    await call([one.breaker], 1_000);
    expect(idle.breaker.state).toBe("isolated");
    await one.fleet.close();

    await pass(20 * 3_600_000);
    const newcomer = join();
    await newcomer.fleet.ready();
    await call([newcomer.breaker, idle.breaker], 8_000);

    expect([newcomer.breaker.state, idle.breaker.state]).toEqual(["closed", "closed"]);
  });
});

describe("the store of a breaker that began anew", () => {
  /** One whose epoch is 1 and that knows of nothing; what processes know of the epoch before. */
  function begun() {
    const store = fleetStore();
    let nonce = 0;
    const ask = (more: Partial<BreakerRequest> = {}) => {
      const { reply, news } = store.exchange(breakerRequest({ nonce: ++nonce, ...more }), 1_000_000 + nonce);
      return { state: (reply as BreakerReply).state, told: news !== undefined };
    };
    ask();
    const earlier = (generation: number, was: number, more: Partial<BreakerRequest> = {}) =>
      ask({ epoch: 77, generation, was, ...more });
    return { ask, earlier };
  }

  it("is isolated by one that knows of it, and tells everybody", () => {
    expect(begun().earlier(5, 2)).toEqual({ state: 2, told: true });
  });

  it("is isolated by one that knows of it from another epoch than the first that it heard of", () => {
    const { ask, earlier } = begun();
    ask({ epoch: 55, generation: 1, was: 0 });

    expect(earlier(5, 2)).toEqual({ state: 2, told: true });
  });

  it("stays so whatever one says that knows less", () => {
    const { ask, earlier } = begun();
    earlier(5, 2);

    expect(earlier(4, 0)).toEqual({ state: 2, told: false });
    expect(ask({ epoch: 55, generation: 9, was: 0 })).toEqual({ state: 2, told: false });
    expect(ask()).toEqual({ state: 2, told: false });
  });

  it("is closed again by one that knows that it was ended, whoever comes first", () => {
    const [first, last] = [begun(), begun()];
    first.earlier(5, 2);

    expect(first.earlier(6, 0)).toEqual({ state: 0, told: true });
    expect(first.earlier(5, 2)).toEqual({ state: 0, told: false });
    expect(last.earlier(6, 0)).toEqual({ state: 0, told: false });
    expect(last.earlier(5, 2)).toEqual({ state: 0, told: false });
  });

  it("goes by what is done by hand then, and by nothing from before", () => {
    const { ask, earlier } = begun();
    earlier(5, 2);
    ask({ command: 2 });

    expect(earlier(6, 2)).toEqual({ state: 0, told: false });
    ask({ command: 1 });
    expect(earlier(7, 0)).toEqual({ state: 2, told: false });
  });

  it("takes up nothing that was heard more than a day ago", () => {
    expect(begun().earlier(5, 2, { tick: 1, age: DAY + 1 })).toEqual({ state: 0, told: false });
    expect(begun().earlier(5, 2, { tick: 1, age: DAY })).toEqual({ state: 2, told: true });
  });

  it("is not opened by one that knows it was open", () => {
    expect(begun().earlier(5, 1)).toEqual({ state: 0, told: false });
  });
});
