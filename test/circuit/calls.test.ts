import { circuitBreaker, currentAttempt, retry, retrySync, stopAfterAttempt } from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { down, OPEN_NO_LONGER } from "./calls.js";

let unhandled: unknown[];
const note = (error: unknown) => unhandled.push(error);

beforeEach(() => {
  unhandled = [];
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

/** Guards that go each its own way through a breaker. */
const guards = [
  ["a closed breaker", {}],
  ["one that times its calls", { slowRate: 1, slowAfter: 100 }],
  ["one that asks classify", { classify: ({ ok }: { ok: boolean }) => (ok ? "success" : "failure") }],
  ["one that is half-open", { initialState: OPEN_NO_LONGER }],
] as const;

describe.each(guards)("wrap of %s", (_, options) => {
  const make = () => circuitBreaker(options);

  it("hands on the arguments, `this` and the value", async () => {
    const api = {
      load: make().wrap(async function (this: unknown, ...args: unknown[]) {
        return [this, ...args];
      }),
    };

    const result = await api.load(1, "two");

    expect(result).toEqual([api, 1, "two"]);
    expect(result[0]).toBe(api);
  });

  it("rejects with the very error, thrown or rejected", async () => {
    const breaker = circuitBreaker({ ...options, initialState: undefined });
    const throws = breaker.wrap((): Promise<void> => {
      throw down;
    });

    await expect(breaker.wrap(() => Promise.reject(down))()).rejects.toBe(down);
    await expect(throws()).rejects.toBe(down);

    expect(breaker.stats.failures).toBe(2);
  });

  it("waits for any thenable", async () => {
    const breaker = make();
    const load = breaker.wrap(() => ({ then: (resolve: (value: number) => void) => resolve(42) }));

    expect(await load()).toBe(42);
    expect(breaker.stats.successes).toBe(1);
  });

  it("answers a promise where the function returns a value", async () => {
    const result = make().wrap(() => 42)();

    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe(42);
  });

  it("shows the caller in the stack of an error from after an await", async () => {
    const load = make().wrap(async () => {
      await null;
      throw new Error("deep");
    });
    async function callerOfGuarded() {
      await load();
    }

    const error = await callerOfGuarded().catch((caught: Error) => caught);

    expect((error as Error).stack).toContain("callerOfGuarded");
  });

  it("shows the caller behind a retry, in a later attempt too", async () => {
    const load = make().wrap(async () => {
      await null;
      throw new Error("deep");
    });
    async function callerOfRetried() {
      await retry(load, { ...instant, stop: stopAfterAttempt(options === guards[3][1] ? 1 : 3) })();
    }

    const error = await callerOfRetried().catch((caught: Error) => caught);

    expect((error as Error).message).toBe("deep");
    expect((error as Error).stack).toContain("callerOfRetried");
  });

  it("leaves the current attempt to be seen inside", async () => {
    const load = retry(make().wrap(async () => currentAttempt().attempt));

    expect(await load()).toBe(1);
  });
});

describe("wrap", () => {
  it("keeps a function's name, length and properties", () => {
    async function load(_id: string, _fresh: boolean) {}
    load.route = "/users";

    const wrapped = circuitBreaker().wrap(load);

    expect(wrapped.name).toBe("load");
    expect(wrapped).toHaveLength(2);
    expect(wrapped).toHaveProperty("route", "/users");
  });

  it("gives `this` and arguments on to a function in a policy", async () => {
    const api = {
      load: retry(
        circuitBreaker().wrap(async function (this: unknown, ...args: unknown[]) {
          return [this, ...args];
        }),
        { attemptTimeout: 1_000, clock: virtualClock() },
      ),
    };

    const result = await api.load(1, 2, 3);

    expect(result[0]).toBe(api);
    expect(result.slice(1)).toEqual([1, 2, 3]);
  });

  it("works detached, and so do run, wrapSync and runSync", async () => {
    const { wrap, run, wrapSync, runSync } = circuitBreaker();

    expect(await wrap(async () => 1)()).toBe(1);
    expect(await run(async () => 2)).toBe(2);
    expect(wrapSync(() => 3)()).toBe(3);
    expect(runSync(() => 4)).toBe(4);
  });

  it("times its calls where slow ones matter", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ slowRate: 1, slowAfter: 100, minimumCalls: 2, clock });
    await clock.advance(5_000);
    const load = breaker.wrap(async (ms: number) => clock.sleepSync(ms));

    await load(99);
    expect(breaker.stats.slow).toBe(0);
    await load(100);

    expect(breaker.stats.slow).toBe(1);
  });

  it("shares its breaker among all it wraps", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    const [bad, good] = [breaker.wrap(() => Promise.reject(down)), breaker.wrap(async () => 42)];

    await bad().catch(() => {});

    await expect(good()).rejects.toMatchObject({ code: "ERR_CIRCUIT_OPEN" });
  });

  it.each([undefined, null, 42, "load", {}])("refuses at once what is no function: %s", (fn) => {
    const { wrap, wrapSync } = circuitBreaker();

    expect(() => wrap(fn as never)).toThrow(TypeError);
    expect(() => wrapSync(fn as never)).toThrow(TypeError);
  });
});

describe("run", () => {
  it("answers what the block answers, sync or async", async () => {
    const breaker = circuitBreaker();

    expect(await breaker.run(() => 42)).toBe(42);
    expect(await breaker.run(async () => 43)).toBe(43);
    expect(breaker.stats.successes).toBe(2);
  });

  it("rejects where the block throws, and for what is no function", async () => {
    const breaker = circuitBreaker();
    const throws = () => {
      throw down;
    };

    await expect(breaker.run(throws)).rejects.toBe(down);
    await expect(breaker.run(42 as never)).rejects.toBeInstanceOf(TypeError);

    expect(breaker.stats).toMatchObject({ failures: 1, successes: 0 });
  });

  it("gives its block no arguments", async () => {
    const task = vi.fn();

    await circuitBreaker().run(task);

    expect(task).toHaveBeenCalledExactlyOnceWith();
  });

  it("shows the caller in the stack", async () => {
    async function callerOfRun() {
      await circuitBreaker().run(async () => {
        await null;
        throw new Error("deep");
      });
    }

    const error = await callerOfRun().catch((caught: Error) => caught);

    expect((error as Error).stack).toContain("callerOfRun");
  });
});

describe("wrapSync and runSync", () => {
  it("hand on the arguments, `this` and the value, with name and length", () => {
    const api = {
      load: circuitBreaker().wrapSync(function load(this: unknown, ...args: [number, string]) {
        return [this, ...args];
      }),
    };
    const sum = circuitBreaker().wrapSync(function sum(a: number, b: number) {
      return a + b;
    });

    expect(api.load(1, "two")).toEqual([api, 1, "two"]);
    expect([sum.name, sum.length, sum(1, 2)]).toEqual(["sum", 2, 3]);
  });

  it("throw the very error, count it, and refuse by a throw", () => {
    const breaker = circuitBreaker({ consecutiveFailures: 2 });
    const throws = (): never => {
      throw down;
    };

    expect(() => breaker.runSync(throws)).toThrow(down);
    expect(breaker.wrapSync(throws)).toThrow(down);

    expect(() => breaker.runSync(() => 42)).toThrow(/the circuit is open/);
    expect(breaker.wrapSync(() => 42)).toThrow(/the circuit is open/);
  });

  it("time their calls", () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ slowRate: 1, slowAfter: 100, minimumCalls: 1, clock });

    breaker.runSync(() => clock.sleepSync(99));
    expect(breaker.stats.slow).toBe(0);
    breaker.runSync(() => clock.sleepSync(100));

    expect(breaker.stats.slow).toBe(1);
  });

  it("wrapSync and runSync take a half-open breaker's permit and give it back", () => {
    const breaker = circuitBreaker({ initialState: OPEN_NO_LONGER });
    const inside: string[] = [];

    breaker.runSync(() => {
      try {
        breaker.runSync(() => inside.push("let through"));
      } catch {
        inside.push("refused");
      }
    });

    expect(inside).toEqual(["refused"]);
    expect(breaker.state).toBe("closed");
  });

  it.each([
    ["a promise", () => Promise.reject(down)],
    ["a thenable", () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(down) })],
  ])("refuse %s with a TypeError, leave no rejection behind and no permit taken", (_, fn) => {
    const breaker = circuitBreaker({ initialState: OPEN_NO_LONGER });

    expect(() => breaker.runSync(fn as () => unknown)).toThrow(TypeError);
    expect(() => breaker.wrapSync(fn as () => unknown)()).toThrow(TypeError);

    expect(breaker.stats).toMatchObject({ ignored: 2, failures: 0 });
    expect(breaker.runSync(() => 42)).toBe(42);
  });

  it("refuse an async function before it is called", () => {
    const breaker = circuitBreaker();
    const load = vi.fn();
    const task = async () => load();

    expect(() => breaker.runSync(task as () => unknown)).toThrow(TypeError);
    expect(() => breaker.wrapSync(task as () => unknown)).toThrow(TypeError);

    expect(load).not.toHaveBeenCalled();
  });

  it.each([undefined, 42])("refuse a block that is no function: %s", (task) => {
    const breaker = circuitBreaker();

    expect(() => breaker.runSync(task as never)).toThrow(TypeError);

    expect(breaker.stats.failures).toBe(0);
  });

  it("stand inside a sync retry", () => {
    const breaker = circuitBreaker();
    let calls = 0;
    const load = retrySync(
      breaker.wrapSync(() => {
        if (++calls < 3) throw down;
        return calls;
      }),
      instant,
    );

    expect(load()).toBe(3);
    expect(breaker.stats).toMatchObject({ failures: 2, successes: 1 });
  });
});

describe("time", () => {
  it("time is never waited for: a breaker has no timers", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, slowRate: 1, slowAfter: 10, clock });

    void breaker.run(() => new Promise(() => {}));
    expect(clock.pending).toBe(0);
    await breaker.run(() => Promise.reject(down)).catch(() => {});
    expect(clock.pending).toBe(0);
    await clock.advance(30_000);
    void breaker.run(() => new Promise(() => {}));

    expect(breaker.state).toBe("half-open");
    expect(clock.pending).toBe(0);
  });

  it("time is looked at less than 100 times by 1,000 calls that follow each other at once", async () => {
    const now = vi.fn(() => 0);
    const load = circuitBreaker({ clock: { now } }).wrap(async () => {});

    for (let call = 0; call < 1_000; call++) await load();

    expect(now.mock.calls.length).toBeLessThan(100);
  });

  it("time is looked at when each call begins and ends where they do not follow each other at once", async () => {
    let time = 0;
    const now = vi.fn(() => time);
    const load = circuitBreaker({ clock: { now } }).wrap(async () => {});

    for (let call = 0; call < 100; call++) {
      await load();
      time += 10;
    }

    expect(now).toHaveBeenCalledTimes(200);
  });
});
