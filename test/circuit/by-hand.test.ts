import { CircuitOpenError, circuitBreaker } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { begin, never, play } from "./calls.js";

describe("isolate()", () => {
  it("refuses every call, and cannot say for how long", async () => {
    const breaker = circuitBreaker();

    breaker.isolate();
    const refused = await breaker.run(never).catch((error) => error);

    expect(breaker.state).toBe("isolated");
    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect(refused.retryAfter).toBeUndefined();
    expect(refused.message).toContain("isolated");
  });

  it.each(["closed", "open", "half-open"])("holds until close(), from %s", async (state) => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    if (state !== "closed") await play(breaker, "F");
    if (state === "half-open") await clock.advance(30_000);
    expect(breaker.state).toBe(state);

    breaker.isolate();
    await clock.advance(1_000_000_000);
    expect(breaker.state).toBe("isolated");

    breaker.close();
    expect(breaker.state).toBe("closed");
    await play(breaker, "S");
    expect(breaker.stats.successes).toBe(1);
  });

  it("holds whatever calls from before it say", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    const [success, failure] = [begin(breaker), begin(breaker)];

    breaker.isolate();
    await success.succeed();
    await failure.fail();

    expect(breaker.state).toBe("isolated");
    expect(breaker.stats).toMatchObject({ successes: 0, failures: 0 });
  });
});

describe("close()", () => {
  it("lets calls through again at once", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    await play(breaker, "F");

    breaker.close();

    expect(breaker.state).toBe("closed");
    expect(await breaker.run(() => 42)).toBe(42);
  });

  it("forgets the failures in a row", async () => {
    const breaker = circuitBreaker();
    await play(breaker, "FFFF");

    breaker.close();
    await play(breaker, "FFFF");

    expect(breaker.state).toBe("closed");
  });

  it.each([{ calls: 4 }, { ms: 1_000 }])("forgets the window: %j", async (window) => {
    const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 4, window, clock: virtualClock() });
    await play(breaker, "FFF");

    breaker.close();
    await play(breaker, "S");

    expect(breaker.state).toBe("closed");
  });

  it("forgets which failure came last", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    await play(breaker, "F");

    breaker.close();
    breaker.isolate();

    await expect(breaker.run(never)).rejects.toMatchObject({ cause: undefined });
  });

  it("forgets what failures had asked for", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 2, openFor: 1_000, clock });
    const busy = Object.assign(new Error("busy"), { retryAfter: 60_000 });
    await breaker.run(() => Promise.reject(busy)).catch(() => {});

    breaker.close();
    await play(breaker, "FF");

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 1_000 });
  });
});

describe.each(["isolate", "close"] as const)("%s()", (change) => {
  it("comes after what time has brought and nobody had noticed", async () => {
    const clock = virtualClock();
    const changes: string[] = [];
    const onStateChange = ({ from, to }: { from: string; to: string }) => changes.push(`${from} to ${to}`);
    const breaker = circuitBreaker({ consecutiveFailures: 1, lease: 1_000, onStateChange, clock });
    begin(breaker);
    await clock.advance(1_000);

    breaker[change]();

    expect(changes).toEqual(["closed to open", `open to ${breaker.state}`]);
    expect(breaker.stats.failures).toBe(1);
  });
});
