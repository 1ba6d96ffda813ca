import { createHook } from "node:async_hooks";
import { createClock, withGlobal } from "@sinonjs/fake-timers";
import { currentAttempt, retry, stopAfterAttempt, stopNever, waitNone } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { busy, never, refuseUnhandledRejections } from "./interrupting.ts";
import { programs } from "./programs.ts";

refuseUnhandledRejections();
const run = programs();

const once = stopAfterAttempt(1);
const turn = () => new Promise((resolve) => setImmediate(resolve));
/** ms by which a timer may be early. */
const TOLERANCE = 1;

/** A call whose attempts are held by a queue: the first one of a policy has a timer of its own. */
async function queued(options: object, fn: () => Promise<unknown> = never) {
  let isFirst = true;
  const call = retry(
    () => {
      if (!isFirst) return fn();
      isFirst = false;
      return Promise.resolve();
    },
    { stop: once, ...options },
  );
  await call();
  return (): Promise<Error> => call().catch((error) => error) as Promise<Error>;
}

/** Calls back for each timer that is set, and knows those that are neither over nor cleared. */
function watchTimers() {
  const live = new Set<number>();
  let set = 0;
  const hook = createHook({
    init(id, type) {
      if (type !== "Timeout") return;
      set++;
      live.add(id);
    },
    destroy: (id) => void live.delete(id),
  }).enable();
  const left = async () => {
    await turn();
    await turn();
    return live.size;
  };
  return { set: () => set, left, stop: () => hook.disable() };
}

/** Keeps the event loop from turning until `ms` have passed. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

afterEach(() => {
  vi.useRealTimers();
  vi.resetModules();
});

describe("timeouts of one length", () => {
  it.each([{ attemptTimeout: 20 }, { totalTimeout: 20 }, { attemptTimeout: 20, totalTimeout: 25 }])(
    "end a call whose function heeds no signal, and no earlier than they say: %o",
    async (timeouts) => {
      const call = await queued(timeouts);
      const began: number[] = [];
      const results = Array.from({ length: 30 }, async (_, n) => {
        while (performance.now() % 2 < 1 && n % 3 === 0);
        began.push(performance.now());
        const error = await call();
        return [error.name, performance.now() - began[n]! >= 20 - TOLERANCE];
      });

      const name = "attemptTimeout" in timeouts ? "AttemptTimeoutError" : "TotalTimeoutError";
      expect(await Promise.all(results)).toEqual(Array(30).fill([name, true]));
    },
  );

  it("end in the order in which their calls began, those that settle in between being out of it", async () => {
    const settle: ((value: unknown) => void)[] = [];
    const call = await queued({ attemptTimeout: 30 }, () => new Promise((resolve) => settle.push(resolve)));
    const ends: string[] = [];
    const calls = Array.from({ length: 12 }, async (_, n) => {
      const result: unknown = await call();
      ends.push(`${n}: ${result instanceof Error ? "timed out" : result}`);
    });

    for (const n of [0, 5, 11]) settle[n]!("settled");
    await Promise.all(calls);

    const others = [1, 2, 3, 4, 6, 7, 8, 9, 10];
    expect(ends).toEqual([...[0, 5, 11].map((n) => `${n}: settled`), ...others.map((n) => `${n}: timed out`)]);
  });

  it("share one timer, however many calls are pending", async () => {
    const call = await queued({ attemptTimeout: 60_000, signal: new AbortController().signal }, () =>
      Promise.race([never(), left]),
    );
    let leave!: () => void;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const timers = () => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const before = timers();

    const calls = Array.from({ length: 1_000 }, () => call());
    const pending = timers();
    leave();
    await Promise.all(calls);

    expect([pending - before, timers() - before]).toEqual([1, 0]);
  });

  it("set no timer anew for calls that follow one another", async () => {
    const call = await queued({ attemptTimeout: 60_000 }, async () => "done");
    const timers = watchTimers();

    for (let n = 0; n < 100; n++) await call();
    timers.stop();

    expect(timers.set()).toBe(1);
  });

  it("count from when an attempt begins, after its hook", async () => {
    const seen: boolean[] = [];
    const onAttempt = () => block(30);
    const call = await queued({ attemptTimeout: 20, onAttempt }, () => {
      const began = performance.now();
      currentAttempt().signal.addEventListener("abort", () => seen.push(performance.now() - began >= 20 - TOLERANCE));
      return never();
    });

    await Promise.all([call(), call()]);

    expect(seen).toEqual([true, true]);
  });

  it("leave the deadline what a hook did not take of it", async () => {
    const clock = virtualClock();
    const call = retry(never, { clock, totalTimeout: 100, onAttempt: () => void clock.advance(60), stop: once });

    const result = call().catch((error) => error.name);
    await clock.runAll();

    expect([await result, clock.now()]).toEqual(["TotalTimeoutError", 100]);
  });
});

describe("timers that calls leave", () => {
  it("are none, where the options of each call are new", async () => {
    const timers = watchTimers();
    const call = retry(
      async () => "done",
      () => ({ attemptTimeout: 60_000, totalTimeout: 90_000 }),
    );

    for (let n = 0; n < 100; n++) await call();
    const left = await timers.left();
    timers.stop();

    expect(left).toBe(0);
  });

  it("are one at the most, for 10,000 calls with 10,000 different lengths", async () => {
    const timers = watchTimers();
    const call = retry(
      async (_ms: number) => "done",
      (ms) => ({ attemptTimeout: ms }),
    );

    await Promise.all(Array.from({ length: 10_000 }, (_, n) => call(60_000 + n)));
    const left = await timers.left();
    timers.stop();

    expect(left).toBeLessThanOrEqual(1);
  });

  it("are none that a call abandoned by its caller would need: an abort takes it out of line", async () => {
    const controller = new AbortController();
    const call = await queued({ attemptTimeout: 60_000, signal: controller.signal });
    const timers = () => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const before = timers();

    const calls = [call(), call()];
    controller.abort(busy);

    expect(await Promise.all(calls)).toEqual([busy, busy]);
    expect(timers()).toBe(before);
  });

  it("keep no process alive once nothing is pending, and keep it alive while something is", async () => {
    const output = await run(`
      const { retry, stopAfterAttempt } = undaunted;
      const call = retry((ms) => new Promise((resolve) => setTimeout(resolve, ms).unref()), { attemptTimeout: 3_600_000 });
      const soon = retry((ms) => ms ? new Promise(() => {}) : Promise.resolve(), { attemptTimeout: 50, stop: stopAfterAttempt(1) });
      await soon(0);
      await soon(0);
      await soon(1).catch((error) => console.log(error.name));
      for (let n = 0; n < 3; n++) await Promise.race([call(1), new Promise((resolve) => setTimeout(resolve, 20_000).unref())]);
      console.log("over");
      process.on("exit", () => console.log("exit"));
    `);

    expect(output.split("\n")).toEqual(["AttemptTimeoutError", "over", "exit"]);
  });

  it("keep no process alive under unref, also while a call is pending", async () => {
    const output = await run(`
      const call = undaunted.retry((n) => n ? new Promise(() => {}) : Promise.resolve(), { attemptTimeout: 3_600_000, unref: true });
      for (const n of [0, 0, 1, 2]) {
        const result = call(n);
        if (n === 0) await result;
      }
      console.log("over");
    `);

    expect(output).toBe("over");
  });
});

describe("time that is not the system's", () => {
  it("is asked for a timer per call, and for its end", async () => {
    const clock = virtualClock();
    let live = 0;
    const setTimer: typeof clock.setTimer = (fn, ms, unref) => {
      live++;
      const cancel = clock.setTimer(fn, ms, unref);
      return () => {
        live--;
        cancel();
      };
    };
    const call = await queued({ attemptTimeout: 100, clock: { ...clock, setTimer } });
    const settled = await queued({ attemptTimeout: 100, clock: { ...clock, setTimer } }, async () => "done");

    const calls = [call(), call(), call()];
    await settled();
    const pending = live;
    await clock.advance(100);

    expect((await Promise.all(calls)).map(({ name }) => name)).toEqual(Array(3).fill("AttemptTimeoutError"));
    expect(pending).toBe(3);
  });

  it("may come after calls by the system's, under vitest's fake timers, and go again", async () => {
    const call = await queued({ attemptTimeout: 50 });
    expect(await call()).toMatchObject({ name: "AttemptTimeoutError" });
    const before = call();

    vi.useFakeTimers();
    const under = [call(), call()];
    expect(vi.getTimerCount()).toBe(2);
    await vi.advanceTimersByTimeAsync(50);
    expect((await Promise.all(under)).map(({ name }) => name)).toEqual(Array(2).fill("AttemptTimeoutError"));
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();

    expect(await before).toMatchObject({ name: "AttemptTimeoutError" });
    expect(await call()).toMatchObject({ name: "AttemptTimeoutError" });
  });

  it("takes nothing over of what the system's began, which ends while it is there", async () => {
    const call = await queued({ attemptTimeout: 30 });
    const { setTimeout: realTimeout } = globalThis;
    const [first, second] = [call(), new Promise((resolve) => realTimeout(() => resolve(call()), 15))];
    const pending = new Promise((resolve) => realTimeout(resolve, 16));
    await pending;

    // The first one's end arms the timer for the second.
    vi.useFakeTimers();
    await first;
    vi.useRealTimers();

    expect(await second).toMatchObject({ name: "AttemptTimeoutError" });
    expect(await call()).toMatchObject({ name: "AttemptTimeoutError" });
  });

  it("is @sinonjs/fake-timers' where that has taken the globals", async () => {
    const call = await queued({ attemptTimeout: 50 });
    const clock = withGlobal(globalThis).install();
    try {
      const calls = [call(), call()];
      expect(clock.countTimers()).toBe(2);
      await clock.tickAsync(50);
      expect((await Promise.all(calls)).map(({ name }) => name)).toEqual(Array(2).fill("AttemptTimeoutError"));
    } finally {
      clock.uninstall();
    }
  });

  it("may be there when the library is loaded, be reset, and go: every call times out all the same", async () => {
    vi.resetModules();
    vi.useFakeTimers();
    const fresh = await import("undaunted");
    const call = fresh.retry((n: number) => (n === 0 ? Promise.resolve() : never()), {
      attemptTimeout: 50,
      stop: fresh.stopAfterAttempt(1),
    });
    await call(0);
    await call(0);
    void call(1).catch(() => {});
    vi.clearAllTimers();

    const under = [call(1), call(1)].map((each) => each.catch((error: Error) => error.name));
    expect(vi.getTimerCount()).toBe(2);
    await vi.advanceTimersByTimeAsync(50);
    vi.useRealTimers();
    const after = [call(1), call(1)].map((each) => each.catch((error: Error) => error.name));

    expect(await Promise.all([...under, ...after])).toEqual(Array(4).fill("AttemptTimeoutError"));
  });

  it("may be a clock of sinon's that is no global, behind a Clock", async () => {
    const sinon = createClock();
    const clock = {
      now: () => sinon.now,
      setTimer(fn: () => void, ms: number) {
        const timer = sinon.setTimeout(fn, ms);
        return () => sinon.clearTimeout(timer);
      },
    };
    const call = await queued({ attemptTimeout: 100, clock });

    const calls = [call(), call()];
    await sinon.tickAsync(100);

    expect((await Promise.all(calls)).map(({ name }) => name)).toEqual(Array(2).fill("AttemptTimeoutError"));
  });
});

describe("what a user's code does as its time is up", () => {
  it("stops no other call in line: an abort listener may throw", async () => {
    const uncaught: unknown[] = [];
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => uncaught.push(error));
    try {
      const call = await queued({ attemptTimeout: 20 }, () => {
        currentAttempt().signal.addEventListener("abort", () => {
          throw busy;
        });
        return never();
      });

      const results = await Promise.all([call(), call(), call()]);
      await turn();

      expect(results.map(({ name }) => name)).toEqual(Array(3).fill("AttemptTimeoutError"));
      expect(uncaught).toEqual([busy, busy, busy]);
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const each of others) process.on("uncaughtException", each);
    }
  });

  it("may begin calls under the same policy, which wait for their own turn", async () => {
    const begun: Promise<Error>[] = [];
    let isOuter = true;
    const call = await queued({ attemptTimeout: 20 }, () => {
      if (isOuter) {
        currentAttempt().signal.addEventListener("abort", () => {
          isOuter = false;
          const began = performance.now();
          begun.push(
            call().then((error) => {
              expect(performance.now() - began).toBeGreaterThanOrEqual(20 - TOLERANCE);
              return error;
            }),
          );
        });
      }
      return never();
    });

    const results = await Promise.all([call(), call(), call()]);
    const later = await Promise.all(begun);

    expect([results.length, later.length]).toEqual([3, 3]);
    expect([...results, ...later].map(({ name }) => name)).toEqual(Array(6).fill("AttemptTimeoutError"));
  });

  it("may abort the calls behind it in line", async () => {
    const controller = new AbortController();
    let isFirst = true;
    const call = await queued({ attemptTimeout: 20, signal: controller.signal }, () => {
      if (isFirst) currentAttempt().signal.addEventListener("abort", () => controller.abort(busy));
      isFirst = false;
      return never();
    });

    const first = call();
    block(3);
    const second = call();

    expect(await Promise.all([first, second])).toEqual([busy, busy]);
  });
});

describe("an attempt after the first", () => {
  it("has the whole of its time, whatever the first one took of its own", async () => {
    const began: number[] = [];
    const ended: number[] = [];
    const call = retry(
      () => {
        began.push(performance.now());
        currentAttempt().signal.addEventListener("abort", () => ended.push(performance.now()));
        return never();
      },
      { attemptTimeout: 20, stop: stopAfterAttempt(3), wait: waitNone },
    );

    await Promise.all([call(), call()].map((each) => each.catch(() => {})));

    expect(began).toHaveLength(6);
    const order = began.map((_, n) => n);
    expect(order.every((n) => ended[n]! - began[n]! >= 20 - TOLERANCE)).toBe(true);
  });

  it("is ended by the deadline that its first one did not reach", async () => {
    const call = retry(never, { attemptTimeout: 20, totalTimeout: 50, stop: stopNever, wait: waitNone });
    const began = performance.now();

    const errors = await Promise.all([call(), call(), call()].map((each) => each.catch((error) => error)));

    expect(errors.map(({ name, attempts }) => [name, attempts > 1])).toEqual(
      Array(3).fill(["TotalTimeoutError", true]),
    );
    expect(performance.now() - began).toBeGreaterThanOrEqual(50 - TOLERANCE);
  });
});
