import { currentAttempt, retry } from "undaunted";
import {
  IdempotencyInFlightError,
  IdempotencyMismatchError,
  idempotent,
  memoryIdempotencyStore,
} from "undaunted/idempotency";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "./deferred.js";

const busy = new Error("busy");
const key = () => "k1";

describe("idempotent", () => {
  it("runs the first call with a key", async () => {
    const pay = idempotent(async (order: string) => `${order} paid`, { key: (order) => order });

    expect(await pay("A1")).toBe("A1 paid");
  });

  it("gives a later call the recorded result, and does not call the function", async () => {
    const fn = vi.fn(async (order: string) => ({ receipt: `${order} paid` }));
    const pay = idempotent(fn, { key: (order) => order });
    await pay("A1");

    expect(await pay("A1")).toEqual({ receipt: "A1 paid" });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("runs once for each key", async () => {
    const fn = vi.fn(async (order: string) => `${order} paid`);
    const pay = idempotent(fn, { key: (order) => order });

    expect(await Promise.all([pay("A1"), pay("A2")])).toEqual(["A1 paid", "A2 paid"]);
    expect(fn).toHaveBeenCalledTimes(2);
  });

  it("records a result that is undefined", async () => {
    const fn = vi.fn(async () => {});
    const once = idempotent(fn, { key });
    await once();

    expect(await once()).toBeUndefined();
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("wraps a sync function, and one of a thenable", async () => {
    const sync = idempotent(() => 1, { key });
    const thenable = idempotent(() => ({ then: (resolve: (value: number) => void) => resolve(2) }), { key });

    expect(await Promise.all([sync(), thenable()])).toEqual([1, 2]);
    expect(await Promise.all([sync(), thenable()])).toEqual([1, 2]);
  });

  it("calls the function with the call's own this and arguments", async () => {
    const order = async function (this: unknown, ...args: unknown[]): Promise<unknown[]> {
      return [this === shop, args];
    };
    const shop: { order: typeof order } = { order: idempotent(order, { key }) };

    expect(await shop.order("tea", 2)).toEqual([true, ["tea", 2]]);
  });

  it("keeps the function's name, length and properties", () => {
    const pay = idempotent(
      Object.assign(async function pay(_order: string, _amount: number) {}, { path: "/pay" }),
      { key },
    );

    expect([pay.name, pay.length, pay.path]).toEqual(["pay", 2, "/pay"]);
  });

  it("forgets a result when its time is over", async () => {
    const clock = virtualClock();
    const fn = vi.fn(async () => fn.mock.calls.length);
    const once = idempotent(fn, { key, keep: 1_000, clock });
    await once();

    await clock.advance(999);
    expect(await once()).toBe(1);
    await clock.advance(1);
    expect(await once()).toBe(2);
  });

  it("keeps a result for a day unless told", async () => {
    const clock = virtualClock();
    const fn = vi.fn(async () => fn.mock.calls.length);
    const once = idempotent(fn, { key, clock });
    await once();

    await clock.advance(86_400_000 - 1);
    expect(await once()).toBe(1);
    await clock.advance(1);
    expect(await once()).toBe(2);
  });

  it("gives each function a store of its own unless told", async () => {
    const a = idempotent(async () => "a", { key });
    const b = idempotent(async () => "b", { key });

    expect([await a(), await b()]).toEqual(["a", "b"]);
  });

  it("shares results through a store", async () => {
    const store = memoryIdempotencyStore();
    const a = idempotent(async () => "a", { key, name: "test", store });
    const b = idempotent(async () => "b", { key, name: "test", store });

    expect([await a(), await b()]).toEqual(["a", "a"]);
  });

  it("keeps results of two names apart in one store", async () => {
    const store = memoryIdempotencyStore();
    const charge = idempotent(async () => "charged", { key, name: "charge", store });
    const refund = idempotent(async () => "refunded", { key, name: "refund", store });

    expect([await charge(), await refund(), await charge()]).toEqual(["charged", "refunded", "charged"]);
  });

  it("gives the store its name and the key", async () => {
    const memory = memoryIdempotencyStore();
    const claim = vi.fn(memory.claim);
    await idempotent(async () => "a", { key, name: "a.b-c_1", store: { ...memory, claim } })();

    expect(claim.mock.calls[0]![0]).toBe("a.b-c_1:k1");
  });
});

describe("the key", () => {
  it("is made from the call's this and arguments", async () => {
    const shop = {
      name: "north",
      order: idempotent(
        async function (this: { name: string }, item: string) {
          return `${item} of ${this.name}`;
        },
        {
          key(item) {
            keys.push(`${this.name}/${item}`);
            return keys.at(-1)!;
          },
        },
      ),
    };
    const keys: string[] = [];

    await shop.order("tea");

    expect(keys).toEqual(["north/tea"]);
  });

  it("is made while the attempt is the current one", async () => {
    const once = retry(idempotent(async () => "done", { key: () => `try ${currentAttempt().attempt}` }));

    expect(await once()).toBe("done");
  });

  it.each([
    ["is empty", () => "", "got "],
    ["is a number", () => 42, "got 42"],
    ["is undefined", () => undefined, "got undefined"],
    ["has a zero in it, which PostgreSQL cannot keep", () => "a\0b", "got "],
    ["has half a character in it, which no server tells from another half", () => "a\ud800b", "got "],
    ["is an object", () => ({}), "got [object Object]"],
  ])("is refused where it %s", async (_what, answer, got) => {
    const fn = vi.fn();
    const once = idempotent(fn, { key: answer as () => string });

    const refused = expect(once()).rejects;

    await refused.toThrow(TypeError);
    await expect(once()).rejects.toThrow(
      "idempotent: what key returns must be a string of Unicode characters, not empty",
    );
    await expect(once()).rejects.toThrow(got);
    expect(fn).not.toHaveBeenCalled();
  });

  it("is refused where it is a promise, whose rejection is nobody's", async () => {
    const once = idempotent(async () => "done", { key: (() => Promise.reject(busy)) as unknown as () => string });

    await expect(once()).rejects.toThrow(new TypeError("idempotent: key must be synchronous; it returned a promise"));
  });

  it("may hold characters of any plane", async () => {
    const fn = vi.fn(async () => "done");
    const once = idempotent(fn, { key: () => "ключ 🔑 '\"\\\n" });
    await once();

    expect(await once()).toBe("done");
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("that throws rejects the call with what it throws", async () => {
    const fn = vi.fn();
    const once = idempotent(fn, {
      key: () => {
        throw busy;
      },
    });

    await expect(once()).rejects.toBe(busy);
    expect(fn).not.toHaveBeenCalled();
  });
});

const cycle: { self?: unknown } = {};
cycle.self = cycle;

class Order {
  constructor(readonly id: unknown) {}
}
class Url {
  readonly #href: string;
  constructor(href: string) {
    this.#href = href;
  }
  toJSON() {
    return this.#href;
  }
}

describe("a call with other arguments under the same key", () => {
  it("is refused once there is a result", async () => {
    const fn = vi.fn(async (amount: number) => amount);
    const pay = idempotent(fn, { key });
    await pay(100);

    const error = await pay(200).catch((error: unknown) => error);

    expect(error).toBeInstanceOf(IdempotencyMismatchError);
    expect(error).toMatchObject({ code: "ERR_IDEMPOTENCY_MISMATCH", key: "k1" });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it.each(["refuse", "wait"] as const)(
    "is refused while the first runs, where calls in flight %s",
    async (inFlight) => {
      const work = deferred();
      const pay = idempotent((_amount: number) => work.promise, { key, inFlight });
      pay(100);

      await expect(pay(200)).rejects.toBeInstanceOf(IdempotencyMismatchError);
    },
  );

  it.each([
    ["in a value", [{ amount: 1 }], [{ amount: 2 }]],
    ["in number", [1], [1, 2]],
    ["in depth", [[1, [2]]], [[1, [3]]]],
    ["in kind", [1], ["1"]],
    ["by undefined for null", [undefined, 1], [null, 1]],
    ["by null for nothing", [], [null]],
    ["in a date", [new Date(0)], [new Date(1)]],
    ["by a date for its text", [new Date(0)], [new Date(0).toJSON()]],
    ["in a bigint", [1n], [2n]],
    ["by a bigint for a number", [1n], [1]],
    ["in bytes", [new Uint8Array([1])], [new Uint8Array([2])]],
    ["in a buffer", [new Uint8Array([1]).buffer], [new Uint8Array([2]).buffer]],
    ["in an instance's property", [new Order("a")], [new Order("b")]],
    ["in what an instance says of itself", [new Url("a")], [new Url("b")]],
    ["in a map", [new Map([["a", 1]])], [new Map([["a", 2]])]],
    ["in a set", [new Set([1])], [new Set([2])]],
    ["in URL parameters", [new URLSearchParams("a=1")], [new URLSearchParams("a=2")]],
    ["by NaN for null", [Number.NaN], [null]],
    ["in an error's message", [new Error("a")], [new Error("b")]],
    ["in a regular expression", [/a/], [/b/]],
    ["in a list's undefined", [[undefined]], [[null]]],
    ["by a list for what a date is written as", [new Date(0)], [["date", 0]]],
  ])("is refused where they differ %s", async (_what, first, second) => {
    const once = idempotent(async (..._args: unknown[]) => "done", { key });
    await once(...first);

    await expect(once(...second)).rejects.toBeInstanceOf(IdempotencyMismatchError);
  });

  it.each([
    ["in the order of keys", [{ a: 1, b: { c: 1, d: 2 } }], [{ b: { d: 2, c: 1 }, a: 1 }]],
    ["by a property that is undefined", [{ a: 1, b: undefined }], [{ a: 1 }]],
    ["by an undefined at the end", ["a", undefined], ["a"]],
    ["by a class", [new Order("a")], [{ id: "a" }]],
    ["in which object it is, of a date", [new Date(0)], [new Date(0)]],
    ["by a generator, which is for the function to read", [[1].values()], [[2].values()]],
  ])("is not another one where they differ %s only", async (_what, first, second) => {
    const once = idempotent(async (..._args: unknown[]) => "done", { key });
    await once(...first);

    expect(await once(...second)).toBe("done");
  });

  it("goes by their values when it was made", async () => {
    const work = deferred();
    const pay = idempotent(async (_order: { amount: number }) => work.promise, { key });
    const order = { amount: 100 };
    const first = pay(order);

    order.amount = 200;
    work.resolve();
    await first;

    await expect(pay({ amount: 100 })).resolves.toBeUndefined();
  });

  it.each([
    ["a function", () => {}, "argument 2 is a function, which JSON does not have"],
    ["a symbol", Symbol("s"), "argument 2 is a symbol, which JSON does not have"],
    ["a cycle", cycle, "argument 2.self is a cycle"],
    [
      "an object with a symbol for a key",
      { [Symbol("s")]: 1 },
      "argument 2 has a symbol for a key, which JSON does not have",
    ],
    [
      "a getter that throws",
      {
        get a() {
          throw busy;
        },
      },
      "an argument cannot be made JSON: Error: busy",
    ],
  ])("cannot be told where an argument is %s: the call is refused", async (_what, argument, why) => {
    const fn = vi.fn();
    const once = idempotent(fn, { key });

    await expect(once("a", argument)).rejects.toThrow(
      new TypeError(`idempotent: ${why}; give a fingerprint of your own`),
    );
    expect(fn).not.toHaveBeenCalled();
  });

  it("names what an argument's getter threw as the cause", async () => {
    const argument = {
      get a() {
        throw busy;
      },
    };

    await expect(idempotent(vi.fn(), { key })(argument)).rejects.toHaveProperty("cause", busy);
  });
});

describe("a fingerprint of one's own", () => {
  it("tells calls apart in place of the arguments", async () => {
    const pay = idempotent(async (_amount: number, _at: Date) => "paid", {
      key,
      fingerprint: (amount) => String(amount),
    });
    await pay(1, new Date(0));

    expect(await pay(1, new Date(1))).toBe("paid");
    await expect(pay(2, new Date(0))).rejects.toBeInstanceOf(IdempotencyMismatchError);
  });

  it("gets the call's this", async () => {
    const shop = {
      name: "north",
      order: idempotent(
        async function (this: { name: string }) {
          return this.name;
        },
        {
          key,
          fingerprint() {
            return this.name;
          },
        },
      ),
    };
    await shop.order();

    await expect(shop.order.call({ name: "south" })).rejects.toBeInstanceOf(IdempotencyMismatchError);
  });

  it("may be empty", async () => {
    const once = idempotent(async (_any: unknown) => "done", { key, fingerprint: () => "" });
    await once(1);

    expect(await once(2)).toBe("done");
  });

  it("is kept as a hash only", async () => {
    const store = memoryIdempotencyStore();
    const once = idempotent(async () => "done", { key, name: "test", store, fingerprint: () => "secret" });
    await once();

    const claim = await store.claim("test:k1", "", 1);

    expect(claim).toMatchObject({ state: "done", fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  it.each([
    ["a number", () => 42, "idempotent: what fingerprint returns must be a string, got 42"],
    ["undefined", () => undefined, "idempotent: what fingerprint returns must be a string, got undefined"],
    ["a promise", () => Promise.reject(busy), "idempotent: fingerprint must be synchronous; it returned a promise"],
  ])("is refused where it is %s", async (_what, answer, why) => {
    const fn = vi.fn();
    const once = idempotent(fn, { key, fingerprint: answer as unknown as () => string });

    await expect(once()).rejects.toThrow(new TypeError(why));
    expect(fn).not.toHaveBeenCalled();
  });

  it("that throws rejects the call with what it throws, and holds no key", async () => {
    const fingerprint = flaky<string>([busy, "f"]);
    const once = idempotent(async () => "done", { key, fingerprint });

    await expect(once()).rejects.toBe(busy);
    expect(await once()).toBe("done");
  });
});

describe("a failure", () => {
  it("frees the key, and is the caller's unchanged", async () => {
    const once = idempotent(flaky([busy, "done"]), { key });

    await expect(once()).rejects.toBe(busy);
    expect(await once()).toBe("done");
  });

  it("by a sync throw frees the key too", async () => {
    const once = idempotent(
      flaky([
        () => {
          throw busy;
        },
        "done",
      ]) as () => string,
      { key },
    );

    await expect(once()).rejects.toBe(busy);
    expect(await once()).toBe("done");
  });

  it.each([undefined, null, "text", Object.freeze({ frozen: true })])("of %s comes back as it is", async (thrown) => {
    const once = idempotent(() => Promise.reject(thrown), { key });

    await expect(once()).rejects.toBe(thrown);
  });

  it("frees the key for other arguments", async () => {
    const pay = idempotent(flaky<Promise<string>>([Promise.reject(busy), Promise.resolve("paid")]), { key });

    await expect(pay(100)).rejects.toBe(busy);
    expect(await pay(200)).toBe("paid");
  });
});

describe("a call while another with its key runs", () => {
  it("is refused, and told how long the other's lease lasts", async () => {
    const clock = virtualClock();
    const work = deferred();
    const fn = vi.fn(() => work.promise);
    const once = idempotent(fn, { key, clock, lease: 9_000 });
    once();
    await clock.advance(1_000);

    const error = await once().catch((error: unknown) => error);

    expect(error).toBeInstanceOf(IdempotencyInFlightError);
    expect(error).toMatchObject({ code: "ERR_IDEMPOTENCY_IN_FLIGHT", key: "k1", retryAfter: 8_000 });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("is told the median of the function's last runs, at most what is left of the lease", async () => {
    const clock = virtualClock();
    const once = idempotent(
      (_key: string, ms: number) => new Promise<void>((resolve) => void clock.setTimer(resolve, ms)),
      {
        key: (id) => id,
        clock,
        lease: 900,
        fingerprint: () => "",
      },
    );
    const retryAfter = async (id: string) => {
      void once(id, 1e6);
      await clock.advance(0);
      return once(id, 1).catch((error: IdempotencyInFlightError) => error.retryAfter);
    };
    const run = async (...times: number[]) => {
      for (const ms of times) {
        const ran = once(`run ${clock.now()} ${ms}`, ms);
        await clock.advance(ms);
        await ran;
      }
    };

    await run(300, 100, 200);
    expect(await retryAfter("a")).toBe(200);
    await run(5_000, 5_000, 5_000);
    expect(await retryAfter("b")).toBe(300);
    await run(...Array(15).fill(7_000));
    expect(await retryAfter("c")).toBe(900);
  });

  it("leaves the other one's result alone when it is refused", async () => {
    const work = deferred<string>();
    const once = idempotent(() => work.promise, { key });
    const first = once();
    await once().catch(() => {});
    work.resolve("done");

    expect(await first).toBe("done");
    expect(await once()).toBe("done");
  });

  it("comes after it in the store, since a call asks for its key at once", () => {
    const store = memoryIdempotencyStore();
    const claim = vi.fn(store.claim);
    const once = idempotent(async () => "done", { key, name: "test", store: { ...store, claim } });

    once();

    expect(claim).toHaveBeenCalledTimes(1);
  });
});
