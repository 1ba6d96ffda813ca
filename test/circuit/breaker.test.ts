import { type CircuitBreakerOptions, CircuitOpenError, circuitBreaker } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { begin, down, never, play } from "./calls.js";

describe("a closed breaker", () => {
  it("a closed breaker is what a new one is", () => {
    expect(circuitBreaker().state).toBe("closed");
  });

  it.each([
    ["FFFF", "closed"],
    ["FFFFF", "open"],
    ["FFFFSFFFF", "closed"],
    ["FFFFSFFFFF", "open"],
  ])("opens after five failures in a row: %s leaves it %s", async (calls, state) => {
    const breaker = circuitBreaker();

    await play(breaker, calls);

    expect(breaker.state).toBe(state);
  });

  it("opens after as many failures in a row as are asked for", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 2 });

    await play(breaker, "F");
    expect(breaker.state).toBe("closed");
    await play(breaker, "F");
    expect(breaker.state).toBe("open");
  });

  it.each([
    ["FFF", "closed"],
    ["FFFF", "open"],
    ["FSFS", "open"],
    ["FFSS", "open"],
    ["FSSS", "closed"],
    ["FSSSF", "closed"],
    ["FSSSFF", "open"],
  ])("opens when half of the calls failed and there are four: %s leaves it %s", async (calls, state) => {
    const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 4 });

    await play(breaker, calls);

    expect(breaker.state).toBe(state);
  });

  it.each([
    ["FSSSFSSSFSSS", "closed"],
    ["SSSSSSSSF", "closed"],
    ["SSSSSSSSFF", "open"],
  ])("a closed breaker takes its rate over the last four calls: %s leaves it %s", async (calls, state) => {
    const breaker = circuitBreaker({ failureRate: 0.5, window: { calls: 4 } });

    await play(breaker, calls);

    expect(breaker.state).toBe(state);
  });

  it.each([
    [0, 9_999, "open"],
    [0, 10_000, "closed"],
    [999, 10_000, "closed"],
    [1_000, 10_000, "open"],
  ])(
    "a closed breaker takes its rate over the last ten seconds: failures at %d ms, successes at %d ms: %s",
    async (from, to, state) => {
      const clock = virtualClock();
      const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 4, window: { ms: 10_000 }, clock });
      await play(breaker, "S");
      await clock.advance(10_000 + from);

      await play(breaker, "FF");
      await clock.advance(to - from);
      await play(breaker, "SS");

      expect(breaker.state).toBe(state);
    },
  );

  it.each([
    ["20", {}, 20],
    ["the window's calls where those are fewer", { window: { calls: 3 } }, 3],
    ["20 in a window of time", { window: { ms: 1_000 } }, 20],
  ])("a closed breaker takes no rate over fewer calls than %s", async (_, options, calls) => {
    const breaker = circuitBreaker({ failureRate: 1, ...options, clock: virtualClock() });

    await play(breaker, "F".repeat(calls - 1));
    expect(breaker.state).toBe("closed");
    await play(breaker, "F");
    expect(breaker.state).toBe("open");
  });

  it("a closed breaker takes its rate over 100 calls where nothing else is said", async () => {
    const breaker = circuitBreaker({ failureRate: 0.5 });
    await play(breaker, "S".repeat(200));

    await play(breaker, "F".repeat(49));
    expect(breaker.state).toBe("closed");
    await play(breaker, "F");
    expect(breaker.state).toBe("open");
  });

  it.each<[string, string, CircuitBreakerOptions]>([
    ["the failures in a row", "SSSSFFF", { consecutiveFailures: 3, failureRate: 1 }],
    ["the rate", "FSFS", { consecutiveFailures: 3, failureRate: 0.5, minimumCalls: 4 }],
  ])("opens by %s where both count", async (_, calls, options) => {
    const breaker = circuitBreaker(options);

    await play(breaker, calls.slice(0, -1));
    expect(breaker.state).toBe("closed");
    await play(breaker, calls.slice(-1));
    expect(breaker.state).toBe("open");
  });

  it.each([
    [[100, 100], "open"],
    [[100, 99], "open"],
    [[99, 99], "closed"],
    [[100], "closed"],
    [[99, 99, 100], "closed"],
    [[99, 99, 100, 100], "open"],
  ])("opens when half of the calls took 100 ms or longer: %j leaves it %s", async (durations, state) => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ slowRate: 0.5, slowAfter: 100, minimumCalls: 2, clock });

    for (const ms of durations) await breaker.run(() => clock.sleepSync(ms));

    expect(breaker.state).toBe(state);
  });

  it("counts a failure that was slow as both", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ failureRate: 1, slowRate: 0.5, slowAfter: 100, minimumCalls: 2, clock });
    await play(breaker, "F");

    const slow = breaker.run(() => {
      clock.sleepSync(100);
      throw down;
    });

    await expect(slow).rejects.toBe(down);
    expect(breaker.stats).toMatchObject({ failures: 2, slow: 1 });
    expect(breaker.state).toBe("open");
  });

  it("dates an opening that a success brings when that success came", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 4, clock });
    await play(breaker, "FFS");
    const last = begin(breaker);
    await clock.advance(1_000);

    await last.succeed();

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 30_000 });
  });

  it("counts a call in a window of time when it ended", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 2, window: { ms: 10_000 }, clock });
    const call = begin(breaker);
    await clock.advance(9_500);
    await call.succeed();
    await clock.advance(1_000);

    await play(breaker, "F");

    expect(breaker.state).toBe("open");
  });

  it("opens by the success that completes enough calls, however fast those before it were", async () => {
    for (let each = 1; each <= 40; each++) {
      const clock = virtualClock();
      const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 2 * each, clock });
      await play(breaker, "F".repeat(each) + "S".repeat(each - 1));

      await breaker.run(() => clock.sleepSync(1_000));

      expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 30_000 });
    }
  });

  it("counts a call in a window of time when it ended, however fast those before it were", async () => {
    for (let before = 1; before <= 40; before++) {
      const clock = virtualClock();
      const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 2, window: { ms: 10_000 }, clock });
      await play(breaker, "S".repeat(before));

      await breaker.run(() => clock.sleepSync(9_500));
      clock.sleepSync(1_000);
      await play(breaker, "F");

      expect(breaker.state).toBe("open");
    }
  });

  it("begins its window anew each time it closes", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ failureRate: 0.5, window: { calls: 4 }, clock });
    await play(breaker, "FFFF");
    await clock.advance(30_000);
    await play(breaker, "S");

    await play(breaker, "FSS");

    expect(breaker.state).toBe("closed");
  });
});

describe("an open breaker", () => {
  it("refuses calls without making them, and says for how long", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ name: "users", consecutiveFailures: 1, clock });
    const load = vi.fn(async () => {});
    await play(breaker, "F");
    await clock.advance(10_000);

    const refused = await breaker.run(load).catch((error) => error);

    expect(load).not.toHaveBeenCalled();
    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect(refused).toMatchObject({ message: "users: the circuit is open", retryAfter: 20_000 });
  });

  it("tells in its error's cause which failure came last", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 2 });
    const last = new Error("the last one");
    await play(breaker, "F");
    await expect(breaker.run(() => Promise.reject(last))).rejects.toBe(last);

    const refused = await breaker.run(never).catch((error) => error);

    expect(refused.cause).toBe(last);
  });

  it("tells which failure came last where a success opened it", async () => {
    const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 4 });
    await play(breaker, "FFSS");

    await expect(breaker.run(never)).rejects.toMatchObject({ cause: down });
  });

  it.each<[CircuitBreakerOptions, number]>([
    [{}, 30_000],
    [{ openFor: 500 }, 500],
    [{ openFor: 0 }, 0],
    [{ openFor: () => 700 }, 700],
    [{ openFor: 4_000_000 }, 3_600_000],
    [{ openFor: () => 5_000, maxOpenFor: 2_000 }, 2_000],
  ])("an open breaker with %j is half-open after %d ms, not before", async (options, ms) => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, ...options, clock });

    await play(breaker, "F");

    if (ms > 0) {
      await clock.advance(ms - 1);
      expect(breaker.state).toBe("open");
      await clock.advance(1);
    }
    expect(breaker.state).toBe("half-open");
  });

  it("stays open where the clock stands still", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 1, clock: { now: () => 42 } });

    await play(breaker, "FSSS");

    expect(breaker.state).toBe("open");
  });

  it("an open breaker does not care where the wall clock is set to", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const breaker = circuitBreaker({ consecutiveFailures: 1 });
      const call = begin(breaker);
      vi.setSystemTime(Date.now() + 86_400_000);
      expect(breaker.state).toBe("closed");

      await call.fail();
      vi.setSystemTime(Date.now() + 86_400_000);
      expect(breaker.state).toBe("open");
      vi.setSystemTime(0);
      expect(breaker.state).toBe("open");
    } finally {
      vi.useRealTimers();
    }
  });
});
