import { type CircuitBreakerOptions, circuitBreaker } from "undaunted";
import { describe, expect, it } from "vitest";

const whole = "must be a whole number from 1";
const count = "must be a whole number from 1, or Infinity";
const share = "must be a number above 0, at most 1";
const time = "must be a finite number of ms from 0";
const timeout = "must be a number of ms above 0";

describe("an option of a breaker that makes no sense is refused when it is made", () => {
  it.each<[object, string]>([
    [{ consecutiveFailures: 0 }, `consecutiveFailures ${count}, got 0`],
    [{ consecutiveFailures: 1.5 }, `consecutiveFailures ${count}, got 1.5`],
    [{ consecutiveFailures: Number.NaN }, `consecutiveFailures ${count}, got NaN`],
    [{ failureRate: 0 }, `failureRate ${share}, got 0`],
    [{ failureRate: 1.01 }, `failureRate ${share}, got 1.01`],
    [{ failureRate: Number.NaN }, `failureRate ${share}, got NaN`],
    [{ slowRate: 2, slowAfter: 100 }, `slowRate ${share}, got 2`],
    [{ slowRate: 0, slowAfter: 100 }, `slowRate ${share}, got 0`],
    [{ slowRate: 1, slowAfter: 0 }, `slowAfter ${timeout}, got 0`],
    [{ failureRate: 1, window: { calls: 0 } }, `calls ${whole} to 1,000,000, got 0`],
    [{ failureRate: 1, window: { calls: 2.5 } }, `calls ${whole} to 1,000,000, got 2.5`],
    [{ failureRate: 1, window: { calls: Infinity } }, `calls ${whole} to 1,000,000, got Infinity`],
    [{ failureRate: 1, window: { ms: 0 } }, "ms must be a finite number of ms above 0, got 0"],
    [{ failureRate: 1, window: { ms: Infinity } }, "ms must be a finite number of ms above 0, got Infinity"],
    [{ failureRate: 1, minimumCalls: 0 }, `minimumCalls ${whole}, got 0`],
    [
      { failureRate: 1, window: { calls: 5 }, minimumCalls: 6 },
      "minimumCalls must not be above the window's calls (5), got 6",
    ],
    [{ failureRate: 1, minimumCalls: 101 }, "minimumCalls must not be above the window's calls (100), got 101"],
    [{ openFor: -1 }, "openFor must be a finite number of ms from 0, or a function, got -1"],
    [{ openFor: Infinity }, "openFor must be a finite number of ms from 0, or a function, got Infinity"],
    [{ maxOpenFor: -1 }, `maxOpenFor ${time}, got -1`],
    [{ maxOpenFor: Infinity }, `maxOpenFor ${time}, got Infinity`],
    [{ halfOpen: { calls: 0 } }, `halfOpen: calls ${whole}, got 0`],
    [{ halfOpen: { calls: Infinity } }, `halfOpen: calls ${whole}, got Infinity`],
    [{ lease: 0 }, "lease must be a finite number of ms above 0, got 0"],
    [{ lease: Infinity }, "lease must be a finite number of ms above 0, got Infinity"],
    [{ failureRate: 1, window: { calls: 1_000_001 } }, `calls ${whole} to 1,000,000, got 1000001`],
  ])("an option of a breaker that makes no sense is refused when it is made out of range: %j", (options, message) => {
    const make = () => circuitBreaker(options);

    expect(make).toThrow(RangeError);
    expect(make).toThrow(/^circuitBreaker/);
    expect(make).toThrow(message);
  });

  it.each<[object, string]>([
    [{ name: 5 }, "name must be a string, got 5"],
    [{ consecutiveFailures: "5" }, `consecutiveFailures ${count}, got "5"`],
    [{ failureRate: "0.5" }, `failureRate ${share}, got "0.5"`],
    [{ slowRate: 0.5 }, "slowRate and slowAfter need each other, got slowRate alone"],
    [{ slowAfter: 100 }, "slowRate and slowAfter need each other, got slowAfter alone"],
    [{ window: { calls: 10 } }, "window needs a rate, failureRate or slowRate, got none"],
    [{ minimumCalls: 10 }, "minimumCalls needs a rate, failureRate or slowRate, got none"],
    [{ failureRate: 1, window: {} }, "window must be { calls } or { ms }, got neither"],
    [{ failureRate: 1, window: { calls: 1, ms: 1 } }, "window must be { calls } or { ms }, got both"],
    [{ failureRate: 1, window: 10 }, "window must be { calls } or { ms }, got 10"],
    [{ failureRate: 1, window: null }, "window must be { calls } or { ms }, got null"],
    [{ failureRate: 1, window: { seconds: 1 } }, 'there is no option "seconds"; allowed are calls, ms'],
    [{ openFor: "30s" }, 'openFor must be a finite number of ms from 0, or a function, got "30s"'],
    [{ classify: "failure" }, 'classify must be a function, got "failure"'],
    [{ retryAfter: 5 }, "retryAfter must be a function, got 5"],
    [{ onStateChange: true }, "onStateChange must be a function, got true"],
    [{ onRefused: {} }, "onRefused must be a function, got [object Object]"],
    [{ onHookError: null }, "onHookError must be a function, got null"],
    [{ clock: {} }, "clock must be"],
    [{ clock: null }, "clock must be"],
    [{ threshold: 5 }, 'there is no option "threshold"; allowed are name, consecutiveFailures'],
  ])(
    "an option of a breaker that makes no sense is refused when it is made of the wrong kind: %j",
    (options, message) => {
      const make = () => circuitBreaker(options);

      expect(make).toThrow(TypeError);
      expect(make).toThrow(/^circuitBreaker/);
      expect(make).toThrow(message);
    },
  );

  it.each([null, 5, "open", [], Promise.resolve({})])("no options at all: %s", (options) => {
    expect(() => circuitBreaker(options as never)).toThrow(/^circuitBreaker: options must be an object/);
  });
});

describe("a saved state that makes no sense is refused", () => {
  const closed = { state: "closed", failures: 0, openings: 0, forgetIn: 0, comeBackIn: 0 };
  const open = { state: "open", openings: 1, openFor: 1_000, remaining: 500 };

  it.each<[object, string]>([
    [{}, "initialState.state must be one of closed, open, isolated, got undefined"],
    [{ state: "half-open" }, 'initialState.state must be one of closed, open, isolated, got "half-open"'],
    [{ state: "toString" }, 'initialState.state must be one of closed, open, isolated, got "toString"'],
    [{ ...closed, failures: -1 }, "initialState.failures must be a whole number from 0, got -1"],
    [{ ...closed, failures: 0.5 }, "initialState.failures must be a whole number from 0, got 0.5"],
    [{ ...closed, failures: undefined }, "initialState.failures must be a whole number from 0, got undefined"],
    [{ ...closed, openings: "1" }, 'initialState.openings must be a whole number from 0, got "1"'],
    [{ ...closed, forgetIn: Number.NaN }, `initialState.forgetIn ${time}, got NaN`],
    [{ ...closed, comeBackIn: -1 }, `initialState.comeBackIn ${time}, got -1`],
    [{ ...open, openings: 0 }, `initialState.openings ${whole}, got 0`],
    [{ ...open, openFor: null }, `initialState.openFor ${time}, got null`],
    [{ ...open, remaining: -1 }, `initialState.remaining ${time}, got -1`],
    [{ ...open, remaining: Infinity }, `initialState.remaining ${time}, got Infinity`],
    [{ ...closed, window: 5 }, "initialState.window must be a list of [age, calls, failures, slow], got 5"],
    [{ ...closed, window: [5] }, "initialState.window must be"],
    [{ ...closed, window: [[0, 1, 1]] }, "initialState.window must be"],
    [{ ...closed, window: [[0, 1, -1, 0]] }, "initialState.window must be"],
    [{ ...closed, window: [[0, 1, "1", 0]] }, "initialState.window must be"],
    [{ ...closed, window: [[0, 1, 2, 0]] }, "initialState.window must be"],
    [{ ...closed, window: [[0, 1.5, 0, 0]] }, "initialState.window must be"],
  ])("%j", (initialState, message) => {
    const make = () => circuitBreaker({ failureRate: 1, initialState: initialState as never });

    expect(make).toThrow(/^circuitBreaker: initialState/);
    expect(make).toThrow(message);
  });

  it.each([5, "closed"])("%j", (initialState) => {
    expect(() => circuitBreaker({ initialState: initialState as never })).toThrow(
      new TypeError(`circuitBreaker: initialState must be what toJSON() gave, got ${JSON.stringify(initialState)}`),
    );
  });

  it("but not for a field that is not known", () => {
    expect(() => circuitBreaker({ initialState: { ...open, since: 5 } as never })).not.toThrow();
  });
});

describe("an option of a breaker is accepted", () => {
  it.each<CircuitBreakerOptions>([
    {},
    { name: undefined, openFor: undefined, clock: undefined, initialState: undefined },
    { consecutiveFailures: Infinity },
    { failureRate: 1, window: { calls: 1 }, minimumCalls: 1 },
    { failureRate: 1, window: { calls: 1_000_000 } },
    { failureRate: Number.MIN_VALUE, window: { ms: 0.5 }, minimumCalls: 1_000 },
    { slowRate: 1, slowAfter: 0.1 },
    { openFor: 0, maxOpenFor: 0, lease: 0.1, halfOpen: { calls: 1_000 } },
  ])("an option of a breaker is accepted at its limits: %j", (options) => {
    expect(() => circuitBreaker(options)).not.toThrow();
  });
});
