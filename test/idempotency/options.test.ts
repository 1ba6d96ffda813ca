import {
  Idempotent,
  type IdempotentOptions,
  idempotent,
  memoryIdempotencyStore,
  postgresIdempotencyStore,
  redisIdempotencyStore,
} from "undaunted/idempotency";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const key = () => "k1";
const aName = 'must be 1 to 64 letters, digits, "_", "." or "-"';
const aTime = "must be a number of ms above 0, at most Number.MAX_SAFE_INTEGER";

const BAD: readonly (readonly [what: string, options: unknown, kind: ErrorConstructor, why: string])[] = [
  ["no options", undefined, TypeError, "options must be an object, got undefined"],
  ["options that are a function", key, TypeError, "options must be an object, got a function"],
  ["no key", {}, TypeError, "key must be a function, got undefined"],
  ["a key that is a string", { key: "k1" }, TypeError, 'key must be a function, got "k1"'],
  ["an unknown option", { key, ttl: 5 }, TypeError, 'there is no option "ttl"'],
  [
    "a store that is none",
    { key, name: "test", store: { claim() {} } },
    TypeError,
    "store must be an IdempotencyStore",
  ],
  [
    "a store that is null",
    { key, name: "test", store: null },
    TypeError,
    "store must be an IdempotencyStore, got null",
  ],
  [
    "a store without a name",
    { key, store: memoryIdempotencyStore() },
    TypeError,
    `name ${aName} where there is a store`,
  ],
  ["an empty name", { key, name: "" }, TypeError, `name ${aName}, got ""`],
  ["a name with a colon", { key, name: "a:b" }, TypeError, `name ${aName}, got "a:b"`],
  ["a name with a line end", { key, name: "a\n" }, TypeError, `name ${aName}, got "a\\n"`],
  ["a name of 65 letters", { key, name: "a".repeat(65) }, TypeError, `name ${aName}, got`],
  ["a maxRun of 0", { key, maxRun: 0 }, RangeError, `maxRun ${aTime}, got 0`],
  ["a maxWait of NaN", { key, maxWait: Number.NaN }, RangeError, `maxWait ${aTime}, got NaN`],
  ["an onFailure that is none", { key, onFailure: "hold" }, TypeError, 'onFailure must be a function, got "hold"'],
  ["a wasDone that is none", { key, wasDone: true }, TypeError, "wasDone must be a function, got true"],
  ["an onReplay that is none", { key, onReplay: 1 }, TypeError, "onReplay must be a function, got 1"],
  ["a serialize alone", { key, serialize: String }, TypeError, "deserialize must be a function, got undefined"],
  ["a deserialize alone", { key, deserialize: String }, TypeError, "serialize must be a function, got undefined"],
  ["a lease of 0", { key, lease: 0 }, RangeError, `lease ${aTime}, got 0`],
  ["a negative lease", { key, lease: -1 }, RangeError, `lease ${aTime}, got -1`],
  ["a lease that is NaN", { key, lease: Number.NaN }, RangeError, `lease ${aTime}, got NaN`],
  ["an endless lease", { key, lease: Infinity }, RangeError, `lease ${aTime}, got Infinity`],
  ["a lease that is a text", { key, lease: "60s" }, TypeError, `lease ${aTime}, got "60s"`],
  ["keeping for 0 ms", { key, keep: 0 }, RangeError, `keep ${aTime}, got 0`],
  ["keeping for ever", { key, keep: Infinity }, RangeError, `keep ${aTime}, got Infinity`],
  ["keeping for longer than servers can", { key, keep: 1e16 }, RangeError, `keep ${aTime}, got 10000000000000000`],
  ["a fingerprint that is a text", { key, fingerprint: "f" }, TypeError, 'fingerprint must be a function, got "f"'],
  ["another inFlight", { key, inFlight: "queue" }, TypeError, 'inFlight must be "refuse" or "wait", got "queue"'],
  ["an onStoreError that is none", { key, onStoreError: 1 }, TypeError, "onStoreError must be a function, got 1"],
  ["a clock without timers", { key, clock: { now: () => 0 } }, TypeError, "clock must be a Clock, got [object Object]"],
];

describe("idempotent refuses at once", () => {
  it.each(BAD)("%s", (_what, options, Kind, why) => {
    const make = () => idempotent(async () => {}, options as IdempotentOptions);

    expect(make).toThrow(Kind);
    expect(make).toThrow(`idempotent: ${why}`);
  });

  it.each([
    ["nothing to call", undefined, "idempotent: fn must be a function, got undefined"],
    ["a generator function", function* () {}, "idempotent: fn must not be a generator function"],
    ["an async generator function", async function* () {}, "idempotent: fn must not be a generator function"],
  ])("%s", (_what, fn, why) => {
    expect(() => idempotent(fn as () => void, { key })).toThrow(why);
  });
});

describe("@Idempotent refuses at once", () => {
  it.each(BAD)("%s", (_what, options, Kind, why) => {
    const make = () => Idempotent(options as IdempotentOptions);

    expect(make).toThrow(Kind);
    expect(make).toThrow(`@Idempotent: ${why}`);
  });
});

describe("idempotent", () => {
  it("takes undefined for an option that is not given", async () => {
    const once = idempotent(async () => "done", {
      key,
      store: undefined,
      lease: undefined,
      keep: undefined,
      fingerprint: undefined,
      inFlight: undefined,
      onStoreError: undefined,
      clock: undefined,
    });

    expect(await once()).toBe("done");
  });

  it("takes times up to Number.MAX_SAFE_INTEGER", async () => {
    const clock = virtualClock();
    const once = idempotent(async () => "done", {
      key,
      clock,
      lease: Number.MAX_SAFE_INTEGER,
      keep: Number.MAX_SAFE_INTEGER,
    });

    expect(await once()).toBe("done");
  });

  it("reads each option once, when the function is wrapped", async () => {
    const read = vi.fn(() => key);
    const options = Object.defineProperty({}, "key", { get: read, enumerable: true }) as IdempotentOptions;
    const once = idempotent(async () => "done", options);
    await once();
    await once();

    expect(read).toHaveBeenCalledTimes(1);
  });

  it("takes a store whose methods are of a class, with its this", async () => {
    class Store {
      readonly #inner = memoryIdempotencyStore();
      claim(...facts: Parameters<typeof this.renew>) {
        return this.#inner.claim(...facts);
      }
      renew(...facts: [string, string, number]) {
        return this.#inner.renew(...facts);
      }
      record(...facts: [string, string, string, number]) {
        return this.#inner.record(...facts);
      }
      release(...facts: [string, string]) {
        return this.#inner.release(...facts);
      }
    }
    const once = idempotent(async () => "done", { key, name: "test", store: new Store() });

    expect(await once()).toBe("done");
  });
});

describe("postgresIdempotencyStore refuses at once", () => {
  const client = { query: async () => ({ rows: [] }) };
  const aTable = `table must be the name of a table, as "idempotency_keys", "billing.keys" or "\\"Billing\\".\\"Keys\\""`;

  it.each([
    ["no client", undefined, {}, "client must be an object with a method query, got undefined"],
    ["a client without a query", {}, {}, "client must be an object with a method query, got [object Object]"],
    ["an unknown option", client, { prefix: "a" }, 'there is no option "prefix"; allowed are table'],
    ["an empty table", client, { table: "" }, `${aTable}, got ""`],
    ["a table with a quote in it", client, { table: 'keys"' }, `${aTable}, got "keys\\""`],
    ["a table with more than a name", client, { table: "keys; drop table keys" }, aTable],
    ["a table with a line end after it", client, { table: "keys\n" }, aTable],
    ["a table of a schema of a database", client, { table: "a.b.c" }, aTable],
    ["a table that begins with a digit", client, { table: "1keys" }, aTable],
    ["a table without its schema", client, { table: ".keys" }, aTable],
  ])("%s", (_what, given, options, why) => {
    const make = () => postgresIdempotencyStore(given as typeof client, options as { table: string });

    expect(make).toThrow(TypeError);
    expect(make).toThrow(`postgresIdempotencyStore: ${why}`);
  });
});

describe("redisIdempotencyStore refuses at once", () => {
  const client = { eval: async () => [] };

  it.each([
    ["no client", null, {}, "client must be a client with a method eval, got null"],
    ["a client without an eval", {}, {}, "client must be a client with a method eval, got [object Object]"],
    ["an unknown option", client, { table: "a" }, 'there is no option "table"; allowed are prefix'],
    ["a prefix that is a number", client, { prefix: 1 }, "prefix must be a string, got 1"],
  ])("%s", (_what, given, options, why) => {
    const make = () => redisIdempotencyStore(given as typeof client, options as { prefix: string });

    expect(make).toThrow(TypeError);
    expect(make).toThrow(`redisIdempotencyStore: ${why}`);
  });
});
