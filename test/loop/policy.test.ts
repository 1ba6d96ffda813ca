import {
  type AnyFn,
  type OptionsFor,
  previewPolicy,
  type RetryBudget,
  type RetryOptions,
  retry,
  retryIfOutcome,
  retryNever,
  retrySync,
  runWithRetry,
  runWithRetrySync,
  type SyncRetryOptions,
  stopAfterAttempt,
  waitFixed,
  waitFullJitter,
  waitNone,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const busy = new Error("busy");
const never = () => new Promise<never>(() => {});

type Options = OptionsFor<AnyFn, RetryOptions & SyncRetryOptions>;
interface Wrapped extends AnyFn {
  with(overrides: object): Wrapped;
  readonly stats: Record<string, number>;
}

/** Both wrappers; `settle` makes a promise of what a sync one returns or throws. */
const wrappers: [owner: string, wrap: (fn: AnyFn, options?: Options) => Wrapped][] = [
  ["retry", (fn, options) => retry(fn, options) as unknown as Wrapped],
  ["retrySync", (fn, options) => retrySync(fn as () => unknown, options) as unknown as Wrapped],
];
const settle = async (call: () => unknown) => call();

const common = [
  "stop",
  "wait",
  "retryIf",
  "retryExhausted",
  "budget",
  "totalTimeout",
  "fallback",
  "onAttempt",
  "onRetry",
  "onSuccess",
  "onGiveUp",
  "onHookError",
  "name",
  "random",
];
const functions = [
  "stop",
  "wait",
  "retryIf",
  "fallback",
  "onAttempt",
  "onRetry",
  "onSuccess",
  "onGiveUp",
  "onHookError",
  "random",
];

type Bad = [option: string, value: unknown, Kind: typeof TypeError | typeof RangeError, message: string];

const meantByFive: Record<string, string> = {
  stop: "; did you mean stopAfterAttempt(5)?",
  wait: "; did you mean waitFixed(5)?",
};

const bad: Bad[] = [
  ...functions.flatMap((option): Bad[] => [
    [option, 5, TypeError, `${option} must be a function, got 5${meantByFive[option] ?? ""}`],
    [option, null, TypeError, `${option} must be a function, got null`],
    [option, "fn", TypeError, `${option} must be a function, got "fn"`],
    [option, {}, TypeError, `${option} must be a function, got [object Object]`],
  ]),
  ["retryExhausted", 1, TypeError, "retryExhausted must be true or false, got 1"],
  ["retryExhausted", "true", TypeError, 'retryExhausted must be true or false, got "true"'],
  ["name", 5, TypeError, "name must be a string, got 5"],
  ["name", Symbol("load"), TypeError, "name must be a string, got Symbol(load)"],
  ["name", () => "load", TypeError, "name must be a string, got a function"],
  ["totalTimeout", 0, RangeError, "totalTimeout must be a number of ms above 0, got 0"],
  ["totalTimeout", -0, RangeError, "totalTimeout must be a number of ms above 0, got 0"],
  ["totalTimeout", -1, RangeError, "totalTimeout must be a number of ms above 0, got -1"],
  ["totalTimeout", Number.NaN, RangeError, "totalTimeout must be a number of ms above 0, got NaN"],
  ["totalTimeout", "500", TypeError, 'totalTimeout must be a number of ms above 0, got "500"'],
  ["totalTimeout", 500n, TypeError, "totalTimeout must be a number of ms above 0, got 500n"],
  ["totalTimeout", null, TypeError, "totalTimeout must be a number of ms above 0, got null"],
  ["budget", 5, TypeError, "budget must be a RetryBudget, got 5"],
  ["budget", {}, TypeError, "budget must be a RetryBudget, got [object Object]"],
  ["budget", () => 1, TypeError, "budget must be a RetryBudget, got a function"],
  ["budget", null, TypeError, "budget must be a RetryBudget, got null"],
  ...["acquire", "recordSuccess", "refund"].map(
    (missing): Bad => [
      "budget",
      { acquire() {}, recordSuccess() {}, refund() {}, [missing]: undefined },
      TypeError,
      "budget must be a RetryBudget, got [object Object]",
    ],
  ),
];

const badAsync: Bad[] = [
  ["attemptTimeout", 0, RangeError, "attemptTimeout must be a number of ms above 0, or a function, got 0"],
  ["attemptTimeout", -5, RangeError, "attemptTimeout must be a number of ms above 0, or a function, got -5"],
  ["attemptTimeout", Number.NaN, RangeError, "attemptTimeout must be a number of ms above 0, or a function, got NaN"],
  ["attemptTimeout", "1s", TypeError, 'attemptTimeout must be a number of ms above 0, or a function, got "1s"'],
  ["onLateResult", true, TypeError, "onLateResult must be a function, got true"],
  ["unref", 1, TypeError, "unref must be true or false, got 1"],
  ["signal", {}, TypeError, "signal must be an AbortSignal, got [object Object]"],
  ["signal", { aborted: false }, TypeError, "signal must be an AbortSignal, got [object Object]"],
  ["signal", new EventTarget(), TypeError, "signal must be an AbortSignal, got [object EventTarget]"],
  ["signal", new AbortController(), TypeError, "signal must be an AbortSignal, got [object AbortController]"],
  ["signal", null, TypeError, "signal must be an AbortSignal, got null"],
  ["clock", 5, TypeError, "clock must be a Clock, got 5"],
  ["clock", Date, TypeError, "clock must be a Clock, got a function"],
  ["clock", { now: () => 0 }, TypeError, "clock must be a Clock, got [object Object]"],
  ["clock", { setTimer() {} }, TypeError, "clock must be a Clock, got [object Object]"],
  ["clock", { now: () => 0, sleepSync() {} }, TypeError, "clock must be a Clock, got [object Object]"],
];

const badSync: Bad[] = [
  ["clock", { now: () => 0, setTimer() {} }, TypeError, "clock must be a SyncClock, got [object Object]"],
  ["clock", { sleepSync() {} }, TypeError, "clock must be a SyncClock, got [object Object]"],
  ["clock", null, TypeError, "clock must be a SyncClock, got null"],
];

const named = (cases: Bad[]) =>
  cases.map(([option, value, Kind, message]): [string, Bad] => [message, [option, value, Kind, message]]);

describe.each(wrappers)("an option of %s that makes no sense", (owner, wrap) => {
  it.each(named([...bad, ...(owner === "retry" ? badAsync : badSync)]))(
    "refuses a bad option when the policy is made: %s",
    (_name, [option, value, Kind, message]) => {
      expect(() => wrap(() => {}, { [option]: value })).toThrow(new Kind(`${owner}: ${message}`));
    },
  );

  // In `with` it is a deadline that has passed.
  const refusedInWith = bad.filter(
    ([option, value]) => option !== "totalTimeout" || !((value as number) <= 0) || value === null,
  );

  it.each(named([...refusedInWith, ...(owner === "retry" ? badAsync : badSync)]))(
    "refuses a bad option in with: %s",
    (_name, [option, value, Kind, message]) => {
      expect(() => wrap(() => {}).with({ [option]: value })).toThrow(new Kind(`with: ${message}`));
    },
  );
});

describe.each(wrappers)("the options of %s", (owner, wrap) => {
  const asyncOnly = ["attemptTimeout", "signal", "onLateResult", "unref", "detached"];
  const all = [...common, ...(owner === "retry" ? asyncOnly : []), "clock"].join(", ");

  it.each(["attempts", "retries", "Stop", "", "constructor", "toString"])("refuses an option %j", (option) => {
    const meant: Record<string, string> = Object.assign(Object.create(null), {
      attempts: "; did you mean stop: stopAfterAttempt(5)?",
      // They do not count the first call.
      retries: "; did you mean stop: stopAfterAttempt(6)?",
      Stop: "; did you mean stop?",
    });
    const message = `there is no option ${JSON.stringify(option)}; allowed are ${all}${meant[option] ?? ""}`;

    expect(() => wrap(() => {}, { [option]: 5 })).toThrow(new TypeError(`${owner}: ${message}`));
    expect(() => wrap(() => {}).with({ [option]: 5 })).toThrow(new TypeError(`with: ${message}`));
  });

  it("refuses an option __proto__, which JSON can hold", () => {
    expect(() => wrap(() => {}, JSON.parse('{ "__proto__": {} }'))).toThrow(/there is no option "__proto__"/);
  });

  it("refuses an unknown name even where its value is undefined", () => {
    expect(() => wrap(() => {}, { attempts: undefined } as object)).toThrow(/there is no option "attempts"/);
  });

  it.each([
    [null, "null"],
    [5, "5"],
    ["fast", '"fast"'],
    [true, "true"],
    [Symbol("fast"), "Symbol(fast)"],
    [5n, "5n"],
    [[], "[]"],
    [Promise.resolve({}), "[object Promise]"],
  ])("refuses options that are %o", (options, shown) => {
    expect(() => wrap(() => {}, options as never)).toThrow(
      new TypeError(
        `${owner}: options must be an object, got ${shown}${options === 5 ? "; did you mean { stop: stopAfterAttempt(5) }?" : ""}`,
      ),
    );
  });

  it.each([undefined, null, 5, () => ({})])("must be an object in with, not %o", (overrides) => {
    expect(() => wrap(() => {}).with(overrides as never)).toThrow(TypeError);
    expect(() => wrap(() => {}).with(overrides as never)).toThrow("with: options must be an object, got ");
  });

  it("takes options that are undefined as not given", async () => {
    const options = Object.fromEntries(all.split(", ").map((option) => [option, undefined]));
    const load = flaky([busy, busy, busy, busy]);

    await expect(settle(wrap(load, { ...options, ...instant } as Options))).rejects.toBe(busy);
    expect(load.calls).toHaveLength(4);
  });

  it("reads inherited options, all of them", async () => {
    const names: string[] = [];
    const asked: unknown[] = [];
    const base: Options = {
      ...instant,
      name: "load",
      onAttempt: (start: { name: string }) => names.push(start.name),
      retryIf: retryIfOutcome(({ outcome }) => {
        asked.push(outcome.ok);
        return !outcome.ok;
      }),
    };

    expect(await wrap(flaky([busy, "ok"]), Object.create(base))()).toBe("ok");
    expect(names).toEqual(["load", "load"]);
    expect(asked).toEqual([false, true]);
  });

  it("accepts options that are frozen, and without a prototype", async () => {
    const options = Object.freeze(Object.assign(Object.create(null), instant));

    expect(await wrap(flaky([busy, "ok"]), options)()).toBe("ok");
  });

  it("throws what an option's getter throws", () => {
    const options = {
      get stop(): never {
        throw busy;
      },
    };

    expect(() => wrap(() => {}, options)).toThrow(busy);
  });

  it("reads options once: what changes afterwards changes nothing", async () => {
    const options: { wait: () => number; stop?: any } = { wait: () => 0 };
    const load = flaky([busy, busy, busy, busy]);
    const wrapped = wrap(load, options);

    options.stop = stopAfterAttempt(1);
    options.wait = () => Number.NaN;

    await expect(settle(wrapped)).rejects.toBe(busy);
    expect(load.calls).toHaveLength(4);
  });

  it("compiles options once, however many functions share them", () => {
    let reads = 0;
    const options = {
      get wait() {
        reads++;
        return waitNone;
      },
    };
    wrap(() => {}, options);
    const once = reads;

    wrap(() => {}, options);

    expect(once).toBeGreaterThan(0);
    expect(reads).toBe(once);
  });

  it("compiles another object of the same content anew", async () => {
    const load = flaky([busy, busy, "ok"]);

    await expect(settle(wrap(load, { ...instant, stop: stopAfterAttempt(1) }))).rejects.toBe(busy);
    expect(await wrap(load, { ...instant, stop: stopAfterAttempt(2) })()).toBe("ok");
  });

  it("leaves an options object as it is", () => {
    const options = { ...instant };

    wrap(() => {}, options).with({ name: "load" });

    expect(options).toEqual(instant);
  });

  it("draws from Math.random by default, looked up at call time", async () => {
    const drawn: number[] = [];
    const wait = (state: { random: () => number }) => {
      drawn.push(state.random());
      return 0;
    };
    const wrapped = wrap(flaky([busy, "ok"]), { wait });
    const random = vi.spyOn(Math, "random").mockReturnValue(0.125);

    try {
      await wrapped();
    } finally {
      random.mockRestore();
    }

    expect(drawn).toEqual([0.125]);
  });

  it("accepts Infinity for totalTimeout: no limit", async () => {
    expect(await wrap(flaky([busy, "ok"]), { ...instant, totalTimeout: Number.POSITIVE_INFINITY })()).toBe("ok");
  });
});

describe("the defaults", () => {
  it("the defaults are stopAfterAttempt(4) and waitFullJitter({ base: 500, max: 20_000 }), however long the call", () => {
    const wait = waitFullJitter({ base: 500, max: 20_000 });

    expect(previewPolicy()).toEqual(previewPolicy({ stop: stopAfterAttempt(4), wait }));
    expect(previewPolicy({ stop: stopAfterAttempt(2_000) }, 2_000)).toEqual(
      previewPolicy({ stop: stopAfterAttempt(2_000), wait }, 2_000),
    );
  });
});

describe("an options object", () => {
  it("an options object serves both wrappers, each with its own checks", () => {
    const clock = virtualClock();
    const options = { ...instant, clock };

    expect(retrySync(flaky([busy, "ok"]), options)()).toBe("ok");
    return expect(retry(flaky([busy, "ok"]), options)()).resolves.toBe("ok");
  });

  it("a sync policy refuses an options object although an async one took it", () => {
    const options = { attemptTimeout: 50 };
    retry(() => {}, options);

    expect(() => retrySync(() => {}, options as object)).toThrow(/^retrySync: there is no option "attemptTimeout"/);
  });

  it.each(["attemptTimeout", "signal", "unref", "onLateResult"])("of a sync policy has no %s", (option) => {
    expect(() => runWithRetrySync(() => {}, { [option]: undefined } as object)).toThrow(
      `there is no option "${option}"`,
    );
  });

  it("runWithRetry rejects for options that make no sense, and never throws", async () => {
    const result = runWithRetry(() => 1, { totalTimeout: Number.NaN });

    await expect(result).rejects.toEqual(new RangeError("retry: totalTimeout must be a number of ms above 0, got NaN"));
  });

  it("runWithRetrySync throws for options that make no sense, before the task is called", () => {
    const task = flaky([1]);

    expect(() => runWithRetrySync(task, { totalTimeout: Number.NaN })).toThrow(RangeError);
    expect(task.calls).toHaveLength(0);
  });

  it("accepts a signal of another realm", async () => {
    const { signal } = new AbortController();
    const foreign = {
      aborted: false,
      reason: undefined,
      addEventListener: signal.addEventListener.bind(signal),
      removeEventListener: signal.removeEventListener.bind(signal),
    };

    expect(await runWithRetry(() => 1, { signal: foreign as unknown as AbortSignal })).toBe(1);
  });

  it("accepts a budget whose methods are inherited", async () => {
    class Budget implements RetryBudget {
      balance = 1;
      acquire() {
        return this.balance--;
      }
      recordSuccess() {}
      refund() {}
    }
    const load = flaky([busy, busy, "late"]);

    await expect(retry(load, { ...instant, budget: new Budget() })()).rejects.toBe(busy);
    expect(load.calls).toHaveLength(2);
  });
});

describe.each(wrappers)("with, on %s,", (_owner, wrap) => {
  it("replaces some options and keeps the rest", async () => {
    const names: string[] = [];
    const load = flaky([busy, busy, busy, "late"]);
    const base = wrap(load, { ...instant, name: "load", onRetry: (state) => names.push(state.name) });

    await expect(settle(base.with({ stop: stopAfterAttempt(3) }))).rejects.toBe(busy);

    expect(load.calls).toHaveLength(3);
    expect(names).toEqual(["load", "load"]);
  });

  it("builds on the options as they were when the function was made", async () => {
    const options: { wait: () => number; stop?: any } = { wait: () => 0 };
    const base = wrap(flaky([busy, "ok"]), options);

    options.stop = stopAfterAttempt(1);

    expect(await base.with({ name: "load" })()).toBe("ok");
  });

  it("refuses what makes no sense at once, over an options function too", () => {
    const base = wrap(
      () => {},
      () => ({}),
    );

    expect(() => base.with({ stop: 5 })).toThrow("with: stop must be a function, got 5");
    expect(() => base.with({ attempts: 5 })).toThrow(/^with: there is no option "attempts"/);
  });

  it("leaves the function it was called on as it was", async () => {
    const load = flaky([busy, "ok"]);
    const base = wrap(load, instant);

    base.with({ stop: stopAfterAttempt(1) });

    expect(await base()).toBe("ok");
  });

  it("keeps what an override leaves undefined", async () => {
    const load = flaky([busy, busy, "late"]);
    const base = wrap(load, { ...instant, stop: stopAfterAttempt(2) });

    await expect(settle(base.with({ stop: undefined, wait: undefined }))).rejects.toBe(busy);
    expect(load.calls).toHaveLength(2);
  });

  it("replaces also what was there by default", async () => {
    const delays: number[] = [];
    const clock = virtualClock();
    const base = wrap(flaky([busy, "ok"]), { clock, onRetry: (state) => delays.push(state.delay) });

    const result = settle(base.with({ wait: waitFixed(7) }));
    await clock.runAll();
    await result;

    expect(delays).toEqual([7]);
  });

  it("can be called again on what it made", async () => {
    const names: string[] = [];
    const load = flaky([busy, busy, "late"]);
    const base = wrap(load, { ...instant, onAttempt: (start) => names.push(start.name) });

    const third = base.with({ name: "second", stop: stopAfterAttempt(1) }).with({ stop: stopAfterAttempt(2) });
    await expect(settle(third)).rejects.toBe(busy);

    expect(names).toEqual(["second", "second"]);
  });

  it("shares the stats", async () => {
    const base = wrap(flaky(["ok", busy]), instant);
    const strict = base.with({ stop: stopAfterAttempt(1) });

    await base();
    await settle(strict).catch(() => {});

    expect(strict.stats).toBe(base.stats);
    expect(base.stats).toMatchObject({ calls: 2, attempts: 2, successes: 1, failures: 1 });
  });

  it("shares the budget", async () => {
    let balance = 1;
    const budget = {
      acquire: () => balance--,
      recordSuccess() {},
      refund() {},
      balance: 0,
    };
    const load = flaky([busy, "ok", busy, "late"]);
    const base = wrap(load, { ...instant, budget });

    expect(await base.with({ name: "load" })()).toBe("ok");
    await expect(settle(base)).rejects.toBe(busy);
  });

  it("keeps arguments and this", async () => {
    const object = {
      prefix: "user ",
      load: wrap(function (this: { prefix: string }, id: string) {
        return this.prefix + id;
      }).with(instant),
    };

    expect(await object.load("42")).toBe("user 42");
  });

  it("remembers the overrides as they were", async () => {
    const overrides: { wait: () => number } = { wait: () => 0 };
    const strict = wrap(flaky([busy, "ok"])).with(overrides);

    overrides.wait = () => Number.NaN;

    expect(await strict()).toBe("ok");
  });

  it("works detached from its function", async () => {
    const { with: withOptions } = wrap(flaky([busy, "ok"]));

    expect(await withOptions(instant)()).toBe("ok");
  });

  it("overrides what an options function returns, each time", async () => {
    const seen: unknown[] = [];
    const load = flaky([busy, "a", busy, "b"]);
    const base = wrap(load, (id: string) => {
      seen.push(id);
      return { wait: () => Number.NaN, name: id };
    });
    const names: string[] = [];
    const quick = base.with({ ...instant, onRetry: (state: { name: string }) => names.push(state.name) });

    expect([await quick("1"), await quick("2")]).toEqual(["a", "b"]);
    expect(seen).toEqual(["1", "2"]);
    expect(names).toEqual(["1", "2"]);
  });

  it("overrides on overrides of an options function", async () => {
    const names: string[] = [];
    const load = flaky([busy, busy, "late"]);
    const base = wrap(load, () => ({ ...instant, onAttempt: (start) => names.push(start.name) }));

    const third = base.with({ name: "second", stop: stopAfterAttempt(1) }).with({ stop: stopAfterAttempt(2) });
    await expect(settle(third)).rejects.toBe(busy);

    expect(names).toEqual(["second", "second"]);
  });

  it("compiles overrides once where an options function returns the same object", async () => {
    let reads = 0;
    const options = {};
    const overrides = {
      get wait() {
        reads++;
        return waitNone;
      },
    };
    const quick = wrap(
      () => "ok",
      () => options,
    ).with(overrides);
    await quick();
    const once = reads;

    await quick();

    expect(once).toBeGreaterThan(0);
    expect(reads).toBe(once);
  });
});

describe("the signals of with", () => {
  const signals = () => [new AbortController(), new AbortController(), new AbortController()] as const;

  it.each([0, 1, 2])("all count: the call rejects with the reason of number %i", async (n) => {
    const controllers = signals();
    const [first, second, third] = controllers;
    const load = retry(never, { signal: first.signal }).with({ signal: second.signal }).with({ signal: third.signal });

    const result = load();
    controllers[n]!.abort(`reason ${n}`);

    await expect(result).rejects.toBe(`reason ${n}`);
  });

  it("adds a signal without effect on the function that with was called on", async () => {
    const [first, second] = signals();
    const base = retry(async () => "ok", { signal: first.signal });
    base.with({ signal: second.signal });

    second.abort("gone");

    expect(await base()).toBe("ok");
  });

  it("keeps the signals where an override has none", async () => {
    const [first] = signals();
    const load = retry(never, { signal: first.signal }).with({ signal: undefined }).with({ name: "load" });

    const result = load();
    first.abort("gone");

    await expect(result).rejects.toBe("gone");
  });

  it("counts a signal once that is given twice", async () => {
    const [{ signal }] = signals();
    const added: string[] = [];
    const { addEventListener } = signal;
    signal.addEventListener = (...args: any[]) => {
      added.push(args[0]);
      addEventListener.apply(signal, args as never);
    };

    const soon = () => new Promise((resolve) => setImmediate(resolve));
    await retry(soon, { signal }).with({ signal })();

    expect(added).toEqual(["abort"]);
  });

  it("adds a signal to those that an options function returns for each call", async () => {
    const [first, second] = signals();
    const load = retry(
      (_signal: AbortSignal) => never(),
      (signal: AbortSignal) => ({ signal }),
    ).with({
      signal: second.signal,
    });

    const [one, other] = [load(first.signal), load(new AbortController().signal)];
    first.abort("first");
    await expect(one).rejects.toBe("first");
    second.abort("second");

    await expect(other).rejects.toBe("second");
  });

  it("rejects where a signal of with is aborted before the call", async () => {
    const [first, second] = signals();
    second.abort("gone");
    const load = flaky(["ok"]);

    await expect(retry(load, { signal: first.signal }).with({ signal: second.signal })()).rejects.toBe("gone");
    expect(load.calls).toHaveLength(0);
  });
});

describe.each(wrappers)("options of %s given as a function", (owner, wrap) => {
  it("calls an options function once per call, with its this and arguments, when it starts", async () => {
    const asked: unknown[] = [];
    const load = flaky([busy, "a", "b"]);
    const object = {
      load: wrap(load, function (this: unknown, ...args: unknown[]) {
        asked.push([this === object, args]);
        return instant;
      }),
    };
    expect(asked).toEqual([]);

    await object.load("42", 7);
    await object.load();

    expect(asked).toEqual([
      [true, ["42", 7]],
      [true, []],
    ]);
  });

  it("takes other options from call to call, which do not reach a call that runs", async () => {
    let attempts = 1;
    const load = flaky([busy, busy, "ok"]);
    const wrapped = wrap(load, () => ({
      ...instant,
      stop: stopAfterAttempt(attempts),
      onRetry: () => {
        attempts = 1;
      },
    }));

    await expect(settle(wrapped)).rejects.toBe(busy);
    attempts = 2;
    expect(await wrapped()).toBe("ok");
  });

  it("fails the call with what an options function throws: it is counted, and fn is not called", async () => {
    const load = flaky(["ok"]);
    const wrapped = wrap(load, () => {
      throw busy;
    });

    await expect(settle(wrapped)).rejects.toBe(busy);

    expect(load.calls).toHaveLength(0);
    expect(wrapped.stats).toMatchObject({ calls: 1, attempts: 0, retries: 0, successes: 0, failures: 1 });
  });

  it("fails the call where an options function's options make no sense, and asks anew for the next call", async () => {
    const timeouts = [Number.NaN, 1_000];
    const wrapped = wrap(
      () => "ok",
      () => ({ totalTimeout: timeouts.shift() }),
    );

    await expect(settle(wrapped)).rejects.toEqual(
      new RangeError(`${owner}: totalTimeout must be a number of ms above 0, got NaN`),
    );
    expect(await wrapped()).toBe("ok");
  });

  it.each([null, 5, "fast", true, () => ({}), [], Promise.resolve({})])(
    "fail the call where the function answers %o",
    async (answer) => {
      const wrapped = wrap(() => "ok", (() => answer) as never);

      const result = settle(wrapped);

      await expect(result).rejects.toBeInstanceOf(TypeError);
      await expect(result).rejects.toThrow(`${owner}: what the options function returned must be an object, got `);
    },
  );

  it("compiles options once while an options function returns the same object", async () => {
    let reads = 0;
    const options = {
      get wait() {
        reads++;
        return waitNone;
      },
    };
    const wrapped = wrap(
      () => "ok",
      () => options,
    );
    await wrapped();
    const once = reads;

    await wrapped();

    expect(once).toBeGreaterThan(0);
    expect(reads).toBe(once);
  });

  it("leaves the stats with the function, whatever policy each call had", async () => {
    const wrapped = wrap(flaky(["a", "b"]), (name: string) => ({ name }));

    await wrapped("1");
    await wrapped("2");

    expect(wrapped.stats).toMatchObject({ calls: 2, successes: 2 });
  });
});

describe("an options function that throws", () => {
  it("an options function that throws rejects an async call, which never throws", async () => {
    const load = retry(
      () => "ok",
      () => {
        throw busy;
      },
    );

    await expect(load()).rejects.toBe(busy);
  });

  it("an options function that throws throws in a sync call", () => {
    const load = retrySync(
      () => "ok",
      () => {
        throw busy;
      },
    );

    expect(load).toThrow(busy);
  });
});

it.each([
  ["retry", retry as (...args: any[]) => unknown, stopAfterAttempt(3)],
  ["retrySync", retrySync as (...args: any[]) => unknown, retryNever],
])("a strategy in place of %s's options is refused at once", (owner, wrap, strategy) => {
  expect(() => wrap(() => 1, strategy)).toThrow(`${owner}: options must be an object, got a strategy: give it a name`);
});
