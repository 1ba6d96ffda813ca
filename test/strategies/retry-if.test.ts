import {
  type RetryIf,
  type RetryState,
  retry,
  retryIfAll,
  retryIfAny,
  retryIfError,
  retryIfErrorCause,
  retryIfErrorCode,
  retryIfErrorMessage,
  retryIfErrorName,
  retryIfErrorType,
  retryIfNot,
  retryIfNotErrorName,
  retryIfNotErrorType,
  retryIfNotResult,
  retryIfOutcome,
  retryIfResult,
  retryNever,
  runWithRetrySync,
  type SyncRetryIf,
  waitNone,
} from "undaunted";
import { flaky, retryState, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

/** What a predicate is called with after a failure, and after a value. */
const failed = (error: unknown) => [error, retryState({ outcome: { ok: false, error } })] as const;
const returned = <T>(value: T) => [undefined, retryState<T>({ outcome: { ok: true, value } })] as const;

/** An error with `fields`. */
const errorWith = (fields: object) => Object.assign(new Error("test"), fields);

/** `error` wrapped in `depth` errors. */
const wrapped = (error: unknown, depth: number): unknown =>
  depth === 0 ? error : new Error("wrapper", { cause: wrapped(error, depth - 1) });

/** An error whose `cause` is itself. */
const cycle = (fields: object = {}) => {
  const error = errorWith(fields);
  error.cause = error;
  return error;
};

const withThrowingGetters = (fields: object, ...keys: string[]) => {
  const error = errorWith(fields);
  for (const key of keys) {
    Object.defineProperty(error, key, {
      get() {
        throw new Error(`${key} must not be read`);
      },
    });
  }
  return error;
};

const refuseToBeRead = () => {
  throw new Error("refused");
};

/** What is no promise but can be awaited: its `then` answers nothing, so that nothing can be chained to it. */
const thenable = (answer: boolean) =>
  ({
    then(resolve: (answer: boolean) => void) {
      resolve(answer);
    },
  }) as unknown as Promise<boolean>;

/** What can be thrown besides an ordinary error. Nothing of it may break a predicate. */
const hostile: [string, unknown][] = [
  ["undefined", undefined],
  ["null", null],
  ["an empty string", ""],
  ["a string", "ECONNRESET"],
  ["a number", 503],
  ["NaN", Number.NaN],
  ["a bigint", 503n],
  ["a symbol", Symbol("ECONNRESET")],
  ["a boolean", false],
  ["a function", () => "ECONNRESET"],
  ["a frozen object", Object.freeze({})],
  ["an object without a prototype", Object.create(null)],
  ["an error that is its own cause", cycle()],
  ["an error whose getters throw", withThrowingGetters({}, "name", "message", "code", "cause", "errors")],
  ["a proxy that refuses to be read", new Proxy({}, { get: refuseToBeRead, has: refuseToBeRead })],
  ["a proxy that refuses to tell its class", new Proxy({}, { getPrototypeOf: refuseToBeRead })],
  ["an AggregateError whose errors refuse to be read", { name: "AggregateError", errors: revoked() }],
];

const aborts: [string, unknown][] = [
  ["the DOM's", new DOMException("left", "AbortError")],
  ["axios'", errorWith({ name: "CanceledError", code: "ERR_CANCELED" })],
];

function revoked(): unknown[] {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
}

describe("retryNever", () => {
  it.each(hostile)("says no to %s", (_, error) => {
    expect(retryNever(error)).toBe(false);
  });

  it("asks retryNever about no value", async () => {
    expect(await retry(async () => "ok", { retryIf: retryNever })()).toBe("ok");
  });
});

describe("retryIfError", () => {
  it.each(hostile)("says yes to %s", (_, error) => {
    expect(retryIfError()(error)).toBe(true);
  });

  it.each(aborts)("without a test says no to an abort: %s", (_, error) => {
    expect(retryIfError()(error)).toBe(false);
  });

  it.each(aborts)("with a test decides alone: %s", (_, error) => {
    expect(retryIfError(() => true)(error)).toBe(true);
  });

  it("asks its test about what was thrown", () => {
    const predicate = retryIfError((error) => error === "busy");

    expect(["busy", "gone"].map(predicate)).toEqual([true, false]);
  });

  it("returns its test's promise", async () => {
    const predicate = retryIfError(async (error) => error === "busy");

    await expect(predicate("busy")).resolves.toBe(true);
    await expect(predicate("gone")).resolves.toBe(false);
  });
});

describe("retryIfErrorType", () => {
  class BusyError extends Error {}
  class VeryBusyError extends BusyError {}
  abstract class AnyFault extends Error {}
  class Fault extends AnyFault {}

  it.each<[string, boolean, Parameters<typeof retryIfErrorType>[0], unknown]>([
    ["the class itself", true, BusyError, new BusyError()],
    ["a subclass", true, BusyError, new VeryBusyError()],
    ["a superclass", false, VeryBusyError, new BusyError()],
    ["another class", false, BusyError, new RangeError()],
    ["an abstract class", true, AnyFault, new Fault()],
    ["the first of a list", true, [RangeError, URIError], new RangeError()],
    ["the last of a list", true, [RangeError, URIError], new URIError()],
    ["none of a list", false, [RangeError, URIError], new TypeError()],
    ["a class that is only the cause's", false, BusyError, new Error("test", { cause: new BusyError() })],
  ])("a class predicate of %s says %s", (_, expected, type, error) => {
    expect(retryIfErrorType(type)(error)).toBe(expected);
  });

  it.each(hostile)("survives %s", (_, error) => {
    expect(retryIfErrorType(BusyError)(error)).toBe(false);
  });

  it("asks its test about an error of the class", () => {
    const predicate = retryIfErrorType(RangeError, (error) => error.message === "busy");

    expect([new RangeError("busy"), new RangeError("gone")].map(predicate)).toEqual([true, false]);
  });

  it("does not ask its test about other errors", () => {
    const test = vi.fn(() => true);

    expect(retryIfErrorType(RangeError, test)(new TypeError())).toBe(false);
    expect(test).not.toHaveBeenCalled();
  });

  it("returns its test's promise", async () => {
    const predicate = retryIfErrorType(RangeError, async (error) => error.message === "busy");

    await expect(predicate(new RangeError("busy"))).resolves.toBe(true);
    await expect(predicate(new RangeError("gone"))).resolves.toBe(false);
  });
});

describe("retryIfNotErrorType", () => {
  it.each<[string, boolean, Parameters<typeof retryIfNotErrorType>[0], unknown]>([
    ["the class", false, RangeError, new RangeError()],
    ["another class", true, RangeError, new TypeError()],
    ["a class of the list", false, [RangeError, URIError], new URIError()],
    ["no class of the list", true, [RangeError, URIError], new TypeError()],
  ])("a class predicate of %s says %s", (_, expected, type, error) => {
    expect(retryIfNotErrorType(type)(error)).toBe(expected);
  });

  it.each(hostile)("says yes to %s", (_, error) => {
    expect(retryIfNotErrorType(RangeError)(error)).toBe(true);
  });
});

describe("retryIfErrorName and retryIfNotErrorName", () => {
  class BusyError extends Error {
    override name = "BusyError";
  }

  it.each<[string, boolean, unknown]>([
    ["an error of that name", true, new BusyError()],
    ["what crossed a queue and lost its class", true, JSON.parse('{ "name": "BusyError" }')],
    ["another of the names", true, new RangeError()],
    ["an error of another name", false, new TypeError()],
    ["a name that begins alike", false, { name: "BusyErrorOfOurs" }],
    ["a name that is only the cause's", false, new Error("test", { cause: new BusyError() })],
  ])("retryIfErrorName of %s says %s, and retryIfNotErrorName the opposite", (_, expected, error) => {
    expect(retryIfErrorName("BusyError", "RangeError")(error)).toBe(expected);
    expect(retryIfNotErrorName("BusyError", "RangeError")(error)).toBe(!expected);
  });

  it.each(hostile)("survive %s", (_, error) => {
    expect(retryIfErrorName("BusyError")(error)).toBe(false);
    expect(retryIfNotErrorName("BusyError")(error)).toBe(true);
  });

  it.each([
    ["retryIfErrorName", retryIfErrorName],
    ["retryIfNotErrorName", retryIfNotErrorName],
  ] as const)("%s refuses no names, and what is no string", (owner, make) => {
    expect(() => make()).toThrow(new TypeError(`${owner}: at least one name is needed, got none`));
    expect(() => make("A", 3 as never)).toThrow(new TypeError(`${owner}: name 2 must be a string, got 3`));
  });
});

describe("retryIfErrorMessage", () => {
  it.each<[string, boolean, string | RegExp, unknown]>([
    ["the whole message", true, "deadlock found", new Error("deadlock found")],
    ["a part of the message", true, "lock", new Error("deadlock found")],
    ["something else", false, "timeout", new Error("deadlock found")],
    ["the message in another case", false, "Deadlock", new Error("deadlock found")],
    ["what only looks like a pattern", false, "dead.ock", new Error("deadlock found")],
    ["a pattern", true, /dead(lock)? found/, new Error("deadlock found")],
    ["a pattern without regard to case", true, /DEADLOCK/i, new Error("deadlock found")],
    ["a pattern over lines", true, /^second$/m, new Error("first\nsecond")],
    ["a pattern that fails", false, /^found/, new Error("deadlock found")],
    ["a thrown string", true, "lock", "deadlock found"],
    ["a pattern in a thrown string", true, /^dead/, "deadlock found"],
    ["the message of an object that is no error", true, "lock", { message: "deadlock found" }],
    ["a message that is no string", false, "5", { message: 5 }],
    ["a cause's message", false, "lock", new Error("query failed", { cause: new Error("deadlock found") })],
  ])("retryIfErrorMessage of %s says %s", (_, expected, pattern, error) => {
    expect(retryIfErrorMessage(pattern)(error)).toBe(expected);
  });

  it.each([/lock/g, /dead/y, /dead/gy, /LOCK/gi])("returns the same each time with %s", (pattern) => {
    const predicate = retryIfErrorMessage(pattern);
    const state = new Error("deadlock found");

    expect([predicate(state), predicate(state), predicate(state)]).toEqual([true, true, true]);
  });

  it("leaves the pattern's own memory alone", () => {
    const pattern = /lock/g;
    pattern.lastIndex = 3;

    expect(retryIfErrorMessage(pattern)(new Error("lock"))).toBe(true);
    expect(pattern.lastIndex).toBe(3);
  });

  it.each(hostile.filter(([name]) => name !== "a string"))("survives %s", (_, error) => {
    expect(retryIfErrorMessage("ECONNRESET")(error)).toBe(false);
  });
});

describe("retryIfErrorCode", () => {
  it.each(["code", "errno", "status", "statusCode"])("looks at an error's %s", (field) => {
    const predicate = retryIfErrorCode("ECONNRESET", 503);

    const answers = ["ECONNRESET", 503, "EPIPE", 500].map((code) => predicate({ [field]: code }));

    expect(answers).toEqual([true, true, false, false]);
  });

  it("distinguishes numbers from strings", () => {
    expect(retryIfErrorCode("503")({ status: 503 })).toBe(false);
    expect(retryIfErrorCode(503)({ status: "503" })).toBe(false);
  });

  it.each([
    ["code", "statusCode"],
    ["statusCode", "code"],
    ["errno", "status"],
  ])("is content with %s where %s says something else", (field, other) => {
    expect(retryIfErrorCode(503)({ [other]: 400, [field]: 503 })).toBe(true);
  });

  it.each([-104, 0, ""])("knows the code %j", (code) => {
    expect(retryIfErrorCode(code)({ code })).toBe(true);
  });

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["an object", { code: "ECONNRESET" }],
    ["a boolean", true],
  ])("takes a code that is %s for none, and looks further", (_, code) => {
    const error = errorWith({ code, cause: { code: "ECONNRESET" } });

    expect(retryIfErrorCode("ECONNRESET")(error)).toBe(true);
  });

  it.each(hostile)("survives %s", (_, error) => {
    expect(retryIfErrorCode("ECONNRESET", 503)(error)).toBe(false);
  });

  describe("in a chain of causes", () => {
    it.each([0, 1, 9, 10])("finds a code at depth %i", (depth) => {
      expect(retryIfErrorCode("ECONNRESET")(wrapped({ code: "ECONNRESET" }, depth))).toBe(true);
    });

    it("does not look deeper than 10", () => {
      expect(retryIfErrorCode("ECONNRESET")(wrapped({ code: "ECONNRESET" }, 11))).toBe(false);
    });

    it("lets the outermost error with a code decide", () => {
      const error = new Error("wrapper", { cause: errorWith({ status: 400, cause: { code: "ECONNRESET" } }) });

      expect(retryIfErrorCode("ECONNRESET")(error)).toBe(false);
      expect(retryIfErrorCode(400)(error)).toBe(true);
    });

    it("survives a cycle without a code", () => {
      const [first, second] = [new Error("first"), new Error("second")];
      first.cause = second;
      second.cause = first;

      expect(retryIfErrorCode("ECONNRESET")(first)).toBe(false);
    });

    it("finds the code of an error that is its own cause", () => {
      expect(retryIfErrorCode("ECONNRESET")(cycle({ code: "ECONNRESET" }))).toBe(true);
    });

    it("takes a cause that is a string for no code", () => {
      expect(retryIfErrorCode("ECONNRESET")(new Error("test", { cause: "ECONNRESET" }))).toBe(false);
    });

    it.each([["code"], ["code", "errno", "statusCode"], ["name", "errors"], ["errors"]])(
      "looks past getters that throw: %s",
      (...keys) => {
        const error = withThrowingGetters({ status: 503 }, ...keys);

        expect(retryIfErrorCode(503)(error)).toBe(true);
      },
    );

    it("looks past an error none of whose codes can be read", () => {
      const error = withThrowingGetters({ cause: { code: 503 } }, "code", "errno", "status", "statusCode");

      expect(retryIfErrorCode(503)(error)).toBe(true);
    });

    it("ends where a cause cannot be read", () => {
      expect(retryIfErrorCode(503)(withThrowingGetters({}, "cause"))).toBe(false);
    });
  });

  describe("of an AggregateError", () => {
    const [reset, busy, bad] = [{ code: "ECONNRESET" }, { status: 503 }, { status: 400 }];
    const predicate = retryIfErrorCode("ECONNRESET", 503);

    it.each<[string, boolean, unknown]>([
      ["all errors match", true, new AggregateError([reset, busy])],
      ["the last does not match", false, new AggregateError([reset, bad])],
      ["the first does not match", false, new AggregateError([bad, reset])],
      ["one has no code", false, new AggregateError([reset, new Error("test")])],
      ["one is undefined", false, new AggregateError([reset, undefined])],
      ["there are none", false, new AggregateError([])],
      ["one matches by its cause", true, new AggregateError([reset, new Error("test", { cause: busy })])],
      ["all of a nested one match", true, new AggregateError([reset, new AggregateError([busy, reset])])],
      ["one of a nested one does not match", false, new AggregateError([reset, new AggregateError([bad])])],
      ["it is a cause, and all match", true, new Error("test", { cause: new AggregateError([reset, busy]) })],
      ["it is a cause, and one does not", false, new Error("test", { cause: new AggregateError([bad, busy]) })],
      ["it has a code, and not all match", false, Object.assign(new AggregateError([reset, bad]), reset)],
      ["it has another code, and all match", true, Object.assign(new AggregateError([reset]), { code: "OTHER" })],
      ["it has a code and no errors", true, Object.assign(new AggregateError([]), reset)],
      ["it has a cause and no errors", true, new AggregateError([], "test", { cause: reset })],
    ])("retryIfErrorCode says of an AggregateError where %s: %s", (_, expected, error) => {
      expect(predicate(error)).toBe(expected);
    });

    it("does not go round one that holds itself", () => {
      const error = new AggregateError([reset]);
      error.errors.push(error);

      expect(predicate(error)).toBe(false);
    });

    // Google's API errors: details under `errors`, and a code that counts.
    it.each<[string, boolean, object]>([
      ["that matches", true, { code: 503, errors: [{ reason: "backendError" }] }],
      ["that does not", false, { code: 400, errors: [reset] }],
    ])("an error that is no AggregateError goes by its code %s: %s", (_, expected, fields) => {
      expect(predicate(errorWith(fields))).toBe(expected);
    });

    it("an AggregateError whose errors are no array goes by its code", () => {
      const error = Object.assign(new AggregateError([]), { code: 503, errors: { length: 1 } });

      expect(predicate(error)).toBe(true);
    });

    it("an AggregateError of another realm is recognised by its name", () => {
      expect(predicate({ name: "AggregateError", errors: [reset, bad], code: 503 })).toBe(false);
    });
  });
});

describe("retryIfErrorCause", () => {
  const isReset = (cause: unknown) => (cause as { code?: unknown }).code === "ECONNRESET";

  it.each([1, 2, 10])("finds a cause at depth %i", (depth) => {
    expect(retryIfErrorCause(isReset)(wrapped({ code: "ECONNRESET" }, depth))).toBe(true);
  });

  it("does not look deeper than 10", () => {
    expect(retryIfErrorCause(isReset)(wrapped({ code: "ECONNRESET" }, 11))).toBe(false);
  });

  it("does not take the error itself for a cause", () => {
    expect(retryIfErrorCause(isReset)({ code: "ECONNRESET" })).toBe(false);
  });

  it("says no where no cause passes", () => {
    expect(retryIfErrorCause(isReset)(wrapped(new Error("gone"), 3))).toBe(false);
  });

  it("asks about causes that are no errors", () => {
    expect(retryIfErrorCause((cause) => cause === "busy")(new Error("test", { cause: "busy" }))).toBe(true);
  });

  it("ends at a cause that is null", () => {
    expect(retryIfErrorCause(() => true)(new Error("test", { cause: null }))).toBe(false);
  });

  it.each(hostile.filter(([name]) => name !== "an error that is its own cause"))("finds no cause in %s", (_, error) => {
    expect(retryIfErrorCause(() => true)(error)).toBe(false);
  });

  it("survives a cycle", () => {
    expect(retryIfErrorCause(() => false)(cycle())).toBe(false);
  });
});

describe("retryIfResult", () => {
  it("asks its test about the value", () => {
    const predicate = retryIfResult((job: { done: boolean }) => !job.done);

    expect([returned({ done: false }), returned({ done: true })].map((each) => predicate(...each))).toEqual([
      true,
      false,
    ]);
  });

  it.each([undefined, null, 0, ""])("asks about the value %j too", (value) => {
    expect(retryIfResult((each) => each === value)(...returned(value))).toBe(true);
  });

  it("returns its test's promise", async () => {
    const predicate = retryIfResult(async (value: number) => value < 3);

    await expect(predicate(...returned(2))).resolves.toBe(true);
    await expect(predicate(...returned(3))).resolves.toBe(false);
  });
});

describe("retryIfOutcome", () => {
  it("asks its test about errors and values, by the state", () => {
    const predicate = retryIfOutcome(({ outcome }) => !outcome.ok || outcome.value === "stale");

    expect([failed("busy"), returned("stale"), returned("fresh")].map((each) => predicate(...each))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("returns its test's promise", async () => {
    await expect(retryIfOutcome(async () => true)(...returned(1))).resolves.toBe(true);
  });

  it("refuses what is no function", () => {
    expect(() => retryIfOutcome("stale" as never)).toThrow('retryIfOutcome: test must be a function, got "stale"');
  });
});

describe("retryIfNotResult", () => {
  it("says yes until its test likes the value", () => {
    const predicate = retryIfNotResult((job: { done: boolean }) => job.done);

    expect([returned({ done: false }), returned({ done: true })].map((each) => predicate(...each))).toEqual([
      true,
      false,
    ]);
  });

  it("negates an async test", async () => {
    const predicate = retryIfNotResult(async (value: number) => value < 3);

    await expect(predicate(...returned(2))).resolves.toBe(false);
    await expect(predicate(...returned(3))).resolves.toBe(true);
  });
});

describe("every error predicate", () => {
  it.each<[string, RetryIf]>([
    ["retryIfError", retryIfError()],
    ["retryIfError with a test", retryIfError(() => true)],
    ["retryIfErrorType", retryIfErrorType(Error)],
    ["retryIfNotErrorType", retryIfNotErrorType(TypeError)],
    ["retryIfErrorMessage", retryIfErrorMessage("busy")],
    ["retryIfErrorCode", retryIfErrorCode(503)],
    ["retryIfErrorCause", retryIfErrorCause(() => true)],
    ["retryIfNot", retryIfNot(retryNever)],
  ])("%s says no to a value, even one that looks like its error", (_, predicate) => {
    const value = Object.assign(new Error("busy", { cause: "cause" }), { code: 503 });

    expect(retryIfAny(predicate)(...returned(value))).toBe(false);
    expect(runWithRetrySync(() => value, { retryIf: predicate as SyncRetryIf, wait: waitNone })).toBe(value);
  });
});

describe("every result predicate", () => {
  it.each<[string, RetryIf]>([
    ["retryIfResult", retryIfResult(() => true)],
    ["retryIfNotResult", retryIfNotResult(() => false)],
    [
      "retryIfAny of both",
      retryIfAny(
        retryIfResult(() => true),
        retryIfNotResult(() => false),
      ),
    ],
  ])("%s says no to an error", (_, predicate) => {
    expect(predicate(...failed("busy"))).toBe(false);
  });
});

describe("retryIfAny and retryIfAll", () => {
  const yes: SyncRetryIf = () => true;
  const no: SyncRetryIf = () => false;
  const later =
    (predicate: SyncRetryIf): RetryIf =>
    async (error, state) =>
      predicate(error, state);

  const rows: [string, boolean, boolean, SyncRetryIf[]][] = [
    ["yes", true, true, [yes]],
    ["no", false, false, [no]],
    ["yes, yes", true, true, [yes, yes]],
    ["yes, no", true, false, [yes, no]],
    ["no, yes", true, false, [no, yes]],
    ["no, no", false, false, [no, no]],
    ["no, no, yes", true, false, [no, no, yes]],
    ["yes, yes, no", true, false, [yes, yes, no]],
  ];

  it.each(rows)("of %s: any is %s, all is %s", (_, any, all, predicates) => {
    expect(retryIfAny(...predicates)(...failed("busy"))).toBe(any);
    expect(retryIfAll(...predicates)(...failed("busy"))).toBe(all);
  });

  it.each(rows)("of %s, asked one after the other: any is %s, all is %s", async (_, any, all, predicates) => {
    await expect(retryIfAny(...predicates.map(later))(...failed("busy"))).resolves.toBe(any);
    await expect(retryIfAll(...predicates.map(later))(...failed("busy"))).resolves.toBe(all);
  });

  it.each<[string, RetryIf[]]>([
    ["sync, then async", [no, later(yes)]],
    ["async, then sync", [later(no), yes]],
    ["async between sync", [no, later(no), yes]],
  ])("retryIfAny mixes %s", async (_, predicates) => {
    await expect(retryIfAny(...predicates)(...failed("busy"))).resolves.toBe(true);
  });

  it.each<[string, RetryIf[]]>([
    ["sync, then async", [yes, later(no)]],
    ["async, then sync", [later(yes), no]],
    ["async between sync", [yes, later(yes), no]],
  ])("retryIfAll mixes %s", async (_, predicates) => {
    await expect(retryIfAll(...predicates)(...failed("busy"))).resolves.toBe(false);
  });

  it.each<[string, (...predicates: RetryIf[]) => RetryIf, boolean]>([
    ["retryIfAny", retryIfAny, false],
    ["retryIfAll", retryIfAll, true],
  ])("%s takes a thenable for a promise", async (_, combine, answer) => {
    expect(await combine(() => thenable(answer), later(no))(...failed("busy"))).toBe(false);
    expect(await combine(() => thenable(answer), later(yes))(...failed("busy"))).toBe(true);
  });

  it("returns synchronously where the verdict is certain before the first promise", () => {
    expect(retryIfAny(yes, later(yes))(...failed("busy"))).toBe(true);
    expect(retryIfAll(no, later(yes))(...failed("busy"))).toBe(false);
  });

  it.each<[string, RetryIf[]]>([
    ["sync", [no, yes]],
    ["async", [no, later(yes)]],
  ])("retryIfAny asks no other predicate after the first yes, %s", async (_, predicates) => {
    const unasked = vi.fn(no);

    await retryIfAny(...predicates, unasked)(...failed("busy"));

    expect(unasked).not.toHaveBeenCalled();
  });

  it.each<[string, RetryIf[]]>([
    ["sync", [yes, no]],
    ["async", [yes, later(no)]],
  ])("retryIfAll asks no other predicate after the first no, %s", async (_, predicates) => {
    const unasked = vi.fn(no);

    await retryIfAll(...predicates, unasked)(...failed("busy"));

    expect(unasked).not.toHaveBeenCalled();
  });

  it.each<[string, (...predicates: RetryIf[]) => RetryIf, RetryIf]>([
    ["retryIfAny", retryIfAny, later(no)],
    ["retryIfAll", retryIfAll, later(yes)],
  ])("%s asks the next only when the one before has settled", async (_, combine, first) => {
    const asked: string[] = [];
    const answer = combine(
      async (error, state) => {
        await null;
        asked.push("first");
        return first(error, state);
      },
      () => {
        asked.push("second");
        return true;
      },
    )(...failed("busy"));
    const atOnce = [...asked];

    await answer;

    expect(atOnce).toEqual([]);
    expect(asked).toEqual(["first", "second"]);
  });

  it.each<[string, (...predicates: RetryIf[]) => RetryIf]>([
    ["retryIfAny", retryIfAny],
    ["retryIfAll", retryIfAll],
  ])("%s rejects with what a part rejects with", async (_, combine) => {
    const failure = new Error("flag service down");

    await expect(combine(() => Promise.reject(failure), yes)(...failed("busy"))).rejects.toBe(failure);
  });

  it.each<[string, (...predicates: RetryIf[]) => RetryIf]>([
    ["retryIfAny", retryIfAny],
    ["retryIfAll", retryIfAll],
  ])("%s hands the state on as it is", (_, combine) => {
    const part = vi.fn((_error: unknown, _state: RetryState) => true);
    const [error, state] = failed("busy");

    combine(part)(error, state);

    expect(part.mock.calls).toEqual([["busy", state]]);
    expect(part.mock.calls[0]![1]).toBe(state);
  });

  it.each<[string, boolean, readonly [unknown, RetryState]]>([
    ["an error", true, failed("busy")],
    ["a value that is not ready", true, returned(2)],
    ["a value that is ready", false, returned(3)],
  ])("retries %s while polling in spite of errors: %s", (_, expected, asked) => {
    const predicate = retryIfAny(
      retryIfError(),
      retryIfNotResult((value: number) => value === 3),
    );

    expect(predicate(...asked)).toBe(expected);
  });
});

describe("what a predicate is not asked about", () => {
  const yes = () => true;
  const kinds = {
    error: retryIfError(yes),
    own: yes as SyncRetryIf,
    value: retryIfResult(yes),
    both: retryIfOutcome(yes),
  };
  type Kind = keyof typeof kinds;
  const verdicts = (predicate: SyncRetryIf) => [predicate(...failed("busy")), predicate(...returned(1))];

  it.each<[Kind, Kind, [boolean, boolean]]>([
    ["error", "error", [true, false]],
    ["error", "own", [true, false]],
    ["error", "value", [true, true]],
    ["own", "value", [true, true]],
    ["own", "both", [true, true]],
    ["value", "value", [false, true]],
  ])("retryIfAny of one of %s and one of %s says no to", (a, b, expected) => {
    expect(verdicts(retryIfAny(kinds[a], kinds[b]))).toEqual(expected);
    expect(verdicts(retryIfAny(kinds[b], kinds[a]))).toEqual(expected);
    expect(verdicts(retryIfAny(retryIfAny(kinds[b]), retryIfAny(kinds[a])))).toEqual(expected);
  });

  it.each<[Kind, Kind, [boolean, boolean]]>([
    ["error", "own", [true, false]],
    ["error", "both", [true, false]],
    ["own", "both", [true, false]],
    ["value", "both", [false, true]],
    ["both", "both", [true, true]],
  ])("retryIfAll of one of %s and one of %s says no to", (a, b, expected) => {
    expect(verdicts(retryIfAll(kinds[a], kinds[b]))).toEqual(expected);
    expect(verdicts(retryIfAll(retryIfAll(kinds[b]), kinds[a]))).toEqual(expected);
  });

  it.each<[string, () => unknown]>([
    ["an error's and a value's", () => retryIfAll(kinds.error, kinds.value)],
    ["a function's and a value's", () => retryIfAll(kinds.own, kinds.value)],
    ["combinations of such", () => retryIfAll(retryIfAny(kinds.error), retryIfAny(kinds.value, kinds.value))],
    ["three without a common kind", () => retryIfAll(kinds.error, kinds.both, kinds.value)],
  ])("leaves retryIfAll nothing to say yes to, %s: it is a TypeError", (_, make) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(/^retryIfAll: .* can never say yes; join them with retryIfAny/);
  });

  it("asks a function around a value's predicate about errors only: it costs a success nothing", async () => {
    const busy = retryIfResult((job) => job === "pending");
    const around = vi.fn<RetryIf>((error, state) => busy(error, state));

    expect(await retry(flaky(["pending", "done"]), { retryIf: around, wait: waitNone })()).toBe("pending");
    expect(around).not.toHaveBeenCalled();
  });
});

describe("retryIfNot", () => {
  it("negates a predicate about an error", () => {
    const predicate = retryIfNot(retryIfErrorCode(400, 404));

    expect([400, 404, 503].map((status) => predicate({ status }))).toEqual([false, false, true]);
  });

  it("negates an async predicate", async () => {
    const predicate = retryIfNot(retryIfError(async (error) => error === "gone"));

    await expect(predicate("gone")).resolves.toBe(false);
    await expect(predicate("busy")).resolves.toBe(true);
  });

  it("takes a thenable for a promise", async () => {
    expect(await retryIfNot(() => thenable(true))("busy")).toBe(false);
    expect(await retryIfNot(() => thenable(false))("busy")).toBe(true);
  });

  it("negates a combination", async () => {
    const predicate = retryIfNot(
      retryIfAny(
        retryIfErrorCode(400),
        retryIfError(async (error) => error === "gone"),
      ),
    );

    expect(predicate(...failed({ status: 400 }))).toBe(false);
    await expect(predicate(...failed("gone"))).resolves.toBe(false);
    await expect(predicate(...failed("busy"))).resolves.toBe(true);
  });

  it("does not ask a function of the user's about a value", () => {
    const predicate = vi.fn(() => false);

    expect((retryIfNot(predicate) as RetryIf)(...returned(1))).toBe(false);
    expect(predicate).not.toHaveBeenCalled();
  });

  it("undoes itself for errors", () => {
    const predicate = retryIfNot(retryIfNot(retryIfErrorCode(503)));

    expect([503, 400].map((status) => predicate({ status }))).toEqual([true, false]);
  });

  it("rejects with what its predicate rejects with", async () => {
    const failure = new Error("flag service down");

    await expect(retryIfNot(() => Promise.reject(failure))("busy")).rejects.toBe(failure);
  });

  it.each<[string, RetryIf]>([
    ["retryIfResult", retryIfResult(() => true)],
    ["retryIfNotResult", retryIfNotResult(() => true)],
    [
      "retryIfAny of one",
      retryIfAny(
        retryIfError(),
        retryIfResult(() => true),
      ),
    ],
    [
      "retryIfAll of one",
      retryIfAll(
        retryIfResult(() => true),
        retryIfNotResult(() => true),
      ),
    ],
    ["retryIfOutcome", retryIfOutcome(() => true)],
    [
      "retryIfAll of one that lost its values",
      retryIfAll(
        retryIfErrorCode(503),
        retryIfOutcome(() => true),
      ),
    ],
    ["a combination of a combination", retryIfAny(retryIfAll(retryIfResult(() => true)))],
  ])("refuses %s, which would turn successes into retries", (_, predicate) => {
    const negate = () => retryIfNot(predicate as never);

    expect(negate).toThrow(TypeError);
    expect(negate).toThrow(/^retryIfNot: predicate must not look at values, use retryIfNotResult; got one /);
  });
});

// A policy spares the clock and the look at values where no predicate needs them: one that kept quiet about its needs
// would see 0 for ever, or would never be asked.
describe("in a policy", () => {
  it.each<[string, SyncRetryIf]>([
    ["a function of the user's", (_error, state) => state.elapsed < 100],
    ["retryIfAny of it", retryIfAny(retryNever, (_error, state) => state.elapsed < 100)],
    ["retryIfAll of it", retryIfAll(retryIfError(), (_error, state) => state.elapsed < 100)],
    ["retryIfNot of it", retryIfNot((_error, state) => state.elapsed >= 100)],
    ["retryIfNot of a combination", retryIfNot(retryIfAny((_error, state) => state.elapsed >= 100))],
  ])("%s sees the time that has passed", (_, retryIf) => {
    const clock = virtualClock();
    const attempt = () => {
      clock.sleepSync(60);
      throw new Error("busy");
    };
    const task = flaky([attempt, attempt, attempt]);

    expect(() => runWithRetrySync(task, { retryIf, wait: waitNone, clock })).toThrow("busy");
    expect(task.calls).toHaveLength(2);
  });

  it.each<[string, SyncRetryIf]>([
    ["retryNever", retryNever],
    ["retryIfError", retryIfError()],
    ["retryIfErrorType", retryIfErrorType(Error)],
    ["retryIfNotErrorType", retryIfNotErrorType(TypeError)],
    ["retryIfErrorMessage", retryIfErrorMessage("busy")],
    ["retryIfErrorCode", retryIfErrorCode(503)],
    ["retryIfErrorCause", retryIfErrorCause(() => true)],
    ["retryIfAny", retryIfAny(retryIfError())],
    ["retryIfAll", retryIfAll(retryIfError())],
    ["retryIfNot", retryIfNot(retryNever)],
  ])("%s leaves the clock unread", (_, retryIf) => {
    const now = vi.fn(() => 0);
    const task = flaky([new Error("gone"), "ok"]);

    try {
      runWithRetrySync(task, { retryIf, wait: waitNone, clock: { now, sleepSync() {} } });
    } catch {
      // Some of these do not retry this error.
    }

    expect(now).not.toHaveBeenCalled();
  });

  it.each<[string, SyncRetryIf]>([
    ["retryIfResult", retryIfResult((value) => value === "pending")],
    ["retryIfNotResult", retryIfNotResult((value) => value === "done")],
    [
      "retryIfAny",
      retryIfAny(
        retryNever,
        retryIfResult((value) => value === "pending"),
      ),
    ],
    ["retryIfAll", retryIfAll(retryIfResult((value) => value === "pending"))],
    ["retryIfOutcome", retryIfOutcome(({ outcome }) => outcome.ok && outcome.value === "pending")],
    [
      "retryIfAll of a value's predicate and one of both",
      retryIfAll(
        retryIfResult((value) => value === "pending"),
        retryIfOutcome(() => true),
      ),
    ],
  ])("%s is asked about values", (_, retryIf) => {
    expect(runWithRetrySync(flaky(["pending", "done"]), { retryIf, wait: waitNone })).toBe("done");
  });
});

describe.each([
  ["retryIfErrorType", retryIfErrorType],
  ["retryIfNotErrorType", retryIfNotErrorType],
] as const)("%s", (owner, make) => {
  it("refuses an arrow function, which is no class", () => {
    expect(() => make((() => RangeError) as never)).toThrow(
      new TypeError(`${owner}: class 1 must be a class, got a function`),
    );
  });
});

it("retryIfErrorType refuses a second class where a list is meant", () => {
  expect(() => retryIfErrorType(TypeError, RangeError as never)).toThrow(
    "retryIfErrorType: test must not be a class, several classes come in a list",
  );
});
