import { type CircuitBreakersOptions, CircuitOpenError, circuitBreakers } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { PATIENCE } from "../limits.js";
import { down } from "./calls.js";

const key = (shard: string | number | symbol | object | null) => shard;

/** A function whose calls fail for some shards. */
function reading(...broken: unknown[]) {
  return vi.fn(async (shard: unknown) => {
    if (broken.includes(shard)) throw down;
    return shard;
  });
}

describe("breakers by key", () => {
  it("open each by itself", async () => {
    const shards = circuitBreakers({ key, consecutiveFailures: 1 });
    const read = shards.wrap(reading("a"));

    await expect(read("a")).rejects.toBe(down);

    await expect(read("a")).rejects.toBeInstanceOf(CircuitOpenError);
    expect(await read("b")).toBe("b");
    expect([shards.get("a").state, shards.get("b").state]).toEqual(["open", "closed"]);
  });

  it("share their states among all that is wrapped", async () => {
    const shards = circuitBreakers({ key, consecutiveFailures: 1 });
    const [read, write] = [shards.wrap(reading("a")), shards.wrap(reading())];

    await read("a").catch(() => {});

    await expect(write("a")).rejects.toBeInstanceOf(CircuitOpenError);
  });

  it("breakers by key take the key from a call's `this` and arguments", async () => {
    const seen: unknown[] = [];
    const api = {
      host: "example.org",
      load: circuitBreakers({
        key(this: { host: string }, ...args: unknown[]) {
          seen.push(this.host, ...args);
          return this.host;
        },
      }).wrap(async function (this: { host: string }, ...args: unknown[]) {
        return [this, ...args];
      }),
    };

    const result = await api.load(1, "two");

    expect(seen).toEqual(["example.org", 1, "two"]);
    expect(result).toEqual([api, 1, "two"]);
    expect(result[0]).toBe(api);
  });

  it("keep a wrapped function's name and length", () => {
    const wrapped = circuitBreakers({ key }).wrap(async function load(_shard: string, _id: string) {});

    expect([wrapped.name, wrapped.length]).toEqual(["load", 2]);
  });

  it("reject where the key function throws, without a call", async () => {
    const load = reading();
    const wrapped = circuitBreakers({
      key: () => {
        throw down;
      },
    }).wrap(load);

    await expect(wrapped("a")).rejects.toBe(down);

    expect(load).not.toHaveBeenCalled();
  });

  it.each([null, Symbol("a"), { shard: 1 }])("breakers by key take any key", async (shard) => {
    const shards = circuitBreakers({ key, consecutiveFailures: 1 });

    await shards
      .wrap(reading(shard))(shard)
      .catch(() => {});

    expect(shards.get(shard).state).toBe("open");
    expect(shards.size).toBe(1);
  });

  it.each([
    ["undefined", undefined],
    ["a promise", Promise.resolve("a")],
  ])("refuse what is no key, without a call: %s", async (_, shard) => {
    const load = reading();
    const shards = circuitBreakers({ key: () => shard as never });

    await expect(shards.wrap(load)("a")).rejects.toBeInstanceOf(TypeError);
    expect(() => shards.get(shard as never)).toThrow(TypeError);

    expect(load).not.toHaveBeenCalled();
    expect(shards.size).toBe(0);
  });

  it("breakers by key carry the key in the names that hooks and errors show", async () => {
    const onStateChange = vi.fn();
    const onRefused = vi.fn();
    const shards = circuitBreakers({ key, consecutiveFailures: 1, onStateChange, onRefused });
    const read = shards.wrap(reading("a"));
    await read("a").catch(() => {});

    const error: any = await read("a").catch((caught) => caught);

    expect(error.message).toBe("a: the circuit is open");
    expect(onStateChange).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ name: "a", from: "closed", to: "open" }),
    );
    expect(onRefused).toHaveBeenCalledExactlyOnceWith({ name: "a", error });
  });

  it("breakers by key carry their own name before the key where they have one", async () => {
    const shards = circuitBreakers({ key, name: "shard", consecutiveFailures: 1 });
    const read = shards.wrap(reading(7));
    await read(7).catch(() => {});

    await expect(read(7)).rejects.toThrow("shard 7: the circuit is open");
  });

  it("report what a hook throws or rejects with", async () => {
    const onHookError = vi.fn();
    const shards = circuitBreakers({
      key,
      consecutiveFailures: 1,
      onStateChange: () => Promise.reject(down),
      onHookError,
    });

    await shards
      .wrap(reading("a"))("a")
      .catch(() => {});

    await vi.waitFor(() => expect(onHookError).toHaveBeenCalledExactlyOnceWith(down), PATIENCE);
  });

  it("breakers by key are each had by get(), the same each time, with all that a breaker has", async () => {
    const shards = circuitBreakers({ key, consecutiveFailures: 1 });
    const read = shards.wrap(reading());
    const breaker = shards.get("a");

    expect(shards.get("a")).toBe(breaker);
    breaker.isolate();
    await expect(read("a")).rejects.toBeInstanceOf(CircuitOpenError);
    breaker.close();

    expect(await read("a")).toBe("a");
    expect(breaker.stats).toMatchObject({ successes: 1, refused: 1 });
  });

  it("share one clock and all options", async () => {
    const clock = virtualClock();
    const shards = circuitBreakers({ key, consecutiveFailures: 2, openFor: 500, clock });
    const read = shards.wrap(reading("a"));

    await read("a").catch(() => {});
    expect(shards.get("a").state).toBe("closed");
    await read("a").catch(() => {});
    expect(shards.get("a").state).toBe("open");
    await clock.advance(500);

    expect(shards.get("a").state).toBe("half-open");
  });
});

describe("breakers by key, bounded", () => {
  it("stay within max with 100,000 keys", async () => {
    const shards = circuitBreakers({ key, max: 100 });
    const read = shards.wrap(reading());

    for (let shard = 0; shard < 100_000; shard++) await read(shard);

    expect(shards.size).toBe(100);
  });

  it("breakers by key, bounded are 1,000 at most where nothing else is said", () => {
    const shards = circuitBreakers({ key });

    for (let shard = 0; shard < 1_500; shard++) shards.get(shard);

    expect(shards.size).toBe(1_000);
  });

  it("let the closed one go that was not used for longest", async () => {
    const shards = circuitBreakers({ key, max: 2 });
    const read = shards.wrap(reading());
    const [a, b] = [shards.get("a"), shards.get("b")];

    await read("a");
    await read("c");

    expect(shards.get("a")).toBe(a);
    expect(shards.size).toBe(2);
    expect(shards.get("b")).not.toBe(b);
  });

  it.each(["open", "half-open", "isolated"])("never let one go that is %s", async (state) => {
    const clock = virtualClock();
    const shards = circuitBreakers({ key, max: 2, consecutiveFailures: 1, clock });
    const read = shards.wrap(reading("a"));
    const a = shards.get("a");
    if (state === "isolated") a.isolate();
    else await read("a").catch(() => {});
    if (state === "half-open") await clock.advance(30_000);
    expect(a.state).toBe(state);

    for (let shard = 0; shard < 100; shard++) await read(shard);

    expect(shards.get("a")).toBe(a);
    expect(shards.size).toBe(2);
  });

  it("breakers by key, bounded can let one go that has closed again", async () => {
    const clock = virtualClock();
    const shards = circuitBreakers({ key, max: 2, consecutiveFailures: 1, clock });
    const a = shards.get("a");
    a.isolate();
    a.close();

    for (let shard = 0; shard < 100; shard++) shards.get(shard);

    expect(shards.get("a")).not.toBe(a);
  });

  it("let a call with a new key through unguarded where all are open, and keep nothing of it", async () => {
    const shards = circuitBreakers({ key, max: 2, consecutiveFailures: 1 });
    const read = shards.wrap(reading("a", "b", "c"));
    await read("a").catch(() => {});
    await read("b").catch(() => {});

    for (let call = 0; call < 3; call++) await expect(read("c")).rejects.toBe(down);

    expect(shards.size).toBe(2);
    expect(await read("d")).toBe("d");
    await expect(read("a")).rejects.toBeInstanceOf(CircuitOpenError);
  });

  it("let one go whose opening is over where all others are open", async () => {
    const clock = virtualClock();
    const shards = circuitBreakers({ key, max: 2, consecutiveFailures: 1, clock });
    const read = shards.wrap(reading("a", "b"));
    await read("a").catch(() => {});
    await clock.advance(15_000);
    await read("b").catch(() => {});
    const [a, b] = [shards.get("a"), shards.get("b")];
    await clock.advance(15_000);

    const c = shards.get("c");

    expect(shards.get("c")).toBe(c);
    expect(shards.get("b")).toBe(b);
    expect(shards.size).toBe(2);
    expect(shards.get("a")).not.toBe(a);
  });

  it("keep one whose probe is out", async () => {
    const clock = virtualClock();
    const shards = circuitBreakers({ key, max: 1, consecutiveFailures: 1, clock });
    const a = shards.get("a");
    await a.run(() => Promise.reject(down)).catch(() => {});
    await clock.advance(30_000);
    void a.run(() => new Promise(() => {}));

    shards.get("b");

    expect(shards.get("a")).toBe(a);
  });

  it("guard a new key again once there is room", async () => {
    const shards = circuitBreakers({ key, max: 1, consecutiveFailures: 1 });
    const read = shards.wrap(reading("a", "b"));
    await read("a").catch(() => {});
    await read("b").catch(() => {});

    shards.get("a").close();
    await read("b").catch(() => {});

    await expect(read("b")).rejects.toBeInstanceOf(CircuitOpenError);
  });
});

describe("an option of breakers by key that makes no sense is refused when they are made", () => {
  it.each<[object, string]>([
    [{ key, max: 0 }, "circuitBreakers: max must be a whole number from 1, got 0"],
    [{ key, max: 1.5 }, "circuitBreakers: max must be a whole number from 1, got 1.5"],
    [{ key, failureRate: 2 }, "circuitBreakers: failureRate must be a number above 0, at most 1, got 2"],
    [{ key, halfOpen: { calls: 0 } }, "circuitBreakers halfOpen: calls must be a whole number from 1, got 0"],
  ])(
    "an option of breakers by key that makes no sense is refused when they are made out of range: %j",
    (options, message) => {
      expect(() => circuitBreakers(options as CircuitBreakersOptions)).toThrow(new RangeError(message));
    },
  );

  it.each<[unknown, string]>([
    [{}, "circuitBreakers: key must be a function, got undefined"],
    [{ key: "host" }, 'circuitBreakers: key must be a function, got "host"'],
    [{ key, max: "many" }, 'circuitBreakers: max must be a whole number from 1, got "many"'],
    [{ key, onStateChange: 5 }, "circuitBreakers: onStateChange must be a function, got 5"],
    [{ key, name: 5 }, "circuitBreakers: name must be a string, got 5"],
    [{ key, threshold: 5 }, 'circuitBreakers: there is no option "threshold"'],
    [{ key, initialState: { state: "isolated" } }, "initialState"],
    [undefined, "circuitBreakers: options must be an object, got undefined"],
    [null, "circuitBreakers: options must be an object, got null"],
  ])(
    "an option of breakers by key that makes no sense is refused when they are made of the wrong kind: %j",
    (options, message) => {
      const make = () => circuitBreakers(options as CircuitBreakersOptions);

      expect(make).toThrow(TypeError);
      expect(make).toThrow(message);
    },
  );

  it("but one that is undefined counts as not given", () => {
    const options = { key, max: undefined, name: undefined, onStateChange: undefined };

    expect(() => circuitBreakers(options)).not.toThrow();
  });

  it("and so is what is no function where one is to be wrapped", () => {
    expect(() => circuitBreakers({ key }).wrap(42 as never)).toThrow(TypeError);
  });
});
