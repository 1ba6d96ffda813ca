import { AttemptTimeoutError, retry, stopAfterAttempt, TotalTimeoutError, waitNone } from "undaunted";
import { type IdempotencyStore, idempotent, memoryIdempotencyStore } from "undaunted/idempotency";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "./deferred.js";

const busy = new Error("busy");
const key = () => "k1";

describe("a call that waits for another with its key", () => {
  it("gets the other's result", async () => {
    const clock = virtualClock();
    const work = deferred<{ receipt: string }>();
    const fn = vi.fn(() => work.promise);
    const once = idempotent(fn, { key, clock, inFlight: "wait" });
    const calls = [once(), once(), once()];
    await clock.advance(500);

    work.resolve({ receipt: "A1" });
    await clock.advance(1_000);

    expect(await Promise.all(calls)).toEqual([{ receipt: "A1" }, { receipt: "A1" }, { receipt: "A1" }]);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("runs itself where the other fails", async () => {
    const clock = virtualClock();
    const work = deferred<string>();
    const once = idempotent(flaky([() => work.promise, "second"]), { key, clock, inFlight: "wait" });
    const first = once();
    const second = once();

    work.reject(busy);
    await expect(first).rejects.toBe(busy);
    await clock.advance(1_000);

    expect(await second).toBe("second");
  });

  it("runs itself as soon as the other's lease ends, where nobody renews it", async () => {
    const clock = virtualClock();
    const store = memoryIdempotencyStore({ clock });
    await store.claim("test:k1", await fingerprintOf(store, clock), 70);
    const once = idempotent(async () => "done", { key, clock, name: "test", store, inFlight: "wait" });
    const ran = once();

    await clock.advance(70);

    expect(await ran).toBe("done");
  });

  it("asks ever less often, at least once a second", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const asked: number[] = [];
    const store: IdempotencyStore = {
      ...memory,
      claim(...facts) {
        asked.push(clock.now());
        return memory.claim(...facts);
      },
    };
    const once = idempotent(() => new Promise(() => {}), {
      key,
      clock,
      name: "test",
      store,
      inFlight: "wait",
      maxWait: 61_000,
    });
    once();
    once();
    await clock.advance(60_000);

    const pauses = asked.slice(2).map((at, index) => at - asked[index + 1]!);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1_000);
    expect(Math.min(...pauses.slice(5))).toBeGreaterThanOrEqual(500);
    expect(pauses[0]).toBeLessThanOrEqual(100);
    expect(pauses[0]).toBeGreaterThanOrEqual(50);
  });

  it("is refused after maxWait, with what is left of the other's lease", async () => {
    const clock = virtualClock();
    const once = idempotent(() => new Promise(() => {}), { key, clock, inFlight: "wait", maxWait: 2_500 });
    once();
    let ended: unknown;
    const second = once().catch((error) => {
      ended = [clock.now(), error.code];
    });

    await clock.advance(60_000);

    await second;
    expect(ended).toEqual([2_500, "ERR_IDEMPOTENCY_IN_FLIGHT"]);
  });

  it("waits for as long as a lease unless told", async () => {
    const clock = virtualClock();
    const once = idempotent(() => new Promise(() => {}), { key, clock, inFlight: "wait", lease: 7_000 });
    once();
    const ended: number[] = [];
    const second = once().catch(() => ended.push(clock.now()));

    await clock.advance(60_000);

    await second;
    expect(ended).toEqual([7_000]);
  });

  it("is an error at once, and final, where it is made in the synchronous part of the one that it would wait for", async () => {
    let inner: unknown;
    const once = idempotent(
      async (): Promise<unknown> => {
        inner = await retry(once)().catch((error: Error) => error.message);
        return "outer";
      },
      { key, inFlight: "wait" },
    );

    expect(await once()).toBe("outer");
    expect(inner).toBe('the call with the key "k1" would wait for itself: it is made inside of that call');
  });

  it("may be made inside of a call with another key, or of another store or name", async () => {
    const store = memoryIdempotencyStore();
    const options = { key, store, inFlight: "wait" } as const;
    const inner = idempotent(async () => "inner", { ...options, name: "inner" });
    const own = idempotent(async () => "own", { ...options, name: "outer", store: memoryIdempotencyStore() });
    const outer = idempotent(async () => [await inner(), await own()], { ...options, name: "outer" });
    const both = idempotent(async () => Promise.all([inner(), own()]), { ...options, name: "both" });

    expect([await outer(), await both()]).toEqual([
      ["inner", "own"],
      ["inner", "own"],
    ]);
  });

  it("stops waiting at once when its attempt times out, and leaves no timer", async () => {
    const clock = virtualClock();
    const store = memoryIdempotencyStore({ clock });
    await store.claim("test:k1", await fingerprintOf(store, clock), 60_000);
    const fn = vi.fn();
    const once = retry(idempotent(fn, { key, clock, name: "test", store, inFlight: "wait" }), {
      clock,
      attemptTimeout: 300,
      stop: stopAfterAttempt(1),
    });
    const ended = expect(once()).rejects.toBeInstanceOf(AttemptTimeoutError);

    await clock.advance(300);

    await ended;
    expect(clock.pending).toBe(0);
  });

  it("stops waiting at once when the caller aborts, and leaves no timer", async () => {
    const clock = virtualClock();
    const store = memoryIdempotencyStore({ clock });
    await store.claim("test:k1", await fingerprintOf(store, clock), 60_000);
    const caller = new AbortController();
    const once = retry(idempotent(vi.fn(), { key, clock, name: "test", store, inFlight: "wait" }), {
      clock,
      signal: caller.signal,
    });
    const ended = expect(once()).rejects.toBe(busy);
    await clock.advance(1_234);

    caller.abort(busy);

    await ended;
    expect(clock.pending).toBe(0);
  });

  it("does not ask again once its attempt was abandoned", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    await memory.claim("test:k1", await fingerprintOf(memory, clock), 60_000);
    const claim = vi.fn(memory.claim);
    const once = retry(
      idempotent(vi.fn(), { key, clock, name: "test", store: { ...memory, claim }, inFlight: "wait" }),
      {
        clock,
        totalTimeout: 200,
      },
    );
    const ended = expect(once()).rejects.toBeInstanceOf(TotalTimeoutError);
    await clock.advance(200);
    await ended;
    claim.mockClear();

    await clock.advance(100_000);

    expect(claim).not.toHaveBeenCalled();
  });

  it("leaves nothing behind on the attempt when it has its result", async () => {
    const clock = virtualClock();
    const work = deferred<string>();
    const once = idempotent(() => work.promise, { key, clock, inFlight: "wait" });
    const caller = new AbortController();
    const first = once();
    const second = retry(once, { clock, signal: caller.signal, wait: waitNone })();
    await clock.advance(100);
    work.resolve("done");
    await clock.advance(1_000);

    caller.abort(busy);

    expect(await Promise.all([first, second])).toEqual(["done", "done"]);
    expect(clock.pending).toBe(0);
  });
});

/** The fingerprint of a call without arguments, as a store gets it. */
async function fingerprintOf(store: IdempotencyStore, clock: ReturnType<typeof virtualClock>): Promise<string> {
  const claim = vi.fn(store.claim);
  await idempotent(async () => {}, { key: () => "another key", name: "test", store: { ...store, claim }, clock })();
  return claim.mock.calls[0]![1];
}
