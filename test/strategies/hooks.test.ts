import {
  type GiveUpState,
  type Hooks,
  type Logger,
  mergeHooks,
  NonRetryableError,
  type RetryLogEntry,
  type RetryOptions,
  retry,
  retryIfNotResult,
  retryIfOutcome,
  retryLogger,
  retrySync,
  runWithRetry,
  runWithRetrySync,
  stopAfterAttempt,
  waitFixed,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { bothLoops } from "../loop/both-loops.js";

const busy = new Error("busy");
const gone = new Error("gone");
const broken = new Error("a hook's own");
const twice = { ...instant, stop: stopAfterAttempt(2) };

const kinds = ["onAttempt", "onRetry", "onSuccess", "onGiveUp"] as const;

/** Hooks of all four kinds that do the same. */
const allOf = (hook: (arg: any) => unknown): Hooks => Object.fromEntries(kinds.map((kind) => [kind, hook]));

const throwing = () => {
  throw broken;
};

afterEach(() => {
  vi.unstubAllGlobals();
});

describe.each(bothLoops)("hooks of %s", (_name, wrap) => {
  it("calls hooks in order, each with what it is about", async () => {
    const log: string[] = [];
    const load = wrap(flaky([busy, "ok"]), {
      ...instant,
      name: "load",
      onAttempt: ({ name, args, attempt }) => log.push(`${name}(${args}) attempt ${attempt}`),
      onRetry: ({ attempt }) => log.push(`retry after ${attempt}`),
      onSuccess: ({ attempt }) => log.push(`success in ${attempt}`),
      onGiveUp: () => log.push("never"),
    });

    await load("42");

    expect(log).toEqual(["load(42) attempt 1", "retry after 1", "load(42) attempt 2", "success in 2"]);
  });

  it("hooks that all throw change no success, and nothing is lost", async () => {
    const errors: unknown[] = [];
    const load = wrap(flaky([busy, "ok"]), {
      ...instant,
      ...allOf(throwing),
      onHookError: (error) => errors.push(error),
    });

    expect(await load()).toBe("ok");
    // Two attempts, a retry and a success.
    expect(errors).toEqual([broken, broken, broken, broken]);
  });

  it("hooks that all throw change no failure", async () => {
    const errors: unknown[] = [];
    const load = wrap(flaky([busy, gone]), {
      ...twice,
      ...allOf(throwing),
      onHookError: (error) => errors.push(error),
    });

    await expect(load()).rejects.toBe(gone);
    // Two attempts, a retry and the giving up.
    expect(errors).toEqual([broken, broken, broken, broken]);
  });

  it.each([undefined, null, "late", Object.freeze({})])("may throw %s", async (thrown) => {
    const errors: unknown[] = [];
    const onSuccess = () => {
      throw thrown;
    };

    await wrap(() => "ok", { onSuccess, onHookError: (error) => errors.push(error) })();

    expect(errors).toEqual([thrown]);
  });

  it("hooks may return anything, be it an object whose then throws", async () => {
    const errors: unknown[] = [];
    const trap = {
      get then() {
        throw broken;
      },
    };
    const load = wrap(() => "ok", { onSuccess: () => trap, onHookError: (error) => errors.push(error) });

    expect(await load()).toBe("ok");
    expect(errors).toEqual([broken]);
  });

  it.each([false, 0, () => {}, { then: "no function" }])("cannot change an outcome by answering %o", async (answer) => {
    const load = flaky([busy, "ok"]);

    expect(await wrap(load, { ...instant, ...allOf(() => answer) })()).toBe("ok");
    expect(load.calls).toHaveLength(2);
  });

  it("leaves the call as it is when onHookError throws as well", async () => {
    const warnings = await warningsOf(async () => {
      const load = wrap(flaky([busy, "ok"]), {
        ...instant,
        ...allOf(throwing),
        onHookError: () => {
          throw new Error("onHookError's own");
        },
      });

      expect(await load()).toBe("ok");
    });

    expect(warnings).toEqual(["undaunted: a hook failed: Error: onHookError's own"]);
  });

  it("warns by default of a hook that throws, once per hook", async () => {
    const warnings = await warningsOf(async () => {
      const first = () => {
        throw new Error("first");
      };
      const second = () => {
        throw new Error("second");
      };
      const load = wrap(() => "ok", { onAttempt: first, onSuccess: second });
      await load();
      await load();
      await wrap(() => "ok", { onSuccess: first })();
    });

    expect(warnings).toEqual(["undaunted: a hook failed: Error: first", "undaunted: a hook failed: Error: second"]);
  });

  it("warns although what a hook threw cannot be shown", async () => {
    const warnings = await warningsOf(async () => {
      const onSuccess = () => {
        throw {
          [Symbol.toPrimitive]() {
            throw busy;
          },
        };
      };
      await wrap(() => "ok", { onSuccess })();
    });

    expect(warnings).toEqual(["undaunted: a hook failed: something that cannot be shown"]);
  });

  it("warns of nothing where onHookError is given", async () => {
    const warnings = await warningsOf(async () => {
      await wrap(() => "ok", { onSuccess: throwing, onHookError: () => {} })();
    });

    expect(warnings).toEqual([]);
  });
});

describe("a hook's warning", () => {
  const fail = () => runWithRetrySync(() => "ok", { onSuccess: () => throwing() });

  it("writes a hook's warning to the console where there is no process", () => {
    const warn = vi.fn();
    vi.stubGlobal("process", undefined);
    vi.stubGlobal("console", { warn });

    const value = fail();

    expect(value).toBe("ok");
    expect(warn.mock.calls).toEqual([["undaunted: a hook failed: Error: a hook's own"]]);
  });

  it("writes a hook's warning to the console where the process cannot warn, as a bundler's stand-in", () => {
    const warn = vi.fn();
    vi.stubGlobal("process", { env: {} });
    vi.stubGlobal("console", { warn });

    fail();

    expect(warn).toHaveBeenCalledTimes(1);
  });

  it("gives a hook's warning to the process alone where there is one", () => {
    const [warn, emitWarning] = [vi.fn(), vi.fn()];
    vi.stubGlobal("process", { emitWarning });
    vi.stubGlobal("console", { warn });

    fail();

    expect(emitWarning).toHaveBeenCalledTimes(1);
    expect(warn).not.toHaveBeenCalled();
  });

  it.each([undefined, {}])("goes nowhere where there is neither, the console being %o", (console) => {
    vi.stubGlobal("process", undefined);
    vi.stubGlobal("console", console);

    expect(fail()).toBe("ok");
  });
});

describe("async hooks", () => {
  it.each(kinds.slice(0, 3))("of the kind %s are waited for", async (kind) => {
    const clock = virtualClock();
    const log: string[] = [];
    const hook = () =>
      new Promise<void>((resolve) => {
        log.push("begin");
        clock.setTimer(() => {
          log.push("end");
          resolve();
        }, 10);
      });
    const load = retry(
      () => {
        log.push("call");
        if (log.filter((entry) => entry === "call").length === 1) throw busy;
      },
      { ...instant, [kind]: hook },
    );

    const result = load().then(() => log.push("done"));
    await clock.runAll();
    await result;

    expect(log).toEqual(
      {
        onAttempt: ["begin", "end", "call", "begin", "end", "call", "done"],
        onRetry: ["call", "begin", "end", "call", "done"],
        onSuccess: ["call", "call", "begin", "end", "done"],
      }[kind as "onAttempt"],
    );
  });

  it("waits for an async onGiveUp before the fallback", async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const load = retry(flaky<void>([busy]), {
      stop: () => true,
      onGiveUp: () => new Promise<void>((resolve) => clock.setTimer(() => resolve(void log.push("told")), 10)),
      fallback: () => void log.push("fallback"),
    });

    const result = load();
    await clock.runAll();
    await result;

    expect(log).toEqual(["told", "fallback"]);
  });

  it.each([
    ["free", {}],
    ["guarded", { totalTimeout: 1_000 }],
  ])("async hooks that reject late change nothing in a %s run, and each reaches onHookError", async (_run, guards) => {
    const clock = virtualClock();
    const errors: unknown[] = [];
    const late = () =>
      new Promise<void>((_resolve, reject) => {
        clock.setTimer(() => reject(broken), 10);
      });
    const options: RetryOptions = {
      ...twice,
      ...guards,
      ...allOf(late),
      clock,
      onHookError: (error) => errors.push(error),
    };

    const success = retry(flaky([busy, "ok"]), options)();
    const failure = retry(flaky([busy, gone]), options)().catch((error: unknown) => error);
    await clock.runAll();

    expect(await success).toBe("ok");
    expect(await failure).toBe(gone);
    expect(errors).toEqual(Array(8).fill(broken));
  });

  it("async hooks that reject after the call was aborted reach onHookError too", async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const errors: unknown[] = [];
    const onAttempt = () =>
      new Promise<void>((_resolve, reject) => {
        clock.setTimer(() => reject(broken), 10);
      });
    const load = retry(() => "ok", {
      signal: controller.signal,
      onAttempt,
      onHookError: (error) => errors.push(error),
    });

    const result = load();
    controller.abort("gone");
    await expect(result).rejects.toBe("gone");
    await clock.runAll();

    expect(errors).toEqual([broken]);
  });

  it("waits for hooks that return thenables of any make", async () => {
    const log: string[] = [];
    const errors: unknown[] = [];
    const load = retry(() => log.push("call"), {
      onAttempt: () => ({
        then(resolve: () => void) {
          log.push("hook");
          resolve();
        },
      }),
      onSuccess: () => ({
        then() {
          throw broken;
        },
      }),
      onHookError: (error) => errors.push(error),
    });

    await load();

    expect(log).toEqual(["hook", "call"]);
    expect(errors).toEqual([broken]);
  });

  it("a sync policy refuses async hooks, for which it cannot wait: the call goes on", async () => {
    const errors: unknown[] = [];
    const load = retrySync(flaky([busy, "ok"]), {
      ...instant,
      onRetry: async () => {},
      onHookError: (error) => errors.push(error),
    });

    expect(load()).toBe("ok");
    expect(errors).toEqual([new TypeError("a hook of a sync policy must not return a promise")]);
  });

  it("async hooks that reject in a sync policy leave no rejection unhandled", async () => {
    const errors: unknown[] = [];
    const onSuccess = async () => {
      throw broken;
    };

    runWithRetrySync(() => "ok", { onSuccess, onHookError: (error) => errors.push(error) });
    await virtualClock().advance(0);

    expect(errors).toEqual([expect.any(TypeError), broken]);
  });
});

describe("an onHookError that rejects", () => {
  it("warns of an onHookError that rejects, and leaves no rejection unhandled", async () => {
    const warnings = await warningsOf(async () => {
      const onHookError = async () => {
        throw new Error("onHookError's own");
      };

      expect(await retry(() => "ok", { onSuccess: throwing, onHookError })()).toBe("ok");
    });

    expect(warnings).toEqual(["undaunted: a hook failed: Error: onHookError's own"]);
  });
});

describe("a budget's bookkeeping that rejects", () => {
  it("a budget's bookkeeping that rejects changes nothing for the call, and reaches onHookError", async () => {
    const errors: unknown[] = [];
    const fail = () => Promise.reject(broken) as never;
    const budget = { acquire: () => 1, recordSuccess: fail, recordFailure: fail, refund: fail, balance: 1 };
    const options = { ...instant, budget, onHookError: (error: unknown) => errors.push(error) };

    expect(await retry(flaky([busy, "ok"]), options)()).toBe("ok");
    await virtualClock().advance(0);

    expect(errors).toEqual([broken, broken]);
  });
});

describe("a hook that returns no promise", () => {
  it("a hook that returns no promise costs no microtask", async () => {
    const stepsOf = async (hooks: Hooks) => {
      let steps = 0;
      let over = false;
      const result = retry(() => "ok", hooks)().then(() => {
        over = true;
      });
      while (!over) {
        steps++;
        await null;
      }
      await result;
      return steps;
    };

    expect(await stepsOf({ onAttempt: () => "at once" })).toBe(await stepsOf({}));
    expect(await stepsOf({ onSuccess: () => "at once", onAttempt: () => {} })).toBe(
      await stepsOf({ onSuccess: () => {} }),
    );
  });
});

describe("mergeHooks", () => {
  it("calls all, in order, with the very argument", async () => {
    const seen: unknown[][] = [];
    const hooks = mergeHooks(
      allOf((arg) => seen.push(["a", arg])),
      allOf((arg) => seen.push(["b", arg])),
    );

    await retry(flaky([busy, "ok"]), { ...instant, ...hooks })();

    expect(seen.map(([who]) => who).join("")).toBe("abababab");
    for (let n = 0; n < seen.length; n += 2) expect(seen[n]![1]).toBe(seen[n + 1]![1]);
  });

  it("has only the hooks that a part has", () => {
    expect(Object.keys(mergeHooks({ onRetry: () => {} }, { onRetry: undefined, onSuccess: undefined }))).toEqual([
      "onRetry",
    ]);
    expect(mergeHooks()).toEqual({});
    expect(mergeHooks({})).toEqual({});
  });

  it("remembers its parts as they were", () => {
    const log: string[] = [];
    const part: Hooks = { onSuccess: () => log.push("first") };
    const hooks = mergeHooks(part);

    part.onSuccess = () => log.push("second");
    runWithRetrySync(() => 1, hooks as object);

    expect(log).toEqual(["first"]);
  });

  it("mergeHooks takes what it returned", () => {
    const log: string[] = [];
    const inner = mergeHooks({ onSuccess: () => log.push("a") }, { onSuccess: () => log.push("b") });

    runWithRetrySync(() => 1, mergeHooks(inner, { onSuccess: () => log.push("c") }) as object);

    expect(log).toEqual(["a", "b", "c"]);
  });

  it("calls every part although one throws, and throws what that one threw", () => {
    const log: string[] = [];
    const hooks = mergeHooks({ onSuccess: throwing }, { onSuccess: () => log.push("called") });

    expect(() => hooks.onSuccess!({} as never)).toThrow(broken);
    expect(log).toEqual(["called"]);
  });

  it("rethrows a single undefined that was thrown", () => {
    const errors: unknown[] = [];
    const part: Hooks = {
      onSuccess: () => {
        throw undefined;
      },
    };

    runWithRetrySync(() => 1, { ...(mergeHooks(part) as object), onHookError: (error) => errors.push(error) });

    expect(errors).toEqual([undefined]);
  });

  it("makes one AggregateError of several errors", async () => {
    const errors: unknown[] = [];
    const hooks = mergeHooks({ onSuccess: throwing }, { onSuccess: () => Promise.reject(busy) }, { onSuccess() {} });

    await retry(() => "ok", { ...hooks, onHookError: (error) => errors.push(error) })();

    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(AggregateError);
    expect(errors[0]).toMatchObject({ message: "several hooks failed", errors: [broken, busy] });
  });

  it("waits for all that are async, begun together", async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const lasting = (ms: number) => () =>
      new Promise<void>((resolve, reject) => {
        clock.setTimer(() => {
          log.push(`${ms}`);
          if (ms === 10) reject(busy);
          else resolve();
        }, ms);
      });
    const hooks = mergeHooks({ onAttempt: lasting(30) }, { onAttempt: lasting(10) }, { onAttempt: lasting(20) });
    const result = retry(() => log.push("call"), { ...hooks, onHookError: (error) => log.push(String(error)) })();

    await clock.runAll();
    await result;

    expect(log).toEqual(["10", "20", "30", "Error: busy", "call"]);
    expect(clock.now()).toBe(30);
  });

  it("returns no promise where no part does", () => {
    expect(mergeHooks({ onSuccess: () => 1 }).onSuccess!({} as never)).toBeUndefined();
  });

  it("passes on what a part returned whose then throws", () => {
    const trap = {
      get then() {
        throw broken;
      },
    };

    expect(() => mergeHooks({ onSuccess: () => trap }).onSuccess!({} as never)).toThrow(broken);
  });

  it.each([
    ["no object", [undefined], "mergeHooks: options must be an object, got undefined"],
    ["null", [{}, null], "mergeHooks: options must be an object, got null"],
    ["a hook that is no function", [{ onRetry: 5 }], "mergeHooks: onRetry must be a function, got 5"],
    [
      "a name that is no hook's",
      [{ onError() {} }],
      'mergeHooks: there is no option "onError"; allowed are onAttempt, onRetry, onSuccess, onGiveUp; did you mean onRetry?',
    ],
    [
      "an option of the policy",
      [{ onHookError() {} }],
      'mergeHooks: there is no option "onHookError"; allowed are onAttempt, onRetry, onSuccess, onGiveUp',
    ],
  ])("refuses %s", (_what, parts, message) => {
    expect(() => mergeHooks(...(parts as never[]))).toThrow(new TypeError(message));
  });
});

describe("retryLogger", () => {
  function recorder() {
    const lines: [level: string, ...args: any[]][] = [];
    const logger: Logger = {
      warn: (...args) => lines.push(["warn", ...args]),
      error: (...args) => lines.push(["error", ...args]),
    };
    return { lines, logger };
  }

  it("logs each failed attempt at warn and the giving up at error", async () => {
    const { lines, logger } = recorder();
    const clock = virtualClock();
    const options = { wait: waitFixed(50), stop: stopAfterAttempt(2), name: "load", clock };

    const result = retry(flaky([busy, gone]), { ...options, ...retryLogger(logger) })().catch(() => {});
    await clock.runAll();
    await result;

    expect(lines).toEqual([
      ["warn", "load: attempt 1 failed with Error: busy; the next follows in 50 ms"],
      ["error", "load: gave up (stopped) after 2 attempts: Error: gone"],
    ]);
  });

  it("counts one attempt in the singular, and gives the reason", async () => {
    const { lines, logger } = recorder();

    await runWithRetry(flaky([new NonRetryableError("no")]), { name: "load", ...retryLogger(logger) }).catch(() => {});

    expect(lines).toEqual([["error", "load: gave up (not-retryable) after 1 attempt: NonRetryableError: no"]]);
  });

  it("logs a value that was not wanted without showing it", async () => {
    const { lines, logger } = recorder();
    const retryIf = retryIfNotResult((job) => job === "done");

    await runWithRetry(flaky(["secret", "secret"]), {
      ...twice,
      retryIf,
      name: "poll",
      ...retryLogger(logger),
    }).catch(() => {});

    expect(lines).toEqual([
      ["warn", "poll: attempt 1 returned a value that was not wanted; the next follows in 0 ms"],
      ["error", "poll: gave up (stopped) after 2 attempts: the last returned a value that was not wanted"],
    ]);
  });

  it("rounds the delay", () => {
    const { lines, logger } = recorder();

    retrySync(flaky([busy, "ok"]), {
      wait: waitFixed(49.6),
      clock: virtualClock(),
      name: "load",
      ...retryLogger(logger),
    })();

    expect(lines[0]![1]).toMatch(/in 50 ms$/);
  });

  it("never logs arguments", async () => {
    const { lines, logger } = recorder();
    const format = (entry: RetryLogEntry) => [entry];
    const load = retry(flaky([busy, busy]), { ...twice, ...retryLogger(logger, { format }) });

    await load("secret", { password: "secret" }).catch(() => {});

    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });

  it("hands format every field of the entry, the error as it was thrown", async () => {
    const entries: RetryLogEntry[] = [];
    const format = (entry: RetryLogEntry) => {
      entries.push(entry);
      return [];
    };
    const { lines, logger } = recorder();

    await runWithRetry(flaky([busy, gone]), { ...twice, name: "load", ...retryLogger(logger, { format }) }).catch(
      () => {},
    );

    expect(entries).toEqual([
      {
        name: "load",
        attempt: 1,
        error: busy,
        delay: 0,
        reason: undefined,
        message: "load: attempt 1 failed with Error: busy; the next follows in 0 ms",
      },
      {
        name: "load",
        attempt: 2,
        error: gone,
        delay: undefined,
        reason: "stopped",
        message: "load: gave up (stopped) after 2 attempts: Error: gone",
      },
    ]);
    expect(entries[0]!.error).toBe(busy);
    expect(lines).toEqual([["warn"], ["error"]]);
  });

  it("has no error to show for a value", () => {
    const format = vi.fn(() => []);
    const outcome = { ok: true, value: 1 } as const;

    retryLogger(recorder().logger, { format }).onGiveUp!({ outcome, attempt: 1, name: "" } as unknown as GiveUpState);

    expect(format).toHaveBeenCalledWith(expect.objectContaining({ error: undefined }));
  });

  it("logs why a call was aborted or ran out of time, whatever its last attempt returned", async () => {
    const { lines, logger } = recorder();
    const format = ({ message, error }: RetryLogEntry) => [message, error];
    const clock = virtualClock();
    const controller = new AbortController();
    const options = { wait: waitFixed(100), retryIf: retryIfOutcome(() => true), name: "poll", clock };

    const aborted = runWithRetry(() => "pending", {
      ...options,
      signal: controller.signal,
      ...retryLogger(logger, { format }),
    });
    await clock.advance(0);
    controller.abort("gone");
    await aborted.catch(() => {});
    const late: unknown = await runWithRetry(() => "pending", {
      ...options,
      totalTimeout: 50,
      ...retryLogger(logger, { format }),
    }).catch((error: unknown) => error);

    expect(lines.slice(1)).toEqual([
      ["error", "poll: gave up (aborted) after 1 attempt: gone", "gone"],
      ["error", `poll: gave up (deadline) after 1 attempt: ${late}`, late],
    ]);
  });

  it("waits for a logger that returns a promise, and takes its rejection for a hook's", async () => {
    const errors: unknown[] = [];
    const logger = { warn: () => Promise.reject(broken), error: () => Promise.reject(gone) };
    const options = { ...twice, ...retryLogger(logger), onHookError: (error: unknown) => errors.push(error) };

    await runWithRetry(flaky([busy, busy]), options).catch(() => {});

    expect(errors).toEqual([broken, gone]);
  });

  it("gives the logger all arguments that format makes, as pino wants them", () => {
    const { lines, logger } = recorder();
    const format = ({ message, ...fields }: RetryLogEntry) => [fields, message];

    retrySync(flaky([busy, "ok"]), { ...instant, name: "load", ...retryLogger(logger, { format }) })();

    expect(lines).toEqual([
      [
        "warn",
        { name: "load", attempt: 1, error: busy, delay: 0, reason: undefined },
        "load: attempt 1 failed with Error: busy; the next follows in 0 ms",
      ],
    ]);
  });

  it("calls the methods on their logger, looked up at each entry", () => {
    const lines: string[] = [];
    class Log {
      level = "quiet";
      warn(line: string) {
        lines.push(`${this.level}: ${line}`);
      }
      error() {}
    }
    const log = new Log();
    const hooks = retryLogger(log);

    log.warn = function (line) {
      lines.push(`${this.level}, patched: ${line}`);
    };
    retrySync(flaky([busy, "ok"]), { ...instant, name: "load", ...hooks })();

    expect(lines).toEqual(["quiet, patched: load: attempt 1 failed with Error: busy; the next follows in 0 ms"]);
  });

  it("shows what cannot be shown as such", () => {
    const { lines, logger } = recorder();
    const load = flaky([{ ok: false, error: Object.create(null) }, "ok"]);

    retrySync(load, { ...instant, name: "load", ...retryLogger(logger) })();

    expect(lines[0]![1]).toMatch(/^load: attempt 1 failed with something that cannot be shown;/);
  });

  it("changes nothing for the call where the logger or format throws", () => {
    const errors: unknown[] = [];
    const onHookError = (error: unknown) => errors.push(error);
    const options = { ...instant, onHookError };

    const logger = { warn: throwing, error: throwing };
    const format = throwing as never;
    expect(retrySync(flaky([busy, "ok"]), { ...options, ...retryLogger(logger) })()).toBe("ok");
    expect(retrySync(flaky([busy, "ok"]), { ...options, ...retryLogger(console, { format }) })()).toBe("ok");

    expect(errors).toEqual([broken, broken]);
  });

  it.each([undefined, null, {}, { warn() {} }, { error() {} }, { warn: 1, error: 2 }, "console"])(
    "refuses %o as a logger",
    (logger) => {
      expect(() => retryLogger(logger as never)).toThrow(TypeError);
      expect(() => retryLogger(logger as never)).toThrow("retryLogger: logger must be an object with warn and error");
    },
  );

  it("refuses options that make no sense", () => {
    expect(() => retryLogger(console, { format: "json" as never })).toThrow(
      new TypeError('retryLogger: format must be a function, got "json"'),
    );
    expect(() => retryLogger(console, { level: "info" } as never)).toThrow(
      new TypeError('retryLogger: there is no option "level"; allowed are format, fields, detail, redact'),
    );
  });
});

/** The process warnings that `act` causes. */
async function warningsOf(act: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = [];
  const note = (warning: Error) => warnings.push(warning.message);
  const others = process.listeners("warning");
  process.removeAllListeners("warning");
  process.on("warning", note);

  try {
    await act();
    await virtualClock().advance(0);
  } finally {
    process.off("warning", note);
    for (const other of others) process.on("warning", other);
  }
  return warnings;
}

it("retryLogger passes what format returns to the logger as one argument where it is no list", async () => {
  const lines: unknown[][] = [];
  const log = (...args: unknown[]) => lines.push(args);
  const hooks = retryLogger(
    { warn: log, error: log },
    { format: (({ attempt }: { attempt: number }) => `${attempt}`) as never },
  );

  await retry(flaky([new Error("busy"), "ok"]), { ...instant, ...hooks })();

  expect(lines).toEqual([["1"]]);
});
