import { circuitBreaker } from "undaunted";
import { describe, expect, it } from "vitest";
import type { FleetNews, PauseRequest } from "../../src/fleet/protocol.js";
import { fleetOfProcesses } from "./processes.js";

const down = () => Promise.reject(new Error("down"));
const KEY = "pays by card";

/** Two stores of fleets of one name on a channel that both tell their news, and a process at each. */
function twoStores() {
  const [here, there] = [fleetOfProcesses(1), fleetOfProcesses(2)];
  const hear = (from: typeof here, to: typeof here) =>
    from.listeners.add((news) => {
      // What a listener sends on is not its own store's.
      if (!foreign.has(news)) {
        foreign.add(news);
        for (const listener of [...to.listeners]) listener(news);
      }
    });
  const foreign = new WeakSet<FleetNews>();
  hear(here, there);
  hear(there, here);
  const join = (all: typeof here) => {
    const fleet = all.join();
    const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, clock: all.clock }), { key: "payments" });
    const pause = fleet.pauses({ key: () => KEY }).pauseOf({} as never);
    return { fleet, breaker, pause };
  };
  const pass = async (ms: number) => {
    await here.pass(ms);
    await there.pass(ms);
  };
  return { here, there, join, pass };
}

describe("a process that hears the news of another store", () => {
  it("stays closed though the breaker of that name is isolated there, and where it was opened by failures", async () => {
    const { here, there, join, pass } = twoStores();
    const [ours, theirs] = [join(here), join(there)];
    await Promise.all([ours.fleet.ready(), theirs.fleet.ready()]);

    theirs.breaker.isolate();
    await pass(1_000);
    expect([ours.breaker.state, theirs.breaker.state]).toEqual(["closed", "isolated"]);
    theirs.breaker.close();
    await pass(1_000);
    for (let call = 0; call < 70; call++) {
      theirs.breaker.run(down).catch(() => {});
      await pass(20);
    }

    expect([ours.breaker.state, theirs.breaker.state]).toEqual(["closed", "open"]);
  });

  it("stays isolated though the breaker of that name is closed there", async () => {
    const { here, there, join, pass } = twoStores();
    const [ours, theirs] = [join(here), join(there)];
    await Promise.all([ours.fleet.ready(), theirs.fleet.ready()]);
    ours.breaker.isolate();
    await pass(1_000);

    theirs.breaker.close();
    await pass(1_000);

    expect(ours.breaker.state).toBe("isolated");
  });

  it("is held back by no pause of that store's", async () => {
    const { here, there, join, pass } = twoStores();
    const [ours, theirs] = [join(here), join(there)];
    await Promise.all([ours.fleet.ready(), theirs.fleet.ready()]);

    theirs.pause.pause(30_000);
    await pass(1_000);

    expect([await ours.pause.left(), await theirs.pause.left()]).toEqual([undefined, { left: 29_000, length: 30_000 }]);
  });

  it("goes by none before it has asked its own, which it does at once", async () => {
    const { here, there, join, pass } = twoStores();
    const [ours, theirs] = [join(here), join(there)];
    await theirs.fleet.ready();

    theirs.breaker.isolate();
    theirs.pause.pause(30_000);
    await pass(1_000);

    expect(here.way.requests.map(({ kind }) => kind)).toEqual(["breaker", "pause"]);
    expect([ours.breaker.state, await ours.pause.left()]).toEqual(["closed", undefined]);
  });

  it("asks its own store once, and not again for what that one says later", async () => {
    const { here, there, join, pass } = twoStores();
    const [ours, theirs] = [join(here), join(there)];
    await Promise.all([ours.fleet.ready(), theirs.fleet.ready()]);
    const before = here.way.requests.length;

    for (let turn = 0; turn < 5; turn++) {
      theirs.breaker.isolate();
      theirs.pause.pause(30_000 * (turn + 1));
      await pass(1_000);
    }

    expect(ours.breaker.state).toBe("closed");
    expect(here.way.requests.slice(before).map(({ kind }) => kind)).toEqual(["breaker", "pause"]);
  });
});

describe("a process whose own store began anew", () => {
  /** Two processes at one store, and a newcomer who asks it first when it has forgotten everything. */
  async function forgetting() {
    const all = fleetOfProcesses();
    const join = () => {
      const fleet = all.join();
      const breaker = fleet.share(circuitBreaker({ failureRate: 0.5, clock: all.clock }), { key: "payments" });
      return { fleet, breaker, pause: fleet.pauses({ key: () => KEY }).pauseOf({} as never) };
    };
    const old = [join(), join()];
    await Promise.all(old.map(({ fleet }) => fleet.ready()));
    all.wipe();
    const newcomer = join();
    await newcomer.fleet.ready();
    return { ...all, old, newcomer };
  }

  it("hears of an isolation without a call of its own, and once it has asked by the push itself", async () => {
    const { old, newcomer, pass, way } = await forgetting();
    const states = () => old.map(({ breaker }) => breaker.state);

    newcomer.breaker.isolate();
    await pass(200);
    expect(states()).toEqual(["isolated", "isolated"]);
    const { length } = way.requests;
    newcomer.breaker.close();
    await pass(0);

    expect(states()).toEqual(["closed", "closed"]);
    expect(way.requests).toHaveLength(length + 1);
  });

  it("hears of a pause, and once it has asked by the push itself", async () => {
    const { old, newcomer, pass, way } = await forgetting();
    const left = () => Promise.all(old.map(async ({ pause }) => (await pause.left())?.left));

    newcomer.pause.pause(30_000);
    await pass(200);
    expect(await left()).toEqual([29_800, 29_800]);
    const { length } = way.requests;
    newcomer.pause.pause(60_000);
    await pass(0);

    expect(await left()).toEqual([60_000, 60_000]);
    expect(way.requests).toHaveLength(length + 1);
  });

  it("keeps the name by which all know a store of pauses that nobody used for long", async () => {
    const all = fleetOfProcesses();
    const pauses = Array.from({ length: 3 }, () => {
      const fleet = all.join();
      return { fleet, pause: fleet.pauses({ key: () => KEY }).pauseOf({} as never) };
    });
    await Promise.all(pauses.map(({ fleet }) => fleet.ready()));
    await all.pass(120_000);

    pauses[0]!.pause.pause(30_000);
    await all.pass(0);

    expect((all.way.requests.at(-1) as PauseRequest).epoch).toBeGreaterThan(0);
    expect(await Promise.all(pauses.map(async ({ pause }) => (await pause.left())?.left))).toEqual(
      Array(3).fill(30_000),
    );
  });
});
