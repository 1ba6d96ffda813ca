import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import { idempotent } from "undaunted/idempotency";
import { describe, expect, it, vi } from "vitest";

const key = () => "k1";

/** What a later call of a function that returned `value` gets. */
async function replayed(value: unknown): Promise<unknown> {
  const once = idempotent(() => value, { key });
  await once();
  return once();
}

describe("a result with what rows of a database hold", () => {
  it.each<[string, unknown]>([
    ["a date", new Date(1_234)],
    ["a date before 1970, in depth", { rows: [{ at: new Date(-1) }] }],
    ["a bigint", 12_345_678_901_234_567_890n],
    ["a negative bigint in a list", [-1n]],
    ["bytes", new Uint8Array([0, 1, 255])],
    ["no bytes", new Uint8Array()],
    ["many bytes", new Uint8Array(100_000).map((_, at) => at * 7)],
    ["a part of a buffer", new Uint8Array(new ArrayBuffer(10), 3, 4)],
    ["a Buffer", Buffer.from("é🔑")],
    ["an ArrayBuffer", new Uint8Array([1, 2]).buffer],
    ["an object with the tag for a key", { $undaunted: ["date", 0] }],
    ["an object with the tag and more", { a: { $undaunted: { $undaunted: new Date(1) } }, b: 1 }],
    ["a date beside a key __proto__", { ...JSON.parse('{"__proto__":1}'), at: new Date(0) }],
  ])("comes back as it was: %s", async (_what, value) => {
    const later = await replayed(value);

    expect(isDeepStrictEqual(later, value)).toBe(true);
    expect(Object.getPrototypeOf(later)).toBe(Object.getPrototypeOf(value));
  });

  it("comes back as a date that is none where it was none", async () => {
    expect(String(await replayed(new Date(Number.NaN)))).toBe("Invalid Date");
  });

  it("is taken from another realm", async () => {
    const foreign = runInNewContext("({ at: new Date(5), bytes: new Uint8Array([7]) })");

    expect(await replayed(foreign)).toEqual({ at: new Date(5), bytes: new Uint8Array([7]) });
  });

  it("comes back as bytes where there is no Buffer any more", async () => {
    const once = idempotent(async () => Buffer.from("a"), { key });
    await once();
    vi.stubGlobal("Buffer", undefined);

    const later = await once().finally(() => vi.unstubAllGlobals());

    expect(later.constructor).toBe(Uint8Array);
    expect([...later]).toEqual([97]);
  });
});

class Money {
  constructor(readonly cents: number) {}
}

describe("serialize and deserialize", () => {
  const money = {
    serialize: (value: Money) => String(value.cents),
    deserialize: (text: string) => new Money(Number(text)),
  };

  it("take the place of JSON", async () => {
    const fn = vi.fn(async () => new Money(250));
    const once = idempotent(fn, { key, ...money });
    const first = await once();

    const later = await once();

    expect(first).toBe(await fn.mock.results[0]!.value);
    expect(later).toEqual(new Money(250));
    expect(later).toBeInstanceOf(Money);
  });

  it("settle a value, and show it", async () => {
    const fn = vi.fn(async () => new Money(1)).mockRejectedValueOnce(new DOMException("late", "TimeoutError"));
    const once = idempotent(fn, { key, ...money });
    await once().catch(() => {});
    await once.settle("k1", new Money(7));

    expect(await once()).toEqual(new Money(7));
    expect(await once.peek("k1")).toMatchObject({ state: "done", value: new Money(7) });
  });

  it.each<[string, () => unknown, string]>([
    ["throws", () => JSON.parse("{"), "serialize failed: SyntaxError"],
    ["returns no text", () => 5, "serialize must return a string; it returned a number"],
    ["returns a promise", async () => "a", "serialize must return a string; it returned a object"],
  ])("refuse a result where serialize %s, and the call does not run again", async (_what, serialize, why) => {
    const fn = vi.fn(async () => "done");
    const once = idempotent(fn, { key, serialize: serialize as () => string, deserialize: String });

    for (let call = 1; call <= 2; call++) await expect(once()).rejects.toThrow(why);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("reject a later call where deserialize throws, with its error as the cause", async () => {
    const broken = new Error("broken");
    const once = idempotent(async () => "done", {
      key,
      serialize: String,
      deserialize: () => {
        throw broken;
      },
    });
    await once();

    await expect(once()).rejects.toMatchObject({ code: "ERR_IDEMPOTENCY_RECORD", cause: broken });
  });
});

describe("onReplay", () => {
  it("hears of each result from the store: whose it is, its key, and when it was recorded", async () => {
    vi.spyOn(Date, "now").mockReturnValue(1_234);
    const onReplay = vi.fn();
    const named = idempotent(async () => 1, { key, name: "charge", onReplay });
    const own = idempotent(async function refund() {}, { key, onReplay });
    const nameless = idempotent(async () => {}, { key, onReplay });
    for (const once of [named, own, nameless]) await once();
    expect(onReplay).not.toHaveBeenCalled();
    vi.restoreAllMocks();

    for (const once of [named, own, nameless]) await once();

    expect(onReplay.mock.calls).toEqual([
      [{ name: "charge", key: "k1", at: 1_234 }],
      [{ name: "refund", key: "k1", at: 1_234 }],
      [{ name: "anonymous", key: "k1", at: 1_234 }],
    ]);
  });

  it("hears of a failure that is replayed", async () => {
    const onReplay = vi.fn();
    const once = idempotent(() => Promise.reject(new Error("declined")), { key, onFailure: () => "record", onReplay });
    await once().catch(() => {});

    await once().catch(() => {});

    expect(onReplay).toHaveBeenCalledTimes(1);
  });

  it("is waited for, and what it throws is reported", async () => {
    const order: unknown[] = [];
    const once = idempotent(async () => "done", {
      key,
      onReplay: async () => {
        await null;
        order.push("replayed");
        throw new Error("no log");
      },
      onStoreError: (error) => void order.push(String(error)),
    });
    await once();

    order.push(await once());

    expect(order).toEqual(["replayed", "Error: no log", "done"]);
  });
});
