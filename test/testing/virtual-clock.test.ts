import { AsyncLocalStorage } from "node:async_hooks";
import { retry, retrySync, stopAfterAttempt, stopNever, waitFixed } from "undaunted";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it, onTestFinished } from "vitest";

const busy = new Error("busy");

describe("virtualClock", () => {
  it("begins at 0 and stands still", async () => {
    const clock = virtualClock();

    await clock.advance(0);

    expect(clock.now()).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("keeps its own time, apart from other clocks", async () => {
    const [one, other] = [virtualClock(), virtualClock()];

    await one.advance(5);

    expect([one.now(), other.now()]).toEqual([5, 0]);
  });

  it("settles sleeping retries without real time", async () => {
    const clock = virtualClock();
    const result = retry(flaky([busy, "ok"]), { wait: waitFixed(60_000), clock })();

    await clock.advance(60_000);

    expect(await result).toBe("ok");
  });

  it("counts the timers that wait", async () => {
    const clock = virtualClock();
    const cancel = clock.setTimer(() => {}, 10);
    clock.setTimer(() => {}, 20);
    expect(clock.pending).toBe(2);

    cancel();
    expect(clock.pending).toBe(1);

    await clock.advance(20);
    expect(clock.pending).toBe(0);
  });

  it("virtualClock takes a negative delay as none", async () => {
    const clock = virtualClock();
    const fired: number[] = [];
    await clock.advance(10);
    clock.setTimer(() => fired.push(clock.now()), -5);

    await clock.advance(0);

    expect(fired).toEqual([10]);
  });
});

describe("advance", () => {
  it("fires what is due by time and then by age, each at its own time", async () => {
    const clock = virtualClock();
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name} at ${clock.now()}`);
    clock.setTimer(note("c"), 30);
    clock.setTimer(note("a"), 10);
    clock.setTimer(note("b"), 20);
    clock.setTimer(note("a2"), 10);
    clock.setTimer(note("a3"), 10);

    await clock.advance(30);

    expect(fired).toEqual(["a at 10", "a2 at 10", "a3 at 10", "b at 20", "c at 30"]);
  });

  it("keeps a hundred timers in order, in whatever order they came", async () => {
    const clock = virtualClock();
    const fired: number[] = [];
    for (let n = 0; n < 100; n++) {
      const ms = (n * 37) % 100;
      clock.setTimer(() => fired.push(ms), ms);
    }

    await clock.advance(99);

    expect(fired).toEqual(Array.from({ length: 100 }, (_, ms) => ms));
  });

  it("fires a timer at the very end and leaves the ones after it", async () => {
    const clock = virtualClock();
    const fired: number[] = [];
    for (const ms of [99, 100, 101]) clock.setTimer(() => fired.push(ms), ms);

    await clock.advance(100);

    expect(fired).toEqual([99, 100]);
    expect(clock.now()).toBe(100);
  });

  it("fires a timer that another one sets, if it is due in time", async () => {
    const clock = virtualClock();
    const fired: number[] = [];
    const tick = () => {
      fired.push(clock.now());
      clock.setTimer(tick, 10);
    };
    clock.setTimer(tick, 10);

    await clock.advance(35);

    expect(fired).toEqual([10, 20, 30]);
    expect([clock.now(), clock.pending]).toEqual([35, 1]);
  });

  it("fires a timer once", async () => {
    const clock = virtualClock();
    let fired = 0;
    clock.setTimer(() => fired++, 10);

    await clock.advance(10);
    await clock.advance(10);

    expect(fired).toBe(1);
  });

  it("never fires what was cancelled, be it by a timer of the same time", async () => {
    const clock = virtualClock();
    const fired: string[] = [];
    clock.setTimer(() => cancel(), 10);
    const cancel = clock.setTimer(() => fired.push("cancelled"), 10);
    clock.setTimer(() => fired.push("kept"), 10);

    await clock.advance(10);

    expect(fired).toEqual(["kept"]);
  });

  it("advance takes no notice of a timer cancelled too late, or twice", async () => {
    const clock = virtualClock();
    const fired: string[] = [];
    const first = clock.setTimer(() => fired.push("first"), 10);
    const second = clock.setTimer(() => fired.push("second"), 20);
    clock.setTimer(() => fired.push("third"), 20);
    await clock.advance(10);

    first();
    second();
    second();
    await clock.advance(10);

    expect(fired).toEqual(["first", "third"]);
  });

  it("lets the code between the timers run, however many promises it goes through", async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const wait = (ms: number) => new Promise<void>((resolve) => clock.setTimer(resolve, ms));
    const work = async () => {
      await wait(10);
      for (let n = 0; n < 500; n++) await null;
      seen.push(`work at ${clock.now()}`);
      await wait(10);
      seen.push(`work at ${clock.now()}`);
    };
    clock.setTimer(() => seen.push("other at 15"), 15);
    const result = work();

    await clock.advance(20);
    await result;

    expect(seen).toEqual(["work at 10", "other at 15", "work at 20"]);
  });

  it("lets code run that had not begun to sleep", async () => {
    const clock = virtualClock();
    const fired: number[] = [];
    const late = async () => {
      for (let n = 0; n < 50; n++) await null;
      clock.setTimer(() => fired.push(clock.now()), 10);
    };
    void late();

    await clock.advance(10);

    expect(fired).toEqual([10]);
  });

  it("lets code run that follows from the last timer", async () => {
    const clock = virtualClock();
    let done = false;
    const sleep = new Promise<void>((resolve) => clock.setTimer(resolve, 10));
    void sleep
      .then(() => {})
      .then(() => {
        done = true;
      });

    await clock.advance(10);

    expect(done).toBe(true);
  });

  it("adds up", async () => {
    const clock = virtualClock();

    await clock.advance(1.5);
    await clock.advance(0);
    await clock.advance(2);

    expect(clock.now()).toBe(3.5);
  });

  it("rejects with what a timer throws, and stays usable", async () => {
    const clock = virtualClock();
    const fired: number[] = [];
    clock.setTimer(() => {
      throw busy;
    }, 10);
    clock.setTimer(() => fired.push(clock.now()), 20);

    await expect(clock.advance(30)).rejects.toBe(busy);
    await clock.advance(10);

    expect(fired).toEqual([20]);
  });

  it.each([
    [-1, RangeError, "-1"],
    [Number.NaN, RangeError, "NaN"],
    [Number.POSITIVE_INFINITY, RangeError, "Infinity"],
    [undefined, TypeError, "undefined"],
    ["5", TypeError, '"5"'],
  ])("refuses %s", async (ms, Kind, shown) => {
    const clock = virtualClock();

    await expect(clock.advance(ms as number)).rejects.toEqual(
      new Kind(`advance: ms must be a finite number of ms from 0, got ${shown}`),
    );
    expect(clock.now()).toBe(0);
  });
});

describe("bad times", () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])("bad times are refused by setTimer: %s", (ms) => {
    const clock = virtualClock();

    expect(() => clock.setTimer(() => {}, ms)).toThrow(`setTimer: ms must be a finite number, got ${ms}`);
    expect(clock.pending).toBe(0);
  });

  it.each([-5, Number.NaN, Number.POSITIVE_INFINITY])(
    "are refused by sleepSync, so that time never goes back: %s",
    (ms) => {
      const clock = virtualClock();

      expect(() => clock.sleepSync(ms)).toThrow(`sleepSync: ms must be a finite number of ms from 0, got ${ms}`);
      expect(clock.now()).toBe(0);
    },
  );

  it.each([0, -1, 2.5, Number.NaN])("bad times are refused by runAll as a limit: %s", async (limit) => {
    await expect(virtualClock().runAll(limit)).rejects.toThrow(
      `runAll: limit must be a whole number from 1, or Infinity, got ${limit}`,
    );
  });
});

describe("runAll", () => {
  it("lets time pass until no timer is left, and says how many fired", async () => {
    const clock = virtualClock();
    const result = retry(flaky([busy, busy, "ok"]), { wait: waitFixed(100), clock })();

    expect(await clock.runAll()).toBe(2);
    expect(await result).toBe("ok");
    expect([clock.now(), clock.pending]).toEqual([200, 0]);
  });

  it("leaves time alone where there is no timer", async () => {
    const clock = virtualClock();
    await clock.advance(7);

    expect(await clock.runAll()).toBe(0);
    expect(clock.now()).toBe(7);
  });

  it("lets code run that had not begun to sleep, and what follows from the last timer", async () => {
    const clock = virtualClock();
    let done = false;
    const work = async () => {
      for (let n = 0; n < 50; n++) await null;
      await new Promise<void>((resolve) => clock.setTimer(resolve, 10));
      for (let n = 0; n < 50; n++) await null;
      done = true;
    };
    void work();

    await clock.runAll();

    expect(done).toBe(true);
  });

  it("stops once so many timers have fired and there is no end of them", async () => {
    const clock = virtualClock();
    const load = flaky(Array.from({ length: 20 }, () => busy));
    retry(load, { wait: waitFixed(100), stop: stopNever, clock })().catch(() => {});

    await expect(clock.runAll(5)).rejects.toThrow(new Error("runAll: 5 timers have fired and there is no end of them"));

    expect(load.calls).toHaveLength(6);
    expect(clock.now()).toBe(500);
  });

  it("lets exactly as many fire as the limit allows", async () => {
    const clock = virtualClock();
    for (let n = 0; n < 5; n++) clock.setTimer(() => {}, n);

    expect(await clock.runAll(5)).toBe(5);
  });

  it("gives up after 10,000 timers unless told otherwise", async () => {
    const clock = virtualClock();
    for (let n = 0; n < 10_001; n++) clock.setTimer(() => {}, n);

    await expect(clock.runAll()).rejects.toThrow("runAll: 10000 timers have fired");
    expect(clock.pending).toBe(1);
  });
});

describe("sleepSync", () => {
  it("lets time pass at once", () => {
    const clock = virtualClock();

    clock.sleepSync(100);

    expect(clock.now()).toBe(100);
  });

  it("settles a sync retry without real time", () => {
    const clock = virtualClock();
    const load = retrySync(flaky([busy, busy, "ok"]), { wait: waitFixed(60_000), clock });

    expect(load()).toBe("ok");
    expect(clock.now()).toBe(120_000);
  });

  it("fires no timer: the thread that would run it is asleep", async () => {
    const clock = virtualClock();
    const fired: number[] = [];
    clock.setTimer(() => fired.push(clock.now()), 10);

    clock.sleepSync(100);
    expect(fired).toEqual([]);

    await clock.advance(0);
    expect(fired).toEqual([100]);
    expect(clock.now()).toBe(100);
  });

  it("inside a timer holds up the ones after it, and time never goes back", async () => {
    const clock = virtualClock();
    const fired: string[] = [];
    clock.setTimer(() => clock.sleepSync(50), 10);
    clock.setTimer(() => fired.push(`next at ${clock.now()}`), 20);

    await clock.advance(30);

    expect(fired).toEqual(["next at 60"]);
    expect(clock.now()).toBe(60);
  });

  it("counts to the time that a sync policy's stop sees", () => {
    const clock = virtualClock();
    const elapsed: number[] = [];
    const stop = (state: { elapsed: number; attempt: number }) => elapsed.push(state.elapsed) === 3;
    const load = retrySync(flaky([busy, busy, busy]), { wait: waitFixed(5), stop, clock });

    expect(load).toThrow(busy);
    expect(elapsed).toEqual([0, 5, 10]);
  });
});

describe("a virtual clock under a policy with timeouts", () => {
  it("a virtual clock under a policy with timeouts is left without a timer when the call is over", async () => {
    const clock = virtualClock();
    const load = flaky([busy, busy, "ok"]);
    const options = { wait: waitFixed(100), attemptTimeout: 1_000, totalTimeout: 10_000, stop: stopAfterAttempt(3) };
    const result = retry(load, { ...options, clock })();

    await clock.advance(200);

    expect(await result).toBe("ok");
    expect(clock.pending).toBe(0);
  });
});

describe("a timer's function", () => {
  it("a timer's function is not waited for, whatever it returns", async () => {
    const clock = virtualClock();
    clock.setTimer(() => new Promise(() => {}), 10);

    expect(await clock.runAll()).toBe(1);
  });
});

describe("the async context of a timer", () => {
  const requests = new AsyncLocalStorage<string>();

  it.each(["advance", "runAll"] as const)(
    "the async context of a timer is the one in which it was set, and not that of %s",
    async (way) => {
      const clock = virtualClock();
      const seen: unknown[] = [];
      for (const id of ["a", "b"]) requests.run(id, () => clock.setTimer(() => seen.push(requests.getStore()), 10));
      clock.setTimer(() => seen.push(requests.getStore()), 10);

      await requests.run("advancing", () => (way === "advance" ? clock.advance(10) : clock.runAll()));

      expect(seen).toEqual(["a", "b", undefined]);
    },
  );
});

describe("a runtime without MessageChannel", () => {
  it("advances a virtual clock all the same, microtasks first", async () => {
    const { MessageChannel } = globalThis;
    onTestFinished(() => {
      globalThis.MessageChannel = MessageChannel;
    });
    globalThis.MessageChannel = undefined as never;
    const clock = virtualClock();
    const result = retry(flaky([new Error("busy"), "ok"]), { wait: waitFixed(60_000), clock })();

    await clock.advance(60_000);

    expect(await result).toBe("ok");
  });
});
