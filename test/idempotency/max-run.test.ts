import { retry } from "undaunted";
import {
  type IdempotencyStore,
  IdempotencyTimeoutError,
  IdempotencyUndecidedError,
  idempotent,
  memoryIdempotencyStore,
} from "undaunted/idempotency";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "./deferred.js";

const key = () => "k1";
const busy = new Error("busy");

/** A call that has run for longer than its maxRun of 500 ms. */
async function overdue(more: object = {}) {
  const clock = virtualClock();
  const work = deferred<string>();
  const renew = vi.fn();
  const memory = memoryIdempotencyStore({ clock });
  const store = {
    ...memory,
    renew(...facts: Parameters<typeof memory.renew>) {
      renew();
      return memory.renew(...facts);
    },
  };
  const swap = vi.spyOn(store as Required<IdempotencyStore>, "swap");
  const errors: unknown[] = [];
  const once = idempotent(() => work.promise, {
    ...{
      key,
      name: "test",
      store,
      clock,
      lease: 300,
      maxRun: 500,
      onStoreError: (error: unknown) => errors.push(error),
    },
    ...more,
  });
  const first = once().catch((error: unknown) => error);
  await clock.advance(499);
  const before = await once.peek("k1");
  await clock.advance(1);
  return { clock, work, renew, once, first, before, errors, swaps: () => swap.mock.calls.length };
}

describe("a call that runs for longer than maxRun", () => {
  it("rejects with an IdempotencyTimeoutError", async () => {
    const { first, before } = await overdue();

    expect(before).toMatchObject({ state: "running" });
    expect(await first).toBeInstanceOf(IdempotencyTimeoutError);
    expect(await first).toMatchObject({
      name: "IdempotencyTimeoutError",
      code: "ERR_IDEMPOTENCY_TIMEOUT",
      key: "k1",
      timeout: 500,
      message: 'the call with the key "k1" ran for longer than 500 ms',
    });
  });

  it("leaves its key undecided, and renews its lease no more", async () => {
    const { once, first, renew, clock } = await overdue();
    await first;
    renew.mockClear();

    await clock.advance(5_000);

    await expect(once()).rejects.toBeInstanceOf(IdempotencyUndecidedError);
    expect(renew).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it("has its late result recorded", async () => {
    const { once, work, clock } = await overdue();

    work.resolve("done");
    await clock.advance(0);

    expect(await once()).toBe("done");
  });

  it("leaves what was settled meanwhile", async () => {
    const { once, work, clock, errors } = await overdue();
    await once.settle("k1", "settled");

    work.resolve("done");
    await clock.advance(0);

    expect(await once()).toBe("settled");
    expect(errors).toEqual([]);
  });

  it.each([
    ["frees the key", "free", undefined],
    ["leaves it undecided", "hold", { state: "undecided" }],
    ["records the failure", "record", { state: "failed", error: { message: "busy" } }],
  ] as const)("%s where it fails late and onFailure says so", async (_what, meaning, state) => {
    const { once, work, clock, swaps } = await overdue({ onFailure: () => meaning });

    work.reject(busy);
    await clock.advance(0);

    // What is held stays so for keep from the time at which it was given up, not from its late end.
    expect(swaps()).toBe(meaning === "hold" ? 0 : 1);
    if (state) expect(await once.peek("k1")).toMatchObject(state);
    else expect(await once.peek("k1")).toBeUndefined();
  });

  it("reports a late result where the store cannot put it in the doubt's place", async () => {
    const clock = virtualClock();
    const { claim, renew, record, release } = memoryIdempotencyStore({ clock });
    const work = deferred<string>();
    const errors: unknown[] = [];
    const once = idempotent(() => work.promise, {
      ...{ key, name: "test", clock, maxRun: 100, store: { claim, renew, record, release } },
      onStoreError: (error) => void errors.push(error),
    });
    const ended = expect(once()).rejects.toBeInstanceOf(IdempotencyTimeoutError);
    await clock.advance(100);
    await ended;

    work.resolve("done");

    await vi.waitFor(() => expect(String(errors)).toContain("the store has no method swap"));
  });

  it("is not retried", async () => {
    const clock = virtualClock();
    const fn = vi.fn(() => new Promise(() => {}));
    const once = retry(idempotent(fn, { key, clock, maxRun: 100 }), { ...instant, clock });
    const ended = expect(once()).rejects.toBeInstanceOf(IdempotencyTimeoutError);

    await clock.advance(10_000);

    await ended;
    expect(fn).toHaveBeenCalledTimes(1);
  });
});

describe("a call that ends within maxRun", () => {
  it.each([
    ["returns", async () => "done"],
    ["fails", () => Promise.reject(busy)],
  ])("leaves no timer where it %s", async (_what, fn) => {
    const clock = virtualClock();

    await idempotent(fn, { key, clock, maxRun: 100 })().catch(() => {});

    expect(clock.pending).toBe(0);
  });

  it("is recorded as ever", async () => {
    const once = idempotent(async () => "done", { key, maxRun: 60_000 });

    expect([await once(), await once()]).toEqual(["done", "done"]);
  });
});

describe("a call of a store in the caller's transaction", () => {
  it("records nothing after maxRun: whoever ends the transaction decides", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const record = vi.fn(memory.record);
    const release = vi.fn(memory.release);
    const store = {
      ...memory,
      record,
      release,
      claim: async () => ({ state: "won", token: "t", inTransaction: true }) as const,
    };
    const work = deferred<string>();
    const once = idempotent(() => work.promise, { key, name: "test", store, clock, maxRun: 100 });
    const ended = expect(once()).rejects.toBeInstanceOf(IdempotencyTimeoutError);

    await clock.advance(100);
    await ended;
    work.reject(busy);
    await clock.advance(1_000);

    expect([record.mock.calls, release.mock.calls]).toEqual([[], []]);
    expect(clock.pending).toBe(0);
  });
});
