import { type CircuitBreaker, circuitBreaker, circuitBreakers, observe, retryBudget } from "undaunted";
import { describe, expect, it, onTestFinished } from "vitest";
import { fleetOfProcesses, never } from "./processes.js";

const down = async () => {
  throw new Error("down");
};
const up = async () => "up";

/** `size` processes with a shared breaker each. */
function withBreakers(size: number, options = {}, shared = {}) {
  const all = fleetOfProcesses();
  const { clock } = all;
  const fleets = Array.from({ length: size }, () => all.join(shared));
  const breakers = fleets.map((fleet) =>
    fleet.share(circuitBreaker({ failureRate: 0.5, clock, ...options }), { key: "payments" }),
  );
  const ready = () => Promise.all(fleets.map((fleet) => fleet.ready()));
  /** Each breaker makes so many calls, one per 20 ms. */
  const callAll = async (calls: number, task: () => Promise<unknown>) => {
    for (let call = 0; call < calls; call++) {
      for (const breaker of breakers) breaker.run(task).catch(() => {});
      await all.pass(20);
    }
  };
  return { ...all, fleets, breakers, ready, callAll };
}

const states = (breakers: readonly CircuitBreaker[]) => [...new Set(breakers.map(({ state }) => state))];

describe("a shared breaker", () => {
  it("opens in every process when the fleet's calls fail, also where none was made", async () => {
    const { breakers, ready, callAll, pass, fleets, join, clock } = withBreakers(10);
    const idle = join().share(circuitBreaker({ failureRate: 0.5, clock }), { key: "payments" });
    await ready();
    await idle.run(up);

    await callAll(70, down);
    await pass(200);

    expect(states([...breakers, idle])).toEqual(["open"]);
    expect(fleets.length).toBe(10);
  });

  it("stays closed everywhere while two of ten processes fail alone, loud as they are", async () => {
    const { breakers, ready, pass } = withBreakers(10, { minimumCalls: 1_000_000, window: { ms: 10_000 } });
    await ready();

    for (let round = 0; round < 100; round++) {
      breakers.forEach((breaker, place) => {
        for (let call = 0; call < (place < 2 ? 20 : 1); call++) breaker.run(place < 2 ? down : up).catch(() => {});
      });
      await pass(100);
    }

    expect(states(breakers)).toEqual(["closed"]);
  });

  it("closes in every process when one probe has succeeded", async () => {
    const { breakers, ready, callAll, pass } = withBreakers(10);
    await ready();
    await callAll(70, down);
    await pass(1_500);
    let probes = 0;

    for (let round = 0; round < 200 && states(breakers)[0] !== "closed"; round++) {
      for (const breaker of breakers) {
        breaker
          .run(async () => {
            probes++;
          })
          .catch(() => {});
      }
      await pass(10);
    }

    expect(states(breakers)).toEqual(["closed"]);
    expect(probes).toBeLessThanOrEqual(1 + breakers.length);
  });

  it("lets one call of the whole fleet through at a time while half-open", async () => {
    const { breakers, ready, callAll, pass } = withBreakers(10);
    await ready();
    await callAll(70, down);
    await pass(1_500);
    let probes = 0;
    for (let round = 0; round < 50; round++) {
      for (const breaker of breakers) {
        breaker
          .run(() => {
            probes++;
            return never();
          })
          .catch(() => {});
      }
      await pass(20);
    }

    expect(probes).toBe(1);
  });

  it("is heard of by those who observe, where the fleet opens and closes it", async () => {
    const heard: string[] = [];
    onTestFinished(observe(({ type }) => type.startsWith("fleet-") && heard.push(type)));
    const { breakers, ready, callAll, pass, join, clock } = withBreakers(10);
    const idle = join().share(circuitBreaker({ failureRate: 0.5, clock, name: "idle" }), { key: "payments" });
    await ready();
    await idle.run(up);

    await callAll(70, down);
    await pass(1_500);
    const opened = heard.filter((type) => type === "fleet-opened").length;
    for (let round = 0; round < 200 && states(breakers)[0] !== "closed"; round++) {
      for (const breaker of breakers) breaker.run(up).catch(() => {});
      await pass(10);
    }

    expect(opened).toBeGreaterThanOrEqual(1);
    expect(heard).toContain("fleet-closed");
  });

  it("says of an opening that came from elsewhere that it is remote", async () => {
    const changes: unknown[] = [];
    const { ready, callAll, join, clock } = withBreakers(10);
    const onStateChange = ({ from, to, remote }: { from: string; to: string; remote?: true }) =>
      changes.push([from, to, remote]);
    const other = join().share(circuitBreaker({ failureRate: 0.5, clock, onStateChange }), { key: "payments" });
    await ready();
    await other.run(up);

    await callAll(70, down);

    expect(changes).toEqual([["closed", "open", true]]);
  });

  it("is refused to a newcomer's first call while its fleet is open", async () => {
    const { ready, callAll, join, clock } = withBreakers(10);
    await ready();
    await callAll(70, down);
    const newcomer = join().share(circuitBreaker({ failureRate: 0.5, clock }), { key: "payments" });
    let calls = 0;

    await newcomer.run(async () => calls++).catch(() => {});

    expect(calls).toBe(0);
  });

  it("opens for the fleet by isolate() and closes by close(), or for one process with { local: true }", async () => {
    const { breakers, ready, pass } = withBreakers(3);
    const [first, second] = breakers as [CircuitBreaker, CircuitBreaker, CircuitBreaker];
    await ready();

    first.isolate();
    await pass(10);
    expect(states(breakers)).toEqual(["isolated"]);
    second.close();
    await pass(10);
    expect(states(breakers)).toEqual(["closed"]);
    first.isolate({ local: true });
    await pass(10);
    expect(breakers.map(({ state }) => state)).toEqual(["isolated", "closed", "closed"]);
    first.close({ local: true });
    await pass(10);
    expect(states(breakers)).toEqual(["closed"]);
  });

  it("refuses an option that isolate() does not take", () => {
    const { breakers } = withBreakers(1);

    expect(() => breakers[0]!.isolate({ locally: true } as never)).toThrow('there is no option "locally"');
  });

  it("has a fleet in its stats while it is shared", async () => {
    const { breakers, ready, fleets } = withBreakers(1);
    await ready();

    expect(breakers[0]!.stats.fleet).toMatchObject({
      connected: true,
      exchanges: 1,
      unanswered: 0,
      known: 1,
      stretch: 1,
    });
    await fleets[0]!.close();
    expect(breakers[0]!.stats.fleet).toBeUndefined();
  });

  it("tells a process once that it goes by other options than its fleet", async () => {
    const errors: unknown[] = [];
    const { join, clock, pass } = fleetOfProcesses();
    const share = (failureRate: number) => {
      const fleet = join({ onHookError: (error) => errors.push(error) });
      return [fleet, fleet.share(circuitBreaker({ failureRate, clock }), { key: "payments" })] as const;
    };
    const [old, breaker] = share(0.5);
    await old.ready();
    const [newer] = share(0.6);
    await newer.ready();

    for (let call = 0; call < 5; call++) {
      await breaker.run(up);
      await pass(200);
    }

    expect(errors.map(String)).toEqual([expect.stringContaining("payments has other options here")]);
  });
});

describe("a breaker whose store is lost", () => {
  it("lets a call through at once when the store says nothing, for ever", async () => {
    const { breakers, way, pass } = withBreakers(1);
    way.carry = never;
    const first = breakers[0]!.run(up);
    await pass(50);
    await first;
    let done = 0;

    for (let call = 0; call < 100; call++) breakers[0]!.run(up).then(() => done++);
    await pass(0);

    expect(done).toBe(100);
  });

  it("goes by its own options, and says so once", async () => {
    const said: string[] = [];
    const observedTypes: string[] = [];
    onTestFinished(observe(({ type, name }) => type.startsWith("fleet-") && observedTypes.push(`${type} ${name}`)));
    const { breakers, way, pass, callAll } = withBreakers(
      1,
      { openFor: 30_000 },
      {
        onStoreLost: ({ key }: { key: string }) => said.push(`lost ${key}`),
        onStoreBack: () => said.push("back"),
      },
    );
    const { carry } = way;
    way.carry = () => Promise.reject(new Error("ECONNREFUSED"));
    await callAll(30, down);
    expect(breakers[0]!.state).toBe("open");
    await pass(29_000);
    expect(breakers[0]!.state).toBe("open");
    way.carry = carry;
    await pass(2_000);
    await breakers[0]!.run(up).catch(() => {});
    await pass(100);

    expect(said).toEqual(["lost payments", "back"]);
    expect(observedTypes).toEqual(["fleet-lost test", "fleet-connected test"]);
    expect(breakers[0]!.state).toBe("closed");
  });

  it("probes for itself, about every ten seconds, where the fleet was open", async () => {
    const { breakers, way, ready, callAll, pass } = withBreakers(5);
    await ready();
    await callAll(90, down);
    way.carry = () => Promise.reject(new Error("gone"));
    let calls = 0;

    for (let second = 0; second < 60; second++) {
      breakers[0]!
        .run(() => {
          calls++;
          return down();
        })
        .catch(() => {});
      await pass(1_000);
    }

    expect(calls).toBeGreaterThanOrEqual(3);
    expect(calls).toBeLessThanOrEqual(8);
  });

  it("hears of the end of an outage though the push was lost", async () => {
    const { breakers, way, ready, callAll, pass } = withBreakers(10);
    await ready();
    await callAll(70, down);
    way.pushes = false;

    for (let round = 0; round < 80; round++) {
      for (const breaker of breakers) breaker.run(up).catch(() => {});
      await pass(100);
    }

    expect(states(breakers)).toEqual(["closed"]);
  });

  it("is open no longer than its fleet after a store that forgot everything", async () => {
    const { breakers, wipe, ready, callAll, pass } = withBreakers(10);
    await ready();
    await callAll(70, down);
    wipe();

    for (let round = 0; round < 80; round++) {
      for (const breaker of breakers) breaker.run(up).catch(() => {});
      await pass(100);
    }

    expect(states(breakers)).toEqual(["closed"]);
  });
});

describe("a fleet", () => {
  it.each([
    ["a breaker without a rate", () => circuitBreaker(), "needs failureRate or slowRate"],
    ["what is no guard", () => ({}) as never, "guard must be a circuitBreaker"],
    ["nothing", () => undefined as never, "guard must be a circuitBreaker"],
  ])("refuses %s", (_, guard, message) => {
    expect(() => fleetOfProcesses().join().share(guard(), { key: "k" })).toThrow(message);
  });

  it("refuses a guard that is shared already, until that fleet is closed", async () => {
    const { join } = fleetOfProcesses();
    const [one, other] = [join(), join()];
    const budget = one.share(retryBudget(), { key: "k" });

    expect(() => one.share(budget, { key: "l" })).toThrow("shared already");
    expect(() => other.share(budget, { key: "k" })).toThrow("shared already");
    await one.close();
    expect(other.share(budget, { key: "k" })).toBe(budget);
  });

  it("refuses a key that another guard of the process has", () => {
    const fleet = fleetOfProcesses().join();
    fleet.share(retryBudget(), { key: "k" });

    expect(() => fleet.share(retryBudget(), { key: "k" })).toThrow("key is taken");
  });

  it("needs a key for what is not a guard for each key", () => {
    const fleet = fleetOfProcesses().join();

    expect(() => fleet.share(retryBudget())).toThrow("key");
  });

  it("shares each key of circuitBreakers, those that come later too, and no key that is neither string nor number", async () => {
    const { join, clock, pass, way } = fleetOfProcesses();
    const shards = circuitBreakers({ key: (shard: unknown) => shard as string, failureRate: 0.5, clock });
    shards.get("a");
    const errors: string[] = [];
    const fleet = join({ onHookError: (error) => errors.push((error as Error).message) });
    fleet.share(shards);

    await shards.wrap(async (_: unknown) => "up")("b");
    await shards.wrap(async (_: unknown) => "up")(1);
    await fleet.ready();
    await pass(200);

    expect([...new Set(way.requests.map(({ key }) => key))].sort()).toEqual(["/n:1", "/s:a", "/s:b"]);
    expect(shards.get(true).stats.fleet).toBeUndefined();
    expect(errors).toEqual([expect.stringContaining("strings or numbers")]);
  });

  it("leaves no timer and no listener behind after close(), and its breakers are their own", async () => {
    const { breakers, fleets, ready, callAll, clock, listeners, way } = withBreakers(3);
    await ready();
    await callAll(9, down);
    const pending = clock.pending;

    await Promise.all(fleets.map((fleet) => fleet.close()));
    const { length } = way.requests;
    await callAll(60, down);

    expect(pending).toBeGreaterThan(0);
    expect(clock.pending).toBe(0);
    expect(listeners.size).toBe(0);
    expect(way.requests.length).toBe(length);
    expect(states(breakers)).toEqual(["open"]);
  });
});
