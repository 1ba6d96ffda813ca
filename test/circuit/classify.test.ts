import {
  BulkheadFullError,
  type CircuitBreaker,
  CircuitOpenError,
  type CircuitVerdict,
  circuitBreaker,
  NonRetryableError,
  StrategyError,
} from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { down, OPEN_NO_LONGER } from "./calls.js";

/** Makes a call that throws. */
async function fail(breaker: CircuitBreaker, error: unknown = down): Promise<void> {
  await breaker
    .run(() => {
      throw error;
    })
    .catch(() => {});
}

describe("what was thrown", () => {
  it.each<[string, unknown]>([
    ["an error", down],
    ["undefined", undefined],
    ["null", null],
    ["a string", "down"],
    ["a frozen object", Object.freeze({})],
    [
      "an object whose getters throw",
      new Proxy(
        {},
        {
          get() {
            throw down;
          },
        },
      ),
    ],
    ["a RangeError", new RangeError("down")],
  ])("what was thrown is a failure, and comes back as it was: %s", async (_, error) => {
    const breaker = circuitBreaker();

    const thrown = await breaker
      .run(() => {
        throw error;
      })
      .then(undefined, (caught) => [caught]);

    expect(Object.is(thrown[0], error)).toBe(true);
    expect(breaker.stats).toMatchObject({ failures: 1, ignored: 0 });
  });

  it.each<[string, unknown]>([
    ["a CircuitOpenError from inside", new CircuitOpenError("open")],
    ["a BulkheadFullError from inside", new BulkheadFullError("full")],
    ["a NonRetryableError", new NonRetryableError("no such user")],
    ["one of another copy of this package", { [Symbol.for("undaunted.error")]: "ERR_CIRCUIT_OPEN" }],
  ])("what was thrown is ignored and gives its permit back where it is %s", async (_, error) => {
    const breaker = circuitBreaker({ initialState: OPEN_NO_LONGER });

    await fail(breaker, error);

    expect(breaker.state).toBe("half-open");
    expect(breaker.stats).toMatchObject({ failures: 0, ignored: 1 });
    expect(await breaker.run(() => 42)).toBe(42);
  });

  it("neither ends nor lengthens the failures in a row where it is ignored", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 2 });

    await fail(breaker);
    await fail(breaker, new NonRetryableError());
    expect(breaker.state).toBe("closed");
    await fail(breaker);

    expect(breaker.state).toBe("open");
  });

  it("what was thrown is in no window where it is ignored", async () => {
    const breaker = circuitBreaker({ failureRate: 0.5, minimumCalls: 2 });

    await fail(breaker, new NonRetryableError());
    await fail(breaker);
    expect(breaker.state).toBe("closed");
    await fail(breaker);

    expect(breaker.state).toBe("open");
  });
});

describe("classify", () => {
  it("classify is asked about the outcome", async () => {
    const classify = vi.fn(() => "success" as const);
    const breaker = circuitBreaker({ classify });

    await breaker.run(() => 42);
    await fail(breaker);

    expect(classify.mock.calls).toEqual([[{ ok: true, value: 42 }], [{ ok: false, error: down }]]);
  });

  it.each<[CircuitVerdict, string, object]>([
    ["success", "closed", { successes: 1, failures: 0, ignored: 0 }],
    ["failure", "open", { successes: 0, failures: 1, ignored: 0 }],
    ["ignored", "half-open", { successes: 0, failures: 0, ignored: 1 }],
  ])("makes a value a %s: a half-open breaker is then %s", async (verdict, state, stats) => {
    const breaker = circuitBreaker({ classify: () => verdict, initialState: OPEN_NO_LONGER });

    expect(await breaker.run(() => 42)).toBe(42);

    expect(breaker.state).toBe(state);
    expect(breaker.stats).toMatchObject(stats);
  });

  it.each<[CircuitVerdict, string, object]>([
    ["success", "closed", { successes: 1, failures: 0, ignored: 0 }],
    ["failure", "open", { successes: 0, failures: 1, ignored: 0 }],
    ["ignored", "half-open", { successes: 0, failures: 0, ignored: 1 }],
  ])("makes an error a %s: a half-open breaker is then %s", async (verdict, state, stats) => {
    const breaker = circuitBreaker({ classify: () => verdict, initialState: OPEN_NO_LONGER });
    const error = new NonRetryableError();

    await expect(breaker.run(() => Promise.reject(error))).rejects.toBe(error);

    expect(breaker.state).toBe(state);
    expect(breaker.stats).toMatchObject(stats);
  });

  it("judges in a closed breaker too, where all goes well", async () => {
    const breaker = circuitBreaker({
      consecutiveFailures: 2,
      classify: ({ ok }) => (ok ? "failure" : "success"),
    });

    await breaker.run(() => {});
    await breaker.run(() => {});

    expect(breaker.state).toBe("open");
  });

  it("judges a sync call", () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1, classify: ({ ok }) => (ok ? "failure" : "success") });

    expect(breaker.runSync(() => 42)).toBe(42);

    expect(breaker.state).toBe("open");
  });
});

describe.each<[string, (outcome: unknown) => unknown, unknown]>([
  [
    "throws",
    () => {
      throw down;
    },
    down,
  ],
  ["answers nonsense", () => "fine", expect.any(TypeError)],
  ["answers null", () => null, expect.any(TypeError)],
  ["answers a promise", async () => "success", expect.any(TypeError)],
  ["answers what cannot be shown", () => Object.create(null), expect.any(TypeError)],
])("a classify that %s", (_, classify, cause) => {
  const options = { classify: classify as () => CircuitVerdict, initialState: OPEN_NO_LONGER };

  it("is a StrategyError with the value and the cause, and gives the permit back", async () => {
    const breaker = circuitBreaker(options);

    const error = await breaker.run(() => 42).catch((caught) => caught);

    expect(error).toBeInstanceOf(StrategyError);
    expect(error).toMatchObject({ strategy: "classify", outcome: { ok: true, value: 42 }, cause });
    expect(breaker.state).toBe("half-open");
    await expect(breaker.run(() => 42)).rejects.toBeInstanceOf(StrategyError);
  });

  it("is a StrategyError with the call's own error", async () => {
    const breaker = circuitBreaker(options);
    const own = new Error("own");

    const error = await breaker.run(() => Promise.reject(own)).catch((caught) => caught);

    expect(error).toMatchObject({ strategy: "classify", outcome: { ok: false, error: own }, cause });
  });

  it("is one where the call is guarded by wrap, in a policy's place, and sync", async () => {
    const breaker = circuitBreaker(options);

    await expect(breaker.wrap(async () => 42)()).rejects.toBeInstanceOf(StrategyError);
    expect(() => breaker.runSync(() => 42)).toThrow(StrategyError);

    expect(breaker.stats.ignored).toBe(2);
  });
});

it("a classify that answers undefined leaves it to the defaults", async () => {
  const breaker = circuitBreaker({ classify: () => undefined });

  await breaker.run(() => 42);
  await breaker.run(() => Promise.reject(new Error("down"))).catch(() => {});
  await breaker.run(() => Promise.reject(new NonRetryableError("wrong"))).catch(() => {});

  expect(breaker.stats).toMatchObject({ successes: 1, failures: 1, ignored: 1 });
});

it("a classify that answers a promise leaves no rejection unhandled", async () => {
  const classify = (async () => {
    throw new Error("nobody hears this");
  }) as unknown as () => CircuitVerdict;

  await expect(circuitBreaker({ classify }).run(() => 42)).rejects.toThrow(
    "must be synchronous; it returned a promise",
  );
});

describe("what a failure asks for", () => {
  const busy = (retryAfter: unknown) => Object.assign(new Error("busy"), { retryAfter });

  it.each<[string, unknown, number]>([
    ["longer than openFor", 90_000, 90_000],
    ["shorter than openFor", 10_000, 30_000],
    ["longer than maxOpenFor", 4_000_000, 3_600_000],
    ["for ever", Infinity, 3_600_000],
    ["NaN", Number.NaN, 30_000],
    ["a negative number", -90_000, 30_000],
    ["a string", "90000", 30_000],
    ["nothing", undefined, 30_000],
  ])("what a failure asks for is by default in its retryAfter: %s", async (_, retryAfter, openFor) => {
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock: virtualClock() });

    await fail(breaker, busy(retryAfter));

    expect(breaker.toJSON()).toMatchObject({ state: "open", openFor });
  });

  it("what a failure asks for is counted from that failure on, the longest of all", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 3, openFor: 1_000, clock });
    await clock.advance(100_000);

    await fail(breaker, busy(60_000));
    await clock.advance(10_000);
    await fail(breaker, busy(20_000));
    await clock.advance(5_000);
    await fail(breaker);

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 45_000 });
  });

  it("holds though successes came between", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 2, openFor: 1_000, clock });

    await fail(breaker, busy(60_000));
    await breaker.run(() => {});
    await fail(breaker);
    await fail(breaker);

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 60_000 });
  });

  it("what a failure asks for is nothing any more once the circuit has opened and closed", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 2, openFor: 1_000, maxOpenFor: 2_000, clock });
    await fail(breaker, busy(60_000));
    await fail(breaker);
    await clock.advance(2_000);
    await breaker.run(() => {});

    await fail(breaker);
    await fail(breaker);

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 1_000 });
  });

  it("what a failure asks for counts of a probe, too", async () => {
    const clock = virtualClock();
    const rates = { failureRate: 0.5, halfOpen: { calls: 3 } };
    const breaker = circuitBreaker({ ...rates, openFor: 1_000, initialState: OPEN_NO_LONGER, clock });

    await fail(breaker, busy(60_000));
    await clock.advance(10_000);
    await breaker.run(() => {});
    await fail(breaker);

    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 50_000 });
  });

  it("what a failure asks for is read by an own function", async () => {
    const clock = virtualClock();
    const retryAfter = vi.fn((error: any) => error.seconds * 1_000);
    const breaker = circuitBreaker({ consecutiveFailures: 1, retryAfter, clock });
    const error = Object.assign(busy(99_000), { seconds: 40 });

    await fail(breaker, error);

    expect(retryAfter).toHaveBeenCalledExactlyOnceWith(error);
    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 40_000 });
  });

  it("what a failure asks for is not asked of a success", async () => {
    const retryAfter = vi.fn();
    const breaker = circuitBreaker({ retryAfter });

    await breaker.run(() => {});
    await fail(breaker);
    await breaker.run(() => {});

    expect(retryAfter).toHaveBeenCalledTimes(1);
  });

  it("what a failure asks for is not read from what is ignored", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });

    await fail(breaker, new CircuitOpenError("inside", { retryAfter: 90_000 }));
    await fail(breaker);

    expect(breaker.toJSON()).toMatchObject({ remaining: 30_000 });
  });

  it("what a failure asks for is nothing where that function throws, which is reported to onHookError", async () => {
    const clock = virtualClock();
    const onHookError = vi.fn();
    const breaker = circuitBreaker({
      consecutiveFailures: 1,
      retryAfter: () => {
        throw down;
      },
      onHookError,
      clock,
    });

    await fail(breaker);

    expect(onHookError).toHaveBeenCalledExactlyOnceWith(down);
    expect(breaker.toJSON()).toMatchObject({ state: "open", remaining: 30_000 });
  });
});
