import { type CircuitBreakerOptions, CircuitOpenError, circuitBreaker } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { begin, down, never, OPEN_NO_LONGER, play } from "./calls.js";

describe("a half-open breaker", () => {
  it.each([1, 3, 10])("lets %d of 1,000 concurrent callers through", async (halfOpenCalls) => {
    const breaker = circuitBreaker({ halfOpen: { calls: halfOpenCalls }, initialState: OPEN_NO_LONGER });
    const load = vi.fn(never);
    const guarded = breaker.wrap(load);

    const calls = Array.from({ length: 1_000 }, () => guarded());
    const refused = await Promise.allSettled(calls.slice(halfOpenCalls));

    expect(load).toHaveBeenCalledTimes(halfOpenCalls);
    expect(refused.every((call) => call.status === "rejected" && call.reason instanceof CircuitOpenError)).toBe(true);
    expect(breaker.stats.refused).toBe(1_000 - halfOpenCalls);
  });

  it.each<[number, number | undefined, string, string]>([
    [1, undefined, "S", "closed"],
    [1, undefined, "F", "open"],
    [3, undefined, "SS", "half-open"],
    [3, undefined, "SSS", "closed"],
    [3, undefined, "SF", "open"],
    [10, undefined, "SSSSSSSSS", "half-open"],
    [10, undefined, "SSSSSSSSSS", "closed"],
    [10, undefined, "SSSSF", "open"],
    [1, 0.5, "S", "closed"],
    [1, 0.5, "F", "open"],
    [3, 0.5, "F", "half-open"],
    [3, 0.5, "FF", "open"],
    [3, 0.5, "FS", "half-open"],
    [3, 0.5, "FSF", "open"],
    [3, 0.5, "FSS", "closed"],
    [3, 0.5, "S", "half-open"],
    [3, 0.5, "SS", "closed"],
    [10, 0.5, "FFFF", "half-open"],
    [10, 0.5, "FFFFF", "open"],
    [10, 0.5, "SSSSS", "half-open"],
    [10, 0.5, "SSSSSS", "closed"],
    [10, 1, "FFFFFFFFF", "half-open"],
    [10, 1, "S", "closed"],
  ])(
    "a half-open breaker with %d calls and a rate of %s is judged as soon as it is certain: %s: %s",
    async (calls, rate, ends, state) => {
      const breaker = circuitBreaker({ halfOpen: { calls: calls }, failureRate: rate, initialState: OPEN_NO_LONGER });

      await play(breaker, ends);

      expect(breaker.state).toBe(state);
    },
  );

  it.each([
    [[100], "half-open"],
    [[100, 100], "open"],
    [[100, 99, 99], "half-open"],
    [[100, 99, 99, 99], "closed"],
    [[99, 99], "half-open"],
    [[99, 99, 99], "closed"],
  ])(
    "a half-open breaker with four calls and rates of a half is judged by slow ones likewise: %j: %s",
    async (durations, state) => {
      const clock = virtualClock();
      const rates = { failureRate: 0.5, slowRate: 0.5, slowAfter: 100 };
      const breaker = circuitBreaker({ ...rates, halfOpen: { calls: 4 }, initialState: OPEN_NO_LONGER, clock });

      for (const ms of durations) await breaker.run(() => clock.sleepSync(ms));

      expect(breaker.state).toBe(state);
    },
  );

  it("opens at the first failure where only slow calls have a rate", async () => {
    const options = { halfOpen: { calls: 4 }, slowRate: 0.5, slowAfter: 100, initialState: OPEN_NO_LONGER };
    const breaker = circuitBreaker({ ...options, clock: virtualClock() });

    await play(breaker, "F");

    expect(breaker.state).toBe("open");
  });

  it("leaves out of its verdict what the probes not asked for would have said", async () => {
    const breaker = circuitBreaker({ halfOpen: { calls: 3 }, failureRate: 0.5, initialState: OPEN_NO_LONGER });
    const [first, second, third] = [begin(breaker), begin(breaker), begin(breaker)];

    await first.succeed();
    await second.succeed();
    expect(breaker.state).toBe("closed");
    await third.fail();

    expect(breaker.stats).toMatchObject({ successes: 2, failures: 0 });
  });

  it("tells whom it refuses when the oldest probe's lease ends, and why it had opened", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({
      consecutiveFailures: 1,
      openFor: 1_000,
      halfOpen: { calls: 2 },
      lease: 500,
      clock,
    });
    await play(breaker, "F");
    await clock.advance(1_000);
    begin(breaker);
    await clock.advance(200);
    begin(breaker);
    await clock.advance(100);

    const refused = await breaker.run(never).catch((error) => error);

    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect(refused).toMatchObject({ retryAfter: 200, cause: down });
    expect(refused.message).toContain("half-open");
  });
});

describe("a result from before a change", () => {
  it("a result from before a change does not close a half-open breaker when it is a late success", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const late = begin(breaker);
    await play(breaker, "F");
    await clock.advance(30_000);
    expect(breaker.state).toBe("half-open");

    await late.succeed();

    expect(breaker.state).toBe("half-open");
    expect(breaker.stats.successes).toBe(0);
  });

  it("a result from before a change does not open a half-open breaker when it is a late failure", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const late = begin(breaker);
    await play(breaker, "F");
    await clock.advance(30_000);
    expect(breaker.state).toBe("half-open");

    await late.fail();

    expect(breaker.state).toBe("half-open");
    expect(breaker.stats.failures).toBe(1);
  });

  it("frees no permit of a half-open breaker", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({
      consecutiveFailures: 1,
      classify: ({ ok }) => (ok ? "ignored" : "failure"),
      clock,
    });
    const late = begin(breaker);
    await play(breaker, "F");
    await clock.advance(30_000);
    begin(breaker);

    await late.succeed();

    await expect(breaker.run(never)).rejects.toBeInstanceOf(CircuitOpenError);
    expect(breaker.stats.ignored).toBe(0);
  });

  it("a result from before a change does not open a breaker that has closed since", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const late = begin(breaker);
    await play(breaker, "F");
    await clock.advance(30_000);
    await play(breaker, "S");

    await late.fail();

    expect(breaker.state).toBe("closed");
  });

  it("a result from before a change does not move a later half-open breaker when it is a probe of an earlier one", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, halfOpen: { calls: 2 }, openFor: 1_000, clock });
    await play(breaker, "F");
    await clock.advance(1_000);
    const late = begin(breaker);
    await play(breaker, "F");
    await clock.advance(1_000);
    await play(breaker, "S");

    await late.succeed();

    expect(breaker.state).toBe("half-open");
  });

  it("a result from before a change counts as nothing after close(), though nothing else changed", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    const [success, failure] = [begin(breaker), begin(breaker)];

    breaker.close();
    await success.succeed();
    await failure.fail();

    expect(breaker.state).toBe("closed");
    expect(breaker.stats).toMatchObject({ successes: 0, failures: 0 });
  });

  it("a result from before a change counts as nothing after isolate() and close()", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    const late = begin(breaker);

    breaker.isolate();
    breaker.close();
    await late.fail();

    expect(breaker.state).toBe("closed");
    expect(breaker.stats.failures).toBe(0);
  });
});

describe("the half-open rule", () => {
  const probes = async (options: CircuitBreakerOptions, script: string) => {
    const breaker = circuitBreaker({ ...options, initialState: OPEN_NO_LONGER });
    await play(breaker, script);
    return breaker.state;
  };

  it.each([
    ["FFS", "half-open"],
    ["FFF", "half-open"],
    ["FFFF", "open"],
    ["FFFSSSSSSS", "closed"],
  ])(
    "the half-open rule has a failureRate of its own beside consecutiveFailures: %s leaves it %s",
    async (script, state) => {
      const options = { consecutiveFailures: 2, halfOpen: { calls: 10, failureRate: 0.31 } };

      expect(await probes(options, script)).toBe(state);
    },
  );

  it("opens no closed breaker", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 2, halfOpen: { calls: 10, failureRate: 0.1 } });

    await play(breaker, "FS".repeat(50));

    expect(breaker.state).toBe("closed");
  });

  it("the half-open rule takes the place of the closed rate, which it is by default", async () => {
    const closed = { failureRate: 0.5, minimumCalls: 1 };

    expect(await probes({ ...closed, halfOpen: { calls: 4 } }, "FF")).toBe("open");
    expect(await probes({ ...closed, halfOpen: { calls: 4, failureRate: 0.25 } }, "F")).toBe("open");
    expect(await probes({ ...closed, halfOpen: { calls: 4, failureRate: 1 } }, "FFF")).toBe("half-open");
  });

  it("the half-open rule has a slowRate of its own, for which slowAfter is enough", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({
      consecutiveFailures: 2,
      slowAfter: 100,
      halfOpen: { calls: 2, slowRate: 0.5 },
      initialState: OPEN_NO_LONGER,
      clock,
    });

    const slow = breaker.run(() => new Promise<void>((resolve) => void clock.setTimer(resolve, 100)));
    await clock.advance(100);
    await slow;

    expect(breaker.state).toBe("open");
  });

  it.each([
    [{ halfOpen: 3 }, "circuitBreaker: halfOpen must be an object, got 3"],
    [{ halfOpen: { calls: 0 } }, "circuitBreaker halfOpen: calls must be a whole number from 1, got 0"],
    [
      { halfOpen: { failureRate: 30 } },
      "circuitBreaker halfOpen: failureRate must be a number above 0, at most 1, got 30",
    ],
    [
      { halfOpen: { rate: 0.3 } },
      'circuitBreaker halfOpen: there is no option "rate"; allowed are calls, failureRate, slowRate',
    ],
    [{ halfOpen: { slowRate: 0.3 } }, "circuitBreaker: slowRate and slowAfter need each other, got slowRate alone"],
  ])("the half-open rule is refused when it makes no sense: %j", (options, message) => {
    expect(() => circuitBreaker(options as CircuitBreakerOptions)).toThrow(message);
  });
});
