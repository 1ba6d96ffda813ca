import { inspect } from "node:util";
import {
  AttemptTimeoutError,
  BulkheadFullError,
  CircuitOpenError,
  NonRetryableError,
  RetryExhaustedError,
  retry,
  runWithRetry,
  StrategyError,
  stopAfterAttempt,
  TotalTimeoutError,
  TryAgainError,
} from "undaunted";
import { retryState } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");
const failed = { ok: false, error: busy } as const;
const state = { name: "load", args: ["secret"], attempt: 3, elapsed: 120, outcome: failed };

const all: [name: string, code: string, error: Error & { code: string }][] = [
  ["NonRetryableError", "ERR_NON_RETRYABLE", new NonRetryableError("no such user")],
  ["TryAgainError", "ERR_TRY_AGAIN", new TryAgainError()],
  ["RetryExhaustedError", "ERR_RETRY_EXHAUSTED", new RetryExhaustedError(state)],
  ["AttemptTimeoutError", "ERR_ATTEMPT_TIMEOUT", new AttemptTimeoutError(50, 2)],
  ["TotalTimeoutError", "ERR_TOTAL_TIMEOUT", new TotalTimeoutError(1_000, 2, failed)],
  ["StrategyError", "ERR_RETRY_STRATEGY", new StrategyError("wait", failed, busy)],
  ["CircuitOpenError", "ERR_CIRCUIT_OPEN", new CircuitOpenError("open")],
  ["BulkheadFullError", "ERR_BULKHEAD_FULL", new BulkheadFullError("full")],
];

describe.each(all)("%s", (name, code, error) => {
  it("makes an Error with its own name and code", () => {
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(name);
    expect(error.code).toBe(code);
  });

  it("heads its stack with its name", () => {
    expect(error.stack).toMatch(new RegExp(`^${name}: ${error.message}\n`));
  });

  it("keeps its name off its own keys", () => {
    expect(Object.keys(error)).not.toContain("name");
    expect(Object.keys(error)).toContain("code");
  });

  it("takes another name, as subclasses give it, which can be changed again", () => {
    const renamed = Object.create(error) as Error;

    renamed.name = "NotFound";
    expect([renamed.name, error.name, Object.keys(renamed)]).toEqual(["NotFound", name, []]);
    renamed.name = "Gone";
    expect(renamed.name).toBe("Gone");
    expect(Object.getOwnPropertyDescriptor(renamed, "name")).toMatchObject({ writable: true, configurable: true });
  });

  it("prints as one line", () => {
    expect(String(error)).toBe(`${name}: ${error.message}`);
  });
});

describe("NonRetryableError", () => {
  it("takes a message and a cause, both of them optional", () => {
    const error = new NonRetryableError("no such user", { cause: busy });

    expect(error).toMatchObject({ message: "no such user", cause: busy });
    expect(new NonRetryableError().message).toBe("");
    expect(new NonRetryableError()).not.toHaveProperty("cause");
  });

  it("takes an error in the place of a message: it is the cause, and has the message", async () => {
    const error = new NonRetryableError(busy);

    expect(error).toMatchObject({ message: busy.message, cause: busy });
    await expect(runWithRetry(() => Promise.reject(error))).rejects.toBe(busy);
  });

  it("takes another cause beside an error", () => {
    const cause = new Error("behind it");

    expect(new NonRetryableError(busy, { cause })).toMatchObject({ message: busy.message, cause });
  });

  it("lets a subclass have its own name, which stays out of its keys", () => {
    class NotFound extends NonRetryableError {
      constructor() {
        super("no such user");
        (this as Error).name = "NotFound";
      }
    }

    expect(String(new NotFound())).toBe("NotFound: no such user");
    expect(Object.keys(new NotFound())).not.toContain("name");
    expect(new NonRetryableError().name).toBe("NonRetryableError");
  });

  it("lets a subclass be told from its siblings", () => {
    class NotFound extends NonRetryableError {}

    expect(new NotFound()).toBeInstanceOf(NonRetryableError);
    expect(new NotFound().code).toBe("ERR_NON_RETRYABLE");
  });
});

describe("TryAgainError", () => {
  it("carries the delay and the cause it was given", () => {
    const error = new TryAgainError({ after: 1_000, cause: busy });

    expect(error).toMatchObject({ after: 1_000, cause: busy, message: "another attempt was asked for" });
  });

  it("leaves the delay to wait, and has no cause, where neither was given", () => {
    const error = new TryAgainError({});

    expect(error.after).toBeUndefined();
    expect(error).not.toHaveProperty("cause");
  });

  it("keeps a cause that is undefined, since anything can be thrown", () => {
    expect(Object.hasOwn(new TryAgainError({ cause: undefined }), "cause")).toBe(true);
  });

  it("accepts a delay of 0", () => {
    expect(new TryAgainError({ after: 0 }).after).toBe(0);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1])("refuses a delay of %s", (after) => {
    expect(() => new TryAgainError({ after })).toThrow(
      new RangeError(`TryAgainError: after must be a finite number of ms from 0, got ${after}`),
    );
  });

  it.each([
    [{ delay: 5 }, 'TryAgainError: there is no option "delay"; allowed are after, cause; did you mean after?'],
    [{ afetr: "5" }, 'TryAgainError: there is no option "afetr"; allowed are after, cause; did you mean after?'],
    [{ error: busy }, 'TryAgainError: there is no option "error"; allowed are after, cause'],
    [5, "TryAgainError: options must be an object, got 5; did you mean { after: 5 }?"],
  ])("refuses what is none of its options: %o", (options, message) => {
    expect(() => new TryAgainError(options as never)).toThrow(new TypeError(message));
  });

  it("refuses a delay that is no number", () => {
    expect(() => new TryAgainError({ after: "5" as never })).toThrow(
      new TypeError('TryAgainError: after must be a finite number of ms from 0, got "5"'),
    );
  });
});

describe("RetryExhaustedError", () => {
  it("says who gave up, after how many attempts and how much time, and on what", () => {
    const error = new RetryExhaustedError(state);

    expect(error).toMatchObject({ attempts: 3, elapsed: 120, outcome: failed, task: "load", cause: busy });
    expect(error.message).toBe("load: gave up after 3 attempts");
  });

  it("counts one attempt in the singular", () => {
    expect(new RetryExhaustedError({ ...state, attempt: 1 }).message).toBe("load: gave up after 1 attempt");
  });

  it("prefers the error that the call ends in as its cause", () => {
    const cause = new Error("gone");

    expect(new RetryExhaustedError({ ...state, error: cause }).cause).toBe(cause);
  });

  it("has no cause where the last attempt returned a value", () => {
    const error = new RetryExhaustedError({ ...state, outcome: { ok: true, value: "pending" } });

    expect(error).not.toHaveProperty("cause");
    expect(error.outcome).toEqual({ ok: true, value: "pending" });
  });

  it("keeps the arguments readable and out of every log", () => {
    const error = new RetryExhaustedError(state);

    expect(error.args).toEqual(["secret"]);
    expect(JSON.stringify(error)).not.toContain("secret");
    expect(inspect(error)).not.toContain("secret");
    expect({ ...error }).not.toHaveProperty("args");
  });

  it("takes the state that a strategy is tested with", () => {
    expect(new RetryExhaustedError(retryState({ attempt: 2 })).message).toBe("test: gave up after 2 attempts");
  });
});

describe("AttemptTimeoutError", () => {
  it("says which attempt took longer than what", () => {
    const error = new AttemptTimeoutError(50, 2);

    expect(error).toMatchObject({ timeout: 50, attempt: 2 });
    expect(error.message).toMatch(/50 ms$/);
  });
});

describe("TotalTimeoutError", () => {
  it("says what the limit was and in which attempt it was reached", () => {
    expect(new TotalTimeoutError(1_000, 2, failed)).toMatchObject({
      timeout: 1_000,
      attempts: 2,
      outcome: failed,
      cause: busy,
      message: "the total timeout of 1000 ms leaves no time after attempt 2",
    });
  });

  it("says so where the limit was reached before the first attempt", () => {
    expect(new TotalTimeoutError(-5, 0).message).toBe("the total timeout of -5 ms leaves no time for attempt 1");
  });

  it("has no cause where the last attempt returned a value", () => {
    const outcome = { ok: true, value: "pending" } as const;
    const error = new TotalTimeoutError(1_000, 2, outcome);

    expect(error).not.toHaveProperty("cause");
    expect(error.outcome).toBe(outcome);
  });

  it("has itself as its outcome where no attempt had ended", () => {
    const error = new TotalTimeoutError(1_000, 1);

    expect(error.outcome.ok).toBe(false);
    expect((error.outcome as { error: unknown }).error).toBe(error);
    expect(error).not.toHaveProperty("cause");
  });
});

describe("StrategyError", () => {
  it("says which strategy failed and how, and keeps the attempt's own outcome", () => {
    const cause = new TypeError("no");

    expect(new StrategyError("retryIf", failed, cause)).toMatchObject({
      strategy: "retryIf",
      outcome: failed,
      cause,
      message: "retryIf failed: TypeError: no",
    });
  });

  it.each([
    ["undefined", undefined, "undefined"],
    ["null", null, "null"],
    ["a symbol", Symbol("odd"), "Symbol(odd)"],
    ["an object without a prototype", Object.create(null), "something that cannot be shown"],
    [
      "an object that refuses to become a string",
      {
        [Symbol.toPrimitive]() {
          throw new Error("no");
        },
      },
      "something that cannot be shown",
    ],
  ])("describes %s, thrown by a strategy", (_name, cause, shown) => {
    const error = new StrategyError("stop", failed, cause);

    expect(error.message).toBe(`stop failed: ${shown}`);
    expect(error.cause).toBe(cause);
  });
});

describe("CircuitOpenError", () => {
  it("says when it is worth coming back, and why it is open", () => {
    expect(new CircuitOpenError("open", { retryAfter: 500, cause: busy })).toMatchObject({
      message: "open",
      retryAfter: 500,
      cause: busy,
    });
  });

  it("has neither retryAfter nor cause where neither is known", () => {
    const error = new CircuitOpenError("isolated");

    expect(error.retryAfter).toBeUndefined();
    expect(error).not.toHaveProperty("cause");
  });
});

describe("an error that is hostile", () => {
  const trap = new Proxy(
    {},
    {
      get() {
        throw new Error("get");
      },
      getPrototypeOf() {
        throw new Error("getPrototypeOf");
      },
      has() {
        throw new Error("has");
      },
      ownKeys() {
        throw new Error("ownKeys");
      },
    },
  );

  it.each([
    ["a proxy that throws at every touch", trap],
    ["a revoked proxy", revoked()],
    ["a frozen object", Object.freeze({ code: "E" })],
    ["undefined", undefined],
    ["null", null],
    ["a symbol", Symbol("odd")],
    ["a function", () => {}],
  ])("rethrows a hostile error as it was: %s", async (_name, thrown) => {
    const load = () => {
      throw thrown;
    };

    const caught = await retry(load, { stop: stopAfterAttempt(2), wait: () => 0 })().then(
      () => "resolved",
      (error: unknown) => [error],
    );

    expect((caught as unknown[])[0] === thrown).toBe(true);
  });
});

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

it.each([
  ["TryAgainError", (options: never) => new TryAgainError(options)],
  ["CircuitOpenError", (options: never) => new CircuitOpenError("open", options)],
])("%s refuses options that are none", (name, make) => {
  expect(() => make("busy" as never)).toThrow(new TypeError(`${name}: options must be an object, got "busy"`));
});
