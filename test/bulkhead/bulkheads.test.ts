import {
  AttemptTimeoutError,
  BulkheadFullError,
  type Bulkheads,
  type BulkheadsOptions,
  bulkhead,
  bulkheads,
  currentAttempt,
  retry,
  stopAfterAttempt,
} from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const key = (host: unknown) => host as string;
const down = new Error("down");
const reason = new Error("the user left");
const never = (_host: unknown) => new Promise<never>(() => {});

/** Lets every microtask run. */
function othersRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A function of a host and an id, whose calls end when told to, by their id. */
function held() {
  const called: unknown[] = [];
  const ends = new Map<unknown, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  const fn = (_host: string, id: unknown) =>
    new Promise<unknown>((resolve, reject) => {
      called.push(id);
      ends.set(id, { resolve, reject });
    });
  return Object.assign(fn, {
    called,
    async end(id: unknown) {
      ends.get(id)!.resolve(id);
      await othersRun();
    },
    async fail(id: unknown) {
      ends.get(id)!.reject(down);
      await othersRun();
    },
  });
}

/** Whether the bulkhead of a host is still the one kept after `others` new hosts were asked for. */
function staysKept(hosts: Bulkheads, host: string, others: number): boolean {
  const before = hosts.get(host);
  for (let other = 0; other < others; other++) hosts.get(Symbol("another host"));
  return hosts.get(host) === before;
}

describe("bulkheads by key", () => {
  it("limit each host by itself", async () => {
    const work = held();
    const load = bulkheads({ key, limit: 1 }).wrap(work);

    load("a", 1);
    const refused = load("a", 2);
    load("b", 3);

    await expect(refused).rejects.toBeInstanceOf(BulkheadFullError);
    expect(work.called).toEqual([1, 3]);
  });

  it("share a host's slots among all that is wrapped, and its own run()", async () => {
    const hosts = bulkheads({ key, limit: 2 });
    hosts.wrap(never)("a");
    hosts.get("a").run(() => never("a"));

    await expect(hosts.wrap(never)("a")).rejects.toBeInstanceOf(BulkheadFullError);
    await expect(hosts.get("a").run(() => 1)).rejects.toBeInstanceOf(BulkheadFullError);
  });

  it("bulkheads by key have a queue each, first in, first out", async () => {
    const work = held();
    const load = bulkheads({ key, limit: 1, queue: 2 }).wrap(work);
    const results = Promise.all([1, 2, 3].map((id) => load("a", id)));
    load("b", 4);
    load("b", 5);

    await expect(load("a", 6)).rejects.toBeInstanceOf(BulkheadFullError);
    for (const id of [1, 2, 3]) await work.end(id);

    expect(await results).toEqual([1, 2, 3]);
    expect(work.called).toEqual([1, 4, 2, 3]);
  });

  it("bulkheads by key take the key from a call's `this` and arguments, and hand those on", async () => {
    const seen: unknown[] = [];
    const hosts = bulkheads({
      key(this: { host: string }, ...args: unknown[]) {
        seen.push(this, ...args);
        return this.host;
      },
      limit: 1,
    });
    const api = {
      host: "example.org",
      load: hosts.wrap(async function (this: { host: string }, ...args: unknown[]) {
        return [this, hosts.get("example.org").inFlight, ...args];
      }),
    };

    const result = await api.load(1, "two");

    expect(seen[0]).toBe(api);
    expect(seen.slice(1)).toEqual([1, "two"]);
    expect(result[0]).toBe(api);
    expect(result.slice(1)).toEqual([1, 1, "two"]);
  });

  it.each([
    ["returns a value", () => 42],
    ["resolves", async () => 42],
    [
      "throws",
      () => {
        throw down;
      },
    ],
    [
      "rejects",
      async () => {
        throw down;
      },
    ],
  ])("bulkheads by key take a slot back when the function %s", async (_, fn: (host: string) => unknown) => {
    const hosts = bulkheads({ key, limit: 1 });

    const result = hosts
      .wrap(fn)("a")
      .catch((error: unknown) => error);
    expect(hosts.get("a").inFlight).toBe(1);
    const settled = await result;

    expect([42, down]).toContain(settled);
    expect(hosts.get("a").inFlight).toBe(0);
  });

  it("keep a function's name, length and properties", () => {
    async function load(_host: string, _id: string) {}
    load.route = "/users";

    const wrapped = bulkheads({ key, limit: 1 }).wrap(load);

    expect([wrapped.name, wrapped.length]).toEqual(["load", 2]);
    expect(wrapped).toHaveProperty("route", "/users");
  });

  it("wrap and get detached, and wrap as the callback of map", async () => {
    const { get, wrap } = bulkheads({ key, limit: 1 });

    const [load] = [never].map(wrap as (fn: typeof never) => typeof never);
    load!("a");

    expect(get("a").inFlight).toBe(1);
  });

  it("bulkheads by key are each had by get(), the same each time, with what is in flight and waits", () => {
    const hosts = bulkheads({ key, limit: 1, queue: 1 });
    const slots = hosts.get("a");
    const load = hosts.wrap(never);

    load("a");
    load("a");

    expect(hosts.get("a")).toBe(slots);
    expect([slots.inFlight, slots.queued]).toEqual([1, 1]);
  });

  it.each([null, 0, "", Symbol("a"), { host: 1 }, Object.create(null)])(
    "bulkheads by key take any key",
    async (host) => {
      const hosts = bulkheads({ key, limit: 1 });

      hosts.wrap(never)(host);

      expect(hosts.get(host).inFlight).toBe(1);
      await expect(hosts.wrap(never)(host)).rejects.toBeInstanceOf(BulkheadFullError);
      expect(hosts.size).toBe(1);
    },
  );

  it.each([
    ["undefined", undefined, "bulkheads: key must not be undefined"],
    ["a promise", Promise.resolve("a"), "bulkheads: key must be synchronous; it returned a promise"],
  ])("refuse what is no key, without a call: %s", async (_, host, message) => {
    const fn = vi.fn(never);
    const hosts = bulkheads({ key, limit: 1 });

    await expect(hosts.wrap(fn)(host)).rejects.toThrow(new TypeError(message));

    expect(() => hosts.get(host as never)).toThrow(new TypeError(message));
    expect(fn).not.toHaveBeenCalled();
    expect(hosts.size).toBe(0);
  });

  it("reject where the key function throws, without a call", async () => {
    const fn = vi.fn(never);
    const load = bulkheads({
      key: () => {
        throw down;
      },
      limit: 1,
    }).wrap(fn);

    await expect(load("a")).rejects.toBe(down);

    expect(fn).not.toHaveBeenCalled();
  });

  it.each([
    [{ limit: 1 }, "a", "bulkhead a is full: limit 1, queue 0"],
    [{ limit: 1, queue: 1, name: "host" }, 7, "host 7 is full: limit 1, queue 1"],
    [{ limit: 1, name: "" }, "a", " a is full: limit 1, queue 0"],
  ])("made by %j name the key in a refusal", async (options, host, message) => {
    const load = bulkheads({ key, ...options }).wrap(never);
    for (let n = 0; n < 2; n++) load(host).catch(() => {});

    const refused = load(host);

    await expect(refused).rejects.toMatchObject({ code: "ERR_BULKHEAD_FULL", message });
  });

  it("tell onRefused of each refusal, with the name and the error that the caller gets", async () => {
    const onRefused = vi.fn();
    const load = bulkheads({ key, limit: 1, onRefused }).wrap(never);
    load("a");

    const error = await load("a").catch((caught) => caught);

    expect(onRefused.mock.calls).toEqual([[{ name: "bulkhead a", error }]]);
    expect(onRefused.mock.calls[0]![0].error).toBe(error);
  });

  it("tell onHookError what onRefused rejects with", async () => {
    const onHookError = vi.fn();
    const load = bulkheads({ key, limit: 1, onRefused: () => Promise.reject(down), onHookError }).wrap(never);
    load("a");

    await expect(load("a")).rejects.toBeInstanceOf(BulkheadFullError);

    await othersRun();
    expect(onHookError.mock.calls).toEqual([[down]]);
  });

  it("warn of a hook that fails once, not once for each key", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const onRefused = () => {
      throw down;
    };
    const load = bulkheads({ key, limit: 1, onRefused }).wrap(never);

    for (const host of "aabbcc") load(host).catch(() => {});
    const warnings = warn.mock.calls.length;
    warn.mockRestore();

    expect(warnings).toBe(1);
  });

  it("show the caller in the stack of an error, as near as a bulkhead does", async () => {
    const fn = (_host: string): Promise<never> => {
      throw new Error("deep");
    };
    const linesTo = async (load: typeof fn) => {
      const callerOfWrapped = async () => void (await load("a"));
      const { stack } = (await callerOfWrapped().catch((error) => error)) as Error;
      return stack!.split("\n").findIndex((line) => line.includes("callerOfWrapped"));
    };

    const lines = await linesTo(bulkhead({ limit: 1 }).wrap(fn));

    expect(lines).toBeGreaterThan(0);
    expect(await linesTo(bulkheads({ key, limit: 1 }).wrap(fn))).toBe(lines);
  });

  it("decorate a method as a compiler of legacy decorators calls them", async () => {
    const hosts = bulkheads({ key: (host: string) => host, limit: 1 });
    class Api {
      load(_host: string): Promise<unknown> {
        return Promise.resolve([this, hosts.get("a").inFlight]);
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Api.prototype, "load") as TypedPropertyDescriptor<Api["load"]>;
    Object.defineProperty(Api.prototype, "load", hosts.wrap(Api.prototype, "load", descriptor));
    const api = new Api();

    expect(await api.load("a")).toEqual([api, 1]);
  });
});

describe("bulkheads by key, inside a policy", () => {
  it("bulkheads by key, inside a policy have a timed-out attempt's slot free at once, for the next attempt too", async () => {
    const clock = virtualClock();
    const work = held();
    const hosts = bulkheads({ key, limit: 1 });
    const load = retry(hosts.wrap(work), { ...instant, clock, attemptTimeout: 100, stop: stopAfterAttempt(2) });

    const ended = expect(load("a", 1)).rejects.toBeInstanceOf(AttemptTimeoutError);
    await clock.advance(200);

    await ended;
    expect(work.called).toEqual([1, 1]);
    expect(hosts.get("a").inFlight).toBe(0);
  });

  it("never make a call that is aborted while it waits", async () => {
    const controller = new AbortController();
    const work = held();
    const hosts = bulkheads({ key, limit: 1, queue: 1 });
    hosts.wrap(work)("a", 1);
    const waiting = retry(hosts.wrap(work), { signal: controller.signal })("a", 2);

    controller.abort(reason);

    await expect(waiting).rejects.toBe(reason);
    await work.end(1);
    expect(work.called).toEqual([1]);
  });

  it("show a call that waited the attempt in which it was queued", async () => {
    const work = held();
    const hosts = bulkheads({ key, limit: 1, queue: 1 });
    hosts.wrap(work)("a", 1);

    const result = retry(hosts.wrap((_host: string) => currentAttempt().attempt))("a");
    await work.end(1);

    expect(await result).toBe(1);
  });

  it("show the key function the attempt", async () => {
    const hosts = bulkheads({ key: () => currentAttempt().attempt, limit: 1 });

    await retry(hosts.wrap(async () => 1))();

    expect(hosts.get(1)).toBeDefined();
    expect(hosts.size).toBe(1);
  });

  it("refuse by an error that is retried", async () => {
    const work = held();
    const hosts = bulkheads({ key, limit: 1 });
    hosts.wrap(work)("a", 1);
    const load = retry(
      hosts.wrap(async (_host: string) => "loaded"),
      { ...instant, onRetry: () => work.end(1) },
    );

    expect(await load("a")).toBe("loaded");
  });
});

describe("bulkheads by key, bounded", () => {
  it("stay within max with 10,000 keys", async () => {
    const hosts = bulkheads({ key, limit: 1, max: 100 });
    const load = hosts.wrap(async (host: unknown) => host);

    for (let host = 0; host < 10_000; host++) await load(host);

    expect(hosts.size).toBe(100);
  });

  it("bulkheads by key, bounded are 1,000 at most where nothing else is said", () => {
    const hosts = bulkheads({ key, limit: 1 });

    for (let host = 0; host < 1_500; host++) hosts.get(host);

    expect(hosts.size).toBe(1_000);
  });

  it("let the one go that was asked for longest ago", () => {
    const hosts = bulkheads({ key, limit: 1, max: 2 });
    const [a, b] = [hosts.get("a"), hosts.get("b")];
    hosts.get("a");

    hosts.get("c");

    expect(hosts.get("a")).toBe(a);
    expect(hosts.get("b")).not.toBe(b);
  });

  it("count a call as use until it ends", async () => {
    const work = held();
    const hosts = bulkheads({ key, limit: 1, max: 2 });
    const [a, b] = [hosts.get("a"), hosts.get("b")];
    hosts.wrap(work)("a", 1);
    hosts.get("b");
    await work.end(1);

    hosts.get("c");

    expect(hosts.get("a")).toBe(a);
    expect(hosts.get("b")).not.toBe(b);
  });

  it("never let one go that has a call in flight", async () => {
    const hosts = bulkheads({ key, limit: 2, max: 2 });
    const load = hosts.wrap(never);

    load("a");

    expect(staysKept(hosts, "a", 100)).toBe(true);
    expect(hosts.size).toBe(2);
  });

  it("keep one whose call was made by its own run()", () => {
    const hosts = bulkheads({ key, limit: 1, max: 2 });

    hosts.get("a").run(() => never("a"));

    expect(staysKept(hosts, "a", 100)).toBe(true);
  });

  it("keep one while the last of its calls is in flight", async () => {
    const work = held();
    const hosts = bulkheads({ key, limit: 2, max: 2 });
    const load = hosts.wrap(work);
    load("a", 1);
    load("a", 2);

    await work.end(1);

    expect(staysKept(hosts, "a", 100)).toBe(true);
  });

  it("keep one whose slot goes to a call that waited", async () => {
    const work = held();
    const hosts = bulkheads({ key, limit: 1, queue: 1, max: 2 });
    const load = hosts.wrap(work);
    load("a", 1);
    load("a", 2);

    await work.end(1);

    expect(staysKept(hosts, "a", 100)).toBe(true);
    await work.end(2);
    expect(staysKept(hosts, "a", 100)).toBe(false);
  });

  it("keep one that refuses a call", async () => {
    const hosts = bulkheads({ key, limit: 1, max: 2 });
    const load = hosts.wrap(never);
    load("a");

    await load("a").catch(() => {});

    expect(staysKept(hosts, "a", 100)).toBe(true);
  });

  it.each(["end", "fail"] as const)("bulkheads by key, bounded can let one go whose calls all %s", async (how) => {
    const work = held();
    const hosts = bulkheads({ key, limit: 2, max: 2 });
    const load = hosts.wrap(work);
    for (const id of [1, 2]) load("a", id).catch(() => {});

    for (const id of [1, 2]) await work[how](id);

    expect(staysKept(hosts, "a", 100)).toBe(false);
    expect(hosts.size).toBe(2);
  });

  it("bulkheads by key, bounded can let one go whose call timed out, though the function still runs", async () => {
    const clock = virtualClock();
    const hosts = bulkheads({ key, limit: 1, max: 2 });
    const load = retry(hosts.wrap(never), { clock, attemptTimeout: 100, stop: stopAfterAttempt(1) });

    load("a").catch(() => {});
    expect(staysKept(hosts, "a", 100)).toBe(true);
    await clock.advance(100);

    expect(staysKept(hosts, "a", 100)).toBe(false);
  });

  it("bulkheads by key, bounded can let one go whose calls were aborted, in flight and waiting", async () => {
    const controller = new AbortController();
    const hosts = bulkheads({ key, limit: 1, queue: 1, max: 2 });
    const load = retry(hosts.wrap(never), { signal: controller.signal });
    const results = Promise.allSettled([load("a"), load("a")]);

    controller.abort(reason);
    await results;

    expect(staysKept(hosts, "a", 100)).toBe(false);
  });

  it("bulkheads by key, bounded can let one go whose call came from an attempt that was already over", async () => {
    const controller = new AbortController();
    const hosts = bulkheads({ key, limit: 1, max: 2 });
    const load = hosts.wrap(never);

    const result = retry(
      () => {
        controller.abort(reason);
        return load("a");
      },
      { signal: controller.signal },
    )();

    await expect(result).rejects.toBe(reason);
    expect(staysKept(hosts, "a", 100)).toBe(false);
  });

  it("give a call with a new key one of its own where all are busy, and do not keep it", async () => {
    const work = held();
    const hosts = bulkheads({ key, limit: 1, max: 2 });
    const load = hosts.wrap(work);
    for (const host of ["a", "b"]) load(host, host);

    for (const id of [1, 2, 3]) load("c", id);

    expect(work.called).toEqual(["a", "b", 1, 2, 3]);
    expect(hosts.size).toBe(2);
    await expect(load("a", 4)).rejects.toBeInstanceOf(BulkheadFullError);
    await expect(load("b", 5)).rejects.toBeInstanceOf(BulkheadFullError);
  });

  it("hand out one that limits what goes through it, though it is not kept", async () => {
    const hosts = bulkheads({ key, limit: 1, max: 1 });
    hosts.wrap(never)("a");
    const slots = hosts.get("b");

    slots.run(() => never("b"));

    expect(slots.inFlight).toBe(1);
    await expect(slots.run(() => 1)).rejects.toBeInstanceOf(BulkheadFullError);
  });

  it("keep a new key's again once there is room", async () => {
    const work = held();
    const hosts = bulkheads({ key, limit: 1, max: 1 });
    const load = hosts.wrap(work);
    load("a", 1);
    load("b", 2);

    await work.end(1);
    load("b", 3);

    await expect(load("b", 4)).rejects.toBeInstanceOf(BulkheadFullError);
    expect(hosts.size).toBe(1);
  });

  it("keep a busy one when a call of its key that went by another ends", async () => {
    const work = held();
    const hosts = bulkheads({ key, limit: 1, max: 1 });
    const load = hosts.wrap(work);
    load("a", 1);
    load("b", 2);
    await work.end(1);
    load("b", 3);

    await work.end(2);

    expect(staysKept(hosts, "b", 100)).toBe(true);
  });
});

describe("an option of bulkheads by key that makes no sense is refused when they are made", () => {
  it.each<[unknown, ErrorConstructor, string]>([
    [undefined, TypeError, "bulkheads: options must be an object, got undefined"],
    [null, TypeError, "bulkheads: options must be an object, got null"],
    [{ limit: 1 }, TypeError, "bulkheads: key must be a function, got undefined"],
    [{ key: "host", limit: 1 }, TypeError, 'bulkheads: key must be a function, got "host"'],
    [{ key }, TypeError, "bulkheads: limit must be a whole number from 1, got undefined"],
    [{ key, limit: 0 }, RangeError, "bulkheads: limit must be a whole number from 1, got 0"],
    [{ key, limit: 1, queue: -1 }, RangeError, "bulkheads: queue must be a whole number from 0, or Infinity, got -1"],
    [{ key, limit: 1, max: 0 }, RangeError, "bulkheads: max must be a whole number from 1, got 0"],
    [{ key, limit: 1, max: 1.5 }, RangeError, "bulkheads: max must be a whole number from 1, got 1.5"],
    [{ key, limit: 1, max: "many" }, TypeError, 'bulkheads: max must be a whole number from 1, got "many"'],
    [{ key, limit: 1, name: 5 }, TypeError, "bulkheads: name must be a string, got 5"],
    [{ key, limit: 1, onRefused: 5 }, TypeError, "bulkheads: onRefused must be a function, got 5"],
    [{ key, limit: 1, onHookError: 5 }, TypeError, "bulkheads: onHookError must be a function, got 5"],
    [
      { key, limit: 1, size: 5 },
      TypeError,
      'bulkheads: there is no option "size"; allowed are limit, queue, maxWait, name, onRefused, onHookError, clock, key, max',
    ],
    [
      { key, limit: 1, changed: () => {} },
      TypeError,
      'bulkheads: there is no option "changed"; allowed are limit, queue, maxWait, name, onRefused, onHookError, clock, key, max',
    ],
  ])("%j", (options, Kind, message) => {
    expect(() => bulkheads(options as BulkheadsOptions)).toThrow(new Kind(message));
  });

  it("but one that is undefined counts as not given", async () => {
    const hosts = bulkheads({ key, limit: 1, queue: undefined, max: undefined, name: undefined });
    hosts.wrap(never)("a");

    await expect(hosts.wrap(never)("a")).rejects.toThrow("bulkhead a is full: limit 1, queue 0");
  });

  it("and each is read once, an inherited one too", () => {
    const read: string[] = [];
    const defaults = {
      get limit() {
        read.push("limit");
        return 1;
      },
    };
    const hosts = bulkheads(Object.assign(Object.create(defaults), { key }));

    for (const host of "ab") hosts.wrap(never)(host);

    expect(read).toEqual(["limit"]);
  });

  it("and so is what is no function where one is to be wrapped", () => {
    expect(() => bulkheads({ key, limit: 1 }).wrap(42 as never)).toThrow(
      new TypeError("bulkheads.wrap: fn must be a function, got 42"),
    );
  });
});
