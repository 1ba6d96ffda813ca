import {
  AttemptTimeoutError,
  currentAttempt,
  NonRetryableError,
  retry,
  retryIfError,
  retryNever,
  stopAfterAttempt,
  TotalTimeoutError,
  waitFixed,
  waitFromError,
} from "undaunted";
import {
  type IdempotencyInFlightError,
  IdempotencyMismatchError,
  IdempotencyRecordError,
  idempotent,
  memoryIdempotencyStore,
} from "undaunted/idempotency";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "./deferred.js";

const busy = new Error("busy");
const key = () => "k1";

describe("retry around an idempotent function", () => {
  it("runs the function again after a failure, under the same key", async () => {
    const fn = flaky([busy, busy, "done"]);
    const once = retry(idempotent(fn, { key }), instant);

    expect(await once("a")).toBe("done");
    expect(fn.calls).toEqual([["a"], ["a"], ["a"]]);
  });

  it("shows the function its attempt", async () => {
    const attempts: number[] = [];
    const once = retry(
      idempotent(
        async () => {
          const { attempt } = currentAttempt();
          if (attempts.push(attempt) < 3) throw busy;
          return "done";
        },
        { key },
      ),
      instant,
    );
    await once();

    expect(attempts).toEqual([1, 2, 3]);
  });

  it("ends the attempt's signal inside the function", async () => {
    const clock = virtualClock();
    const seen: unknown[] = [];
    const once = retry(
      idempotent(
        () => {
          const { signal } = currentAttempt();
          return new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              seen.push(signal.reason);
              reject(signal.reason);
            });
          });
        },
        { key, clock },
      ),
      { clock, attemptTimeout: 100, stop: stopAfterAttempt(1) },
    );
    const ended = expect(once()).rejects.toBeInstanceOf(AttemptTimeoutError);

    await clock.advance(100);

    await ended;
    expect(seen).toEqual([expect.any(AttemptTimeoutError)]);
  });

  it("gives a later attempt the result of one that was given up too early", async () => {
    const clock = virtualClock();
    const work = deferred<string>();
    const fn = vi.fn(() => work.promise);
    const once = retry(idempotent(fn, { key, clock }), { clock, attemptTimeout: 100, wait: waitFixed(50) });
    const result = once();

    await clock.advance(110);
    work.resolve("done");
    await clock.advance(100);

    expect(await result).toBe("done");
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("lets a later attempt wait for the result of one that was given up too early", async () => {
    const clock = virtualClock();
    const work = deferred<string>();
    const fn = vi.fn(() => work.promise);
    const once = retry(idempotent(fn, { key, clock, inFlight: "wait" }), {
      clock,
      attemptTimeout: 1_000,
      wait: waitFixed(0),
    });
    const result = once();

    await clock.advance(1_500);
    work.resolve("done");
    await clock.advance(500);

    expect(await result).toBe("done");
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("is told when to come again by a call in flight", async () => {
    const clock = virtualClock();
    const store = memoryIdempotencyStore({ clock });
    const still = { ...clock, setTimer: () => () => {} };
    idempotent(() => new Promise(() => {}), { key, clock: still, name: "test", store, lease: 7_000 })();
    const once = retry(
      idempotent(async () => "done", { key, clock, name: "test", store }),
      {
        clock,
        wait: waitFromError((error) => (error as IdempotencyInFlightError).retryAfter, waitFixed(0)),
      },
    );
    const result = once();

    await clock.advance(7_000);

    expect(await result).toBe("done");
  });

  it("tries a call in flight again, like any error", async () => {
    const work = deferred<string>();
    const once = idempotent(() => work.promise, { key });
    const first = once();
    const again = retry(once, {
      ...instant,
      onRetry: ({ outcome }) => {
        expect(outcome).toMatchObject({ error: { code: "ERR_IDEMPOTENCY_IN_FLIGHT" } });
        work.resolve("done");
      },
    });

    expect(await again()).toBe("done");
    expect(await first).toBe("done");
  });
});

describe("an attempt that was abandoned while the store took its time", () => {
  it("does not begin the function any more, and frees the key", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const claimed = deferred();
    const fn = vi.fn(async () => "done");
    const store = {
      ...memory,
      claim: async (...facts: Parameters<typeof memory.claim>) => {
        await claimed.promise;
        return memory.claim(...facts);
      },
    };
    const once = retry(idempotent(fn, { key, clock, name: "test", store }), { clock, totalTimeout: 100 });
    const ended = expect(once()).rejects.toBeInstanceOf(TotalTimeoutError);
    await clock.advance(100);
    await ended;

    claimed.resolve();
    await clock.advance(0);

    expect(fn).not.toHaveBeenCalled();
    expect(await memory.claim("test:k1", "f", 1)).toMatchObject({ state: "won" });
    expect(clock.pending).toBe(0);
  });
});

describe("an error that another attempt would only meet again", () => {
  const refused = async () => ({ at: new Map() });

  it("is a mismatch: it is not retried", async () => {
    const once = idempotent(async (_amount: number) => "done", { key });
    await once(1);
    const again = retry(vi.fn(once), { ...instant, retryIf: retryIfError() });

    await expect(again(2)).rejects.toBeInstanceOf(IdempotencyMismatchError);
    expect(again.stats.attempts).toBe(1);
  });

  it("is a result without a record: it is not retried", async () => {
    const again = retry(idempotent(refused, { key }), { ...instant, retryIf: retryIfError() });

    await expect(again()).rejects.toBeInstanceOf(IdempotencyRecordError);
    expect(again.stats.attempts).toBe(1);
  });

  it("is not retried either where it is another error's cause", async () => {
    const fn = vi.fn(refused);
    const once = idempotent(fn, { key });
    const again = retry(async () => {
      try {
        return await once();
      } catch (cause) {
        throw new Error("the order failed", { cause });
      }
    }, instant);

    await expect(again()).rejects.toThrow("the order failed");
    expect(again.stats.attempts).toBe(1);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("is not retried by a policy that retries what is exhausted", async () => {
    const again = retry(idempotent(refused, { key }), { ...instant, retryExhausted: true });

    await expect(again()).rejects.toBeInstanceOf(IdempotencyRecordError);
    expect(again.stats.attempts).toBe(1);
  });

  it("is not retried by any of several policies", async () => {
    const inner = retry(idempotent(refused, { key }), instant);
    const outer = retry(async () => inner(), instant);

    await expect(outer()).rejects.toBeInstanceOf(IdempotencyRecordError);
    expect([inner.stats.attempts, outer.stats.attempts]).toEqual([1, 1]);
  });
});

describe("retry inside an idempotent function", () => {
  it("is the one that gives up: a retry around it does not multiply its attempts", async () => {
    const inner = retry(flaky(Array(20).fill(busy)), instant);
    const outer = retry(idempotent(inner, { key }), instant);

    await expect(outer()).rejects.toBe(busy);
    expect([inner.stats.attempts, outer.stats.attempts]).toEqual([4, 1]);
  });

  it("runs once for the key", async () => {
    const inner = retry(flaky([busy, "done"]), instant);
    const once = idempotent(inner, { key });

    expect(await once()).toBe("done");
    expect(await once()).toBe("done");
    expect(inner.stats.calls).toBe(1);
  });

  it("frees the key where it is told not to go on", async () => {
    const once = idempotent(retry(flaky([new NonRetryableError("no", { cause: busy }), "done"]), instant), { key });

    await expect(once()).rejects.toBe(busy);
    expect(await once()).toBe("done");
  });
});

describe("the store's own tries at recording", () => {
  it("are made whatever the policy around the call says", async () => {
    const clock = virtualClock();
    const memory = memoryIdempotencyStore({ clock });
    const record = vi.fn(memory.record).mockRejectedValueOnce(busy);
    const once = retry(
      idempotent(async () => "done", { key, clock, name: "test", store: { ...memory, record } }),
      {
        clock,
        retryIf: retryNever,
      },
    );
    const result = once();
    await clock.advance(1_000);

    expect(await result).toBe("done");
    expect(record).toHaveBeenCalledTimes(2);
  });
});
