import { BulkheadFullError, type BulkheadOptions, bulkhead, retry } from "undaunted";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { busy, expectNothingUnhandled, held, never, othersRun } from "./held.js";

expectNothingUnhandled();

describe("a bulkhead", () => {
  it("calls at once while there are slots, and refuses what comes then", async () => {
    const work = held();
    const slots = bulkhead({ limit: 2 });
    const call = slots.wrap(work);

    call(1);
    call(2);
    const refused = call(3);

    expect(work.called).toEqual([1, 2]);
    await expect(refused).rejects.toBeInstanceOf(BulkheadFullError);
    expect(work.called).toEqual([1, 2]);
  });

  it.each([
    ["returns a value", () => 42],
    ["resolves", async () => 42],
    [
      "throws",
      () => {
        throw busy;
      },
    ],
    [
      "rejects",
      async () => {
        throw busy;
      },
    ],
  ])("a bulkhead takes its slot back when the function %s", async (_, fn) => {
    const slots = bulkhead({ limit: 1 });

    const first = slots.run<unknown>(fn);

    expect(slots.inFlight).toBe(1);
    await first.catch(() => {});
    expect(slots.inFlight).toBe(0);
    expect(await slots.run(() => "next")).toBe("next");
  });

  it("hands on the arguments, `this` and the value", async () => {
    const slots = bulkhead({ limit: 1 });
    const api = {
      load: slots.wrap(async function (this: unknown, ...args: unknown[]) {
        return [this, ...args];
      }),
    };

    const result = await api.load(1, "two");

    expect(result).toEqual([api, 1, "two"]);
    expect(result[0]).toBe(api);
  });

  it.each([
    ["undefined", undefined],
    ["a string", "busy"],
    ["a frozen object", Object.freeze({ then: 1 })],
  ])("rejects with what the function threw, as it was: %s", async (_, error) => {
    const slots = bulkhead({ limit: 1 });

    const thrown = slots.run(() => {
      throw error;
    });

    expect(await thrown.then(undefined, (caught: unknown) => [caught])).toEqual([error]);
  });

  it("waits for any thenable", async () => {
    const slots = bulkhead({ limit: 1 });
    const thenable = { then: (resolve: (value: number) => void) => resolve(42) };

    expect(await slots.run(() => thenable)).toBe(42);
    expect(slots.inFlight).toBe(0);
  });

  it("keeps a function's name, length and properties", () => {
    async function load(_id: string, _fresh: boolean) {}
    load.route = "/users";

    const wrapped = bulkhead({ limit: 1 }).wrap(load);

    expect(wrapped.name).toBe("load");
    expect(wrapped).toHaveLength(2);
    expect(wrapped).toHaveProperty("route", "/users");
  });

  it("shares its slots among all that it wraps and runs", async () => {
    const slots = bulkhead({ limit: 1 });
    slots.run(never);

    await expect(slots.wrap(async () => 1)()).rejects.toBeInstanceOf(BulkheadFullError);
  });

  it("runs blocks as the callback of map", async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });

    expect(await Promise.all([async () => 1, async () => 2].map(slots.run))).toEqual([1, 2]);
  });

  it("wraps detached, and as the callback of map", async () => {
    const { wrap } = bulkhead({ limit: 1 });

    const [one] = [async () => 1].map(wrap as (fn: () => Promise<number>) => () => Promise<number>);

    expect(await one!()).toBe(1);
  });

  it("counts the slots taken and the calls waiting", async () => {
    const work = held();
    const slots = bulkhead({ limit: 2, queue: 2 });
    const seen = () => [slots.inFlight, slots.queued];
    const history = [seen()];

    for (const id of [1, 2, 3]) {
      slots.wrap(work)(id);
      history.push(seen());
    }
    for (const id of [1, 2, 3]) {
      await work.end(id);
      history.push(seen());
    }

    expect(history).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [2, 1],
      [2, 0],
      [1, 0],
      [0, 0],
    ]);
  });

  it("makes no handlers per call where nothing waits and nothing can abandon the attempt", async () => {
    const handlers: unknown[][] = [];
    const promises: unknown[] = [];
    const { then } = Promise.prototype;
    Promise.prototype.then = function (this: Promise<unknown>, ...both: any[]) {
      if (promises.includes(this)) handlers.push(both);
      return then.apply(this, both as []);
    } as typeof then;
    onTestFinished(() => {
      Promise.prototype.then = then;
    });
    const call = bulkhead({ limit: 2 }).wrap(() => {
      const promise = Promise.resolve(42);
      promises.push(promise);
      return promise;
    });

    await Promise.all([call(), retry(call)()]);

    expect(handlers).toHaveLength(2);
    expect(handlers[0]![0]).toBe(handlers[1]![0]);
    expect(handlers[0]![1]).toBe(handlers[1]![1]);
  });

  it("refuses a task that is no function by a rejected promise", async () => {
    const slots = bulkhead({ limit: 1 });

    await expect(slots.run(42 as never)).rejects.toThrow(new TypeError("bulkhead.run: fn must be a function, got 42"));
    expect(slots.inFlight).toBe(0);
  });

  it("refuses to wrap what is no function at once", () => {
    expect(() => bulkhead({ limit: 1 }).wrap(42 as never)).toThrow(
      new TypeError("bulkhead.wrap: fn must be a function, got 42"),
    );
  });
});

describe("a refusal", () => {
  it.each([
    [{ limit: 1 }, "bulkhead is full: limit 1, queue 0"],
    [{ limit: 1, queue: 2, name: "orders" }, "orders is full: limit 1, queue 2"],
  ])("a refusal under %j names the bulkhead, its limit and its queue", async (options, message) => {
    const slots = bulkhead(options);
    for (let n = 0; n < 3; n++) slots.run(never).catch(() => {});

    const error = await slots.run(never).catch((caught: Error) => caught);

    expect(error).toMatchObject({ name: "BulkheadFullError", code: "ERR_BULKHEAD_FULL", message });
  });

  it("calls onRefused with the error that the caller of a refused call gets", async () => {
    const onRefused = vi.fn();
    const slots = bulkhead({ limit: 1, name: "orders", onRefused });
    slots.run(never);

    const error = await slots.run(never).catch((caught) => caught);

    expect(onRefused.mock.calls).toEqual([[{ name: "orders", error }]]);
    expect(onRefused.mock.calls[0]![0].error).toBe(error);
  });

  it.each([
    [
      "throws",
      () => {
        throw busy;
      },
    ],
    [
      "rejects",
      async () => {
        throw busy;
      },
    ],
  ])("refuses a call all the same where onRefused %s, and hands that to onHookError", async (_, onRefused) => {
    const onHookError = vi.fn();
    const slots = bulkhead({ limit: 1, onRefused, onHookError });
    slots.run(never);

    await expect(slots.run(never)).rejects.toBeInstanceOf(BulkheadFullError);
    await othersRun();
    expect(onHookError.mock.calls).toEqual([[busy]]);
  });

  it("a refusal takes no slot for a call that it refuses: there are as many afterwards", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1 });
    slots.wrap(work)(1);
    await slots.run(never).catch(() => {});

    await work.end(1);

    expect(slots.inFlight).toBe(0);
  });
});

describe("bad input", () => {
  it.each([
    [undefined, TypeError, "bulkhead: options must be an object, got undefined"],
    [2, TypeError, "bulkhead: options must be an object, got 2; did you mean { limit: 2 }?"],
    [{}, TypeError, "bulkhead: limit must be a whole number from 1, got undefined"],
    [{ limit: "2" }, TypeError, 'bulkhead: limit must be a whole number from 1, got "2"'],
    [{ limit: 0 }, RangeError, "bulkhead: limit must be a whole number from 1, got 0"],
    [{ limit: 1.5 }, RangeError, "bulkhead: limit must be a whole number from 1, got 1.5"],
    [{ limit: Number.NaN }, RangeError, "bulkhead: limit must be a whole number from 1, got NaN"],
    [{ limit: Number.POSITIVE_INFINITY }, RangeError, "bulkhead: limit must be a whole number from 1, got Infinity"],
    [{ limit: 1, queue: -1 }, RangeError, "bulkhead: queue must be a whole number from 0, or Infinity, got -1"],
    [{ limit: 1, queue: 0.5 }, RangeError, "bulkhead: queue must be a whole number from 0, or Infinity, got 0.5"],
    [
      { limit: 1, queue: Number.NaN },
      RangeError,
      "bulkhead: queue must be a whole number from 0, or Infinity, got NaN",
    ],
    [{ limit: 1, queue: null }, TypeError, "bulkhead: queue must be a whole number from 0, or Infinity, got null"],
    [{ limit: 1, queue: 1, maxWait: 0 }, RangeError, "bulkhead: maxWait must be a number of ms above 0, got 0"],
    [{ limit: 1, maxWait: 10 }, TypeError, "bulkhead: maxWait needs a queue, got none"],
    [{ limit: 1, queue: 0, maxWait: 10 }, TypeError, "bulkhead: maxWait needs a queue, got none"],
    [
      { limit: 1, clock: { now: () => 0 } },
      TypeError,
      "bulkhead: clock must be an object with a method setTimer, got [object Object]",
    ],
    [{ limit: 1, name: 1 }, TypeError, "bulkhead: name must be a string, got 1"],
    [{ limit: 1, onRefused: 1 }, TypeError, "bulkhead: onRefused must be a function, got 1"],
    [{ limit: 1, onHookError: 1 }, TypeError, "bulkhead: onHookError must be a function, got 1"],
    [
      { limit: 1, size: 1 },
      TypeError,
      'bulkhead: there is no option "size"; allowed are limit, queue, maxWait, name, onRefused, onHookError, clock',
    ],
  ])("bulkhead refuses the options %j at once", (options, Kind, message) => {
    expect(() => bulkhead(options as BulkheadOptions)).toThrow(new Kind(message));
  });

  it.each([0, 1, 7, Number.POSITIVE_INFINITY, undefined])("bulkhead takes a queue of %s", (queue) => {
    expect(() => bulkhead({ limit: 1, queue })).not.toThrow();
  });
});
