import {
  AttemptTimeoutError,
  CircuitOpenError,
  circuitBreaker,
  currentAttempt,
  retry,
  retrySync,
  stopAfterAttempt,
  stopNever,
  TotalTimeoutError,
  TryAgainError,
  waitFixed,
  waitFromError,
  waitNone,
} from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { down, never, OPEN_NO_LONGER } from "./calls.js";

const reason = new Error("the user left");
const fail = async (): Promise<never> => {
  throw down;
};
const once = { stop: stopAfterAttempt(1) };

function abortError(): Error {
  return Object.assign(new Error("aborted"), { name: "AbortError" });
}

/** A function whose call ends when told to. */
function held() {
  let ends!: { resolve: (value?: unknown) => void; reject: (error: unknown) => void };
  const fn = () => new Promise<unknown>((resolve, reject) => (ends = { resolve, reject }));
  return Object.assign(fn, {
    async end(how: "resolve" | "reject") {
      ends[how](down);
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
}

describe("an attempt that times out", () => {
  it("an attempt that times out is a failure at once, and its late end is none", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    const work = held();
    const call = retry(breaker.wrap(work), { ...once, attemptTimeout: 1_000, clock })();
    const ended = expect(call).rejects.toBeInstanceOf(AttemptTimeoutError);

    await clock.advance(1_000);
    await ended;
    expect(breaker.stats).toMatchObject({ failures: 1, slow: 0 });
    await work.end("reject");

    expect(breaker.stats.failures).toBe(1);
  });

  it("an attempt that times out is not taken back by a late success", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 2, clock });
    const work = held();
    const guarded = retry(breaker.wrap(work), { ...once, attemptTimeout: 1_000, clock });
    const calls = [guarded().catch(() => {})];
    await clock.advance(1_000);

    await work.end("resolve");
    calls.push(guarded().catch(() => {}));
    await clock.advance(1_000);
    await Promise.all(calls);

    expect(breaker.state).toBe("open");
  });

  it("opens the circuit when 20 calls hang in a black hole", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    const load = retry(breaker.wrap(never), { ...once, attemptTimeout: 1_000, clock });

    const calls = Array.from({ length: 20 }, () => load().catch((error) => error));
    await clock.advance(1_000);

    expect(await Promise.all(calls)).toEqual(Array(20).fill(expect.any(AttemptTimeoutError)));
    expect(breaker.state).toBe("open");
  });

  it("opens it dated when it timed out, and the retries are refused", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 2, clock });
    const hang = vi.fn(never);
    const load = retry(breaker.wrap(hang), { stop: stopNever, wait: waitFixed(500), attemptTimeout: 1_000, clock });

    const call = load().catch((error) => error);
    await clock.advance(10_000);

    const refused = await call;
    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect(refused).toMatchObject({ retryAfter: 29_500, cause: expect.any(AttemptTimeoutError) });
    expect(hang).toHaveBeenCalledTimes(2);
  });

  it("opens a half-open circuit again", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ initialState: OPEN_NO_LONGER, clock });

    const call = retry(breaker.wrap(never), { ...once, attemptTimeout: 100, clock })().catch(() => {});
    await clock.advance(100);
    await call;

    expect(breaker.state).toBe("open");
  });

  it("an attempt that times out is a slow call where it took as long", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ slowRate: 1, slowAfter: 100, minimumCalls: 1, clock });

    const call = retry(breaker.wrap(never), { ...once, attemptTimeout: 100, clock })().catch(() => {});
    await clock.advance(100);
    await call;

    expect(breaker.stats.slow).toBe(1);
    expect(breaker.state).toBe("open");
  });
});

describe("an attempt that something else ends", () => {
  const leaving = () => {
    const controller = new AbortController();
    return { signal: controller.signal, leave: () => controller.abort(reason) };
  };

  it.each([
    ["by the total timeout", { totalTimeout: 20 }],
    ["by an abort", {}],
    ["by an abort, before its own timeout", { attemptTimeout: 1_000 }],
    ["by an abort, before the total timeout", { totalTimeout: 1_000 }],
    ["by an abort, before a timeout that is longer than a lease", { attemptTimeout: 3_600_000 }],
  ])("the first call of a breaker that is ended %s counts as nothing", async (_, options) => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const { signal, leave } = leaving();

    const call = retry(breaker.wrap(never), { ...options, signal, clock })().catch(() => {});
    await clock.advance(20);
    leave();
    await call;

    expect(breaker.stats).toMatchObject({ failures: 0, slow: 0, ignored: 1 });
    expect(breaker.state).toBe("closed");
  });

  it("counts as nothing however long the breaker was at rest before it", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    // Calls that follow each other so closely share a reading of the clock.
    for (let i = 0; i < 10; i++) await breaker.run(async () => {});
    await clock.advance(3_600_000);
    const { signal, leave } = leaving();

    const call = retry(breaker.wrap(never), { signal, clock })().catch(() => {});
    await clock.advance(20);
    leave();
    await call;

    expect(breaker.stats).toMatchObject({ failures: 0, slow: 0, ignored: 1 });
  });

  it("is a failure where it lasted longer than a lease, and no timeout was to end it sooner", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 9, clock });
    for (let i = 0; i < 10; i++) await breaker.run(async () => {});
    const { signal, leave } = leaving();

    const call = retry(breaker.wrap(never), { attemptTimeout: 3_600_000, signal, clock })().catch(() => {});
    await clock.advance(3_000_000);
    leave();
    await call;

    expect(breaker.stats).toMatchObject({ failures: 1, ignored: 0 });
  });

  it.each(["resolve", "reject"] as const)(
    "counts as nothing when its caller aborts, whether it then %ss",
    async (how) => {
      const controller = new AbortController();
      const breaker = circuitBreaker({ consecutiveFailures: 1 });
      const work = held();
      const call = retry(breaker.wrap(work), { signal: controller.signal })();

      controller.abort(reason);
      await expect(call).rejects.toBe(reason);
      await work.end(how);

      expect(breaker.state).toBe("closed");
      expect(breaker.stats).toMatchObject({ successes: 0, failures: 0, ignored: 1 });
    },
  );

  it("gives the permit of a half-open breaker back when its caller aborts", async () => {
    const controller = new AbortController();
    const breaker = circuitBreaker({ initialState: OPEN_NO_LONGER });
    const call = retry(breaker.wrap(never), { signal: controller.signal })();
    await expect(breaker.run(() => {})).rejects.toBeInstanceOf(CircuitOpenError);

    controller.abort(reason);
    await expect(call).rejects.toBe(reason);

    expect(breaker.state).toBe("half-open");
    expect(await breaker.run(() => 42)).toBe(42);
    expect(breaker.state).toBe("closed");
  });

  it.each<[string, () => unknown]>([
    ["hangs", never],
    ["fails", fail],
    [
      "throws",
      () => {
        throw down;
      },
    ],
    ["returns", async () => 42],
  ])(
    "an attempt that something else ends counts as nothing when it is aborted inside the call, which then %s",
    async (_, work) => {
      const controller = new AbortController();
      const breaker = circuitBreaker({ initialState: OPEN_NO_LONGER });
      const guarded = breaker.wrap(() => {
        controller.abort(reason);
        return work();
      });

      await expect(retry(guarded, { signal: controller.signal })()).rejects.toBe(reason);
      await new Promise((resolve) => setImmediate(resolve));

      expect(breaker.state).toBe("half-open");
      expect(breaker.stats).toMatchObject({ successes: 0, failures: 0, ignored: 1 });
      expect(await breaker.run(() => 42)).toBe(42);
    },
  );

  it("an attempt that something else ends counts as nothing when it was aborted before the breaker was asked", async () => {
    const controller = new AbortController();
    const breaker = circuitBreaker({ initialState: OPEN_NO_LONGER });
    const load = retry(
      () => {
        controller.abort(reason);
        return breaker.run(never);
      },
      { signal: controller.signal },
    );

    await expect(load()).rejects.toBe(reason);

    expect(breaker.stats.ignored).toBe(1);
    expect(await breaker.run(() => 42)).toBe(42);
  });

  it("an attempt that something else ends counts as nothing when the total timeout ends it", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ initialState: OPEN_NO_LONGER, clock });
    const call = retry(breaker.wrap(never), { totalTimeout: 1_000, clock })().catch((error) => error);

    await clock.advance(1_000);

    expect(await call).toBeInstanceOf(TotalTimeoutError);
    expect(breaker.state).toBe("half-open");
    expect(breaker.stats).toMatchObject({ failures: 0, ignored: 1 });
  });

  it("an attempt that something else ends counts as nothing when an outer attempt's timeout cuts it through its signal", async () => {
    const clock = virtualClock();
    const [inner, outer] = [circuitBreaker({ clock }), circuitBreaker({ clock })];
    const load = outer.wrap(() => retry(inner.wrap(never), { signal: currentAttempt().signal, clock })());
    const call = retry(load, { ...once, attemptTimeout: 1_000, clock })().catch((error) => error);

    await clock.advance(1_000);

    expect(await call).toBeInstanceOf(AttemptTimeoutError);
    expect(inner.stats).toMatchObject({ failures: 0, ignored: 1 });
    expect(outer.stats).toMatchObject({ failures: 1, ignored: 0 });
  });

  it("says nothing through classify either", async () => {
    const controller = new AbortController();
    const classify = vi.fn(() => "failure" as const);
    const breaker = circuitBreaker({ classify });
    const work = held();
    const call = retry(breaker.wrap(work), { signal: controller.signal })();

    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await work.end("reject");

    expect(classify).not.toHaveBeenCalled();
  });
});

describe("an abort that the function itself rejects with", () => {
  const kinds: [string, () => Error][] = [
    ["a DOM AbortError", () => new DOMException("aborted", "AbortError")],
    ["an error named AbortError", abortError],
    ["axios' CanceledError", () => Object.assign(new Error("canceled"), { name: "CanceledError" })],
    ["Node's ABORT_ERR", () => Object.assign(new Error("aborted"), { code: "ABORT_ERR" })],
  ];
  const places: [string, (load: () => Promise<unknown>) => Promise<unknown>][] = [
    ["outside a policy", (load) => load()],
    ["in a policy that can end an attempt", (load) => retry(load, { ...once, attemptTimeout: 60_000 })()],
    ["in a policy that cannot", (load) => retry(load, once)()],
  ];
  const cases = kinds.flatMap(([kind, error]) => places.map(([place, call]) => ({ kind, error, place, call })));

  it.each(cases)(
    "an abort that the function itself rejects with is ignored by a breaker: $kind $place",
    async ({ error, call }) => {
      const breaker = circuitBreaker({ consecutiveFailures: 1 });

      await expect(call(breaker.wrap(() => Promise.reject(error())))).rejects.toThrow();

      expect(breaker.stats).toMatchObject({ failures: 0, ignored: 1 });
      expect(breaker.state).toBe("closed");
    },
  );

  it("an abort that the function itself rejects with is ignored by a sync guard, in a policy and outside", () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    const load = breaker.wrapSync(() => {
      throw abortError();
    });

    expect(load).toThrow("aborted");
    expect(retrySync(load, once)).toThrow("aborted");

    expect(breaker.stats).toMatchObject({ failures: 0, ignored: 2 });
  });

  it("leaves a breaker closed, however many users leave", async () => {
    const breaker = circuitBreaker();
    const load = retry(
      breaker.wrap(async (signal: AbortSignal) => signal.throwIfAborted()),
      instant,
    );

    for (let user = 0; user < 5; user++) await load(AbortSignal.abort()).catch(() => {});

    expect(breaker.state).toBe("closed");
  });

  it.each([
    ["a TimeoutError", () => new DOMException("too slow", "TimeoutError")],
    [
      "what Node's http throws under AbortSignal.timeout()",
      () =>
        Object.assign(new Error("aborted", { cause: new DOMException("too slow", "TimeoutError") }), {
          name: "AbortError",
          code: "ABORT_ERR",
        }),
    ],
    [
      "a driver's lost connection that calls itself so",
      () => Object.assign(abortError(), { command: { name: "get", args: [] } }),
    ],
  ])("an abort that the function itself rejects with is told from %s, which is a failure", async (_, error) => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });

    await retry(
      breaker.wrap(() => Promise.reject(error())),
      once,
    )().catch(() => {});

    expect(breaker.stats).toMatchObject({ failures: 1, ignored: 0 });
  });
});

describe("a retry around a breaker", () => {
  it("a retry around a breaker does not spin on an open one", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 3 });
    const load = vi.fn(fail);
    const onGiveUp = vi.fn();

    const call = retry(breaker.wrap(load), { ...instant, stop: stopAfterAttempt(100), onGiveUp });

    await expect(call()).rejects.toBeInstanceOf(CircuitOpenError);
    expect(load).toHaveBeenCalledTimes(3);
    expect(breaker.stats.refused).toBe(1);
    expect(onGiveUp).toHaveBeenCalledWith(expect.objectContaining({ reason: "not-retryable", attempt: 4 }));
  });

  it("counts each of its attempts", async () => {
    const breaker = circuitBreaker();
    let calls = 0;

    await retry(
      breaker.wrap(() => (++calls < 3 ? fail() : Promise.resolve(42))),
      instant,
    )();

    expect(breaker.stats).toMatchObject({ failures: 2, successes: 1 });
  });

  it("comes back when told to where its function asks for it by a TryAgainError", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    await breaker.run(fail).catch(() => {});
    const work = breaker.wrap(async () => clock.now());
    const load = retry(
      () =>
        work().catch((error) => {
          if (!(error instanceof CircuitOpenError)) throw error;
          throw new TryAgainError({ after: error.retryAfter, cause: error });
        }),
      { wait: waitNone, clock },
    );

    const call = load();
    await clock.runAll();

    expect(await call).toBe(30_000);
  });

  it("comes back when told to where waitFromError reads it from the cause of an error of one's own", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    await breaker.run(fail).catch(() => {});
    const work = breaker.wrap(async () => clock.now());
    const load = retry(
      () =>
        work().catch((cause) => {
          throw new Error("not now", { cause });
        }),
      { wait: waitFromError((error: any) => error.cause.retryAfter, waitNone), clock },
    );

    const call = load();
    await clock.runAll();

    expect(await call).toBe(30_000);
  });
});
