import {
  BulkheadFullError,
  type CircuitBreaker,
  CircuitOpenError,
  circuitBreaker,
  retry,
  stopAfterAttempt,
  waitFixed,
} from "undaunted";
import { type VirtualClock, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { begin } from "./calls.js";

/** Begins calls that hang. */
function hang(breaker: CircuitBreaker, calls: number): void {
  for (let call = 0; call < calls; call++) breaker.run(() => new Promise(() => {}));
}

describe("calls that hang", () => {
  it("open a breaker without a policy once their lease has ended", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });

    hang(breaker, 20);

    await clock.advance(59_999);
    expect(breaker.state).toBe("closed");
    await clock.advance(1);
    expect(breaker.state).toBe("open");
    expect(breaker.stats.failures).toBe(5);
  });

  it("calls that hang are refused once those before them have opened the circuit", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    hang(breaker, 5);
    await clock.advance(60_000);

    const refused = await breaker.run(() => {}).catch((error) => error);

    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect(refused.cause.message).toContain("60000 ms");
  });

  it("calls that hang are failures dated when their lease ended, whenever that is noticed", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 1_000, openFor: 5_000, clock });
    hang(breaker, 5);

    await clock.advance(4_000);
    expect(breaker.toJSON()).toMatchObject({ state: "open", openFor: 5_000, remaining: 2_000 });
  });

  it("calls that hang have opened it and left it half-open where nobody looked for long", async () => {
    const clock = virtualClock();
    const changes: string[] = [];
    const onStateChange = ({ to }: { to: string }) => changes.push(to);
    const breaker = circuitBreaker({ lease: 1_000, openFor: 5_000, onStateChange, clock });
    hang(breaker, 5);

    await clock.advance(6_000);
    expect(breaker.state).toBe("half-open");
    expect(changes).toEqual(["open", "half-open"]);
  });

  it("calls that hang are slow calls, too", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ slowRate: 1, slowAfter: 90_000, minimumCalls: 2, lease: 60_000, clock });
    hang(breaker, 2);

    await clock.advance(60_000);

    expect(breaker.state).toBe("open");
    expect(breaker.stats).toMatchObject({ slow: 2, failures: 2 });
  });

  it.each([{ calls: 2 }, { ms: 100_000 }])("count for a rate over %j", async (window) => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ failureRate: 1, minimumCalls: 2, window, clock });
    hang(breaker, 2);

    await clock.advance(60_000);

    expect(breaker.state).toBe("open");
  });

  it("calls that hang are dated each by its own lease where they began at different times", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 3, lease: 1_000, openFor: 10_000, clock });
    for (let call = 0; call < 3; call++) {
      hang(breaker, 1);
      await clock.advance(300);
    }

    await clock.advance(900);
    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 9_800 });
  });

  it("calls that hang are told apart from those that ended before their lease did", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 1_000, clock });
    const calls = Array.from({ length: 5 }, () => begin(breaker));
    hang(breaker, 4);

    await Promise.all(calls.map((call) => call.succeed()));
    await clock.advance(1_000);

    expect(breaker.state).toBe("closed");
    expect(breaker.stats).toMatchObject({ successes: 5, failures: 4 });
  });

  it("calls that hang do not end their lease with that of one a little older", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 2, lease: 1_000, clock });
    hang(breaker, 1);
    await clock.advance(50);
    hang(breaker, 1);

    await clock.advance(999);
    expect(breaker.state).toBe("closed");
    await clock.advance(1);
    expect(breaker.state).toBe("open");
  });

  it("calls that hang do not end their lease with that of a call before them", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, lease: 1_000, clock });
    await breaker.run(() => {});
    await clock.advance(5_000);
    hang(breaker, 1);

    await clock.advance(999);
    expect(breaker.state).toBe("closed");
    await clock.advance(1);
    expect(breaker.state).toBe("open");
  });

  it("calls that hang do not end their lease too early after fast calls and a pause", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, lease: 1_000, clock });
    for (let call = 0; call < 1_000; call++) await breaker.run(() => {});
    await clock.advance(100_000);

    hang(breaker, 1);

    expect(breaker.state).toBe("closed");
    await clock.advance(999);
    expect(breaker.state).toBe("closed");
    await clock.advance(1);
    expect(breaker.state).toBe("open");
  });

  it("count before a success that came after their lease had ended", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 1_000, clock });
    await begin(breaker).fail();
    hang(breaker, 4);
    await clock.advance(900);
    const late = begin(breaker);
    await clock.advance(600);

    await late.succeed();

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 29_500 });
  });

  it("calls that hang are dated right in the midst of many calls that end", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, lease: 1_000, openFor: 10_000, clock });
    for (let call = 0; call < 100; call++) {
      await breaker.run(() => {});
      await clock.advance(5);
    }
    hang(breaker, 1);

    // Permits of one sixteenth of a lease may be counted together: the lease of the oldest ends with the last one's.
    for (let call = 0; call < 100; call++) {
      await clock.advance(5);
      const calls = [breaker.run(() => {}), breaker.run(() => {})];
      await Promise.all(calls);
    }
    await clock.advance(562);

    expect(breaker.state).toBe("open");
    expect(breaker.stats.failures).toBe(1);
  });

  // Fast calls share a reading of the clock, and one that hangs right after them is dated by the next.
  it("calls that hang are dated no later than the next look, after fast calls and a pause", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, lease: 1_000, openFor: 10_000, clock });
    for (let call = 0; call < 1_000; call++) await breaker.run(() => {});
    await clock.advance(100_000);

    hang(breaker, 1);
    await clock.advance(500);
    expect(breaker.state).toBe("closed");
    await clock.advance(1_500);

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 9_500 });
  });

  it("calls that hang are dated right where several hang after fast calls and a pause", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 1_000, openFor: 10_000, clock });
    for (let call = 0; call < 1_000; call++) await breaker.run(() => {});
    await clock.advance(100_000);

    hang(breaker, 20);
    await clock.advance(1_500);

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 9_500 });
  });

  it("calls that hang do not let a call through that comes after fast calls and a pause, once they have opened the circuit", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 60_000, clock });
    hang(breaker, 5);
    await clock.advance(10_000);
    for (let call = 0; call < 1_000; call++) await breaker.run(() => {});
    await clock.advance(55_000);
    const load = vi.fn();

    await breaker.run(load).catch(() => {});

    expect(load).not.toHaveBeenCalled();
  });
});

describe("a success after a lease ended and before anybody noticed", () => {
  it("ends the failures in a row", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 1_000, clock });
    hang(breaker, 4);
    await clock.advance(900);
    const late = begin(breaker);
    hang(breaker, 1);
    await clock.advance(600);

    await late.succeed();
    await clock.advance(600);

    expect(breaker.state).toBe("closed");
    expect(breaker.stats).toMatchObject({ failures: 5, successes: 1 });
  });
});

describe("a call that settles before its lease ends", () => {
  it("a call that settles before its lease ends is counted once", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 1_000, clock });
    await begin(breaker).fail();

    await clock.advance(1_000);

    expect(breaker.state).toBe("closed");
    expect(breaker.stats.failures).toBe(1);
  });
});

describe("a call that settles after its lease ended", () => {
  it.each(["succeed", "fail"] as const)(
    "a call that settles after its lease ended has been counted once: it can still %s",
    async (how) => {
      const clock = virtualClock();
      const breaker = circuitBreaker({ lease: 1_000, clock });
      const late = begin(breaker);
      await clock.advance(1_000);

      await late[how]();

      expect(breaker.stats).toMatchObject({ failures: 1, successes: 0, ignored: 0 });
    },
  );

  it("answers its caller all the same", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 1_000, clock });
    let resolve!: (value: number) => void;
    const call = breaker.run(() => new Promise<number>((end) => (resolve = end)));
    await clock.advance(1_000);

    resolve(42);

    expect(await call).toBe(42);
  });

  it("frees nothing that others hold", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 3, lease: 1_000, clock });
    const late = begin(breaker);
    await clock.advance(1_000);
    expect(breaker.stats.failures).toBe(0);
    expect(breaker.state).toBe("closed");
    hang(breaker, 2);

    await late.succeed();
    await clock.advance(1_000);

    expect(breaker.state).toBe("open");
  });
});

describe("a probe that hangs", () => {
  async function halfOpen(options: object = {}) {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 5_000, lease: 1_000, ...options, clock });
    await begin(breaker).fail();
    await clock.advance(5_000);
    return { clock, breaker };
  }

  it("holds its permit as long as its lease lasts", async () => {
    const { clock, breaker } = await halfOpen();
    hang(breaker, 1);

    await clock.advance(999);

    expect(breaker.state).toBe("half-open");
    await expect(breaker.run(() => {})).rejects.toMatchObject({ retryAfter: 1 });
  });

  it("opens the circuit again when its lease ends, dated then", async () => {
    const { clock, breaker } = await halfOpen();
    hang(breaker, 1);

    await clock.advance(3_000);
    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 3_000, openings: 2 });
  });

  it("a probe that hangs has freed its permit by then: another probe is let through after the opening", async () => {
    const { clock, breaker } = await halfOpen();
    hang(breaker, 1);

    await clock.advance(6_000);

    expect(await breaker.run(() => 42)).toBe(42);
    expect(breaker.state).toBe("closed");
  });

  it("a probe that hangs is one failure among the probes where there is a rate", async () => {
    const { clock, breaker } = await halfOpen({ halfOpen: { calls: 3 }, failureRate: 0.5 });
    hang(breaker, 1);

    await clock.advance(1_000);
    expect(breaker.state).toBe("half-open");
    hang(breaker, 1);
    await clock.advance(1_000);

    expect(breaker.state).toBe("open");
  });

  it("a probe that hangs is dated by itself, though another began a moment later", async () => {
    const { clock, breaker } = await halfOpen({ halfOpen: { calls: 2 } });
    hang(breaker, 1);
    await clock.advance(10);
    hang(breaker, 1);

    await clock.advance(990);

    expect(breaker.state).toBe("open");
  });
});

describe("the lease of a call that may take long", () => {
  const late = (breaker: CircuitBreaker, clock: VirtualClock, ms: number) =>
    breaker.wrap(() => new Promise<string>((resolve) => void clock.setTimer(() => resolve("ok"), ms)));

  it("the lease of a call that may take long is at least slowAfter, where none is given", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ slowRate: 1, slowAfter: 120_000, minimumCalls: 1, clock });
    const calls = Promise.all([1, 2].map(late(breaker, clock, 90_000)));

    await clock.advance(90_000);

    expect(await calls).toEqual(["ok", "ok"]);
    expect(breaker.stats).toMatchObject({ successes: 2, failures: 0, slow: 0 });
    hang(breaker, 1);
    await clock.advance(119_999);
    expect([breaker.state, breaker.stats.failures]).toEqual(["closed", 0]);
    await clock.advance(1);
    expect([breaker.state, breaker.stats.failures]).toEqual(["closed", 1]);
  });

  it("the lease of a call that may take long is a minute where slowAfter has no end", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ slowRate: 1, slowAfter: Infinity, minimumCalls: 1, clock });
    hang(breaker, 1);

    await clock.advance(60_000);

    expect([breaker.state, breaker.stats.failures]).toEqual(["open", 1]);
  });

  it("the lease of a call that may take long is not what ends a call whose attempt has a longer timeout", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const load = retry(late(breaker, clock, 90_000), { attemptTimeout: 120_000, clock });

    const calls = Promise.all([load(), load()]);
    await clock.advance(61_000);
    expect(breaker.state).toBe("closed");
    await clock.advance(29_000);

    expect(await calls).toEqual(["ok", "ok"]);
    expect(breaker.stats).toMatchObject({ successes: 2, failures: 0 });
  });

  it("the lease of a call that may take long gives way to that timeout, which is a failure when it is up", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const load = retry(
      breaker.wrap(() => new Promise(() => {})),
      { attemptTimeout: 120_000, stop: stopAfterAttempt(1), clock },
    );

    const ended = expect(load()).rejects.toThrow("timed out");
    await clock.advance(119_999);
    expect(breaker.state).toBe("closed");
    await clock.advance(1);
    await ended;

    expect(breaker.state).toBe("open");
  });

  it("the lease of a call that may take long is not what ends a call whose policy has a longer deadline", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const load = retry(late(breaker, clock, 90_000), { totalTimeout: 120_000, clock });

    const result = load();
    await clock.advance(61_000);
    expect(breaker.state).toBe("closed");
    await clock.advance(29_000);

    expect(await result).toBe("ok");
    expect(breaker.stats).toMatchObject({ successes: 1, failures: 0 });
  });

  it.each([
    ["the first attempt", 0],
    ["a later attempt", 10_000],
  ])(
    "the lease of a call that may take long gives way to that deadline, which is a failure for %s that lasted longer",
    async (_, after) => {
      const clock = virtualClock();
      const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
      const work = after ? [() => Promise.reject(new BulkheadFullError("busy"))] : [];
      const load = retry(
        breaker.wrap(() => work.pop()?.() ?? new Promise(() => {})),
        { totalTimeout: 120_000, wait: waitFixed(after), clock },
      );

      const ended = expect(load()).rejects.toThrow("total timeout");
      await clock.advance(119_999);
      expect(breaker.state).toBe("closed");
      await clock.advance(1);
      await ended;

      expect(breaker.state).toBe("open");
    },
  );

  it("the lease of a call that may take long gives way to that deadline, which says nothing of an attempt that was shorter", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const work = [() => Promise.reject(new BulkheadFullError("busy"))];
    const load = retry(
      breaker.wrap(() => work.pop()?.() ?? new Promise(() => {})),
      { totalTimeout: 120_000, wait: waitFixed(60_000), clock },
    );

    const ended = expect(load()).rejects.toThrow("total timeout");
    await clock.runAll();
    await ended;

    expect(breaker.state).toBe("closed");
    expect(breaker.stats).toMatchObject({ failures: 0, ignored: 2 });
  });

  it.each([
    ["given", { lease: 60_000 }, 120_000],
    ["as long as the attempt's timeout", {}, 60_000],
    ["that of an attempt without a timeout", {}, undefined],
  ])("ends a call when it is %s", async (_, options, attemptTimeout) => {
    const clock = virtualClock();
    const { signal } = new AbortController();
    const breaker = circuitBreaker({ consecutiveFailures: 1, ...options, clock });
    // The lease is looked at before the attempt's timer fires.
    const attempts = virtualClock();
    retry(
      breaker.wrap(() => new Promise(() => {})),
      { attemptTimeout, signal, clock: attempts },
    )();

    await clock.advance(60_000);

    expect(breaker.state).toBe("open");
  });

  it("the lease of a call that may take long is counted apart: the lease of a call beside it still ends", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 9, clock });
    const result = retry(late(breaker, clock, 90_000), { attemptTimeout: 120_000, clock })();
    hang(breaker, 1);

    await clock.advance(90_000);

    expect(await result).toBe("ok");
    expect(breaker.stats).toMatchObject({ failures: 1, successes: 1 });
  });

  it("says when to come back to a half-open breaker whose probe has none", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 1_000, clock });
    await breaker.run(() => Promise.reject(new Error("down"))).catch(() => {});
    await clock.advance(1_000);
    retry(late(breaker, clock, 90_000), { attemptTimeout: 120_000, clock })();

    const refused = await breaker.run(() => {}).catch((error: CircuitOpenError) => error);

    expect(refused).toMatchObject({ retryAfter: 60_000 });
    await clock.advance(90_000);
    expect(breaker.state).toBe("closed");
  });
});
