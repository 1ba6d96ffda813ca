import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { retry } from "undaunted";
import { IdempotencyRecordError, idempotent, memoryIdempotencyStore } from "undaunted/idempotency";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const key = () => "k1";

/** What the first call of a function that returns `value` ends in, then a later one; and how often it was called. */
async function twice(value: unknown) {
  // Not from an async function: a value with a `then` would be awaited.
  const fn = vi.fn(() => value);
  const once = idempotent(fn, { key });
  const outcome = () =>
    once().then(
      (value) => ({ ok: true as const, value }),
      (error) => ({ ok: false as const, error }),
    );
  return { first: await outcome(), later: await outcome(), calls: fn.mock.calls.length };
}

class Money {
  constructor(readonly amount: number) {}
}
class Moment extends Date {}
class Bytes extends Uint8Array {}
class Rows<T> extends Array<T> {}
class Lone extends (null as unknown as ObjectConstructor) {
  static make() {
    return Object.create(Lone.prototype);
  }
}

const cycle: { self?: unknown } = {};
cycle.self = { deeper: [cycle] };

function args(..._args: unknown[]): unknown {
  // biome-ignore lint/complexity/noArguments: it is what the test is about
  return arguments;
}

function nested(depth: number): unknown {
  let value: unknown = "end";
  for (let level = 0; level < depth; level++) value = { value };
  return value;
}

describe("a result that JSON would change", () => {
  it.each<[string, unknown, string]>([
    ["a date of a class", new Moment(0), "the result is of the kind Date, which JSON does not have"],
    ["a date of a class in depth", { orders: [{ at: new Moment(0) }] }, "the result.orders[0].at is of the kind Date"],
    ["NaN", { rate: Number.NaN }, "the result.rate is NaN, which JSON does not have"],
    ["infinity", [-Infinity], "the result[0] is -Infinity, which JSON does not have"],
    ["a function", () => {}, "the result is a function, which JSON does not have"],
    ["a symbol", [Symbol("s")], "the result[0] is a symbol, which JSON does not have"],
    ["a map", new Map(), "the result is of the kind Map"],
    ["a set", new Set(), "the result is of the kind Set"],
    ["a regular expression", /a/, "the result is of the kind RegExp"],
    ["an error", new Error("no"), "the result is of the kind Error"],
    ["numbers of 16 bits", new Uint16Array(2), "the result is of the kind Uint16Array"],
    ["bytes of a class", new Bytes(2), "the result is of the kind Uint8Array"],
    ["a promise's rival", new WeakMap(), "the result is of the kind WeakMap"],
    ["an instance of a class", { price: new Money(1) }, "the result.price is of the kind Money"],
    ["an instance of a class without Object", Lone.make(), "the result is of the kind Lone"],
    ["an array of a class", new Rows(1, 2), "the result is of the kind Rows"],
    ["a boxed number", Object(1), "the result is of the kind Number"],
    ["arguments", args(1), "the result is of the kind Arguments"],
    ["a namespace", Math, "the result is of the kind Math"],
    ["an object that inherits", Object.create({ inherited: 1 }), "the result is of the kind Object"],
    ["a cycle", cycle, "the result.self.deeper[0] is a cycle"],
    ["undefined in an array", [1, undefined], "the result[1] is undefined"],
    // biome-ignore lint/suspicious/noSparseArray: it is what the test is about
    ["a hole in an array", [1, , 2], "the result[1] is undefined"],
    [
      "an array with a property",
      Object.assign([1], { total: 1 }),
      'the result is an array that also has a property "total"',
    ],
    ["a match", { match: /a/.exec("a") }, 'the result.match is an array that also has a property "index"'],
    ["a symbol for a key", { [Symbol("s")]: 1 }, "the result has a symbol for a key"],
    ["a symbol for an array's key", Object.assign([], { [Symbol("s")]: 1 }), "the result has a symbol for a key"],
    ["a toJSON", { toJSON: () => 1 }, "the result has a toJSON of its own"],
    [
      "a hidden toJSON",
      Object.defineProperty({ a: 1 }, "toJSON", { value: () => 1 }),
      "the result has a toJSON of its own",
    ],
    [
      "an array's hidden toJSON",
      Object.defineProperty([1], "toJSON", { value: () => 1 }),
      "the result has a toJSON of its own",
    ],
    [
      "a getter that throws",
      {
        get total() {
          throw new Error("not loaded");
        },
      },
      "the result cannot be made JSON: Error: not loaded",
    ],
    ["deeper than JSON goes", nested(100_000), "the result cannot be made JSON: RangeError"],
  ])("is refused: %s", async (_what, value, why) => {
    const { first, later, calls } = await twice(value);

    expect(first).toMatchObject({ ok: false, error: expect.any(IdempotencyRecordError) });
    expect((first as { error: Error }).error.message).toContain(
      `the call with the key "k1" ran, but its result is not on record: ${why}`,
    );
    expect((first as { error: { value: unknown } }).error.value).toBe(value);
    expect(later).toMatchObject({ ok: false, error: expect.any(IdempotencyRecordError) });
    expect((later as { error: Error }).error.message).toBe((first as { error: Error }).error.message);
    expect((later as { error: { value: unknown } }).error.value).toBeUndefined();
    expect(calls).toBe(1);
  });

  it("is refused where it can be read no more", async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();

    const { first, later, calls } = await twice({ proxy });

    expect([first.ok, later.ok, calls]).toEqual([false, false, 1]);
  });

  it("is refused to a caller that waited for it, too", async () => {
    const clock = virtualClock();
    const fn = vi.fn(async () => new Map());
    const once = idempotent(fn, { key, clock, inFlight: "wait" });
    const both = Promise.allSettled([once(), once()]);

    await clock.advance(1_000);
    const outcomes = await both;

    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("does not happen again in a retry", async () => {
    const fn = vi.fn(async () => new Map());
    const again = retry(idempotent(fn, { key }), instant);

    await expect(again()).rejects.toBeInstanceOf(IdempotencyRecordError);
    await expect(again()).rejects.toBeInstanceOf(IdempotencyRecordError);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("counts as a record: it is forgotten when its time is over, and not before", async () => {
    const clock = { time: 0, now: () => clock.time };
    const store = memoryIdempotencyStore({ clock });
    const fn = vi.fn(async () => new Map());
    const once = idempotent(fn, { key, name: "test", store, keep: 1_000 });
    await once().catch(() => {});

    clock.time = 999;
    await once().catch(() => {});
    expect(fn).toHaveBeenCalledTimes(1);
    clock.time = 1_000;
    await once().catch(() => {});
    expect(fn).toHaveBeenCalledTimes(2);
  });
});

describe("a result as JSON has it", () => {
  it.each<[string, unknown]>([
    ["null", null],
    ["undefined", undefined],
    ["a string with half a character and a zero", "\ud800\0"],
    ["a key __proto__", JSON.parse('{"__proto__":{"a":1}}')],
    ["keys that objects inherit", { constructor: 1, hasOwnProperty: 2, toString: 3, value: 4, refused: 5 }],
    ["numbers at the ends", [Number.MAX_VALUE, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER, 0.1 + 0.2]],
    ["a long list", Array.from({ length: 10_000 }, (_, id) => ({ id }))],
    ["deep", nested(500)],
  ])("comes back equal: %s", async (_what, value) => {
    const { first, later } = await twice(value);

    expect(first).toEqual({ ok: true, value });
    expect(isDeepStrictEqual((later as { value: unknown }).value, value)).toBe(true);
  });

  it("is not written to, nor copied for the first caller", async () => {
    const value = Object.freeze({ list: Object.freeze([1]) });

    const { first } = await twice(value);

    expect((first as { value: unknown }).value).toBe(value);
  });

  it("comes back in the order of its keys", async () => {
    const { later } = await twice({ b: 1, a: 2 });

    expect(Object.keys((later as { value: object }).value)).toEqual(["b", "a"]);
  });

  it("may hold one object in two places", async () => {
    const shared = { id: 1 };

    expect((await twice([shared, { shared }])).later).toEqual({ ok: true, value: [{ id: 1 }, { shared: { id: 1 } }] });
  });

  it("is taken from another realm", async () => {
    const foreign = runInNewContext("({ list: [1, { a: 2 }] })");

    expect((await twice(foreign)).later).toEqual({ ok: true, value: { list: [1, { a: 2 }] } });
  });

  it("is read once: a getter cannot answer the record something else", async () => {
    let reads = 0;
    const value = {
      get total() {
        return ++reads === 1 ? 7 : Number.NaN;
      },
    };

    expect((await twice(value)).later).toEqual({ ok: true, value: { total: 7 } });
  });

  it("loses properties that are undefined, a missing prototype and the sign of 0, and nothing else", async () => {
    const value = Object.assign(Object.create(null), { a: undefined, b: -0 });

    const { later } = await twice(value);

    expect(isDeepStrictEqual((later as { value: unknown }).value, { b: 0 })).toBe(true);
  });

  it("comes back each time as an object of its own", async () => {
    const once = idempotent(async () => ({ list: [1] }), { key });
    await once();

    (await once()).list.push(2);

    expect(await once()).toEqual({ list: [1] });
  });
});

describe("of any result", () => {
  it("a later call gets a JSON value back unchanged", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: false, stringUnit: "binary" }), async (value) => {
        const { first, later } = await twice(value);

        expect(first).toEqual({ ok: true, value });
        expect(isDeepStrictEqual((later as { value: unknown }).value, settled(value))).toBe(true);
      }),
    );
  });

  it("a later call gets one that is strictly equal, or both are told that there is none", async () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      key: fc.oneof(fc.string(), fc.constantFrom("__proto__", "toJSON", "constructor", "value", "refused", "length")),
      values: [
        fc.constantFrom(undefined, null, -0, 0, NaN, Infinity, true, "", "\ud800", Symbol.iterator, () => 1),
        fc.double(),
        fc.string({ unit: "binary" }),
        fc.constantFrom(new Money(1), new Rows(1), cycle, Object.create({ a: 1 }), args(1)),
      ],
    });
    const counts = { kept: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const { first, later, calls } = await twice(value);

        expect(calls).toBe(1);
        expect(later.ok).toBe(first.ok);
        counts[first.ok ? "kept" : "refused"]++;
        if (first.ok)
          expect(isDeepStrictEqual(settled((later as typeof first).value), settled(first.value))).toBe(true);
        else expect(first.error).toBeInstanceOf(IdempotencyRecordError);
      }),
      { numRuns: 1_000 },
    );

    expect(Math.min(counts.kept, counts.refused)).toBeGreaterThan(100);
  });
});

/** The value but for what the docs say is lost: properties that are undefined, a missing prototype, the sign of 0. */
function settled(value: unknown): unknown {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(settled);
  // To Node, a date that is none is unlike any other.
  if (value instanceof Date && Number.isNaN(value.getTime())) return "an invalid date";
  if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value)) return value;
  if (value instanceof ArrayBuffer) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries.map(([key, each]) => [key, settled(each)]));
}
