import {
  type AttemptContext,
  CircuitOpenError,
  NonRetryableError,
  retry,
  retryBudget,
  retryIfResult,
  stopAfterAttempt,
  waitFixed,
  waitNone,
} from "undaunted";
import { type DurableEngine, retryDurably, stopAfterErrors } from "undaunted/durable";
import { flaky } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { journalEngine } from "./journal.js";

const busy = () => Object.assign(new Error("busy"), { name: "BusyError", code: "EBUSY", status: 503 });

/** Kills the process once at each of `places`. */
function killedAt(...places: string[]) {
  const left = new Set(places);
  return (place: string) => left.delete(place);
}

describe("retryDurably", () => {
  it("returns the first value that is accepted", async () => {
    const engine = journalEngine();
    const load = flaky([busy(), busy(), "done"]);

    const value = await engine.run((each) => retryDurably(each, load, { wait: waitFixed(100), name: "load" }));

    expect(value).toBe("done");
    expect(engine.slept).toEqual([100, 100]);
    expect(engine.ran).toEqual(["load: begin", "load: attempt 1", "load: attempt 2", "load: attempt 3"]);
  });

  it("rejects with the last error, revived, and exhausts it", async () => {
    const engine = journalEngine();
    const calls: unknown[] = [];
    const outer = retry(
      () => {
        calls.push(1);
        return engine.run((each) => retryDurably(each, flaky([busy(), busy()]), { stop: stopAfterAttempt(2) }));
      },
      { wait: waitNone },
    );

    await expect(outer()).rejects.toMatchObject({ name: "BusyError", message: "busy", code: "EBUSY", status: 503 });
    expect(calls).toHaveLength(1);
  });

  it("rejects in a replay as it did in the first run", async () => {
    const engine = journalEngine();
    const workflow = (each: DurableEngine) =>
      retryDurably(each, flaky([busy()]), { stop: stopAfterAttempt(1) }).catch((error: unknown) => error);

    const [first, replayed] = [await engine.run(workflow), await engine.run(workflow)];

    expect(replayed).toEqual(first);
    expect(replayed).not.toBe(first);
  });

  it("records plain JSON and nothing that cannot outlive the process", async () => {
    const engine = journalEngine();
    const fails = flaky([Object.assign(busy(), { secret: "4242", request: () => {} })]);

    await engine.run((each) => retryDurably(each, fails, { stop: stopAfterAttempt(1) }).catch(() => {}));

    const { value } = JSON.parse([...engine.steps.values()][1]!);
    expect(value.error).toEqual({ name: "BusyError", message: "busy", code: "EBUSY", status: 503, exhausted: true });
  });

  it("has the previous attempt's error, number and call in its context", async () => {
    const engine = journalEngine();
    const seen: unknown[] = [];
    const task = ({ attempt, previousError }: AttemptContext) => {
      seen.push([attempt, (previousError as Error | undefined)?.message]);
      if (attempt < 3) throw busy();
    };

    await engine.run((each) => retryDurably(each, task, { wait: waitNone }));

    expect(seen).toEqual([
      [1, undefined],
      [2, "busy"],
      [3, "busy"],
    ]);
  });

  it("polls", async () => {
    const engine = journalEngine();
    const poll = flaky(["pending", "pending", "done"]);
    const retryIf = retryIfResult((value) => value === "pending");

    expect(await engine.run((each) => retryDurably(each, poll, { retryIf, wait: waitFixed(5) }))).toBe("done");
    expect(engine.slept).toEqual([5, 5]);
  });

  it("sleeps as long as was decided, however long the engine took to record it, and not where that is no time", async () => {
    const engine = journalEngine((place) => {
      if (place.startsWith("in load: attempt")) engine.pass(40);
      return false;
    });
    const load = flaky([busy(), busy(), "done"]);
    const wait = ({ attempt }: { attempt: number }) => (attempt === 1 ? 0 : 100);

    await engine.run((each) => retryDurably(each, load, { wait, name: "load" }));

    expect(engine.slept).toEqual([100]);
  });

  it("keeps a limit for each kind of error", async () => {
    const engine = journalEngine();
    const error = (status: number) => Object.assign(new Error(String(status)), { status });
    const fails = flaky([error(500), error(429), error(500), error(429), error(500)]);

    const running = engine.run((each) => retryDurably(each, fails, { stop: stopAfterErrors(2, 429), wait: waitNone }));

    await expect(running).rejects.toMatchObject({ status: 429 });
    expect(fails.calls).toHaveLength(4);
  });

  it("hands on what the engine itself fails with", async () => {
    const engine = journalEngine().process();
    const cancelled = new Error("cancelled");
    const sleep = () => Promise.reject(cancelled);

    await expect(retryDurably({ ...engine, sleep }, flaky([busy()]))).rejects.toBe(cancelled);
  });

  it.each<[string, unknown, RegExp]>([
    ["an engine that cannot sleep", { step() {} }, /engine must be an object with step and sleep/],
    ["a time that is no function", { ...journalEngine().process(), now: 5 }, /engine.now must be a function/],
  ])("refuses %s", async (_what, engine, message) => {
    await expect(retryDurably(engine as DurableEngine, () => 1)).rejects.toThrow(message);
  });

  it("refuses what means one process before anything is recorded", async () => {
    const engine = journalEngine();
    const options = { signal: new AbortController().signal } as object;

    await expect(retryDurably(engine.process(), () => 1, options)).rejects.toThrow("signal means one process");
    expect(engine.ran).toEqual([]);
  });

  it("uses the system's time where the engine has none", async () => {
    const { now: _, ...engine } = journalEngine().process();
    const before = Date.now();

    const value = await retryDurably(engine, flaky([busy(), "done"]), { wait: waitNone, totalTimeout: 600_000 });

    expect(value).toBe("done");
    expect(await engine.step("anonymous: begin", async () => 0)).toBeGreaterThanOrEqual(0);
    expect(before).toBeLessThanOrEqual(Date.now());
  });
});

describe("a process that is killed", () => {
  const PLACES = ["after load: begin", "in load: attempt 2", "after load: attempt 2", "in sleep 1", "in sleep 2"];

  it.each(PLACES)("%s repeats no recorded attempt, and sleeps what it would have slept", async (place) => {
    const engine = journalEngine(killedAt(place));
    const attempts: number[] = [];
    const task = ({ attempt }: AttemptContext) => {
      attempts.push(attempt);
      if (attempt < 3) throw busy();
      return "done";
    };

    const value = await engine.run((each) => retryDurably(each, task, { wait: waitFixed(100), name: "load" }));

    expect(value).toBe("done");
    // The attempt that was killed before it was recorded is made again, under its own number.
    expect(attempts).toEqual(place.startsWith("in load") ? [1, 2, 2, 3] : [1, 2, 3]);
    expect(engine.slept).toEqual([100, 100]);
  });

  it("between a decision and its sleep, sleeps what is left of it", async () => {
    const engine = journalEngine((place) => place === "after load: attempt 1" && kill());
    let alive = true;
    const kill = () => {
      const now = alive;
      alive = false;
      if (now) engine.pass(70);
      return now;
    };

    const load = flaky([busy(), 1]);

    await engine.run((each) => retryDurably(each, load, { wait: waitFixed(100), name: "load" }));

    expect(engine.slept).toEqual([30]);
  });

  it("in its first attempt, has used up what it took of the deadline", async () => {
    const engine = journalEngine(killedAt("in load: attempt 1"));
    let calls = 0;
    const task = () => {
      calls++;
      engine.pass(300);
      throw busy();
    };

    const running = engine.run((each) => retryDurably(each, task, { totalTimeout: 500, wait: waitNone, name: "load" }));

    await expect(running).rejects.toMatchObject({ code: "ERR_TOTAL_TIMEOUT", cause: { code: "EBUSY" } });
    expect(calls).toBe(2);
  });

  it("pays no budget again, and calls no hook again", async () => {
    const engine = journalEngine(killedAt("in sleep 1", "in sleep 2", "after load: attempt 3"));
    const budget = retryBudget({ capacity: 5, trickle: { upTo: 0 }, fade: Infinity, perSuccess: 0 });
    const seen: string[] = [];
    const hooks = {
      onRetry: ({ attempt }: { attempt: number }) => seen.push(`retry ${attempt}`),
      onSuccess: () => seen.push("success"),
    };
    const options = { budget, ...hooks, wait: waitFixed(10), name: "load" };

    const load = flaky([busy(), busy(), "done"]);

    await engine.run((each) => retryDurably(each, load, options));

    expect(seen).toEqual(["retry 1", "retry 2", "success"]);
    expect(budget.balance).toBe(3);
  });

  it.each<[string, () => unknown]>([
    ["an open circuit", () => new CircuitOpenError("open")],
    ["a NonRetryableError", () => new NonRetryableError("no")],
    [
      "what a retry inside the attempt exhausted",
      () => retry(() => Promise.reject(busy()), { stop: stopAfterAttempt(1) })(),
    ],
  ])("does not retry %s from the outside either: the mark travels", async (_what, thrown) => {
    const engine = journalEngine(killedAt("after inner: attempt 1", "after outer: attempt 1"));
    let inner = 0;
    const task = async () => {
      inner++;
      const error = thrown();
      throw error instanceof Promise ? await error.then(undefined, (each: unknown) => each) : error;
    };
    const workflow = (each: DurableEngine) => {
      const nested = journalEngine();
      return retryDurably(each, () => retryDurably(nested.process(), task, { name: "inner" }), {
        name: "outer",
        wait: waitNone,
      });
    };

    await expect(engine.run(workflow)).rejects.toBeInstanceOf(Error);
    expect(inner).toBe(1);
  });
});
