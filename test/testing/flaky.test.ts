import { NonRetryableError, retry, stopNever } from "undaunted";
import { flaky, instant } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");

describe("flaky", () => {
  it("throws errors and returns the rest, one entry per call", () => {
    const load = flaky([busy, "ok", undefined]);

    expect(() => load()).toThrow(busy);
    expect(load()).toBe("ok");
    expect(load()).toBeUndefined();
  });

  it("throws the very error of the script", () => {
    class Odd extends TypeError {}
    const odd = new Odd();

    expect(thrownBy(flaky([odd]))).toBe(odd);
  });

  it.each([undefined, null, "late", 0])("throws %s where an outcome says so", (error) => {
    expect(thrownBy(flaky([{ ok: false, error }]))).toBe(error);
  });

  it("returns an error as a value where an outcome says so", () => {
    expect(flaky([{ ok: true, value: busy }])()).toBe(busy);
  });

  it.each([undefined, null, false])("returns %s where an outcome says so", (value) => {
    expect(flaky([{ ok: true, value }])()).toBe(value);
  });

  it("flaky takes a value that only looks like an outcome for a value", () => {
    const response = { ok: true, status: 200 };
    const refused = { ok: false, status: 503 };
    const odd = { ok: "yes", value: 1, error: 2 };
    const crossed = [
      { ok: true, error: 1 },
      { ok: false, value: 1 },
    ];
    const load = flaky<unknown>([response, refused, odd, ...crossed, null, []]);

    expect([load(), load(), load(), load(), load(), load(), load()]).toEqual([
      response,
      refused,
      odd,
      ...crossed,
      null,
      [],
    ]);
  });

  it("calls a function with the arguments and returns its answer", () => {
    const load = flaky([(id: string, size: number) => `${id}:${size}`]);

    expect(load("42", 7)).toBe("42:7");
  });

  it("throws what a function throws", () => {
    const load = flaky([
      () => {
        throw busy;
      },
    ]);

    expect(thrownBy(load)).toBe(busy);
  });

  it("hands on a promise that a function answers", async () => {
    const load = retry(flaky([() => Promise.reject(busy), async () => "ok"]), instant);

    expect(await load()).toBe("ok");
  });

  it("remembers the arguments of each call, of failed ones too", () => {
    const load = flaky([busy, "ok"]);

    expect(load.calls).toEqual([]);
    expect(() => load("42", { deep: true })).toThrow();
    load();

    expect(load.calls).toEqual([["42", { deep: true }], []]);
  });

  it("says past its end how long the script was, and is not tried again", async () => {
    const load = flaky([busy, busy]);

    const result = retry(load, { ...instant, stop: stopNever })("42");

    await expect(result).rejects.toBeInstanceOf(NonRetryableError);
    await expect(result).rejects.toThrow("flaky: the script has 2 outcomes, this is call 3");
    expect(load.calls).toHaveLength(3);
  });

  it("goes on counting past its end", () => {
    const load = flaky([]);

    expect(() => load()).toThrow("flaky: the script has 0 outcomes, this is call 1");
    expect(() => load()).toThrow("flaky: the script has 0 outcomes, this is call 2");
  });

  it("leaves one script apart from another", () => {
    const script = ["a", "b"];
    const [one, other] = [flaky(script), flaky(script)];

    expect([one(), other(), one(), other()]).toEqual(["a", "a", "b", "b"]);
    expect(script).toEqual(["a", "b"]);
  });

  it.each([undefined, null, "busy", 5, {}])("refuses %s in place of a script", (outcomes) => {
    expect(() => flaky(outcomes as never)).toThrow(
      new TypeError(`flaky: outcomes must be an array, got ${typeof outcomes}`),
    );
  });
});

function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

it("is a spy to the matchers of the test runner", async () => {
  const load = flaky([new Error("busy"), "ok"]);

  await retry(load, instant)("42");

  expect(load).toHaveBeenCalledTimes(2);
  expect(load).toHaveBeenLastCalledWith("42");
  expect(() => expect(load).toHaveBeenCalledTimes(3)).toThrow('expected "flaky" to be called 3 times, but got 2 times');
});
