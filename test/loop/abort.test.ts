import {
  type AttemptContext,
  currentAttempt,
  type GiveUpState,
  type RetryOptions,
  retry,
  runWithRetry,
  stopAfterAttempt,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { busy, countedSignal, never, now, reason, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

describe("an abort", () => {
  it("rejects a call that has not begun with the reason, and calls nothing but onGiveUp", async () => {
    const load = flaky(["ok"]);
    const seen: GiveUpState[] = [];
    const call = retry(load, {
      signal: AbortSignal.abort(reason),
      onGiveUp: (state) => seen.push(state),
      fallback: () => "cached",
    });

    await expect(call()).rejects.toBe(reason);
    expect(load.calls).toEqual([]);
    expect(seen).toMatchObject([
      {
        reason: "aborted",
        attempt: 0,
        exhausted: false,
        delay: 0,
        outcome: { ok: false, error: reason },
        error: reason,
      },
    ]);
  });

  it("rejects with whatever the reason is, also with undefined's default and with a string", async () => {
    await expect(retry(never, { signal: AbortSignal.abort() })()).rejects.toMatchObject({ name: "AbortError" });
    await expect(retry(never, { signal: AbortSignal.abort("why") })()).rejects.toBe("why");
  });

  const moments: Record<string, (abort: () => void) => RetryOptions & { fn?: () => unknown }> = {
    "in a pending attempt": () => ({ fn: never }),
    "in the sync part of an attempt": (abort) => ({
      fn: () => {
        abort();
        return "too late";
      },
    }),
    "in an attempt that then throws": (abort) => ({
      fn: () => {
        abort();
        throw busy;
      },
    }),
    "in a sleep": () => ({ wait: waitFixed(1_000) }),
    "in onAttempt": (abort) => ({ onAttempt: abort }),
    "in a pending onAttempt": () => ({ onAttempt: never }),
    "in onRetry": (abort) => ({ onRetry: abort }),
    "in a pending onRetry": () => ({ onRetry: never }),
    "in retryIf": (abort) => ({
      retryIf: () => {
        abort();
        return true;
      },
    }),
    "in a pending retryIf": () => ({ retryIf: never }),
    "in wait": (abort) => ({
      wait: () => {
        abort();
        return 0;
      },
    }),
    "in stop": (abort) => ({
      stop: () => {
        abort();
        return true;
      },
    }),
    "in a strategy that then throws": (abort) => ({
      stop: () => {
        abort();
        throw new Error("bug");
      },
    }),
    "in onGiveUp": (abort) => ({ stop: stopAfterAttempt(1), onGiveUp: abort }),
    "in a pending onGiveUp": () => ({ stop: stopAfterAttempt(1), onGiveUp: never }),
    "in a fallback": (abort) => ({
      stop: stopAfterAttempt(1),
      fallback: () => {
        abort();
        return "cached";
      },
    }),
    "in a fallback that then throws": (abort) => ({
      stop: stopAfterAttempt(1),
      fallback: () => {
        abort();
        throw new Error("no cache");
      },
    }),
    "in a pending fallback": () => ({ stop: stopAfterAttempt(1), fallback: never }),
  };

  it.each(Object.keys(moments))(
    "rejects %s at once with the reason, and leaves no timer and no listener",
    async (moment) => {
      const clock = virtualClock();
      const { signal, listeners, abort } = countedSignal();
      const { fn = flaky([busy]), ...options } = moments[moment]!(abort);
      const call = retry(fn as () => unknown, {
        clock,
        signal,
        attemptTimeout: 5_000,
        totalTimeout: 9_000,
        wait: waitNone,
        ...options,
      });

      const result = call();
      result.catch(() => {});
      await now(result);
      abort();

      expect(await now(result)).toEqual({ error: reason });
      expect(clock.pending).toBe(0);
      expect(listeners.size).toBe(0);
      expect(call.stats).toMatchObject({ calls: 1, failures: 1, successes: 0 });
    },
  );

  it("shows onGiveUp the attempts made and the last outcome, and does not wait for it", async () => {
    const clock = virtualClock();
    const { signal, abort } = countedSignal();
    const seen: GiveUpState[] = [];
    const onGiveUp = (state: GiveUpState) => {
      seen.push(state);
      return never();
    };

    const result = retry(flaky([busy]), { clock, signal, wait: waitFixed(100), onGiveUp })();
    await clock.advance(40);
    abort();

    expect(await now(result)).toEqual({ error: reason });
    expect(seen).toMatchObject([
      { attempt: 1, reason: "aborted", error: reason, outcome: { error: busy }, elapsed: 40 },
    ]);
  });

  it("calls onGiveUp only where the call had not given up already", async () => {
    const { signal, abort } = countedSignal();
    const reasons: string[] = [];
    const call = retry(flaky([busy]), {
      signal,
      stop: stopAfterAttempt(1),
      onGiveUp: (state) => reasons.push(state.reason),
      fallback: never,
    });

    const result = call();
    await now(result);
    abort();

    await expect(result).rejects.toBe(reason);
    expect(reasons).toEqual(["stopped"]);
  });

  it("asks no fallback", async () => {
    const { signal, abort } = countedSignal();
    const result = retry(never, { signal, fallback: () => "cached" as never })();

    abort();

    await expect(result).rejects.toBe(reason);
  });

  it("is an outcome that an outer policy does not retry", async () => {
    const { signal, abort } = countedSignal();
    let calls = 0;
    const inner = retry(
      () => {
        calls++;
        return never();
      },
      { signal },
    );

    const result = retry(inner, instant)();
    await now(result);
    abort();

    await expect(result).rejects.toBe(reason);
    expect(calls).toBe(1);
  });

  it("cannot take an accepted value back: an abort only abandons the hook", async () => {
    const { signal, listeners, abort } = countedSignal();
    const call = retry(flaky(["ok"]), { signal, onSuccess: never });

    const result = call();
    expect(await now(result)).toBe("pending");
    abort();

    expect(await now(result)).toEqual({ value: "ok" });
    expect(listeners.size).toBe(0);
    expect(call.stats).toMatchObject({ calls: 1, successes: 1, failures: 0 });
  });

  it("reaches the attempt through its signal, with the reason", async () => {
    const { signal, abort } = countedSignal();
    const contexts: AttemptContext[] = [];
    const result = runWithRetry(
      (context) => {
        contexts.push(context);
        return never();
      },
      { signal },
    );
    result.catch(() => {});
    const early = contexts[0]!.signal;

    abort();

    expect(early.aborted).toBe(true);
    expect(early.reason).toBe(reason);
  });

  it("shows in an attempt's signal that is read late", async () => {
    const { signal, abort } = countedSignal();
    let context: AttemptContext | undefined;
    const call = retry(
      () => {
        context = currentAttempt();
        return never();
      },
      { signal },
    );

    const result = call();
    abort();
    await now(result);

    expect(context!.signal.aborted).toBe(true);
    expect(context!.signal.reason).toBe(reason);
  });

  it("shows in an attempt's signal that is read later in the same sync part", async () => {
    const { signal, abort } = countedSignal();
    let found: unknown;
    const call = retry(
      () => {
        abort();
        found = currentAttempt().signal.reason;
      },
      { signal },
    );

    await expect(call()).rejects.toBe(reason);
    expect(found).toBe(reason);
  });

  it("leaves the signal of the attempt before alone where it comes in a sleep", async () => {
    const { signal, abort } = countedSignal();
    let context: AttemptContext | undefined;
    const result = runWithRetry(
      (given) => {
        context = given;
        throw busy;
      },
      { signal, clock: virtualClock(), wait: waitFixed(100) },
    );
    await now(result);

    abort();

    await expect(result).rejects.toBe(reason);
    expect(context!.signal.aborted).toBe(false);
  });

  it("ends the call by either of two signals, and lets go of both", async () => {
    const first = countedSignal();
    const second = countedSignal();

    const result = retry(never, { signal: first.signal }).with({ signal: second.signal })();
    second.abort();

    await expect(result).rejects.toBe(reason);
    expect(first.listeners.size + second.listeners.size).toBe(0);
  });

  it("changes nothing after the call, and a thousand calls leave no listener", async () => {
    const { signal, listeners, abort } = countedSignal();
    const call = retry(async (value: number) => value, { signal });

    const results = await Promise.all(Array.from({ length: 1_000 }, (_, index) => call(index)));
    abort();

    expect(results).toHaveLength(1_000);
    expect(listeners.size).toBe(0);
  });

  it("adds one listener, however many calls sleep on the signal", async () => {
    const clock = virtualClock();
    const { signal, listeners, abort } = countedSignal();
    const call = retry(async () => Promise.reject(busy), { clock, signal, wait: waitFixed(1_000) });

    const results = Promise.allSettled(Array.from({ length: 1_000 }, () => call()));
    await clock.advance(0);
    expect(listeners.size).toBe(1);
    expect(clock.pending).toBe(1_000);
    abort();

    expect((await results).every((each) => each.status === "rejected" && each.reason === reason)).toBe(true);
    expect(clock.pending).toBe(0);
    expect(listeners.size).toBe(0);
  });
});
