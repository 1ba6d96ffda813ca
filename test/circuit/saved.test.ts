import { type CircuitBreaker, type CircuitBreakerOptions, circuitBreaker } from "undaunted";
import { type VirtualClock, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { play } from "./calls.js";

/** A clock of another process: it began at another time. */
function otherClock(): VirtualClock {
  const clock = virtualClock();
  clock.sleepSync(7_777_777);
  return clock;
}

/** The breaker as another process takes it up, through JSON text. */
function takenUp(breaker: CircuitBreaker, options: CircuitBreakerOptions) {
  const clock = otherClock();
  const initialState = JSON.parse(JSON.stringify(breaker));
  return { clock, breaker: circuitBreaker({ ...options, initialState, clock }), initialState };
}

describe("a breaker saved and taken up elsewhere", () => {
  it.each(["closed", "open", "half-open", "isolated"])(
    "a breaker saved and taken up elsewhere is saved alike again: %s",
    async (state) => {
      const clock = virtualClock();
      const options = { consecutiveFailures: 2, openFor: 5_000, clock };
      const breaker = circuitBreaker(options);
      if (state === "closed") await play(breaker, "F");
      else await play(breaker, "FF");
      await clock.advance(state === "half-open" ? 5_000 : 1_000);
      if (state === "isolated") breaker.isolate();
      expect(breaker.state).toBe(state);

      const other = takenUp(breaker, options);

      expect(other.breaker.toJSON()).toEqual(other.initialState);
      expect(other.breaker.state).toBe(state);
    },
  );

  it("goes on with the failures in a row", async () => {
    const breaker = circuitBreaker();
    await play(breaker, "FFFF");

    const other = takenUp(breaker, {});
    expect(other.breaker.state).toBe("closed");
    await play(other.breaker, "F");

    expect(other.breaker.state).toBe("open");
  });

  it("stays open for what remained", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    await play(breaker, "FFFFF");
    await clock.advance(10_000);

    const other = takenUp(breaker, {});
    await other.clock.advance(19_999);
    expect(other.breaker.state).toBe("open");
    await other.clock.advance(1);

    expect(other.breaker.state).toBe("half-open");
  });

  it("a breaker saved and taken up elsewhere is open with nothing left where it was half-open: every probe is free", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    await play(breaker, "FFFFF");
    await clock.advance(30_000);
    void breaker.run(() => new Promise(() => {}));
    expect(breaker.state).toBe("half-open");

    const other = takenUp(breaker, {});

    expect(other.initialState).toMatchObject({ state: "open", remaining: 0 });
    expect(await other.breaker.run(() => 42)).toBe(42);
    expect(other.breaker.state).toBe("closed");
  });

  it("a breaker saved and taken up elsewhere is refused by until close() where it was isolated", async () => {
    const breaker = circuitBreaker();
    breaker.isolate();

    const other = takenUp(breaker, {});
    await other.clock.advance(1_000_000_000);
    expect(other.breaker.state).toBe("isolated");
    other.breaker.close();

    expect(other.breaker.state).toBe("closed");
  });

  it.each<[string, number, number, number[]]>([
    ["kept", 400, 599, [2]],
    ["forgotten in time", 400, 600, [1]],
  ])(
    "a breaker saved and taken up elsewhere has its openings in a row %s: closed for %d ms here and %d ms there",
    async (_, here, there, openings) => {
      const clock = virtualClock();
      const asked: number[] = [];
      const openFor = (number: number) => {
        asked.push(number);
        return 1_000;
      };
      const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 1_000, clock });
      await play(breaker, "F");
      await clock.advance(1_000);
      await play(breaker, "S");
      await clock.advance(here);

      const other = takenUp(breaker, { consecutiveFailures: 1, openFor });
      await other.clock.advance(there);
      await play(other.breaker, "F");

      expect(asked).toEqual(openings);
    },
  );

  it("opens for the second time in a row where it was saved open or half-open", async () => {
    const clock = virtualClock();
    const options = { consecutiveFailures: 1, openFor: (openings: number) => openings * 1_000 };
    const breaker = circuitBreaker({ ...options, clock });
    await play(breaker, "F");

    const other = takenUp(breaker, options);
    await other.clock.advance(1_000);
    await play(other.breaker, "F");

    expect(other.breaker.toJSON()).toMatchObject({ state: "open", openings: 2, remaining: 2_000 });
  });

  it("forgets openings that it was closed long enough to forget", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    await play(breaker, "F");
    await clock.advance(30_000);
    await play(breaker, "S");
    await clock.advance(30_000);

    expect(breaker.toJSON()).toEqual({ state: "closed", failures: 0, openings: 0, forgetIn: 0, comeBackIn: 0 });
  });

  it("opens for what remains of what a failure had asked for", async () => {
    const clock = virtualClock();
    const options = { consecutiveFailures: 2, openFor: 1_000 };
    const breaker = circuitBreaker({ ...options, clock });
    const busy = Object.assign(new Error("busy"), { retryAfter: 60_000 });
    await breaker.run(() => Promise.reject(busy)).catch(() => {});
    await clock.advance(20_000);

    const other = takenUp(breaker, options);
    await other.clock.advance(10_000);
    await play(other.breaker, "F");

    expect(other.breaker.toJSON()).toMatchObject({ state: "open", remaining: 30_000 });
  });

  it("counts no call of the process before", async () => {
    const breaker = circuitBreaker();
    await play(breaker, "FFS");

    const other = takenUp(breaker, {});

    expect(other.breaker.stats).toMatchObject({ successes: 0, failures: 0 });
  });

  it("notices that the opening is over though nobody had looked before it was saved", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    await play(breaker, "FFFFF");
    await clock.advance(40_000);

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 0 });
  });
});

describe("a window saved and taken up elsewhere", () => {
  it("a window saved and taken up elsewhere of calls holds the same calls in the same order", async () => {
    const options = { failureRate: 0.75, window: { calls: 4 } };
    const breaker = circuitBreaker(options);
    await play(breaker, "SFSF");

    const other = takenUp(breaker, options);
    await play(other.breaker, "F");
    expect(other.breaker.state).toBe("open");

    const another = takenUp(breaker, options);
    await play(another.breaker, "SF");
    expect(another.breaker.state).toBe("closed");
  });

  it("a window saved and taken up elsewhere of calls that has gone round holds the last ones", async () => {
    const options = { failureRate: 0.75, window: { calls: 4 } };
    const breaker = circuitBreaker(options);
    await play(breaker, "FSSSFSSF");

    const other = takenUp(breaker, options);

    expect(other.initialState.window).toEqual([
      [0, 1, 1, 0],
      [0, 2, 0, 0],
      [0, 1, 1, 0],
    ]);
    expect(other.breaker.toJSON()).toEqual(other.initialState);
  });

  it("holds which calls were slow", async () => {
    const clock = virtualClock();
    const options = { slowRate: 0.5, slowAfter: 100, window: { calls: 4 } };
    const breaker = circuitBreaker({ ...options, clock });
    await breaker.run(() => clock.sleepSync(100));

    const other = takenUp(breaker, options);
    await other.breaker.run(() => other.clock.sleepSync(100));
    await play(other.breaker, "S");
    expect(other.breaker.state).toBe("closed");
    await play(other.breaker, "S");

    expect(other.breaker.state).toBe("open");
  });

  it.each([
    [3_000, 6_999, "open"],
    [3_000, 7_000, "closed"],
    [9_000, 999, "open"],
    [9_000, 1_000, "closed"],
  ])(
    "a window saved and taken up elsewhere of time holds calls as old as they were: %d ms here, %d ms there: %s",
    async (here, there, state) => {
      const clock = virtualClock();
      const options = { failureRate: 0.5, minimumCalls: 4, window: { ms: 10_000 } };
      const breaker = circuitBreaker({ ...options, clock });
      await play(breaker, "FF");
      await clock.advance(here);
      await play(breaker, "S");

      const other = takenUp(breaker, options);
      await other.clock.advance(there);
      await play(other.breaker, "S");

      expect(other.breaker.state).toBe(state);
    },
  );

  it("a window saved and taken up elsewhere of time does not age by being saved again and again", async () => {
    const options = { failureRate: 0.5, minimumCalls: 4, window: { ms: 10_000 } };
    const clock = virtualClock();
    await clock.advance(999);
    let other = { clock, breaker: circuitBreaker({ ...options, clock }) };
    await play(other.breaker, "FF");
    for (let moves = 0; moves < 50; moves++) {
      await other.clock.advance(100);
      other = takenUp(other.breaker, options);
    }

    await play(other.breaker, "SS");

    expect(other.breaker.state).toBe("open");
  });

  it("a window saved and taken up elsewhere of time leaves out what is too old", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ failureRate: 0.5, window: { ms: 10_000 }, clock });
    await play(breaker, "F");
    await clock.advance(10_000);

    expect(breaker.toJSON()).toMatchObject({ window: [] });
  });

  it("a window saved and taken up elsewhere is left alone where no rate is asked for there", async () => {
    const breaker = circuitBreaker({ failureRate: 0.5 });
    await play(breaker, "FFFF");

    const other = takenUp(breaker, { consecutiveFailures: 2 });
    await play(other.breaker, "F");

    expect(other.breaker.state).toBe("open");
  });

  it("a window saved and taken up elsewhere is saved only while it counts", async () => {
    const breaker = circuitBreaker({ failureRate: 0.5, window: { calls: 1 } });
    await play(breaker, "F");

    expect(breaker.toJSON()).not.toHaveProperty("window");
  });

  it("a window saved and taken up elsewhere of calls does not make failures of a window of time's successes", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ failureRate: 0.5, window: { ms: 10_000 }, clock });
    await play(breaker, "FSSSSSSSSS");

    const other = takenUp(breaker, { failureRate: 0.5, minimumCalls: 11 });
    await play(other.breaker, "S");

    expect(other.breaker.state).toBe("closed");
  });
});
