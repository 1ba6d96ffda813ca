import {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  CircuitOpenError,
  type CircuitStateChange,
  circuitBreaker,
} from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { PATIENCE } from "../limits.js";
import { down, play } from "./calls.js";

const broken = new Error("the hook is broken");

describe("onStateChange", () => {
  it("onStateChange hears of every change, in order, with the breaker's name", async () => {
    const clock = virtualClock();
    const onStateChange = vi.fn();
    const breaker = circuitBreaker({ name: "users", consecutiveFailures: 1, onStateChange, clock });

    await play(breaker, "F");
    await clock.advance(30_000);
    await play(breaker, "F");
    await clock.advance(30_000);
    await play(breaker, "S");
    breaker.isolate();
    breaker.close();

    expect(onStateChange.mock.calls).toEqual(
      [
        ["closed", "open"],
        ["open", "half-open"],
        ["half-open", "open"],
        ["open", "half-open"],
        ["half-open", "closed"],
        ["closed", "isolated"],
        ["isolated", "closed"],
      ].map(([from, to]) => [expect.objectContaining({ name: "users", from, to })]),
    );
  });

  it("gets the failure that opened it, and nothing for any other change", async () => {
    const clock = virtualClock();
    const causes: unknown[] = [];
    const onStateChange = ({ to, cause }: CircuitStateChange) => causes.push([to, cause]);
    const breaker = circuitBreaker({ consecutiveFailures: 1, onStateChange, clock });
    const [full, gone] = [new Error("disk full"), new Error("gone")];

    await breaker.run(() => Promise.reject(full)).catch(() => {});
    await clock.advance(30_000);
    await breaker.run(() => Promise.reject(gone)).catch(() => {});
    await clock.advance(30_000);
    await breaker.run(() => "well");
    breaker.isolate();

    expect(causes).toEqual([
      ["open", full],
      ["half-open", undefined],
      ["open", gone],
      ["half-open", undefined],
      ["closed", undefined],
      ["isolated", undefined],
    ]);
    expect((causes[0] as unknown[])[1]).toBe(full);
  });

  it("gets the last failure where a success was what the rate waited for", async () => {
    const onStateChange = vi.fn();
    const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 3, onStateChange });

    await play(breaker, "FFS");

    expect(onStateChange.mock.calls).toEqual([[expect.objectContaining({ to: "open", cause: down })]]);
  });

  it("gets no cause where calls were slow and none failed", async () => {
    const clock = virtualClock();
    const onStateChange = vi.fn();
    const breaker = circuitBreaker({ slowRate: 1, slowAfter: 10, minimumCalls: 1, onStateChange, clock });

    const slow = breaker.run(() => new Promise<void>((resolve) => void clock.setTimer(resolve, 10)));
    await clock.advance(10);
    await slow;

    expect(onStateChange.mock.calls).toEqual([[expect.objectContaining({ to: "open", cause: undefined })]]);
  });

  it("gets the counters as of then, which later calls do not change", async () => {
    const changes: CircuitStateChange[] = [];
    const breaker = circuitBreaker({ consecutiveFailures: 2, onStateChange: (change) => changes.push(change) });

    await play(breaker, "SFF");
    breaker.close();
    await play(breaker, "S");

    expect(changes[0]!.stats).toEqual({ successes: 1, failures: 2, ignored: 0, slow: 0, refused: 0, openings: 1 });
    expect(changes[0]!.stats).not.toBe(breaker.stats);
  });

  it("onStateChange hears of half-open when the state is read", async () => {
    const clock = virtualClock();
    const onStateChange = vi.fn();
    const breaker = circuitBreaker({ consecutiveFailures: 1, onStateChange, clock });
    await play(breaker, "F");
    await clock.advance(30_000);
    expect(onStateChange).toHaveBeenCalledTimes(1);

    expect(breaker.state).toBe("half-open");

    expect(onStateChange).toHaveBeenLastCalledWith(
      expect.objectContaining({ name: "circuit breaker", from: "open", to: "half-open" }),
    );
  });

  it("onStateChange hears nothing where the state stays the same", async () => {
    const onStateChange = vi.fn();
    const breaker = circuitBreaker({ onStateChange });

    await play(breaker, "FFFFS");
    breaker.close();

    expect(onStateChange).not.toHaveBeenCalled();
  });

  it("finds the breaker in its new state", async () => {
    const seen: string[] = [];
    const breaker: CircuitBreaker = circuitBreaker({
      consecutiveFailures: 1,
      onStateChange: ({ to }) => seen.push(to, breaker.state),
    });

    await play(breaker, "F");

    expect(seen).toEqual(["open", "open"]);
  });
});

describe("onRefused", () => {
  it("onRefused hears of each refusal with the very error of the caller", async () => {
    const onRefused = vi.fn();
    const breaker = circuitBreaker({ name: "users", consecutiveFailures: 1, onRefused });
    await play(breaker, "F");

    const error = await breaker.run(() => {}).catch((caught) => caught);
    expect(() => breaker.runSync(() => {})).toThrow(CircuitOpenError);

    expect(onRefused).toHaveBeenCalledTimes(2);
    expect(onRefused.mock.calls[0]).toEqual([{ name: "users", error }]);
    expect(onRefused.mock.calls[0]![0].error).toBe(error);
  });

  it("onRefused hears of one refusal once where the guarded function was wrapped", async () => {
    const onRefused = vi.fn();
    const breaker = circuitBreaker({ onRefused });
    breaker.isolate();

    await expect(breaker.wrap(async () => {})()).rejects.toBeInstanceOf(CircuitOpenError);

    expect(onRefused).toHaveBeenCalledTimes(1);
    expect(breaker.stats.refused).toBe(1);
  });
});

describe.each([
  [
    "throws",
    () => {
      throw broken;
    },
  ],
  ["rejects", () => Promise.reject(broken)],
])("a hook that %s", (_, hook) => {
  it("changes nothing and is reported to onHookError", async () => {
    const onHookError = vi.fn();
    const hooks = { onStateChange: hook, onRefused: hook, onHookError };
    const breaker = circuitBreaker({ consecutiveFailures: 1, ...hooks });

    await expect(breaker.run(() => Promise.reject(down))).rejects.toBe(down);
    await expect(breaker.run(() => {})).rejects.toBeInstanceOf(CircuitOpenError);

    expect(breaker.state).toBe("open");
    await vi.waitFor(() => expect(onHookError.mock.calls).toEqual([[broken], [broken]]), PATIENCE);
  });

  it("does not take a success back", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, onStateChange: hook, onHookError: () => {}, clock });
    await play(breaker, "F");
    await clock.advance(30_000);

    expect(await breaker.run(() => 42)).toBe(42);
    expect(breaker.state).toBe("closed");
  });
});

describe("a hook that calls back into the breaker", () => {
  it("a hook that calls back into the breaker can close it as soon as it opens", async () => {
    const breaker: CircuitBreaker = circuitBreaker({
      consecutiveFailures: 1,
      onStateChange: ({ to }) => {
        if (to === "open") breaker.close();
      },
    });

    await expect(breaker.run(() => Promise.reject(down))).rejects.toBe(down);

    expect(breaker.state).toBe("closed");
    expect(await breaker.run(() => 42)).toBe(42);
  });

  it("a hook that calls back into the breaker can isolate it as soon as it opens", async () => {
    const breaker: CircuitBreaker = circuitBreaker({
      consecutiveFailures: 1,
      onStateChange: ({ to }) => {
        if (to === "open") breaker.isolate();
      },
    });

    await play(breaker, "F");

    expect(breaker.state).toBe("isolated");
  });

  it("a hook that calls back into the breaker can take the probe of a circuit that has become half-open: the call that found it so is refused", async () => {
    const clock = virtualClock();
    const calls: string[] = [];
    const breaker: CircuitBreaker = circuitBreaker({
      consecutiveFailures: 1,
      onStateChange: ({ to }) => {
        if (to === "half-open") void breaker.run(async () => calls.push("the hook's"));
      },
      clock,
    });
    await play(breaker, "F");
    await clock.advance(30_000);

    await expect(breaker.run(() => calls.push("the caller's"))).rejects.toBeInstanceOf(CircuitOpenError);

    expect(calls).toEqual(["the hook's"]);
    expect(breaker.state).toBe("closed");
  });

  it("a hook that calls back into the breaker can close it when it refuses: the next call is let through", async () => {
    const breaker: CircuitBreaker = circuitBreaker({ onRefused: () => breaker.close() });
    breaker.isolate();

    await expect(breaker.run(() => {})).rejects.toBeInstanceOf(CircuitOpenError);

    expect(await breaker.run(() => 42)).toBe(42);
  });

  it.each<[string, (breaker: () => CircuitBreaker) => CircuitBreakerOptions]>([
    [
      "openFor",
      (breaker) => ({
        openFor: () => {
          breaker().isolate();
          return 1_000;
        },
      }),
    ],
    [
      "retryAfter",
      (breaker) => ({
        retryAfter: () => {
          breaker().isolate();
          return 1_000;
        },
      }),
    ],
    [
      "onHookError",
      (breaker) => ({
        openFor: () => {
          throw broken;
        },
        onHookError: () => breaker().isolate(),
      }),
    ],
  ])("keeps it isolated where %s isolated it", async (_, options) => {
    const breaker: CircuitBreaker = circuitBreaker({ consecutiveFailures: 1, ...options(() => breaker) });

    await play(breaker, "F");

    expect(breaker.state).toBe("isolated");
  });

  it("a hook that calls back into the breaker leaves no failure from before close() in what is counted after it", async () => {
    const breaker: CircuitBreaker = circuitBreaker({
      consecutiveFailures: 1,
      retryAfter: () => {
        breaker.close();
        return undefined;
      },
    });

    await play(breaker, "F");

    expect(breaker.state).toBe("closed");
  });
});

describe("the stats", () => {
  it("count how calls ended, what was refused, and the openings", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ slowRate: 1, slowAfter: 100, consecutiveFailures: 2, clock });

    await play(breaker, "SSSFF");
    await play(breaker, "SS");
    await clock.advance(30_000);
    await breaker.run(() => Promise.reject(Object.assign(new Error(), { name: "AbortError" }))).catch(() => {});
    await breaker.run(() => clock.sleepSync(100));

    expect(breaker.stats).toEqual({ successes: 4, failures: 2, ignored: 1, slow: 1, refused: 2, openings: 2 });
  });

  it("the stats are live, and the same object", async () => {
    const breaker = circuitBreaker();
    const { stats } = breaker;

    await play(breaker, "SF");

    expect(breaker.stats).toBe(stats);
    expect(stats).toMatchObject({ successes: 1, failures: 1 });
  });

  it("the stats do not count isolate() as an opening", () => {
    const breaker = circuitBreaker();

    breaker.isolate();

    expect(breaker.stats.openings).toBe(0);
  });

  it("count no slow calls where none is asked for, except those whose lease ended", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ lease: 1_000, clock });
    await breaker.run(() => clock.sleepSync(900));

    void breaker.run(() => new Promise(() => {}));
    await clock.advance(1_000);

    expect(breaker.state).toBe("closed");
    expect(breaker.stats).toMatchObject({ successes: 1, slow: 1 });
  });
});

describe("lastFailure", () => {
  it("lastFailure is what the last failure was, until the breaker closes", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 2, clock });
    const [first, second] = [new Error("first"), new Error("second")];
    expect(breaker.lastFailure).toBeUndefined();

    await breaker.run(() => Promise.reject(first)).catch(() => {});
    expect(breaker.lastFailure).toBe(first);
    await breaker.run(() => "well");
    expect(breaker.lastFailure).toBe(first);
    for (let n = 0; n < 2; n++) await breaker.run(() => Promise.reject(second)).catch(() => {});
    expect(breaker.lastFailure).toBe(second);
    await clock.advance(30_000);
    await breaker.run(() => "well");

    expect(breaker.state).toBe("closed");
    expect(breaker.lastFailure).toBeUndefined();
  });

  it("lastFailure is not what was ignored", async () => {
    const breaker = circuitBreaker();

    await breaker.run(() => Promise.reject(new DOMException("aborted", "AbortError"))).catch(() => {});

    expect(breaker.lastFailure).toBeUndefined();
  });
});
