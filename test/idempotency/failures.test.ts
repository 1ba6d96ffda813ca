import { AttemptTimeoutError, NonRetryableError, retry, TotalTimeoutError, TryAgainError } from "undaunted";
import {
  IdempotencyMismatchError,
  type IdempotencyStore,
  IdempotencyUndecidedError,
  type IdempotentOptions,
  idempotent,
  memoryIdempotencyStore,
} from "undaunted/idempotency";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deferred } from "./deferred.js";

const key = () => "k1";
const busy = new Error("busy");
const lost = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
const declined = Object.assign(new Error("card declined"), { code: "card_declined", status: 402 });

/** A function that fails once, then returns "done". */
function failingOnce(error: unknown, options: Partial<IdempotentOptions> = {}) {
  const fn = vi.fn(async (..._args: unknown[]): Promise<unknown> => "done").mockRejectedValueOnce(error);
  return { fn, once: idempotent(fn, { key, ...options }) };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a failure, by default,", () => {
  it.each<[string, unknown]>([
    ["an error of the function's own", busy],
    ["a refusal by the callee", declined],
    ["a TypeError", new TypeError("no such field")],
    ["a refused connection", Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect" })],
    ["a TryAgainError", new TryAgainError()],
    ["a TryAgainError over a lost connection", new TryAgainError({ cause: lost })],
    ["a key in use in another store", Object.assign(new Error("in flight"), { code: "ERR_IDEMPOTENCY_IN_FLIGHT" })],
    ["nothing", undefined],
    ["a text", "AbortError"],
  ])("frees the key: %s", async (_what, error) => {
    const { fn, once } = failingOnce(error);

    await expect(once()).rejects.toBe(error);
    expect(await once()).toBe("done");
    expect(fn).toHaveBeenCalledTimes(2);
  });

  it.each<[string, unknown]>([
    ["a lost connection", lost],
    ["a lost connection as a cause", new Error("charge failed", { cause: lost })],
    ["a lost connection behind a NonRetryableError", new NonRetryableError("no", { cause: lost })],
    ["an attempt's timeout", new AttemptTimeoutError(100, 1)],
    ["a call's timeout", new TotalTimeoutError(100, 1)],
    ["a signal's timeout", new DOMException("too late", "TimeoutError")],
    ["an abort", new DOMException("aborted", "AbortError")],
    ["axios' abort", Object.assign(new Error("canceled"), { name: "CanceledError", code: "ERR_CANCELED" })],
    ["an undecided call inside", new IdempotencyUndecidedError("inner")],
    [
      "a lost connection with a code that a server copied from us",
      new Error("lost", { cause: Object.assign(new Error("relayed", { cause: lost }), { code: "ERR_TRY_AGAIN" }) }),
    ],
    [
      "an abort with a code that a server copied from us",
      Object.assign(new Error("gone"), { name: "AbortError", code: "ERR_TRY_AGAIN" }),
    ],
  ])("leaves the key undecided: %s", async (_what, error) => {
    const { fn, once } = failingOnce(error);

    await expect(once()).rejects.toBe(error);
    await expect(once()).rejects.toBeInstanceOf(IdempotencyUndecidedError);
    expect(fn).toHaveBeenCalledTimes(1);
  });
});

describe("an undecided key", () => {
  it("ends later calls in an error that has the failure as its cause", async () => {
    const { once } = failingOnce(lost);
    await once().catch(() => {});

    const error = await once().catch((error: unknown) => error);

    expect(error).toMatchObject({
      name: "IdempotencyUndecidedError",
      code: "ERR_IDEMPOTENCY_UNDECIDED",
      key: "k1",
      cause: { name: "Error", message: "socket hang up", code: "ECONNRESET" },
    });
  });

  it("stays so for keep, whatever the lease", async () => {
    const clock = virtualClock();
    const { once } = failingOnce(lost, { clock, lease: 1_000, keep: 50_000 });
    await once().catch(() => {});

    await clock.advance(49_999);
    await expect(once()).rejects.toBeInstanceOf(IdempotencyUndecidedError);
    await clock.advance(1);
    expect(await once()).toBe("done");
  });

  it("ends calls that wait, too", async () => {
    const clock = virtualClock();
    const work = deferred<string>();
    const once = idempotent(() => work.promise, { key, clock, inFlight: "wait" });
    const first = once().catch((error: unknown) => error);
    const second = once().catch((error: unknown) => error);
    await clock.advance(100);

    work.reject(lost);
    await clock.advance(1_000);

    expect([await first, await second]).toEqual([lost, expect.any(IdempotencyUndecidedError)]);
  });

  it("is not retried: the call has one effect", async () => {
    const { fn, once } = failingOnce(lost);
    const pay = retry(once, instant);

    await expect(pay()).rejects.toBeInstanceOf(IdempotencyUndecidedError);
    expect([fn.mock.calls.length, pay.stats.attempts]).toEqual([1, 2]);
  });

  it("still tells other arguments apart", async () => {
    const { once } = failingOnce(lost);
    await once(1).catch(() => {});

    await expect(once(2)).rejects.toBeInstanceOf(IdempotencyMismatchError);
  });

  it("is held by a store of four methods, too", async () => {
    const { claim, renew, record, release } = memoryIdempotencyStore();
    const { once } = failingOnce(lost, { name: "test", store: { claim, renew, record, release } });
    await once().catch(() => {});

    await expect(once()).rejects.toBeInstanceOf(IdempotencyUndecidedError);
    await expect(once.settle("k1", "done")).rejects.toThrow(
      new TypeError("idempotent: the store has no method peek, which this needs"),
    );
  });

  it("is reported where the store cannot record it, and the failure stays the caller's", async () => {
    const clock = virtualClock();
    const down = new Error("down");
    const errors: unknown[] = [];
    const { once } = failingOnce(lost, {
      clock,
      name: "test",
      store: { ...memoryIdempotencyStore({ clock }), record: () => Promise.reject(down) },
      onStoreError: (error) => void errors.push(error),
      lease: 1_000,
    });
    const failed = expect(once()).rejects.toBe(lost);

    await clock.advance(3_000);

    await failed;
    expect(errors).toEqual([down]);
  });

  it("is reported where its lease was lost meanwhile", async () => {
    const errors: unknown[] = [];
    const store = { ...memoryIdempotencyStore(), record: async () => false };
    const { once } = failingOnce(lost, { name: "test", store, onStoreError: (error) => void errors.push(error) });

    await expect(once()).rejects.toBe(lost);

    expect(errors).toEqual([expect.objectContaining({ code: "ERR_IDEMPOTENCY_RECORD" })]);
  });
});

describe("onFailure", () => {
  it("frees the key where the callee takes it itself", async () => {
    const { once } = failingOnce(lost, { onFailure: () => "free" });

    expect(await retry(once, instant)()).toBe("done");
  });

  it("holds the key where it says so", async () => {
    const { once } = failingOnce(busy, { onFailure: () => "hold" });
    await once().catch(() => {});

    await expect(once()).rejects.toBeInstanceOf(IdempotencyUndecidedError);
  });

  it("is asked about the error, and not about a TryAgainError", async () => {
    const onFailure = vi.fn(() => "free" as const);
    const fn = flaky([busy, new TryAgainError(), "done"]);

    expect(await retry(idempotent(fn, { key, onFailure }), instant)()).toBe("done");
    expect(onFailure.mock.calls).toEqual([[busy]]);
  });

  it("records a failure that later calls meet again, with its name, code and message", async () => {
    const { fn, once } = failingOnce(declined, { onFailure: () => "record" });
    await expect(once()).rejects.toBe(declined);

    const error = await once().catch((error: unknown) => error);

    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBe(declined);
    expect(error).toMatchObject({ name: "Error", message: "card declined", code: "card_declined", status: 402 });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("is final where it records: neither the failure nor its replay is retried", async () => {
    const { once } = failingOnce(declined, { onFailure: () => "record" });
    const pay = retry(once, instant);

    await expect(pay()).rejects.toBe(declined);
    await expect(pay()).rejects.toMatchObject({ message: "card declined" });
    expect(pay.stats.attempts).toBe(2);
  });

  it.each<[string, () => unknown, string]>([
    ["throws", () => expectError("no classifier"), "no classifier"],
    ["returns another word", () => "keep", 'what onFailure returns must be "free", "hold" or "record", got "keep"'],
    ["returns nothing", () => undefined, 'must be "free", "hold" or "record", got undefined'],
    ["returns a promise", () => Promise.reject(busy), "onFailure must be synchronous"],
  ])("means hold where it %s, and that is reported", async (_what, onFailure, why) => {
    const errors: unknown[] = [];
    const { once } = failingOnce(busy, {
      onFailure: onFailure as () => "hold",
      onStoreError: (error) => void errors.push(error),
    });

    await expect(once()).rejects.toBe(busy);
    await expect(once()).rejects.toBeInstanceOf(IdempotencyUndecidedError);
    expect(String(errors)).toContain(why);
  });
});

describe("settle", () => {
  it("decides that an undecided call was done", async () => {
    const { fn, once } = failingOnce(lost);
    await once().catch(() => {});

    expect(await once.settle("k1", { receipt: 7n })).toBe(true);

    expect(await once()).toEqual({ receipt: 7n });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("changes nothing where the key is not undecided", async () => {
    const work = deferred<string>();
    const once = idempotent(() => work.promise, { key });

    expect(await once.settle("k1", "settled")).toBe(false);
    const first = once();
    expect(await once.settle("k1", "settled")).toBe(false);
    work.resolve("done");
    await first;
    expect(await once.settle("k1", "settled")).toBe(false);
    expect(await once()).toBe("done");
  });

  it("refuses what cannot be kept, and what is no key", async () => {
    const { once } = failingOnce(lost);

    await expect(once.settle("k1", new Map())).rejects.toThrow(
      new TypeError(
        "idempotent: settle's value cannot be kept: the result is of the kind Map, which JSON does not have",
      ),
    );
    await expect(once.settle("", 1)).rejects.toThrow("idempotent: settle's key must be a string of Unicode characters");
  });

  it("makes up one of two minds", async () => {
    const { once } = failingOnce(lost);
    await once().catch(() => {});

    expect(await Promise.all([once.settle("k1", "a"), once.forget("k1"), once.settle("k1", "b")])).toEqual([
      true,
      false,
      false,
    ]);
    expect(await once()).toBe("a");
  });
});

describe("forget", () => {
  it("frees an undecided key", async () => {
    const { once } = failingOnce(lost);
    await once().catch(() => {});

    expect(await once.forget("k1")).toBe(true);
    expect(await once()).toBe("done");
  });

  it("frees a key with a result", async () => {
    const fn = vi.fn(async () => fn.mock.calls.length);
    const once = idempotent(fn, { key });
    await once();

    expect(await once.forget("k1")).toBe(true);
    expect(await once()).toBe(2);
  });

  it("leaves a running call and a free key alone", async () => {
    const once = idempotent(() => new Promise(() => {}), { key });
    expect(await once.forget("k1")).toBe(false);
    void once();

    expect(await once.forget("k1")).toBe(false);
    await expect(once()).rejects.toMatchObject({ code: "ERR_IDEMPOTENCY_IN_FLIGHT" });
  });
});

describe("peek", () => {
  it("shows what stands under a key, and changes nothing", async () => {
    const clock = virtualClock();
    vi.spyOn(Date, "now").mockReturnValue(1_234);
    const work = deferred<unknown>();
    const fns = { running: () => work.promise, done: async () => [1n], undecided: () => Promise.reject(lost) };
    const once = idempotent(async (what: string) => (fns as Record<string, () => unknown>)[what]?.(), {
      key: (what) => what,
      clock,
      lease: 9_000,
    });
    await Promise.allSettled([once("done"), once("undecided"), Promise.race([once("running"), clock.advance(1_000)])]);

    expect(await once.peek("free")).toBeUndefined();
    expect(await once.peek("running")).toEqual({ state: "running", retryAfter: 8_000 });
    expect(await once.peek("done")).toEqual({ state: "done", at: 1_234, value: [1n] });
    expect(await once.peek("undecided")).toMatchObject({
      state: "undecided",
      at: 1_234,
      error: { code: "ECONNRESET" },
    });
  });

  it("shows recorded failures, and results that could not be kept", async () => {
    const failed = failingOnce(declined, { onFailure: () => "record" }).once;
    const unkept = idempotent(async () => new Map(), { key });
    await Promise.allSettled([failed(), unkept()]);

    expect(await failed.peek("k1")).toMatchObject({ state: "failed", error: { message: "card declined" } });
    expect(await unkept.peek("k1")).toMatchObject({ state: "unrecorded", why: expect.stringContaining("Map") });
  });
});

describe("wasDone", () => {
  const asked = (answer: unknown) => {
    const wasDone = vi.fn(async (..._facts: unknown[]) => answer);
    return { wasDone, ...failingOnce(lost, { wasDone: wasDone as never }) };
  };

  it("gives the call the result that it found, and records it", async () => {
    const { wasDone, fn, once } = asked({ value: "found" });
    await once("a", 1).catch(() => {});

    expect([await once("a", 1), await once("a", 1)]).toEqual(["found", "found"]);
    expect(wasDone.mock.calls).toEqual([["k1", "a", 1]]);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("lets the call run where it found none", async () => {
    const { fn, once } = asked(false);
    await once().catch(() => {});

    expect(await once()).toBe("done");
    expect(fn).toHaveBeenCalledTimes(2);
  });

  it("leaves the key undecided where it does not know", async () => {
    const { once } = asked(undefined);
    await once().catch(() => {});

    await expect(once()).rejects.toMatchObject({ code: "ERR_IDEMPOTENCY_UNDECIDED", cause: { code: "ECONNRESET" } });
  });

  it("leaves the key undecided where it fails, and that is the cause", async () => {
    const { once } = failingOnce(lost, { wasDone: () => Promise.reject(busy) });
    await once().catch(() => {});

    await expect(once()).rejects.toMatchObject({ code: "ERR_IDEMPOTENCY_UNDECIDED", cause: busy });
  });

  it.each([true, null, "done", {}])("leaves the key undecided where it returns %j", async (answer) => {
    const { once } = asked(answer);
    await once().catch(() => {});

    await expect(once()).rejects.toMatchObject({
      code: "ERR_IDEMPOTENCY_UNDECIDED",
      cause: new TypeError("idempotent: what wasDone returns must be { value }, false or undefined"),
    });
  });

  it("is asked with the call's this", async () => {
    const shop = {
      name: "north",
      order: idempotent(
        vi
          .fn(async function (this: { name: string }) {
            return "done";
          })
          .mockRejectedValueOnce(lost) as (this: { name: string }) => Promise<string>,
        {
          key,
          wasDone() {
            return { value: this.name };
          },
        },
      ),
    };
    await shop.order().catch(() => {});

    expect(await shop.order()).toBe("north");
  });

  it("lets one of two calls run where it found nothing", async () => {
    const { fn, once } = asked(false);
    await once().catch(() => {});

    const outcomes = await Promise.allSettled([once(), once()]);

    expect(fn).toHaveBeenCalledTimes(2);
    expect(outcomes.map(({ status }) => status)).toContain("fulfilled");
  });

  it("gives way to a decision that was made meanwhile", async () => {
    const found = deferred<{ value: string }>();
    const { once } = failingOnce(lost, { wasDone: () => found.promise });
    await once().catch(() => {});
    const second = once();
    await vi.waitFor(async () => expect(await once.settle("k1", "settled")).toBe(true));

    found.resolve({ value: "found" });

    expect(await second).toBe("settled");
  });

  it("is told in a retry whether to repeat what was lost", async () => {
    const { fn, once } = asked({ value: "found" });

    expect(await retry(once, instant)()).toBe("found");
    expect(fn).toHaveBeenCalledTimes(1);
  });
});

function expectError(message: string): never {
  throw new Error(message);
}

describe("a record that cannot be read", () => {
  it.each([
    ["no JSON", "not JSON"],
    ["of an unknown kind", '{"value":{"$undaunted":["moment",1]},"at":1}'],
    ["of a serialize that is missing", '{"text":"a","at":1}'],
  ])("is an IdempotencyRecordError: %s", async (_what, record) => {
    const memory = memoryIdempotencyStore();
    const store: IdempotencyStore = {
      ...memory,
      claim: async (_k, fingerprint) => ({ state: "done", fingerprint, record }),
    };
    const once = idempotent(vi.fn(), { key, name: "test", store });

    const error = await once().catch((error: unknown) => error);

    expect(error).toMatchObject({ code: "ERR_IDEMPOTENCY_RECORD", cause: expect.any(Error) });
    expect(String(error)).toContain("its record cannot be read");
  });
});
