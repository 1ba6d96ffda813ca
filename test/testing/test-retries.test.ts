import axios from "axios";
import {
  bulkhead,
  circuitBreaker,
  NonRetryableError,
  previewPolicy,
  Retry,
  RetryExhaustedError,
  retry,
  retryIfResult,
  retrySync,
  runWithRetry,
  runWithRetrySync,
  stopAfterAttempt,
  TryAgainError,
  waitFixed,
} from "undaunted";
import { retryAxios } from "undaunted/axios";
import { retryFetch } from "undaunted/http";
import { flaky, type TestRetries, type TestRetriesOptions, testRetries, virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";

const KEY = Symbol.for("undaunted.testRetries");
const slot = (globalThis as { [KEY]?: { on?: unknown } })[KEY]!;
const current = () => slot.on;
const busy = new Error("busy");
const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
const fail = () => {
  throw busy;
};

const begun: TestRetries[] = [];

function begin(options: TestRetriesOptions): TestRetries {
  const test = testRetries(options);
  begun.push(test);
  return test;
}

afterEach(() => {
  for (const test of begun.splice(0)) test.restore();
  expect(current()).toBeUndefined();
});

/** Options whose sleeps are noted. */
function noting() {
  const delays: number[] = [];
  const options = { wait: waitFixed(60_000), onRetry: ({ delay }: { delay: number }) => void delays.push(delay) };
  return { delays, options };
}

/** What can be retried, each with a first failure that deserves it. */
const ways = {
  retry: (fn: () => unknown) => retry(async () => fn(), { wait: waitFixed(60_000) })(),
  "with()": (fn: () => unknown) => retry(async () => fn()).with({ wait: waitFixed(60_000) })(),
  runWithRetry: (fn: () => unknown) => runWithRetry(fn, { wait: waitFixed(60_000) }),
  "a call that can be aborted": (fn: () => unknown) =>
    runWithRetry(fn, { wait: waitFixed(60_000), signal: new AbortController().signal, attemptTimeout: 60_000 }),
  retrySync: async (fn: () => unknown) => retrySync(() => fn(), { wait: waitFixed(60_000) })(),
  runWithRetrySync: async (fn: () => unknown) => runWithRetrySync(() => fn(), { wait: waitFixed(60_000) }),
  "a decorated method": (fn: () => unknown) => {
    const descriptor = { value: async () => fn(), writable: true, configurable: true, enumerable: false };
    return Retry({ wait: waitFixed(60_000) })({}, "load", descriptor).value!();
  },
  retryFetch: (fn: () => unknown) =>
    retryFetch({ fetch: async () => fn() as Response, wait: waitFixed(60_000) })("https://example.com/"),
  retryAxios: (fn: () => unknown) => {
    const adapter = async () => fn() as never;
    const api = axios.create({ adapter });
    retryAxios(api, { wait: waitFixed(60_000) });
    return api.get("https://example.com/");
  },
} satisfies Record<string, (fn: () => unknown) => Promise<unknown>>;

describe("testRetries", () => {
  it.each(Object.entries(ways))("bounds the attempts and removes the waits of %s", async (_, call) => {
    const fn = vi.fn((): never => {
      throw refused;
    });
    begin({ attempts: 3, waits: false });

    await expect(call(fn)).rejects.toThrow();

    expect(fn).toHaveBeenCalledTimes(3);
  });

  it("switches retries off where one attempt is allowed", async () => {
    const load = vi.fn(fail);
    begin({ attempts: 1 });

    await expect(retry(load, { wait: waitFixed(60_000) })()).rejects.toBe(busy);

    expect(load).toHaveBeenCalledTimes(1);
  });

  it("lets a call go on where its own stop would end it", async () => {
    const { options } = noting();
    const load = flaky([busy, busy, busy, busy, busy, "ok"]);
    begin({ attempts: Number.POSITIVE_INFINITY, waits: false });

    expect(await retry(load, { ...options, stop: stopAfterAttempt(2) })()).toBe("ok");
  });

  it("leaves the attempts to each policy where only the waits are given", async () => {
    const load = vi.fn(fail);
    begin({ waits: false });

    await expect(retry(load, { wait: waitFixed(60_000), stop: stopAfterAttempt(2) })()).rejects.toBe(busy);

    expect(load).toHaveBeenCalledTimes(2);
  });

  it("leaves the waits as they are where only the attempts are given", async () => {
    const clock = virtualClock();
    const { delays, options } = noting();
    begin({ attempts: 2 });

    const result = retry(flaky([busy, "ok"]), { ...options, clock })();
    await clock.advance(60_000);

    expect(await result).toBe("ok");
    expect(delays).toEqual([60_000]);
  });

  it("shows hooks and stops a coming sleep of 0", async () => {
    const { delays, options } = noting();
    const stop = vi.fn(({ delay }: { delay: number }) => delay > 0);
    begin({ waits: false });

    expect(await retry(flaky([busy, "ok"]), { ...options, stop })()).toBe("ok");

    expect(delays).toEqual([0]);
    expect(stop).toHaveBeenCalledTimes(1);
  });

  it("removes the sleeps of polling", async () => {
    begin({ waits: false });
    const options = { wait: waitFixed(60_000), retryIf: retryIfResult((job) => job === "pending") };

    expect(await retry(flaky(["pending", "pending", "done"]), options)()).toBe("done");
  });

  it("bounds polling, too", async () => {
    begin({ attempts: 2, waits: false });
    const options = { wait: waitFixed(60_000), retryIf: retryIfResult((job) => job === "pending") };

    await expect(retry(flaky(["pending", "pending"]), options)()).rejects.toBeInstanceOf(RetryExhaustedError);
  });

  it("removes what a TryAgainError asks for", async () => {
    begin({ waits: false });

    expect(await retry(flaky([new TryAgainError({ after: 60_000 }), "ok"]))()).toBe("ok");
  });

  it("removes what a server's hint asks for", async () => {
    const fetch = flaky([
      async () => new Response(null, { status: 503, headers: { "retry-after": "60" } }),
      async () => new Response("ok"),
    ]);
    begin({ waits: false });

    const response = await retryFetch({ fetch })("https://example.com/");

    expect(await response.text()).toBe("ok");
  });

  it("retries nothing that does not deserve it", async () => {
    const load = vi.fn(() => {
      throw new NonRetryableError("no such user");
    });
    begin({ attempts: 9, waits: false });

    await expect(retry(load)()).rejects.toThrow("no such user");

    expect(load).toHaveBeenCalledTimes(1);
  });

  it("reaches a call that is in flight when it begins, and a wrapped function made before", async () => {
    let reject: (error: unknown) => void = () => {};
    const first = new Promise<never>((_, no) => {
      reject = no;
    });
    const load = retry(flaky([() => first, "ok"]), { wait: waitFixed(60_000) });
    const result = load();

    begin({ waits: false });
    reject(busy);

    expect(await result).toBe("ok");
  });

  it("reaches another copy of the package, and is reached from there", async () => {
    vi.resetModules();
    const copy = await import("undaunted");
    const copyOfTesting = await import("undaunted/testing");
    expect(copy.retry).not.toBe(retry);
    begin({ attempts: 2, waits: false });

    await expect(copy.retry(fail, { wait: waitFixed(60_000) })()).rejects.toBe(busy);
    const load = vi.fn(fail);
    begun.push(copyOfTesting.testRetries({ attempts: 3 }));
    await expect(retry(load, { wait: waitFixed(60_000) })()).rejects.toBe(busy);

    expect(load).toHaveBeenCalledTimes(3);
  });

  it("testRetries is not looked at by a call that succeeds at once", async () => {
    const looked = vi.fn();
    Object.defineProperty(slot, "on", { get: looked, configurable: true });

    await retry(async () => 1)();
    await runWithRetry(() => 1, { attemptTimeout: 1_000 });
    retrySync(() => 1)();
    expect(looked).not.toHaveBeenCalled();
    await retry(flaky([busy, "ok"]), { wait: () => 0 })();

    expect(looked).toHaveBeenCalledTimes(1);
    Object.defineProperty(slot, "on", { value: undefined, writable: true, configurable: true });
  });

  it("leaves previews as the policies were written", () => {
    const options = { stop: stopAfterAttempt(3), wait: waitFixed(100) };
    const before = previewPolicy(options);
    begin({ attempts: 1, waits: false });

    expect(previewPolicy(options)).toEqual(before);
    expect(current()).toBeDefined();
  });

  it("leaves a breaker's opening and a bulkhead's queue as they are", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 1_000, clock });
    const slots = bulkhead({ limit: 1, queue: 1 });
    begin({ attempts: 1, waits: false });

    await breaker.run(fail).catch(() => {});
    slots.run(() => new Promise(() => {}));
    slots.run(() => "waiting");

    expect(breaker.state).toBe("open");
    expect(slots.queued).toBe(1);
  });
});

describe("restore()", () => {
  const attemptsOf = async () => {
    const load = vi.fn(fail);
    await retry(load, { wait: () => 0 })().catch(() => {});
    return load.mock.calls.length;
  };

  it("brings back each policy's own rules", async () => {
    const test = begin({ attempts: 1 });
    expect(await attemptsOf()).toBe(1);

    test.restore();

    expect(await attemptsOf()).toBe(4);
  });

  it("brings back what was set outside, whose other option an inner one keeps", async () => {
    begin({ attempts: 2, waits: false });
    const inner = begin({ attempts: 3 });
    expect(await attemptsOf()).toBe(3);
    expect(await retry(flaky([busy, "ok"]), { wait: waitFixed(60_000) })()).toBe("ok");

    inner.restore();

    expect(await attemptsOf()).toBe(2);
  });

  it("restore() of the outer one leaves the inner one on, and brings back nothing that is over", async () => {
    const outer = begin({ attempts: 2 });
    const inner = begin({ attempts: 3 });

    outer.restore();
    expect(await attemptsOf()).toBe(3);
    inner.restore();

    expect(await attemptsOf()).toBe(4);
  });

  it("changes nothing when called again", async () => {
    const first = begin({ attempts: 2 });
    first.restore();
    begin({ attempts: 3 });

    first.restore();

    expect(await attemptsOf()).toBe(3);
  });

  it("restore() is called at the end of a `using` block", async () => {
    {
      using _ = testRetries({ attempts: 1 });
      expect(await attemptsOf()).toBe(1);
    }

    expect(await attemptsOf()).toBe(4);
  });

  it("restore() is there in a runtime without Symbol.dispose", async () => {
    const symbol = Object.getOwnPropertyDescriptor(globalThis, "Symbol")!;
    const old = Object.assign((name?: string) => Symbol(name), { for: Symbol.for });
    Object.defineProperty(globalThis, "Symbol", { ...symbol, value: old });
    const test = begin({ attempts: 1 });
    Object.defineProperty(globalThis, "Symbol", symbol);

    expect(Reflect.ownKeys(test)).toEqual(["restore"]);
    test.restore();

    expect(await attemptsOf()).toBe(4);
  });
});

describe("testRetries with bad input", () => {
  it.each([
    [undefined, TypeError, "testRetries: options must be an object, got undefined"],
    [{ attempts: 0 }, RangeError, "testRetries: attempts must be a whole number from 1, or Infinity, got 0"],
    [{ attempts: 1.5 }, RangeError, "testRetries: attempts must be a whole number from 1, or Infinity, got 1.5"],
    [{ waits: 0 }, TypeError, "testRetries: waits must be true or false, got 0"],
    [
      { wait: 0 },
      TypeError,
      'testRetries: there is no option "wait"; allowed are attempts, waits; did you mean waits?',
    ],
  ])("throws for %j at once, and changes nothing", (options, Kind, message) => {
    expect(() => testRetries(options as TestRetriesOptions)).toThrow(new Kind(message));
    expect(current()).toBeUndefined();
  });
});
