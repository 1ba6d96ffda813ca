import {
  NonRetryableError,
  type ObservedEvent,
  observe,
  RetryExhaustedError,
  type RetryOptions,
  retry,
  retryIfResult,
  retrySync,
  runWithRetry,
  runWithRetrySync,
  stopAfterAttempt,
  TryAgainError,
  waitExponential,
  waitFixed,
  waitFromError,
  waitNone,
} from "undaunted";
import { flaky, type VirtualClock, virtualClock } from "undaunted/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

let seen: ObservedEvent[];
let stop: () => void;

beforeEach(() => {
  seen = [];
  stop = observe((event) => seen.push(event));
});
afterEach(() => stop());

const types = () => seen.map(({ type }) => type);
const last = () => seen.at(-1);

class BusyError extends Error {
  override name = "BusyError";
  code = "EBUSY";
}

describe("a call that is observed", () => {
  it("reports its attempts, its retries and its success, each with what is known of it", async () => {
    const clock = virtualClock();
    const work = flaky([new BusyError("secret"), "ok"]);
    const load = async (id: string) => {
      await sleep(clock, 3);
      return work(id);
    };

    const call = retry(load, { clock, wait: waitFixed(50), name: "load" })("secret");
    await clock.advance(100);
    await call;

    const of = { name: "load", call: seen[0]!.call };
    expect(seen).toEqual([
      { type: "attempt", ...of, attempt: 1, at: 0, http: false },
      {
        ...{ type: "retry", ...of, attempt: 1, at: 3, attemptElapsed: 3, errorType: "BusyError", code: "EBUSY" },
        ...{ delay: 50, source: "policy" },
      },
      { type: "attempt", ...of, attempt: 2, at: 53, http: false },
      { type: "success", ...of, attempt: 2, at: 56, attemptElapsed: 3, elapsed: 56 },
    ]);
    expect(JSON.stringify(seen)).not.toContain("secret");
  });

  it("reports why it gave up", async () => {
    const once: RetryOptions = { stop: stopAfterAttempt(1) };
    const reasons: unknown[] = [];
    const fail = async (error: unknown, options: RetryOptions) => {
      await retry(async (): Promise<unknown> => Promise.reject(error), options)().catch(() => {});
      const { reason, errorType, code, attempt } = last() as ObservedEvent & { type: "give-up" };
      reasons.push([reason, errorType, code, attempt]);
    };

    await fail(new BusyError("x"), once);
    await fail(new NonRetryableError("x"), {});
    await fail("text", { retryIf: () => false });
    await fail(null, once);
    await fail({ name: "a name with spaces, which may be anything", code: { secret: 1 } }, once);
    await fail(new Error("x"), { budget: { acquire: () => 0, recordSuccess() {}, refund() {}, balance: 0 } });
    await fail(new Error("x"), { totalTimeout: 10, wait: waitFixed(20) });
    await fail(new Error("x"), { signal: AbortSignal.abort(new Error("left")) });
    await fail(new Error("x"), { wait: () => Number.NaN });

    expect(reasons).toEqual([
      ["stopped", "BusyError", "EBUSY", 1],
      ["not-retryable", "NonRetryableError", "ERR_NON_RETRYABLE", 1],
      ["not-retryable", "string", undefined, 1],
      ["stopped", "null", undefined, 1],
      ["stopped", "object", undefined, 1],
      ["budget", "Error", undefined, 1],
      ["deadline", "TotalTimeoutError", "ERR_TOTAL_TIMEOUT", 1],
      ["aborted", "Error", undefined, 0],
      ["broken", "StrategyError", "ERR_RETRY_STRATEGY", 1],
    ]);
  });

  it("gives up once, also where its fallback fails or is aborted, and where a clock fails", async () => {
    const controller = new AbortController();
    const fails = async () => Promise.reject(new Error("x"));
    const once: RetryOptions = { stop: stopAfterAttempt(1) };
    const throwing = () => {
      throw new Error("y");
    };
    const aborting = () => {
      controller.abort();
      return new Promise<never>(() => {});
    };

    await retry(fails, { ...once, fallback: throwing })().catch(() => {});
    await retry(fails, { ...once, fallback: aborting, signal: controller.signal })().catch(() => {});
    await retry(fails, { ...once, totalTimeout: 5, clock: { now: throwing, setTimer: () => () => {} } })().catch(
      () => {},
    );

    const ends = seen.flatMap((event) => (event.type === "give-up" ? [event.reason] : []));
    expect(ends).toEqual(["stopped", "stopped", "broken"]);
  });

  it("reports an attempt that was cut, and what it settled with after all", async () => {
    const clock = virtualClock();
    const slow = async () => {
      await sleep(clock, 30);
      throw new BusyError("late");
    };

    const call = retry(slow, { clock, attemptTimeout: 10, stop: stopAfterAttempt(2), wait: waitNone })().catch(
      () => {},
    );
    await clock.advance(100);
    await call;

    const facts = seen.map(({ type, attempt, at, ...rest }) => [
      type,
      attempt,
      at,
      "errorType" in rest && rest.errorType,
    ]);
    expect(facts).toEqual([
      ["attempt", 1, 0, false],
      ["retry", 1, 10, "AttemptTimeoutError"],
      ["attempt", 2, 10, false],
      ["give-up", 2, 20, "AttemptTimeoutError"],
      ["late-result", 1, 30, "BusyError"],
      ["late-result", 2, 40, "BusyError"],
    ]);
  });

  it("says where a delay came from", async () => {
    const sourceOf = async (options: RetryOptions, error: unknown = new Error("busy")) => {
      await retry(flaky([error, error, "ok"]), options)();
      const retries = seen.filter((event) => event.type === "retry");
      seen = [];
      return retries.map(({ source }) => source);
    };
    const instant: RetryOptions["clock"] = { now: () => 0, setTimer: soon };

    const asked = waitFromError((error) => (error as { after?: number }).after, waitFixed(1));
    const sources = [
      await sourceOf({ clock: instant, wait: waitExponential({ base: 10, max: 20 }) }),
      await sourceOf({ clock: instant, wait: asked }, Object.assign(new Error("busy"), { after: 7 })),
      await sourceOf({ clock: instant, wait: asked }),
      await sourceOf({ clock: instant }, new TryAgainError({ after: 5 })),
      await sourceOf({ clock: instant, wait: waitFixed(5) }, new TryAgainError()),
    ];

    expect(sources).toEqual([
      ["policy", "cap"],
      ["hint", "hint"],
      ["policy", "policy"],
      ["hint", "hint"],
      ["policy", "policy"],
    ]);
  });

  it("has no error type where a value was not wanted", async () => {
    const poll = retry(flaky([0, 0]), {
      retryIf: retryIfResult((n) => n === 0),
      stop: stopAfterAttempt(2),
      wait: waitNone,
    });

    await expect(poll()).rejects.toBeInstanceOf(RetryExhaustedError);

    expect(seen.map((event) => "errorType" in event && event.errorType)).toEqual([
      false,
      undefined,
      false,
      "RetryExhaustedError",
    ]);
  });

  it.each([
    ["retrySync", () => retrySync(flaky([new Error("a"), "ok"]), { wait: waitNone, name: "load" })()],
    ["runWithRetrySync", () => runWithRetrySync(flaky([new Error("a"), "ok"]), { wait: waitNone, name: "load" })],
    ["runWithRetry", () => runWithRetry(flaky([new Error("a"), "ok"]), { wait: waitNone, name: "load" })],
  ])("reports the same from %s", async (_, run) => {
    await run();

    expect(types()).toEqual(["attempt", "retry", "attempt", "success"]);
    expect(seen.map(({ name }) => name)).toEqual(["load", "load", "load", "load"]);
  });

  it("reports how a sync call gave up, once", () => {
    const sleepSync = () => {
      throw new Error("may not block");
    };
    const fails = () => {
      throw new Error("x");
    };
    const reasonOf = (run: () => unknown) => {
      seen = [];
      expect(run).toThrow();
      return seen.flatMap((event) => (event.type === "give-up" ? [event.reason] : []));
    };

    const wait = waitFixed(1);
    expect([
      reasonOf(retrySync(fails, { stop: stopAfterAttempt(2), wait: waitNone })),
      reasonOf(retrySync(fails, { wait, clock: { now: () => 0, sleepSync } })),
      reasonOf(retrySync(fails, { wait: () => -1 })),
      reasonOf(retrySync((() => Promise.resolve()) as () => unknown)),
      reasonOf(() => runWithRetrySync(fails, { totalTimeout: 0 })),
    ]).toEqual([["stopped"], ["broken"], ["broken"], ["broken"], ["deadline"]]);
  });

  it("has a number that no other has, and a name", async () => {
    const named = retry(async function load() {});
    await Promise.all([named(), named(), runWithRetry(async () => {}), runWithRetry(() => named())]);

    const calls = new Map(seen.map(({ call, name }) => [call, name]));
    expect([...calls.values()]).toEqual(["load", "load", "anonymous", "anonymous", "load"]);
  });
});

describe("a listener", () => {
  it("gets frozen events", async () => {
    await runWithRetry(async () => {});

    expect(seen.every((event) => Object.isFrozen(event))).toBe(true);
    expect(types()).toEqual(["attempt", "success"]);
  });

  it("hears nothing once it has stopped listening, not even of calls in flight", async () => {
    let go!: () => void;
    const call = runWithRetry(() => new Promise<void>((resolve) => (go = resolve)));

    stop();
    go();
    await call;
    await runWithRetry(async () => {});

    expect(types()).toEqual(["attempt"]);
  });

  it("hears nothing of a call that began before, whoever else listened then", async () => {
    const late: ObservedEvent[] = [];
    let go!: () => void;
    const call = runWithRetry(() => new Promise<void>((resolve) => (go = resolve)));

    const stopLate = observe((event) => late.push(event));
    go();
    await call;
    stopLate();

    expect(late).toEqual([]);
    expect(types()).toEqual(["attempt", "success"]);
  });

  it("hears nothing of a call that began unobserved, nor of its retries", async () => {
    stop();
    let go!: (error: Error) => void;
    const work = flaky([() => new Promise((_, reject) => (go = reject)), "ok"]);
    const call = retry(work, { wait: waitNone })();

    stop = observe((event) => seen.push(event));
    go(new Error("busy"));
    await call;

    expect(seen).toEqual([]);
  });

  it("hears of events in their order, also of those that another listener causes", async () => {
    const controller = new AbortController();
    const order: string[] = [];
    const stops = [
      observe(({ type }) => {
        order.push(`first: ${type}`);
        if (type === "attempt") runWithRetry(async () => {});
        if (type === "retry") controller.abort();
      }),
      observe(({ type }) => order.push(`second: ${type}`)),
    ];

    const work = retry(async () => Promise.reject(new Error("busy")), { signal: controller.signal });
    await work().catch(() => {});
    for (const end of stops) end();

    expect(order).toEqual([
      ...["first: attempt", "second: attempt", "first: retry", "second: retry"],
      ...["first: give-up", "second: give-up"],
    ]);
  });

  it("that throws or rejects changes nothing and is warned of once", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const end = observe(() => {
      throw new Error("of the listener");
    });

    for (let call = 0; call < 5; call++) await runWithRetry(async () => {});
    end();

    expect(warn.mock.calls).toEqual([["undaunted: a hook failed: Error: of the listener"]]);
    expect(types()).toHaveLength(10);
    warn.mockRestore();
  });

  it("may listen twice", async () => {
    let heard = 0;
    const listener = () => heard++;
    const ends = [observe(listener), observe(listener)];

    await runWithRetry(async () => {});
    ends[0]!();
    await runWithRetry(async () => {});
    ends[1]!();

    expect(heard).toBe(6);
  });

  it("that is none is a TypeError", () => {
    expect(() => observe(undefined as never)).toThrow("observe: listener must be a function, got undefined");
  });
});

it("reads no clock where nobody listens", async () => {
  stop();
  const now = vi.fn(() => 0);
  const clock = { now, setTimer: () => () => {} };

  await retry(async () => {}, { clock })();

  expect(now).not.toHaveBeenCalled();
});

const sleep = (clock: VirtualClock, ms: number) => new Promise<void>((resolve) => clock.setTimer(resolve, ms));

/** A timer that does not wait. */
function soon(fn: () => void) {
  queueMicrotask(fn);
  return () => {};
}
