import {
  type AttemptContext,
  AttemptTimeoutError,
  BulkheadFullError,
  bulkhead,
  currentAttempt,
  retry,
  runWithRetry,
  stopAfterAttempt,
  TotalTimeoutError,
  waitFixed,
} from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { busy, expectNothingUnhandled, held, never, othersRun, reason } from "./held.js";

expectNothingUnhandled();

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
  ])("the queue keeps its order when the %s in it leaves", async (_, leaver) => {
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
  ])(
    "the current attempt of a waiting call is the one in which it was queued, where the policy %s",
    async (_, options) => {
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
    },
  );

  it("the current attempt of a waiting call may be a first one", async () => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.wrap(work)(1);

    const result = retry(slots.wrap(() => currentAttempt().attempt))();
    await work.end(1);

    expect(await result).toBe(1);
  });

  it("the current attempt of a call that starts at once is that of the policy around it", async () => {
    const slots = bulkhead({ limit: 1 });

    expect(await retry(slots.wrap(() => currentAttempt().attempt))()).toBe(1);
  });

  it("a waiting call that was queued outside of any attempt has no current one", async () => {
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
  ])("the current attempt is over when a waiting call %s", async (_, fn) => {
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.wrap(work)(1);

    const result = runWithRetry(() => slots.run(fn), { stop: stopAfterAttempt(1) }).catch(() => {});
    await work.end(1);
    await result;

    expect(() => currentAttempt()).toThrow("currentAttempt() is valid only inside");
  });

  it("the current attempt reaches a guard inside a waiting call", async () => {
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
