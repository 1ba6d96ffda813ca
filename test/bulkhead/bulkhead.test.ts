import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  type AttemptContext,
  AttemptTimeoutError,
  BulkheadFullError,
  type BulkheadOptions,
  bulkhead,
  currentAttempt,
  retry,
  runWithRetry,
  stopAfterAttempt,
  TotalTimeoutError,
  waitFixed,
} from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const busy = new Error("busy");
const reason = new Error("the user left");
const never = () => new Promise<never>(() => {});

let unhandled: unknown[];
const note = (error: unknown) => unhandled.push(error);

beforeEach(() => {
  unhandled = [];
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  await othersRun();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

/** Lets every microtask run. */
function othersRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A function whose calls end when told to, by what was their first argument. */
function held() {
  const called: unknown[] = [];
  const ends = new Map<unknown, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  const fn = (id: unknown) =>
    new Promise<unknown>((resolve, reject) => {
      called.push(id);
      ends.set(id, { resolve, reject });
    });
  return Object.assign(fn, {
    /** The calls so far. */
    called,
    /** Ends a call with its own id. */
    async end(id: unknown) {
      ends.get(id)!.resolve(id);
      await othersRun();
    },
    async fail(id: unknown, error: unknown) {
      ends.get(id)!.reject(error);
      await othersRun();
    },
  });
}

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
  ])("takes its slot back when the function %s", async (_, fn) => {
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
    const call = bulkhead({ limit: 2 }).wrap(() => {
      const promise = Promise.resolve(42);
      const { then } = promise;
      promise.then = function (this: Promise<number>, ...both: any[]) {
        handlers.push(both);
        return then.apply(this, both as []);
      } as typeof then;
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
  ])("of %j names the bulkhead, its limit and its queue", async (options, message) => {
    const slots = bulkhead(options);
    for (let n = 0; n < 3; n++) slots.run(never).catch(() => {});

    const error = await slots.run(never).catch((caught: Error) => caught);

    expect(error).toMatchObject({ name: "BulkheadFullError", code: "ERR_BULKHEAD_FULL", message });
  });

  it("is told to onRefused, with the error that the caller gets", async () => {
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
  ])("is the same where onRefused %s, which onHookError is told", async (_, onRefused) => {
    const onHookError = vi.fn();
    const slots = bulkhead({ limit: 1, onRefused, onHookError });
    slots.run(never);

    await expect(slots.run(never)).rejects.toBeInstanceOf(BulkheadFullError);
    await othersRun();
    expect(onHookError.mock.calls).toEqual([[busy]]);
  });

  it("takes no slot: there are as many afterwards", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1 });
    slots.wrap(work)(1);
    await slots.run(never).catch(() => {});

    await work.end(1);

    expect(slots.inFlight).toBe(0);
  });
});

describe("the queue", () => {
  it("is served first in, first out", async () => {
    const work = held();
    const slots = bulkhead({ limit: 2, queue: 4 });
    const results = Promise.all([1, 2, 3, 4, 5, 6].map((id) => slots.wrap(work)(id)));

    await work.end(2);
    await work.end(1);
    await work.end(4);
    await work.end(3);
    expect(work.called).toEqual([1, 2, 3, 4, 5, 6]);

    await work.end(5);
    await work.end(6);
    expect(await results).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("is as long as was asked for", async () => {
    const slots = bulkhead({ limit: 1, queue: 2 });

    for (let n = 0; n < 3; n++) slots.run(never);

    await expect(slots.run(never)).rejects.toBeInstanceOf(BulkheadFullError);
    expect(slots.queued).toBe(2);
  });

  it("may have no end", async () => {
    const slots = bulkhead({ limit: 1, queue: Number.POSITIVE_INFINITY });

    for (let n = 0; n <= 1_000; n++) slots.run(never);

    expect(slots.queued).toBe(1_000);
  });

  it("has room again when one has left it", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const call = slots.wrap(work);
    call(1);
    call(2);

    await work.end(1);
    call(3);
    await work.end(2);

    expect(work.called).toEqual([1, 2, 3]);
  });

  it("hands on a waiting call's arguments, `this` and value", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.wrap(work)(1);
    const api = {
      load: slots.wrap(async function (this: unknown, ...args: unknown[]) {
        return [this, ...args];
      }),
    };

    const waiting = api.load(1, "two");
    await work.end(1);

    expect((await waiting)[0]).toBe(api);
    expect((await waiting).slice(1)).toEqual([1, "two"]);
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
  ])("goes on where a waiting call %s", async (_, fn) => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 2 });
    slots.wrap(work)(1);
    const waiting = slots.run(fn).catch((error: unknown) => error);
    const last = slots.run(() => "last");

    await work.end(1);

    expect(await waiting).toBe(busy);
    expect(await last).toBe("last");
    expect(slots.inFlight).toBe(0);
  });

  it("goes on where the call in front fails", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const first = slots
      .wrap(work)(1)
      .catch((error) => error);
    const waiting = slots.run(() => "next");

    await work.fail(1, busy);

    expect(await first).toBe(busy);
    expect(await waiting).toBe("next");
  });

  it("delays nobody once it is empty", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const first = slots.run(async () => {});
    await slots.run(async () => {});
    await first;

    slots.wrap(work)("newcomer");

    expect(work.called).toEqual(["newcomer"]);
  });

  it("goes before whoever comes at the moment when a slot is free", async () => {
    const order: string[] = [];
    const slots = bulkhead({ limit: 1, queue: 2 });
    const first = slots.run(async () => {});
    slots.run(() => order.push("waiting"));

    await first;
    await slots.run(() => order.push("newcomer"));

    expect(order).toEqual(["waiting", "newcomer"]);
  });

  it("goes before whoever comes at the moment when several slots are free", async () => {
    const controller = new AbortController();
    const order: string[] = [];
    const slots = bulkhead({ limit: 2, queue: 1 });
    const hang = retry(slots.wrap(never), { signal: controller.signal });
    const ended = [hang(), hang()].map((each) => expect(each).rejects.toBe(reason));
    const waiting = slots.run(() => order.push("waiting"));

    controller.abort(reason);
    await slots.run(() => order.push("newcomer"));

    await Promise.all([waiting, ...ended]);
    expect(order).toEqual(["waiting", "newcomer"]);
    expect(slots.inFlight).toBe(0);
  });

  it("puts a call that a waiting one makes when it starts behind the others", async () => {
    const order: string[] = [];
    const slots = bulkhead({ limit: 1, queue: 3 });
    let inner: Promise<unknown> | undefined;
    slots.run(async () => {});
    slots.run(() => {
      inner = slots.run(() => order.push("inner"));
      order.push("outer");
    });

    await slots.run(() => order.push("behind"));
    await inner;

    expect(order).toEqual(["outer", "behind", "inner"]);
  });

  it("does not grow the stack, however long", async () => {
    const depths = new Set<number>();
    const { stackTraceLimit } = Error;
    const slots = bulkhead({ limit: 1, queue: 10_000 });
    slots.run(async () => {});

    const waiting = Array.from({ length: 10_000 }, (_, n) =>
      slots.run(() => {
        if (n % 1_000 !== 0) return;
        Error.stackTraceLimit = Number.POSITIVE_INFINITY;
        depths.add(new Error("depth").stack!.split("\n").filter((line) => !line.includes(" async ")).length);
        Error.stackTraceLimit = stackTraceLimit;
      }),
    );
    await Promise.all(waiting);

    expect(depths.size).toBe(1);
  });

  it("starts a call in microtasks: no timer and no I/O comes between", async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const order: string[] = [];
    setImmediate(() => order.push("immediate"));

    slots.run(async () => {});
    slots.run(() => order.push("waiting"));
    await othersRun();

    expect(order).toEqual(["waiting", "immediate"]);
  });
});

describe("the stack of an error", () => {
  const works = {
    "after its first await": async () => {
      await null;
      throw new Error("deep");
    },
    "before its first await": async () => {
      throw new Error("deep");
    },
    synchronously: (): Promise<never> => {
      throw new Error("deep");
    },
  };
  const cases = Object.entries(works).flatMap(([when, work]) =>
    ["at once", "after a wait"].flatMap((start) =>
      ["alone", "in a policy", "in a policy that can abandon it"].map((place) => ({ when, work, start, place })),
    ),
  );

  it.each(cases)("shows the caller: thrown $when, started $start, $place", async ({ work, start, place }) => {
    const first = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    if (start === "after a wait") slots.wrap(first)(1);
    const policy = { ...instant, stop: stopAfterAttempt(1), ...(place.endsWith("it") && { attemptTimeout: 10_000 }) };
    const call = place === "alone" ? slots.wrap(work) : retry(slots.wrap(work), policy);
    async function callerOfWrapped() {
      await call();
    }

    const thrown = callerOfWrapped().catch((error: Error) => error);
    if (start === "after a wait") await first.end(1);

    expect(((await thrown) as Error).message).toBe("deep");
    expect(((await thrown) as Error).stack).toContain("callerOfWrapped");
  });
});

describe("inside a policy", () => {
  it("a refusal is retried like any error", async () => {
    const clock = virtualClock();
    const work = held();
    const slots = bulkhead({ limit: 1 });
    slots.wrap(work)(1);
    const call = retry(
      slots.wrap(async () => "done"),
      { clock, wait: waitFixed(10) },
    );

    const result = call();
    await work.end(1);
    await clock.runAll();

    expect(await result).toBe("done");
    expect(call.stats.attempts).toBe(2);
  });

  it("time in the queue counts to attemptTimeout, and the function is never called", async () => {
    const clock = virtualClock();
    const fn = vi.fn();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.run(never);

    const result = retry(slots.wrap(fn), { clock, attemptTimeout: 100, stop: stopAfterAttempt(1) })();
    await clock.advance(99);
    expect(slots.queued).toBe(1);
    const ended = expect(result).rejects.toBeInstanceOf(AttemptTimeoutError);
    await clock.advance(1);

    await ended;
    expect(slots.queued).toBe(0);
    expect(fn).not.toHaveBeenCalled();
  });

  it("a call leaves the queue when its policy's time is up", async () => {
    const clock = virtualClock();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.run(never);

    const ended = expect(retry(slots.wrap(never), { clock, totalTimeout: 100 })()).rejects.toBeInstanceOf(
      TotalTimeoutError,
    );
    await clock.advance(100);

    await ended;
    expect(slots.queued).toBe(0);
  });

  it("a call that is aborted in the queue leaves no trace there", async () => {
    const controller = new AbortController();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 2 });
    const call = slots.wrap(work);
    call(1);
    const aborted = retry(call, { signal: controller.signal })(2);
    const last = call(3);

    controller.abort(reason);

    await expect(aborted).rejects.toBe(reason);
    expect([slots.inFlight, slots.queued]).toEqual([1, 1]);
    await work.end(1);
    await work.end(3);
    expect(await last).toBe(3);
    expect(work.called).toEqual([1, 3]);
    expect([slots.inFlight, slots.queued]).toEqual([0, 0]);
  });

  it("a call's own promise rejects with the reason when it is abandoned in the queue", async () => {
    const controller = new AbortController();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.run(never);
    let waiting: Promise<unknown> | undefined;

    const result = runWithRetry(
      () => {
        waiting = slots.run(never);
        return waiting;
      },
      { signal: controller.signal },
    );
    controller.abort(reason);

    await expect(waiting).rejects.toBe(reason);
    await expect(result).rejects.toBe(reason);
  });

  it.each([
    ["first", 2],
    ["middle one", 3],
    ["last", 4],
  ])("the queue keeps its order when the %s leaves it", async (_, leaver) => {
    const controller = new AbortController();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 5 });
    const call = slots.wrap(work);
    for (const id of [1, 2, 3, 4]) {
      if (id === leaver) retry(call, { signal: controller.signal })(id).catch(() => {});
      else call(id);
    }

    controller.abort(reason);
    await othersRun();
    expect(work.called).toEqual([1]);
    call(5);
    const order = [1, 2, 3, 4, 5].filter((id) => id !== leaver);
    for (const id of order) await work.end(id);

    expect(work.called).toEqual(order);
    expect([slots.inFlight, slots.queued]).toEqual([0, 0]);
  });

  it("a timed-out attempt's slot is free at once, though the function still runs", async () => {
    const clock = virtualClock();
    const work = held();
    const slots = bulkhead({ limit: 1 });

    const result = retry(slots.wrap(work), { ...instant, clock, attemptTimeout: 100, stop: stopAfterAttempt(2) })(1);
    await clock.advance(100);

    expect(work.called).toEqual([1, 1]);
    await work.end(1);
    expect(await result).toBe(1);
  });

  it("a slot comes back once: what a timed-out attempt does afterwards frees none", async () => {
    const clock = virtualClock();
    const work = held();
    const slots = bulkhead({ limit: 1 });
    const policy = { clock, attemptTimeout: 100, stop: stopAfterAttempt(1) };
    retry(slots.wrap(work), policy)("late").catch(() => {});
    await clock.advance(100);
    slots.wrap(work)("next");

    await work.end("late");

    expect(slots.inFlight).toBe(1);
    await expect(slots.run(never)).rejects.toBeInstanceOf(BulkheadFullError);
  });

  it("a slot comes back once also where its call waited for it", async () => {
    const clock = virtualClock();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const policy = { clock, attemptTimeout: 100, stop: stopAfterAttempt(1) };
    slots.wrap(work)("first");
    retry(slots.wrap(work), policy)("late").catch(() => {});
    await work.end("first");
    await clock.advance(100);
    expect(slots.inFlight).toBe(0);
    slots.wrap(work)("next");

    await work.end("late");

    expect(slots.inFlight).toBe(1);
  });

  it.each(["at once", "after a wait"])(
    "a call started %s still settles as its function does when abandoned",
    async (start) => {
      const clock = virtualClock();
      const work = held();
      const late = vi.fn();
      const slots = bulkhead({ limit: 1, queue: 1 });
      if (start === "after a wait") slots.wrap(work)(0);
      const result = retry(slots.wrap(work), { clock, totalTimeout: 100, onLateResult: late })(1);
      if (start === "after a wait") await work.end(0);
      const ended = expect(result).rejects.toBeInstanceOf(TotalTimeoutError);

      await clock.advance(100);
      await ended;
      await work.end(1);

      expect(late.mock.calls).toEqual([[{ ok: true, value: 1 }]]);
    },
  );

  it("an aborted attempt's slot goes to the next in line", async () => {
    const controller = new AbortController();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const aborted = retry(slots.wrap(never), { signal: controller.signal })();
    const next = slots.run(() => "next");

    controller.abort(reason);

    await expect(aborted).rejects.toBe(reason);
    expect(await next).toBe("next");
    expect(slots.inFlight).toBe(0);
  });

  it("one abort of calls in flight and waiting calls none of those that wait", async () => {
    const controller = new AbortController();
    const work = held();
    const slots = bulkhead({ limit: 2, queue: 10_000 });
    const call = retry(slots.wrap(work), { signal: controller.signal });
    const results = Promise.allSettled(Array.from({ length: 10_000 }, (_, id) => call(id)));
    const last = slots.run(() => "last");

    controller.abort(reason);

    expect((await results).filter(({ status }) => status === "fulfilled")).toEqual([]);
    expect(await last).toBe("last");
    expect(work.called).toEqual([0, 1]);
    expect([slots.inFlight, slots.queued]).toEqual([0, 0]);
  });

  it("an abort between a call's slot and its start passes the slot on", async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const fn = vi.fn();
    const slots = bulkhead({ limit: 1, queue: 2 });
    retry(slots.wrap(never), { signal: first.signal })().catch(() => {});
    let admitted: Promise<unknown> | undefined;
    const aborted = runWithRetry(
      () => {
        admitted = slots.run(fn);
        return admitted;
      },
      { signal: second.signal },
    );
    const last = slots.run(() => "last");

    first.abort(reason);
    second.abort(reason);

    await expect(aborted).rejects.toBe(reason);
    await expect(admitted).rejects.toBe(reason);
    expect(await last).toBe("last");
    expect(fn).not.toHaveBeenCalled();
    expect(slots.inFlight).toBe(0);
  });

  it("a call is made at once when those before it that had a slot are all aborted", async () => {
    const controller = new AbortController();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const call = retry(slots.wrap(work), { signal: controller.signal });
    const aborted = Promise.allSettled([call("in flight"), call("queued")]);

    controller.abort(reason);
    slots.wrap(work)("newcomer");

    expect(work.called).toEqual(["in flight", "newcomer"]);
    await aborted;
  });

  it.each([0, 1])("an attempt that is already over makes no call (%i in flight)", async (taken) => {
    const controller = new AbortController();
    const fn = vi.fn();
    const slots = bulkhead({ limit: 1, queue: 1 });
    if (taken > 0) slots.run(never);
    let ended: unknown;

    const result = runWithRetry(
      async () => {
        controller.abort(reason);
        ended = await slots.run(fn).catch((error) => error);
      },
      { signal: controller.signal },
    );

    await expect(result).rejects.toBe(reason);
    await othersRun();
    expect(ended).toBe(reason);
    expect(fn).not.toHaveBeenCalled();
    expect([slots.inFlight, slots.queued]).toEqual([taken, 0]);
  });

  it("a function that aborts its own attempt gives its slot back once", async () => {
    const controller = new AbortController();
    const slots = bulkhead({ limit: 2 });
    slots.run(never);

    const result = retry(
      slots.wrap(async () => controller.abort(reason)),
      { signal: controller.signal },
    )();

    await expect(result).rejects.toBe(reason);
    await othersRun();
    expect(slots.inFlight).toBe(1);
  });

  it("an abort of what has settled frees no slot", async () => {
    const controller = new AbortController();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const result = runWithRetry(
      async () => {
        await slots.run(async () => {});
        await work(1);
      },
      { signal: controller.signal },
    );
    await othersRun();
    slots.run(never);

    controller.abort(reason);

    await expect(result).rejects.toBe(reason);
    expect(slots.inFlight).toBe(1);
  });
});

describe("the current attempt", () => {
  it.each([
    ["nothing can abandon", {}],
    ["has a timeout", { attemptTimeout: 10_000 }],
  ])("of a waiting call is the one in which it was queued, where the policy %s", async (_, options) => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const contexts: AttemptContext[] = [];
    const guarded = slots.wrap(() => contexts.push(currentAttempt()));
    const call = retry(
      () => {
        contexts.push(currentAttempt());
        if (currentAttempt().attempt === 1) throw busy;
        return guarded();
      },
      { ...instant, ...options },
    );
    slots.wrap(work)(1);

    const result = call();
    await othersRun();
    await work.end(1);

    await result;
    expect(contexts.map(({ attempt }) => attempt)).toEqual([1, 2, 2]);
    expect(contexts[2]).toBe(contexts[1]);
  });

  it("of a waiting first attempt is there too", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.wrap(work)(1);

    const result = retry(slots.wrap(() => currentAttempt().attempt))();
    await work.end(1);

    expect(await result).toBe(1);
  });

  it("of a call that starts at once is that of the policy around it", async () => {
    const slots = bulkhead({ limit: 1 });

    expect(await retry(slots.wrap(() => currentAttempt().attempt))()).toBe(1);
  });

  it("is none in a waiting call that was queued outside of any", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const first = retry(slots.wrap(work))(1);

    const waiting = slots.run(() => currentAttempt());
    const ended = expect(waiting).rejects.toThrow("currentAttempt() is valid only inside");
    await work.end(1);

    await first;
    await ended;
  });

  it.each([
    ["returns", () => 42],
    [
      "throws",
      () => {
        throw busy;
      },
    ],
  ])("is over when a waiting call %s", async (_, fn) => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.wrap(work)(1);

    const result = runWithRetry(() => slots.run(fn), { stop: stopAfterAttempt(1) }).catch(() => {});
    await work.end(1);
    await result;

    expect(() => currentAttempt()).toThrow("currentAttempt() is valid only inside");
  });

  it("reaches a guard inside a waiting call", async () => {
    const controller = new AbortController();
    const work = held();
    const [outer, inner] = [bulkhead({ limit: 1, queue: 1 }), bulkhead({ limit: 1 })];
    outer.wrap(work)(1);
    const result = retry(outer.wrap(inner.wrap(never)), { signal: controller.signal })();
    await work.end(1);
    expect(inner.inFlight).toBe(1);

    controller.abort(reason);

    await expect(result).rejects.toBe(reason);
    expect([outer.inFlight, inner.inFlight]).toEqual([0, 0]);
  });
});

describe("memory", () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;

  it("of a call is free when it has settled, also while one that stood before it in the queue still runs", async () => {
    const work = held();
    const slots = bulkhead({ limit: 2, queue: 2 });
    slots.wrap(work)(1);
    slots.wrap(work)(2);
    slots.wrap(work)(3);
    const argument = new WeakRef({});
    const waiting = slots.wrap((_: unknown) => {})(argument.deref());

    await work.end(1);
    await work.end(2);
    await waiting;
    await othersRun();
    collectGarbage();

    expect(argument.deref()).toBeUndefined();
    await work.end(3);
  });

  it("of a call is free when it has settled, also while its attempt goes on", async () => {
    const controller = new AbortController();
    const slots = bulkhead({ limit: 1, queue: 1 });
    let argument: WeakRef<object> | undefined;
    const result = runWithRetry(
      async () => {
        argument = new WeakRef({});
        await Promise.all([slots.run(async () => {}), slots.wrap((_: unknown) => {})(argument.deref())]);
        await never();
      },
      { signal: controller.signal },
    ).catch(() => {});
    await othersRun();
    await othersRun();
    collectGarbage();

    expect(argument?.deref()).toBeUndefined();
    controller.abort(reason);
    await result;
  });
});

describe("bad input", () => {
  it.each([
    [undefined, TypeError, "bulkhead: options must be an object, got undefined"],
    [2, TypeError, "bulkhead: options must be an object, got 2"],
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
    [{ limit: 1, name: 1 }, TypeError, "bulkhead: name must be a string, got 1"],
    [{ limit: 1, onRefused: 1 }, TypeError, "bulkhead: onRefused must be a function, got 1"],
    [{ limit: 1, onHookError: 1 }, TypeError, "bulkhead: onHookError must be a function, got 1"],
    [
      { limit: 1, size: 1 },
      TypeError,
      'bulkhead: there is no option "size"; allowed are limit, queue, name, onRefused, onHookError',
    ],
  ])("%j is refused at once", (options, Kind, message) => {
    expect(() => bulkhead(options as BulkheadOptions)).toThrow(new Kind(message));
  });

  it.each([0, 1, 7, Number.POSITIVE_INFINITY, undefined])("a queue of %s is none", (queue) => {
    expect(() => bulkhead({ limit: 1, queue })).not.toThrow();
  });
});
