import { getEventListeners } from "node:events";
import {
  BulkheadFullError,
  type BulkheadRunOptions,
  bulkhead,
  bulkheads,
  retry,
  runWithRetry,
  stopAfterAttempt,
  waitFixed,
} from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { busy, expectNothingUnhandled, held, never, othersRun, reason } from "./held.js";

expectNothingUnhandled();

describe("maxWait", () => {
  it("refuses a call that has waited for so long, and frees its place in the queue", async () => {
    const clock = virtualClock();
    const fn = vi.fn();
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100, name: "orders", clock });
    slots.run(never);

    const refused = slots.run(fn).catch((error: unknown) => error);
    await clock.advance(99);
    expect(slots.queued).toBe(1);
    await clock.advance(1);

    expect(await refused).toBeInstanceOf(BulkheadFullError);
    expect(await refused).toMatchObject({ message: "orders had no slot within 100 ms" });
    expect(slots.queued).toBe(0);
    expect(fn).not.toHaveBeenCalled();
  });

  it("calls onRefused once the place is free", async () => {
    const clock = virtualClock();
    const seen: unknown[] = [];
    const slots = bulkhead({
      limit: 1,
      queue: 1,
      maxWait: 100,
      clock,
      onRefused: (refusal) => seen.push(refusal, slots.queued),
    });
    slots.run(never);

    const refused = slots.run(never).catch((error: unknown) => error);
    await clock.advance(100);

    expect(seen).toEqual([{ name: "bulkhead", error: await refused }, 0]);
  });

  it("bounds the wait alone: a call that got its slot in time takes as long as it takes", async () => {
    const clock = virtualClock();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100, clock });
    slots.wrap(work)(1);
    const waiting = slots.wrap(work)(2);

    await work.end(1);
    await clock.advance(1_000);
    await work.end(2);

    expect(await waiting).toBe(2);
    expect(clock.pending).toBe(0);
  });

  it("starts no timer for a call that need not wait", () => {
    const clock = virtualClock();
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100, clock });

    slots.run(never);

    expect(clock.pending).toBe(0);
  });

  it("maxWait leaves no timer behind when a waiting call is aborted", async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100, clock });
    slots.run(never);
    const aborted = slots.run(never, { signal: controller.signal });

    controller.abort(reason);

    await expect(aborted).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });

  it("maxWait is one of its own for each key's bulkhead", async () => {
    const clock = virtualClock();
    const load = bulkheads({ key: (host) => host, limit: 1, queue: 1, maxWait: 100, clock }).wrap(never as () => never);
    const call = load as (host: string) => Promise<never>;
    for (const host of ["a", "b"]) call(host).catch(() => {});

    const refused = ["a", "b"].map((host) => call(host).catch((error: Error) => error.message));
    await clock.advance(100);

    expect(await Promise.all(refused)).toEqual([
      "bulkhead a had no slot within 100 ms",
      "bulkhead b had no slot within 100 ms",
    ]);
  });

  it("ends a wait that a retry around it begins anew", async () => {
    const clock = virtualClock();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100, clock });
    slots.wrap(work)(1);

    const result = retry(slots.wrap(work), { clock, wait: waitFixed(10) })(2);
    await clock.advance(100);
    await clock.advance(10);
    expect(slots.queued).toBe(1);
    await work.end(1);
    await work.end(2);

    expect(await result).toBe(2);
  });

  it("ends no wait twice where the clock cannot cancel", async () => {
    const fired: (() => void)[] = [];
    const setTimer = (fn: () => void) => {
      fired.push(fn);
      return () => {};
    };
    const work = held();
    const onRefused = vi.fn();
    const slots = bulkhead({ limit: 1, queue: 2, maxWait: 100, clock: { setTimer }, onRefused });
    const controller = new AbortController();
    slots.wrap(work)(1);
    const admitted = slots.wrap(work)(2);
    const aborted = slots.run(never, { signal: controller.signal });
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    await work.end(1);

    for (const fire of fired) fire();
    await work.end(2);

    expect(fired).toHaveLength(2);
    expect(await admitted).toBe(2);
    expect(onRefused).not.toHaveBeenCalled();
    expect([slots.inFlight, slots.queued]).toEqual([0, 0]);
  });

  it("rejects a call whose timer the clock fails to set, and keeps no place for it", async () => {
    const clock = {
      setTimer(): never {
        throw busy;
      },
    };
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100, clock });
    slots.run(never);

    await expect(slots.run(never)).rejects.toBe(busy);

    expect(slots.queued).toBe(0);
  });

  it("hands to onHookError what the clock throws when it cancels", async () => {
    const onHookError = vi.fn();
    const clock = {
      setTimer: () => () => {
        throw busy;
      },
    };
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100, clock, onHookError });
    slots.wrap(work)(1);
    const waiting = slots.run(() => "done");

    await work.end(1);

    expect(await waiting).toBe("done");
    expect(onHookError.mock.calls).toEqual([[busy]]);
  });

  it("keeps the real clock's timers, where none is given", async () => {
    vi.useFakeTimers();
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100 });
    slots.run(never);
    const refused = slots.run(never).catch((error: Error) => error.message);

    vi.advanceTimersByTime(100);
    vi.useRealTimers();

    expect(await refused).toBe("bulkhead had no slot within 100 ms");
  });
});

describe("run(task, { signal })", () => {
  it("rejects a waiting call with the reason when the signal aborts, and frees its place in the queue", async () => {
    const controller = new AbortController();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.wrap(work)(1);
    const fn = vi.fn();
    const aborted = slots.run(fn, { signal: controller.signal });

    controller.abort(reason);

    await expect(aborted).rejects.toBe(reason);
    expect(slots.queued).toBe(0);
    const next = slots.run(() => "next");
    await work.end(1);
    expect(await next).toBe("next");
    expect(fn).not.toHaveBeenCalled();
  });

  it("makes no call under a signal that has aborted, whether there is a slot or not", async () => {
    const signal = AbortSignal.abort(reason);
    const fn = vi.fn();
    const slots = bulkhead({ limit: 1, queue: 1 });

    await expect(slots.run(fn, { signal })).rejects.toBe(reason);
    slots.run(never);
    await expect(slots.run(fn, { signal })).rejects.toBe(reason);

    expect(fn).not.toHaveBeenCalled();
    expect([slots.inFlight, slots.queued]).toEqual([1, 0]);
  });

  it("leaves a task that has begun alone: it holds its slot until it settles", async () => {
    const controller = new AbortController();
    const work = held();
    const slots = bulkhead({ limit: 1, queue: 1 });
    const atOnce = slots.run(() => work(1), { signal: controller.signal });
    const afterWait = slots.run(() => work(2), { signal: controller.signal });
    await work.end(1);

    controller.abort(reason);
    await othersRun();

    expect(slots.inFlight).toBe(1);
    await work.end(2);
    expect(await Promise.all([atOnce, afterWait])).toEqual([1, 2]);
  });

  it("makes no call where the signal aborts between a call's slot and its start", async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const fn = vi.fn();
    const slots = bulkhead({ limit: 1, queue: 2 });
    const holder = retry(slots.wrap(never), { signal: first.signal })();
    const aborted = slots.run(fn, { signal: second.signal });
    const last = slots.run(() => "last");

    first.abort(reason);
    second.abort(reason);

    await expect(holder).rejects.toBe(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(await last).toBe("last");
    expect(fn).not.toHaveBeenCalled();
    expect(slots.inFlight).toBe(0);
  });

  it.each(["gets its slot", "is refused", "is aborted"])(
    "leaves no listener on the signal when a call that waited %s",
    async (end) => {
      const controller = new AbortController();
      const clock = virtualClock();
      const work = held();
      const slots = bulkhead({ limit: 1, queue: 1, maxWait: 100, clock });
      slots.wrap(work)(1);
      const waiting = slots.run(never, { signal: controller.signal }).catch(() => {});
      expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);

      if (end === "gets its slot") await work.end(1);
      else if (end === "is refused") await clock.advance(100);
      else controller.abort();
      if (end !== "gets its slot") await waiting;

      expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
      expect(slots.queued).toBe(0);
    },
  );

  it("run(task, { signal }) hears the attempt's own end as well", async () => {
    const [mine, outer] = [new AbortController(), new AbortController()];
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.run(never);

    const result = runWithRetry(() => slots.run(never, { signal: mine.signal }), {
      signal: outer.signal,
      stop: stopAfterAttempt(1),
    });
    outer.abort(reason);

    await expect(result).rejects.toBe(reason);
    expect(slots.queued).toBe(0);
    expect(getEventListeners(mine.signal, "abort")).toHaveLength(0);
  });

  it.each([
    [null, "bulkhead.run: options must be an object, got null"],
    [{ signal: 1 }, "bulkhead.run: signal must be an AbortSignal, got 1"],
    [{ signal: {} }, "bulkhead.run: signal must be an AbortSignal, got [object Object]"],
    [{ timeout: 1 }, 'bulkhead.run: there is no option "timeout"; allowed are signal'],
  ])("rejects for the options %j, and makes no call", async (options, message) => {
    const fn = vi.fn();
    const slots = bulkhead({ limit: 1 });

    await expect(slots.run(fn, options as BulkheadRunOptions)).rejects.toThrow(new TypeError(message));

    expect(fn).not.toHaveBeenCalled();
    expect(slots.inFlight).toBe(0);
  });
});
