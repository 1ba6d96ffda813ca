import {
  bulkhead,
  circuitBreaker,
  currentAttempt,
  retry,
  retrySync,
  runWithRetry,
  stopAfterAttempt,
  TotalTimeoutError,
  waitFixed,
  waitNone,
} from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { busy, countedSignal, never, reason, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

/** A virtual clock that counts the timers that are set and not over. */
function countedClock() {
  const clock = virtualClock();
  let timers = 0;
  const setTimer: typeof clock.setTimer = (fn, ms, unref) => {
    timers++;
    let over = false;
    const end = () => {
      if (!over) timers--;
      over = true;
    };
    const cancel = clock.setTimer(
      () => {
        end();
        fn();
      },
      ms,
      unref,
    );
    return () => {
      end();
      cancel();
    };
  };
  return { ...clock, setTimer, timers: () => timers };
}

describe("a call that begins in the synchronous part of an attempt", () => {
  it("ends with that attempt's timeout: three calls are made, not twelve, and no sleep or timer is left", async () => {
    const clock = countedClock();
    let calls = 0;
    const inner = retry(
      async () => {
        calls++;
        throw busy;
      },
      { clock, stop: stopAfterAttempt(4), wait: waitFixed(100) },
    );
    const outer = retry(() => inner(), { clock, stop: stopAfterAttempt(3), wait: waitNone, attemptTimeout: 50 });

    const result = outer().catch((error) => error);
    await clock.advance(150);

    expect(await result).toMatchObject({ name: "AttemptTimeoutError", attempt: 3 });
    expect([calls, clock.timers()]).toEqual([3, 0]);
    await clock.runAll();
    expect(calls).toBe(3);
  });

  it("ends with the caller's abort, and leaves no timer and no listener", async () => {
    const clock = countedClock();
    const { signal, listeners, abort } = countedSignal();
    let calls = 0;
    const inner = retry(
      async () => {
        calls++;
        throw busy;
      },
      { clock, wait: waitFixed(30) },
    );
    const result = retry(() => inner(), { clock, signal })().catch((error) => error);
    await clock.advance(10);

    abort();

    expect(await result).toBe(reason);
    await clock.runAll();
    expect([calls, clock.timers(), listeners.size]).toEqual([1, 0, 0]);
  });

  it("ends with the deadline of a call three levels out, in whatever phase each level is", async () => {
    const clock = countedClock();
    let calls = 0;
    const third = retry(
      async () => {
        calls++;
        throw busy;
      },
      { clock, wait: waitFixed(1_000) },
    );
    const second = retry(() => third(), { clock, wait: waitNone });
    const first = retry(() => second(), { clock, wait: waitNone, totalTimeout: 500 });

    const result = first().catch((error) => error);
    await clock.advance(500);

    expect(await result).toBeInstanceOf(TotalTimeoutError);
    await clock.runAll();
    expect([calls, clock.timers()]).toEqual([1, 0]);
  });

  it("rejects with the outer attempt's error, and exhausts nothing: the outer call tries again", async () => {
    const clock = virtualClock();
    const ends: unknown[] = [];
    const inner = retry(never, { clock });
    const outer = retry(() => inner().catch((error) => Promise.reject(ends.push(error))), {
      clock,
      stop: stopAfterAttempt(2),
      wait: waitNone,
      attemptTimeout: 50,
    });

    const result = outer().catch((error) => error);
    await clock.advance(100);

    expect(await result).toMatchObject({ name: "AttemptTimeoutError", attempt: 2 });
    expect(ends).toMatchObject([
      { name: "AttemptTimeoutError", attempt: 1 },
      { name: "AttemptTimeoutError", attempt: 2 },
    ]);
  });

  it("aborts the signal of its own attempt, and tells onGiveUp", async () => {
    const controller = new AbortController();
    let seen: AbortSignal | undefined;
    const reasons: unknown[] = [];
    const inner = retry(
      () => {
        seen = currentAttempt().signal;
        return never();
      },
      { onGiveUp: (state) => reasons.push([state.reason, state.error]) },
    );
    const result = retry(() => inner(), { signal: controller.signal })().catch((error) => error);

    controller.abort(reason);

    expect(seen).toMatchObject({ aborted: true, reason });
    expect(await result).toBe(reason);
    expect(reasons).toEqual([["aborted", reason]]);
  });

  it("goes on where it is detached", async () => {
    const clock = virtualClock();
    let calls = 0;
    const inner = retry(
      async () => {
        if (++calls < 3) throw busy;
        return "done";
      },
      { clock, wait: waitFixed(100), detached: true },
    );
    let flight: Promise<string> | undefined;
    const outer = retry(
      () => {
        flight ??= inner();
        return flight;
      },
      { clock, stop: stopAfterAttempt(1), attemptTimeout: 50 },
    );

    const result = outer().catch((error) => error);
    await clock.advance(250);

    expect(await result).toMatchObject({ name: "AttemptTimeoutError" });
    expect(await flight).toBe("done");
  });

  it("is joined: undetached both callers end with the first one's abort, detached the second one gets the value", async () => {
    for (const detached of [false, true]) {
      const clock = virtualClock();
      let tries = 0;
      const load = retry(
        async () => {
          if (++tries === 1) throw busy;
          return "token";
        },
        { clock, wait: waitFixed(100), detached },
      );
      let flight: Promise<string> | undefined;
      const getToken = () => {
        flight ??= load();
        return flight;
      };
      const controller = new AbortController();
      const first = retry(() => getToken(), { clock, signal: controller.signal })().catch((error) => error);
      const second = retry(() => getToken(), { clock, stop: stopAfterAttempt(1) })().catch((error) => error);
      await clock.advance(50);

      controller.abort(reason);
      await clock.advance(100);

      expect([await first, await second]).toEqual([reason, detached ? "token" : reason]);
    }
  });

  it("that is detached exhausts nothing: the outer call makes all its attempts", async () => {
    let calls = 0;
    const fails = async () => {
      calls++;
      throw busy;
    };
    const inner = retry(fails, { ...instant, stop: stopAfterAttempt(2), detached: true });

    await expect(retry(() => inner(), { ...instant, stop: stopAfterAttempt(3) })()).rejects.toBe(busy);

    expect(calls).toBe(6);
  });

  it.each([
    ["a sync attempt", () => retrySync(() => void retry(never, { name: "inner" })().catch(() => ends++))()],
    ["an attempt that nothing can end", () => retry(async () => void retry(never)().catch(() => ends++))()],
  ])("is linked to nothing in %s", async (_where, begin) => {
    const controller = new AbortController();

    await runWithRetry(
      async () => {
        await null;
        await begin();
      },
      { signal: controller.signal },
    );
    controller.abort(reason);
    await new Promise((resolve) => setImmediate(resolve));

    expect(ends).toBe(0);
  });
  let ends = 0;

  it("ends before its first attempt where the outer attempt is over already", async () => {
    const controller = new AbortController();
    let calls = 0;
    const inner = retry(async () => calls++);
    const seen: unknown[] = [];

    await retry(
      () => {
        controller.abort(reason);
        return inner().catch((error) => Promise.reject(seen.push(error)));
      },
      { signal: controller.signal },
    )().catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));

    expect([calls, seen]).toEqual([0, [reason]]);
  });
});

describe("a guard inside a linked call", () => {
  it("counts the outer timeout as a failure in the first attempt, and as nothing in a later one", async () => {
    for (const attempts of [1, 2]) {
      const clock = virtualClock();
      const breaker = circuitBreaker({ clock });
      let tries = 0;
      const call = breaker.wrap(async () => {
        if (++tries < attempts) throw busy;
        return never();
      });
      const inner = retry(call, { clock, wait: waitNone });
      const result = retry(() => inner(), { clock, stop: stopAfterAttempt(1), attemptTimeout: 50 })().catch(() => {});

      await clock.advance(50);
      await result;

      const failures = attempts === 1 ? 1 : attempts - 1;
      expect(breaker.stats).toMatchObject({ failures, ignored: attempts - 1 });
    }
  });

  it("gives its slot back", async () => {
    const clock = virtualClock();
    const slots = bulkhead({ limit: 1 });
    const inner = retry(slots.wrap(never), { clock });
    const result = retry(() => inner(), { clock, stop: stopAfterAttempt(1), attemptTimeout: 50 })().catch(() => {});

    await clock.advance(50);
    await result;

    expect(slots.inFlight).toBe(0);
  });
});
