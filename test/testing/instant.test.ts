import { retry, retrySync, TryAgainError, waitFixed } from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");

describe("instant", () => {
  it("removes every delay of a policy, and nothing else", async () => {
    const clock = virtualClock();
    const load = flaky([busy, busy, busy, busy, "late"]);
    const slow = retry(load, { wait: waitFixed(60_000), clock });

    await expect(slow.with(instant)()).rejects.toBe(busy);

    expect(load.calls).toHaveLength(4);
    expect(slow.stats.idle).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("instant does the same spread last into the options, for both loops", async () => {
    const slow = { wait: waitFixed(60_000) };

    expect(await retry(flaky([busy, "ok"]), { ...slow, ...instant })()).toBe("ok");
    expect(retrySync(flaky([busy, "ok"]), { ...slow, ...instant })()).toBe("ok");
  });

  it("leaves what a TryAgainError asks for", async () => {
    const clock = virtualClock();
    const load = retry(flaky([new TryAgainError({ after: 500 }), "ok"]), { ...instant, clock });
    const result = load();

    await clock.advance(499);
    expect(load.stats.attempts).toBe(1);

    await clock.advance(1);
    expect(await result).toBe("ok");
  });
});
