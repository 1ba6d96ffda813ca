import { BulkheadFullError, bulkhead, retry } from "undaunted";
import { describe, expect, it } from "vitest";
import { busy, expectNothingUnhandled, held, never, othersRun, reason } from "./held.js";

expectNothingUnhandled();

describe("the queue", () => {
  it("serves the queue first in, first out", async () => {
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

  it("keeps a queue as long as was asked for", async () => {
    const slots = bulkhead({ limit: 1, queue: 2 });

    for (let n = 0; n < 3; n++) slots.run(never);

    await expect(slots.run(never)).rejects.toBeInstanceOf(BulkheadFullError);
    expect(slots.queued).toBe(2);
  });

  it("keeps a queue without end where its length is Infinity", async () => {
    const slots = bulkhead({ limit: 1, queue: Number.POSITIVE_INFINITY });

    for (let n = 0; n <= 1_000; n++) slots.run(never);

    expect(slots.queued).toBe(1_000);
  });

  it("the queue has room again when a call has left it", async () => {
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
  ])("goes on with the queue where a waiting call %s", async (_, fn) => {
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

  it("goes on with the queue where the call in front fails", async () => {
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

  it("starts a call at once when the queue is empty again", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const first = slots.run(async () => {});
    await slots.run(async () => {});
    await first;

    slots.wrap(work)("newcomer");

    expect(work.called).toEqual(["newcomer"]);
  });

  it("starts a waiting call before one that comes at the moment when a slot is free", async () => {
    const order: string[] = [];
    const slots = bulkhead({ limit: 1, queue: 2 });
    const first = slots.run(async () => {});
    slots.run(() => order.push("waiting"));

    await first;
    await slots.run(() => order.push("newcomer"));

    expect(order).toEqual(["waiting", "newcomer"]);
  });

  it("starts a waiting call before one that comes at the moment when several slots are free", async () => {
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

  it("puts a call that a waiting one makes when it starts behind the others in the queue", async () => {
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

  it("the queue does not grow the stack, however long it is", async () => {
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

  it("starts a waiting call in microtasks: no timer and no I/O comes between", async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const order: string[] = [];
    setImmediate(() => order.push("immediate"));

    slots.run(async () => {});
    slots.run(() => order.push("waiting"));
    await othersRun();

    expect(order).toEqual(["waiting", "immediate"]);
  });
});
