import { type AnyFn, retry, retrySync, runWithRetry, runWithRetrySync } from "undaunted";
import { flaky, instant } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const wrappers: [name: string, wrap: (fn: AnyFn) => AnyFn][] = [
  ["retry", (fn) => retry(fn, instant)],
  ["retrySync", (fn) => retrySync(fn as () => unknown, instant)],
];

describe.each(wrappers)("a function wrapped by %s", (owner, wrap) => {
  it("keeps the name and length", () => {
    function load(_id: string, _size: number) {}

    const wrapped = wrap(load);

    expect([wrapped.name, wrapped.length]).toEqual(["load", 2]);
  });

  it("keeps the name and length of a bound function", () => {
    function load(_id: string, _size: number) {}

    const wrapped = wrap(load.bind(null, "42"));

    expect([wrapped.name, wrapped.length]).toEqual(["bound load", 1]);
  });

  it("has no name where the function has none", () => {
    expect(wrap((() => () => {})()).name).toBe("");
  });

  it("keeps the properties, symbols and hidden ones included", () => {
    const key = Symbol("key");
    const load = Object.defineProperty(
      Object.assign(() => {}, { version: 3, [key]: "value" }),
      "hidden",
      { value: 1 },
    );

    const wrapped = wrap(load) as typeof load & { hidden: number };

    expect([wrapped.version, wrapped[key], wrapped.hidden]).toEqual([3, "value", 1]);
    expect(Object.keys(wrapped)).toEqual(["version"]);
  });

  it("keeps accessors, and does not read them", () => {
    let reads = 0;
    const load = Object.defineProperty(() => {}, "version", { get: () => ++reads, enumerable: true });

    const wrapped = wrap(load) as unknown as { version: number };

    expect(reads).toBe(0);
    expect(wrapped.version).toBe(1);
  });

  it("keeps what a frozen function carries, and stays changeable", () => {
    const load = Object.freeze(Object.assign(() => {}, { version: 3 }));

    const wrapped = wrap(load);
    Object.defineProperty(wrapped, "version", { value: 4 });

    expect((wrapped as unknown as typeof load).version).toBe(4);
    expect(load.version).toBe(3);
  });

  it("has neither the prototype, nor what a sloppy function has for its caller", () => {
    const sloppy = new Function("return 1") as AnyFn;

    const wrapped = wrap(sloppy);

    expect(wrapped.prototype).not.toBe(sloppy.prototype);
    for (const key of ["caller", "arguments"]) expect(Object.hasOwn(wrapped, key)).toBe(false);
  });

  it("passes on arguments and this", async () => {
    const object = {
      prefix: "user ",
      load: wrap(function (this: { prefix: string }, ...ids: unknown[]) {
        return this.prefix + ids.join();
      }),
    };

    expect(await object.load("42", 7)).toBe("user 42,7");
  });

  it("passes on a this of undefined", async () => {
    const load = wrap(function (this: unknown) {
      return this === undefined;
    });

    expect(await load()).toBe(true);
  });

  it("writes nothing on the function itself", () => {
    const load = () => {};
    const before = Reflect.ownKeys(load);

    wrap(load);

    expect(Reflect.ownKeys(load)).toEqual(before);
  });

  it("refuses what is no function", () => {
    for (const bad of [undefined, null, 5, "load", {}, Promise.resolve()]) {
      expect(() => wrap(bad as never)).toThrow(TypeError);
    }
    expect(() => wrap("load" as never)).toThrow(`${owner}: fn must be a function, got "load"`);
  });

  it.each<[string, AnyFn]>([
    ["a generator function", function* () {}],
    ["an async generator function", async function* () {}],
    ["a bound generator function", function* () {}.bind(null)],
    ["a generator method", { *load() {} }.load],
  ])("refuses %s, and says what to do instead", (_kind, fn) => {
    const message = `${owner}: fn must not be a generator function: wrap a function that consumes it`;

    expect(() => wrap(fn)).toThrow(new TypeError(message));
  });

  it("keeps a class's static members", () => {
    class Pool {
      static size = 3;
      open = true;
    }

    const wrapped = wrap(Pool as never) as unknown as typeof Pool;

    expect([wrapped.name, wrapped.size]).toEqual(["Pool", 3]);
    expect(wrapped.prototype).not.toBe(Pool.prototype);
  });

  it("fails as the engine does where a class is called", async () => {
    class Pool {}

    const call = async () => wrap(Pool as never)();

    await expect(call()).rejects.toThrow(/Class constructor Pool cannot be invoked without 'new'/);
  });

  it("calls a proxy through its traps", async () => {
    const seen: unknown[][] = [];
    const load = new Proxy((id: string) => id, {
      apply(target, self, args: [string]) {
        seen.push(args);
        return Reflect.apply(target, self, args);
      },
    });

    expect(await wrap(load)("42")).toBe("42");
    expect(seen).toEqual([["42"]]);
  });
});

describe("with and stats", () => {
  it("with and stats are not listed among the properties of a wrapped function", () => {
    expect(Object.keys(retry(() => {}))).toEqual([]);
    expect(Object.keys(retrySync(() => {}))).toEqual([]);
  });

  it("with and stats are each wrapper's own where one wraps another", async () => {
    const inner = retry(flaky([new Error("busy"), "ok"]), instant);
    const outer = retry(inner, instant);

    await outer();

    expect(inner.stats).toMatchObject({ calls: 1, attempts: 2 });
    expect(outer.stats).toMatchObject({ calls: 1, attempts: 1 });
    expect(outer.with).not.toBe(inner.with);
  });

  it("with and stats cannot be written by mistake", () => {
    const wrapped = retry(() => {}) as unknown as { stats: unknown };

    expect(() => {
      wrapped.stats = {};
    }).toThrow(TypeError);
  });
});

describe("what a function is called", () => {
  it.each([
    [
      "by its own name",
      () => {
        function load() {}
        return load;
      },
      undefined,
      "load",
    ],
    ["anonymous where it has none", () => (() => () => {})(), undefined, "anonymous"],
    ["by the policy's name", () => () => {}, "get user", "get user"],
  ])("calls a function %s", async (_what, make, name, expected) => {
    const seen: string[] = [];
    const onAttempt = (start: { name: string }) => seen.push(start.name);

    await retry(make(), { onAttempt, name })();
    retrySync(make(), { onAttempt, name })();

    expect(seen).toEqual([expected, expected]);
  });

  it("calls a block by its own name", async () => {
    const seen: string[] = [];
    const onAttempt = (start: { name: string }) => seen.push(start.name);

    await runWithRetry(function load() {}, { onAttempt });
    runWithRetrySync(() => {}, { onAttempt });

    expect(seen).toEqual(["load", "anonymous"]);
  });
});

describe("retrySync", () => {
  it.each<[string, AnyFn]>([
    ["an async function", async () => {}],
    ["a bound async function", (async () => {}).bind(null)],
  ])("refuses %s", (_kind, fn) => {
    const message = ": fn must not be an async function, use retry, runWithRetry or @Retry instead";

    expect(() => retrySync(fn as never)).toThrow(new TypeError(`retrySync${message}`));
    expect(() => runWithRetrySync(fn as never)).toThrow(new TypeError(`runWithRetrySync${message}`));
  });
});

describe("runWithRetry", () => {
  it.each([
    ["no function", 5, "runWithRetry: fn must be a function, got 5"],
    ["a generator function", function* () {}, "runWithRetry: fn must not be a generator function"],
  ])("rejects, never throws, where the task is %s", async (_what, task, message) => {
    const result = runWithRetry(task as never);

    await expect(result).rejects.toThrow(message);
    await expect(result).rejects.toBeInstanceOf(TypeError);
  });

  it("runs a script through its task", async () => {
    expect(await runWithRetry(flaky([new Error("busy"), "ok"]), instant)).toBe("ok");
  });
});
