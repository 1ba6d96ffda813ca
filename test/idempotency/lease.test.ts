import {
  IdempotencyInFlightError,
  IdempotencyRecordError,
  type IdempotencyStore,
  idempotent,
  memoryIdempotencyStore,
} from "undaunted/idempotency";
import { flaky, virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { PATIENCE } from "../limits.js";
import { deferred } from "./deferred.js";

const busy = new Error("busy");
const down = new Error("the store is down");
const key = () => "k1";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the lease of a running call", () => {
  it("is renewed for as long as the call runs", async () => {
    const clock = virtualClock();
    const work = deferred<string>();
    const once = idempotent(() => work.promise, { key, clock, lease: 3_000 });
    const first = once();

    await clock.advance(100_000);

    await expect(once()).rejects.toBeInstanceOf(IdempotencyInFlightError);
    work.resolve("done");
    expect(await first).toBe("done");
    expect(await once()).toBe("done");
  });

  it("lasts for a minute unless told, renewed each third of it", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const claim = vi.fn(memory.claim);
    const renew = vi.fn(memory.renew);
    const once = idempotent(() => new Promise(() => {}), {
      key,
      clock,
      name: "test",
      store: { ...memory, claim, renew },
    });
    once();

    await clock.advance(20_000 - 1);
    expect(renew).not.toHaveBeenCalled();
    await clock.advance(1);

    expect(claim.mock.calls[0]![2]).toBe(60_000);
    expect(renew.mock.calls).toEqual([["test:k1", expect.any(String), 60_000]]);
  });

  it("is renewed by timers that do not keep the process alive", async () => {
    const clock = virtualClock();
    const setTimer = vi.spyOn(clock, "setTimer");
    const once = idempotent(() => new Promise(() => {}), { key, clock });

    once();
    await clock.advance(0);

    expect(setTimer.mock.calls).toEqual([[expect.any(Function), 20_000, true]]);
  });

  it.each([
    ["returns", () => "done"],
    ["fails", () => Promise.reject(busy)],
  ])("is renewed no more once the call %s", async (_what, fn) => {
    const clock = virtualClock();
    const once = idempotent(fn as () => unknown, { key, clock });

    await once().catch(() => {});

    expect(clock.pending).toBe(0);
  });

  it("is renewed no more where a renewal comes back after the call is over", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const work = deferred<string>();
    const renewal = deferred<boolean>();
    const store = { ...memory, renew: () => renewal.promise };
    const first = idempotent(() => work.promise, { key, clock, name: "test", store })();
    await clock.advance(20_000);
    work.resolve("done");
    await first;

    renewal.resolve(true);
    await clock.advance(0);

    expect(clock.pending).toBe(0);
  });

  it("is renewed at the next turn where a renewal fails once", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const renew = vi.fn(memory.renew).mockRejectedValueOnce(down);
    const errors: unknown[] = [];
    const work = deferred<string>();
    const once = idempotent(() => work.promise, {
      key,
      clock,
      lease: 3_000,
      name: "test",
      store: { ...memory, renew },
      onStoreError: (error) => errors.push(error),
    });
    const first = once();
    await clock.advance(10_000);
    work.resolve("done");

    expect(await first).toBe("done");
    expect(errors).toEqual([down]);
  });

  it("is renewed at the next turn where the store throws at once", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const renew = vi.fn(memory.renew).mockImplementationOnce(() => {
      throw down;
    });
    const work = deferred<string>();
    const once = idempotent(() => work.promise, {
      key,
      clock,
      lease: 3_000,
      name: "test",
      store: { ...memory, renew },
      onStoreError: () => {},
    });
    const first = once();
    await clock.advance(10_000);
    work.resolve("done");

    expect(await first).toBe("done");
  });

  it("that is not renewed by two thirds of it is reported, for the work may hold the connection that the store needs", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const renewal = deferred<boolean>();
    const errors: unknown[] = [];
    void idempotent(() => new Promise(() => {}), {
      ...{ key, clock, name: "test", lease: 3_000, store: { ...memory, renew: () => renewal.promise } },
      onStoreError: (error) => void errors.push(error),
    })();

    await clock.advance(1_999);
    expect(errors).toEqual([]);
    await clock.advance(1);
    expect(errors).toEqual([
      new Error(
        'the lease of the key "test:k1" is not renewed yet, after two thirds of its 3000 ms: the store is slow, or waits for a ' +
          "connection that the work holds; give it a pool of its own",
      ),
    ]);
    await clock.advance(60_000);
    expect(errors).toHaveLength(1);
    renewal.resolve(true);
    await clock.advance(2_000);
    expect(clock.pending).toBe(1);
  });

  it("is not reported as overdue where the call ends meanwhile", async () => {
    const clock = virtualClock();
    const work = deferred<string>();
    const errors: unknown[] = [];
    const store = { ...memoryIdempotencyStore({ clock }), renew: () => new Promise<boolean>(() => {}) };
    const first = idempotent(() => work.promise, {
      ...{ key, clock, name: "test", lease: 3_000, store },
      onStoreError: (error) => void errors.push(error),
    })();
    await clock.advance(1_500);
    work.resolve("done");
    await first;

    await clock.advance(60_000);

    expect(errors).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("is asked for no more once it is lost", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const renew = vi.fn(async () => false);
    idempotent(() => new Promise(() => {}), { key, clock, name: "test", store: { ...memory, renew } })();

    await clock.advance(100_000);

    expect(renew).toHaveBeenCalledTimes(1);
  });

  it("is lost with the process: the next call runs when it ends", async () => {
    const clock = virtualClock();
    const store = memoryIdempotencyStore({ clock });
    const crashed = { ...clock, setTimer: () => () => {} };
    idempotent(() => new Promise(() => {}), { key, clock: crashed, name: "test", store, lease: 3_000 })();
    const once = idempotent(async () => "done", { key, clock, name: "test", store });

    await clock.advance(2_999);
    await expect(once()).rejects.toMatchObject({ code: "ERR_IDEMPOTENCY_IN_FLIGHT", retryAfter: 1 });
    await clock.advance(1);
    expect(await once()).toBe("done");
  });
});

describe("a run whose lease was lost", () => {
  /** A run that stood still until a successor has its key; both still run. */
  async function overtaken() {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const [slow, quick] = [deferred<string>(), deferred<string>()];
    const still = { ...clock, setTimer: () => () => {} };
    const first = idempotent(() => slow.promise, { key, clock: still, name: "test", store: memory, lease: 3_000 })();
    await clock.advance(3_000);
    const again = idempotent(() => quick.promise, { key, clock, name: "test", store: memory });
    const second = again();
    await clock.advance(0);
    return { slow, quick, first, second, again };
  }

  it("cannot record over its successor", async () => {
    const { slow, quick, first, second, again } = await overtaken();

    slow.resolve("first");
    await expect(first).rejects.toThrow(
      'the call with the key "k1" ran, but its result is not on record: its lease was over, and another call may have run',
    );
    quick.resolve("second");

    expect(await second).toBe("second");
    expect(await again()).toBe("second");
  });

  it("cannot record over its successor's record", async () => {
    const { slow, quick, first, second, again } = await overtaken();

    quick.resolve("second");
    await second;
    slow.resolve("first");

    await expect(first).rejects.toBeInstanceOf(IdempotencyRecordError);
    expect(await again()).toBe("second");
  });

  it("cannot free its successor's key by failing", async () => {
    const { slow, first, again } = await overtaken();

    slow.reject(busy);

    await expect(first).rejects.toBe(busy);
    await expect(again()).rejects.toBeInstanceOf(IdempotencyInFlightError);
  });

  it("still hands over its value, beside what is logged", async () => {
    const { slow, first } = await overtaken();

    slow.resolve("first");
    const error = await first.catch((error: unknown) => error);

    expect(error).toMatchObject({ code: "ERR_IDEMPOTENCY_RECORD", key: "k1", value: "first" });
    expect(Object.keys(error as object)).not.toContain("value");
  });
});

describe("a result that the store does not take", () => {
  it("is recorded at the next try, while the lease lasts", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const record = vi.fn(memory.record).mockRejectedValueOnce(down).mockRejectedValueOnce(down);
    const fn = vi.fn(async () => "done");
    const once = idempotent(fn, { key, clock, name: "test", store: { ...memory, record } });
    const first = once();
    await clock.advance(2_000);

    expect(await first).toBe("done");
    expect(await once()).toBe("done");
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("is recorded at the next try where the store throws at once", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const record = vi.fn(memory.record).mockImplementationOnce(() => {
      throw down;
    });
    const first = idempotent(async () => "done", { key, clock, name: "test", store: { ...memory, record } })();
    await clock.advance(2_000);

    expect(await first).toBe("done");
  });

  it("keeps the key meanwhile: its lease is renewed", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const renew = vi.fn(memory.renew);
    const store: IdempotencyStore = { ...memory, renew, record: () => Promise.reject(down) };
    const once = idempotent(async () => "done", { key, clock, name: "test", store, lease: 30_000 });
    const first = once().catch(() => {});

    await clock.advance(29_000);

    await expect(once()).rejects.toBeInstanceOf(IdempotencyInFlightError);
    expect(renew).toHaveBeenCalledTimes(2);
    await clock.advance(10_000);
    await first;
  });

  it("is given up after a lease's time: the error says so, with its cause and the value", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const record = vi.fn(() => Promise.reject(down));
    const store: IdempotencyStore = { ...memory, record };
    const first = idempotent(async () => "done", { key, clock, name: "test", store, lease: 3_000 })().catch(
      (error) => error,
    );

    await clock.advance(2_999);
    const tries = record.mock.calls.length;
    await clock.advance(1_001);
    const error = await first;

    expect(error).toBeInstanceOf(IdempotencyRecordError);
    expect(error.message).toBe('the call with the key "k1" ran, but its result is not on record: the store failed');
    expect(error).toMatchObject({ cause: down, value: "done" });
    // With pauses that grow to a second.
    expect(tries).toBeGreaterThan(4);
    expect(tries).toBeLessThan(60);
    expect(clock.pending).toBe(0);
  });
});

describe("a store that fails at claiming", () => {
  it("rejects the call with its error, before anything has happened", async () => {
    const memory = memoryIdempotencyStore();
    const fn = vi.fn();
    const once = idempotent(fn, { key, name: "test", store: { ...memory, claim: () => Promise.reject(down) } });

    await expect(once()).rejects.toBe(down);
    expect(fn).not.toHaveBeenCalled();
  });

  it("rejects the call too where it throws at once", async () => {
    const memory = memoryIdempotencyStore();
    const once = idempotent(vi.fn(), {
      key,
      name: "test",
      store: {
        ...memory,
        claim: () => {
          throw down;
        },
      },
    });

    await expect(once()).rejects.toBe(down);
  });
});

describe("a store that fails at freeing a key", () => {
  const failing: readonly (readonly [string, IdempotencyStore["release"]])[] = [
    ["rejects", () => Promise.reject(down)],
    [
      "throws at once",
      () => {
        throw down;
      },
    ],
  ];

  it.each(failing)(
    "and %s, tells onStoreError, and the function's error stays the caller's",
    async (_what, release) => {
      const errors: unknown[] = [];
      const once = idempotent(() => Promise.reject(busy), {
        key,
        name: "test",
        store: { ...memoryIdempotencyStore(), release },
        onStoreError: (error) => errors.push(error),
      });

      await expect(once()).rejects.toBe(busy);
      expect(errors).toEqual([down]);
    },
  );

  it("warns once where nobody is told", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const once = idempotent(() => Promise.reject(busy), {
      key,
      name: "test",
      store: {
        ...memoryIdempotencyStore(),
        claim: async () => ({ state: "won", token: "t" }),
        release: failing[0]![1],
      },
    });

    await once().catch(() => {});
    await once().catch(() => {});

    expect(warn.mock.calls).toEqual([[expect.stringContaining("the store is down")]]);
  });

  it("changes nothing where onStoreError throws as well", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const once = idempotent(() => Promise.reject(busy), {
      key,
      name: "test",
      store: { ...memoryIdempotencyStore(), release: failing[0]![1] },
      onStoreError: () => {
        throw new Error("no log");
      },
    });

    await expect(once()).rejects.toBe(busy);
    await vi.waitFor(() => expect(warn.mock.calls).toEqual([[expect.stringContaining("no log")]]), PATIENCE);
  });

  it("frees it with the end of the lease", async () => {
    const clock = virtualClock();
    const once = idempotent(flaky([busy, "done"]), {
      key,
      clock,
      lease: 3_000,
      name: "test",
      store: { ...memoryIdempotencyStore({ clock }), release: failing[0]![1] },
      onStoreError: () => {},
    });
    await once().catch(() => {});

    await clock.advance(2_999);
    await expect(once()).rejects.toBeInstanceOf(IdempotencyInFlightError);
    await clock.advance(1);
    expect(await once()).toBe("done");
  });
});

describe("a failing function", () => {
  it("has freed its key when its caller hears of it", async () => {
    const order: string[] = [];
    const memory = memoryIdempotencyStore();
    const store: IdempotencyStore = {
      ...memory,
      async release(...facts) {
        await Promise.resolve();
        await memory.release(...facts);
        order.push("freed");
      },
    };

    await idempotent(() => Promise.reject(busy), { key, name: "test", store })().catch(() => order.push("told"));

    expect(order).toEqual(["freed", "told"]);
  });
});
