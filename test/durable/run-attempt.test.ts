import { AsyncLocalStorage } from "node:async_hooks";
import {
  type AttemptContext,
  AttemptTimeoutError,
  circuitBreaker,
  currentAttempt,
  NonRetryableError,
  type RetryOptions,
  retry,
  stopAfterAttempt,
  TryAgainError,
  waitFixed,
  waitNone,
} from "undaunted";
import { nextAttempt, type RetryMemo, runAttempt } from "undaunted/durable";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = () => Object.assign(new Error("busy"), { code: "EBUSY" });
const never = () => new Promise<never>(() => {});

async function memoAfter(attempts: number, error: unknown = busy(), startedAt = 0): Promise<RetryMemo> {
  const outcome = { ok: false, error } as const;
  const options = { stop: () => false, wait: waitNone };
  const next = await nextAttempt(options, { outcome, attempt: attempts, startedAt, now: startedAt });
  return (next as { memo: RetryMemo }).memo;
}

describe("runAttempt", () => {
  it("makes one attempt and accepts its value", async () => {
    expect(await runAttempt(() => "done")).toEqual({ do: "accept", value: "done" });
  });

  it("decides on what the attempt threw, while it is still that very error", async () => {
    class BusyError extends Error {}
    let seen: unknown;
    const error = new BusyError("busy");

    const next = await runAttempt(() => Promise.reject(error), {
      retryIf: (thrown) => {
        seen = thrown;
        return true;
      },
      wait: waitFixed(5),
    });

    expect(seen).toBe(error);
    expect(next).toMatchObject({ do: "retry", delay: 5, error: { message: "busy" } });
  });

  it("takes what is thrown synchronously as any failure", async () => {
    const task = () => {
      throw busy();
    };

    expect(await runAttempt(task, { wait: waitNone })).toMatchObject({ do: "retry", error: { code: "EBUSY" } });
  });

  it("gives the task the number of its attempt, wherever it asks", async () => {
    let context: AttemptContext | undefined;
    let current: AttemptContext | undefined;

    await runAttempt(
      (given) => {
        context = given;
        current = currentAttempt();
      },
      {},
      await memoAfter(4, Object.assign(busy(), { name: "BusyError", status: 503 })),
    );

    expect(context?.attempt).toBe(5);
    expect(current?.attempt).toBe(5);
    expect(context?.previousError).toMatchObject({ name: "BusyError", code: "EBUSY", status: 503 });
  });

  it("has no error before the first attempt", async () => {
    const next = await runAttempt(({ previousError }) => previousError === undefined);

    expect(next).toEqual({ do: "accept", value: true });
  });

  it("keeps the task in the caller's async context", async () => {
    const storage = new AsyncLocalStorage<string>();

    const next = await storage.run("mine", () => runAttempt(() => storage.getStore()));

    expect(next).toEqual({ do: "accept", value: "mine" });
  });

  it("calls onAttempt with the attempt's number, before it", async () => {
    const seen: unknown[] = [];
    const onAttempt = (start: unknown) => seen.push(start);

    await runAttempt(() => seen.push("task"), { onAttempt, name: "charge" }, await memoAfter(2));

    expect(seen).toEqual([{ name: "charge", args: [], attempt: 3 }, "task"]);
  });

  it("hands what onAttempt throws to onHookError, and counts its time for the call alone", async () => {
    const clock = virtualClock();
    const errors: unknown[] = [];
    const seen: number[] = [];
    const onAttempt = async () => {
      await clock.advance(30);
      throw "broken";
    };
    const stop = ({ elapsed, attemptElapsed }: { elapsed: number; attemptElapsed: number }) => {
      seen.push(elapsed, attemptElapsed);
      return false;
    };

    const options = {
      onAttempt,
      stop,
      clock,
      wait: waitNone,
      onHookError: (error: unknown) => void errors.push(error),
    };
    await runAttempt(() => Promise.reject(busy()), options);

    expect(errors).toEqual(["broken"]);
    expect(seen).toEqual([30, 0]);
  });

  it("retries an error that another call exhausted while onAttempt was waited for", async () => {
    const shared = busy();
    const fails = () => Promise.reject(shared);
    const onAttempt = () => retry(fails, { stop: stopAfterAttempt(1) })().catch(() => {});

    expect(await runAttempt(fails, { onAttempt })).toMatchObject({ do: "retry" });
  });

  it.each([
    ["a TryAgainError", new TryAgainError({ after: 30 }), { do: "retry", delay: 30 }],
    ["a NonRetryableError", new NonRetryableError("no"), { do: "giveUp", reason: "not-retryable" }],
  ])("understands %s", async (_what, error, next) => {
    const taken = await runAttempt(() => Promise.reject(error));

    expect(taken).toMatchObject(next);
    if (taken.do === "retry") expect(taken.error).not.toHaveProperty("exhausted");
  });

  it("does not retry what a retry inside it has given up on, unless it is told to", async () => {
    const inner = retry(() => Promise.reject(busy()), { stop: stopAfterAttempt(2), wait: waitNone });

    expect(await runAttempt(() => inner())).toMatchObject({ do: "giveUp", reason: "exhausted" });
    expect(await runAttempt(() => inner(), { retryExhausted: true })).toMatchObject({ do: "retry" });
  });

  it("retries an error that another call exhausted before", async () => {
    const shared = busy();
    const fails = () => Promise.reject(shared);
    await retry(fails, { stop: stopAfterAttempt(1) })().catch(() => {});

    expect(await runAttempt(fails)).toMatchObject({ do: "retry" });
  });

  it("gives up on a memo of another version without an attempt", async () => {
    let calls = 0;

    const next = await runAttempt(() => ++calls, {}, { v: 9 } as unknown as RetryMemo);

    expect(next).toMatchObject({ do: "giveUp", reason: "memo" });
    expect(calls).toBe(0);
  });

  it("refuses a task that is no function", () => {
    expect(() => runAttempt(5 as never)).toThrow(TypeError);
  });

  it("says what is wrong with an async generator", async () => {
    const next = await runAttempt(() => (async function* () {})());

    expect(next).toMatchObject({ do: "giveUp", reason: "not-retryable", error: { exhausted: true } });
  });
});

describe("what ends an attempt of runAttempt", () => {
  it("is its timeout, with the number of the attempt in the error and the signal", async () => {
    const clock = virtualClock();
    let signal: AbortSignal | undefined;
    const hanging = (context: AttemptContext) => {
      signal = context.signal;
      return never();
    };

    const running = runAttempt(
      hanging,
      { attemptTimeout: (n) => n * 10, clock, wait: waitFixed(5) },
      await memoAfter(2),
    );
    await clock.advance(29);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);

    expect(await running).toMatchObject({
      do: "retry",
      at: 35,
      error: { name: "AttemptTimeoutError", message: "timed out after 30 ms", code: "ERR_ATTEMPT_TIMEOUT" },
    });
    expect(signal?.reason).toBeInstanceOf(AttemptTimeoutError);
    expect(signal?.reason).toMatchObject({ attempt: 3 });
    expect(clock.pending).toBe(0);
  });

  it("hands what comes too late to onLateResult", async () => {
    const clock = virtualClock();
    const late: unknown[] = [];
    let finish: ((value: string) => void) | undefined;
    const task = () => new Promise<string>((resolve) => (finish = resolve));

    const running = runAttempt(task, { attemptTimeout: 10, clock, onLateResult: (each) => void late.push(each) });
    await clock.advance(10);
    await running;
    finish!("late");
    await clock.advance(0);

    expect(late).toEqual([{ ok: true, value: "late" }]);
  });

  it("is what is left of the deadline, which the process before began", async () => {
    const clock = virtualClock();
    await clock.advance(400);

    const running = runAttempt(never, { totalTimeout: 500, clock }, await memoAfter(1));
    await clock.advance(100);

    expect(await running).toMatchObject({
      do: "giveUp",
      reason: "deadline",
      error: { message: "the total timeout of 500 ms leaves no time after attempt 2", cause: { code: "EBUSY" } },
    });
  });

  it("is a deadline that has passed: the task is not called", async () => {
    const clock = virtualClock();
    await clock.advance(600);
    let calls = 0;

    const next = await runAttempt(() => ++calls, { totalTimeout: 500, clock, fallback: () => -1 }, await memoAfter(1));

    expect(next).toEqual({ do: "accept", value: -1 });
    expect(calls).toBe(0);
  });

  it("is its signal: an abort is given up without a fallback", async () => {
    const controller = new AbortController();
    const seen: string[] = [];

    const options: RetryOptions<string> = {
      signal: controller.signal,
      fallback: () => "instead",
      onGiveUp: ({ reason }) => seen.push(reason),
    };

    const running = runAttempt((): Promise<string> => never(), options);
    controller.abort(new Error("shutting down"));

    expect(await running).toMatchObject({ do: "giveUp", reason: "aborted", error: { message: "shutting down" } });
    expect(seen).toEqual(["aborted"]);
  });

  it("is the attempt of a retry that it was begun in", async () => {
    const clock = virtualClock();
    let next: unknown;
    let signal: AbortSignal | undefined;
    const hanging = (context: AttemptContext) => {
      signal = context.signal;
      return never();
    };
    const outer = retry(
      () => {
        const running = runAttempt(hanging, { clock }).then((taken) => {
          next = taken;
        });
        return running.then(never);
      },
      { stop: stopAfterAttempt(1), attemptTimeout: 10, clock },
    )();
    outer.catch(() => {});
    await clock.advance(10);

    await expect(outer).rejects.toBeInstanceOf(AttemptTimeoutError);
    expect(next).toMatchObject({ do: "giveUp", reason: "aborted" });
    expect(signal?.reason).toMatchObject({ timeout: 10 });
  });

  it("is not the attempt that it was begun in where it is detached", async () => {
    const clock = virtualClock();
    let signal: AbortSignal | undefined;
    let next: unknown;
    const hanging = (context: AttemptContext) => {
      signal = context.signal;
      return never();
    };
    const memo = await memoAfter(2);
    const outer = retry(
      () => {
        const options = { clock, detached: true, attemptTimeout: 20, wait: waitNone };
        runAttempt(hanging, options, memo).then((taken) => {
          next = taken;
        });
        return never();
      },
      { stop: stopAfterAttempt(1), attemptTimeout: 10, clock },
    )();
    outer.catch(() => {});

    await clock.advance(10);
    expect(signal?.aborted).toBe(false);
    await clock.advance(10);

    expect(next).toMatchObject({ do: "retry", error: { message: "timed out after 20 ms" } });
    expect(signal?.reason).toMatchObject({ timeout: 20, attempt: 3 });
  });

  it("ends the calls begun inside it, and tells a breaker that the callee was too slow", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, clock });
    const inner = retry(never, { clock, stop: stopAfterAttempt(1) });
    let ended: unknown;

    const running = runAttempt(
      () => {
        inner().catch((error: unknown) => {
          ended = error;
        });
        return breaker.run(never);
      },
      { attemptTimeout: 10, clock },
    );
    await clock.advance(10);
    await running;
    await clock.advance(0);

    expect(ended).toBeInstanceOf(AttemptTimeoutError);
    expect(breaker.state).toBe("open");
  });

  it("is a timeout that makes no sense, before it begins", async () => {
    let calls = 0;

    const next = await runAttempt(() => ++calls, { attemptTimeout: () => -1, fallback: () => -1 });

    expect(next).toMatchObject({ do: "giveUp", reason: "strategy", memo: { attempt: 0 } });
    expect(calls).toBe(0);
  });
});
