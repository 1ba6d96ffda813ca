import {
  retry,
  retryIfAll,
  retryIfAny,
  retryIfError,
  retryIfErrorCause,
  retryIfErrorCode,
  retryIfErrorMessage,
  retryIfErrorType,
  retryIfNot,
  retryIfNotErrorType,
  retryIfNotResult,
  retryIfResult,
  stopAfterAttempt,
  stopAfterDelay,
  stopAll,
  stopAny,
  stopBeforeDelay,
  waitChain,
  waitDecorrelatedJitter,
  waitEqualJitter,
  waitExponential,
  waitFibonacci,
  waitFixed,
  waitFromError,
  waitFromResult,
  waitFullJitter,
  waitIncrementing,
  waitJittered,
  waitMax,
  waitMin,
  waitNone,
  waitRandom,
  waitSum,
} from "undaunted";
import { retryState } from "undaunted/testing";
import { describe, expect, it } from "vitest";

type ErrorKind = typeof TypeError | typeof RangeError;
/** A bad value, what the message shows of it, and what is thrown. */
type Bad = [value: unknown, shown: string, Kind: ErrorKind];

function thrownBy(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error;
  }
  return "nothing was thrown";
}

/** Checks class and message: who complains, about what, what it got and what is allowed. */
function expectRefusal(make: () => unknown, Kind: ErrorKind, owner: string, option: string, rest: string) {
  const error = thrownBy(make);

  expect(error).toBeInstanceOf(Kind);
  expect((error as Error).message).toBe(`${owner}: ${option} ${rest}`);
}

const NO_NUMBERS: Bad[] = [
  ["100", '"100"', TypeError],
  [null, "null", TypeError],
  [true, "true", TypeError],
  [10n, "10n", TypeError],
  [{}, "[object Object]", TypeError],
  [[100], "[100]", TypeError],
  [new Date(100), "[object Date]", TypeError],
  [() => 100, "a function", TypeError],
  [Symbol("100"), "Symbol(100)", TypeError],
];
const NAN: Bad = [Number.NaN, "NaN", RangeError];
const BELOW_0: Bad = [-1, "-1", RangeError];
const INFINITE: Bad[] = [
  [Infinity, "Infinity", RangeError],
  [-Infinity, "-Infinity", RangeError],
];

const RULES = {
  time: { allowed: "a finite number of ms from 0", bad: [BELOW_0, [-1e-9, "-1e-9", RangeError], ...INFINITE] },
  bound: { allowed: "a number of ms from 0", bad: [BELOW_0, [-Infinity, "-Infinity", RangeError]] },
  count: {
    allowed: "a whole number from 1, or Infinity",
    bad: [BELOW_0, [0, "0", RangeError], [1.5, "1.5", RangeError], [-Infinity, "-Infinity", RangeError]],
  },
  factor: { allowed: "a finite number from 1", bad: [BELOW_0, [0.999, "0.999", RangeError], ...INFINITE] },
  ratio: { allowed: "a finite number from 0", bad: [BELOW_0, ...INFINITE] },
  finite: { allowed: "a finite number", bad: INFINITE },
} satisfies Record<string, { allowed: string; bad: Bad[] }>;

type Row = [owner: string, option: string, rule: keyof typeof RULES, required: boolean, make: (value: any) => unknown];

const numbers: Row[] = [
  ["stopAfterAttempt", "n", "count", true, (n) => stopAfterAttempt(n)],
  ["stopAfterDelay", "ms", "bound", true, (ms) => stopAfterDelay(ms)],
  ["stopBeforeDelay", "ms", "bound", true, (ms) => stopBeforeDelay(ms)],
  ["waitFixed", "ms", "time", true, (ms) => waitFixed(ms)],
  ["waitRandom", "min", "time", true, (min) => waitRandom(min, 200)],
  ["waitRandom", "max", "time", true, (max) => waitRandom(0, max)],
  ["waitIncrementing", "start", "time", true, (start) => waitIncrementing({ start, increment: 1 })],
  ["waitIncrementing", "increment", "finite", true, (increment) => waitIncrementing({ start: 1, increment })],
  ["waitIncrementing", "max", "time", false, (max) => waitIncrementing({ start: 1, increment: 1, max })],
  ["waitExponential", "base", "time", true, (base) => waitExponential({ base })],
  ["waitExponential", "factor", "factor", false, (factor) => waitExponential({ base: 1, factor })],
  ["waitExponential", "max", "time", false, (max) => waitExponential({ base: 1, max })],
  ["waitExponential", "min", "time", false, (min) => waitExponential({ base: 1, min })],
  ["waitFibonacci", "base", "time", true, (base) => waitFibonacci({ base })],
  ["waitFibonacci", "max", "time", false, (max) => waitFibonacci({ base: 1, max })],
  ["waitFullJitter", "base", "time", true, (base) => waitFullJitter({ base })],
  ["waitFullJitter", "factor", "factor", false, (factor) => waitFullJitter({ base: 1, factor })],
  ["waitFullJitter", "max", "time", false, (max) => waitFullJitter({ base: 1, max })],
  ["waitFullJitter", "min", "time", false, (min) => waitFullJitter({ base: 1, min })],
  ["waitEqualJitter", "base", "time", true, (base) => waitEqualJitter({ base })],
  ["waitEqualJitter", "factor", "factor", false, (factor) => waitEqualJitter({ base: 1, factor })],
  ["waitEqualJitter", "max", "time", false, (max) => waitEqualJitter({ base: 1, max })],
  ["waitDecorrelatedJitter", "base", "time", true, (base) => waitDecorrelatedJitter({ base })],
  ["waitDecorrelatedJitter", "max", "time", false, (max) => waitDecorrelatedJitter({ base: 0, max })],
  ["waitJittered", "from", "ratio", true, (from) => waitJittered(waitNone, { from, to: 1 })],
  ["waitJittered", "to", "ratio", true, (to) => waitJittered(waitNone, { from: 0, to })],
  ["waitJittered", "max", "time", false, (max) => waitJittered(waitNone, { from: 0, to: 1, max })],
];

describe.each(numbers)("%s's %s", (owner, option, rule, required, make) => {
  const { allowed, bad } = RULES[rule];

  it.each<Bad>([...NO_NUMBERS, NAN, ...bad])(`must be ${allowed}: not %s`, (value, shown, Kind) => {
    expectRefusal(() => make(value), Kind, owner, option, `must be ${allowed}, got ${shown}`);
  });

  if (required) {
    it("refuses being left out where it is required", () => {
      expectRefusal(() => make(undefined), TypeError, owner, option, `must be ${allowed}, got undefined`);
    });
  } else {
    it("takes undefined as not given", () => {
      expect(thrownBy(() => make(undefined))).toBe("nothing was thrown");
    });
  }
});

describe("the ends of what is allowed", () => {
  it.each<[string, () => unknown]>([
    ["stopAfterAttempt of 1", () => stopAfterAttempt(1)],
    ["stopAfterAttempt of Infinity", () => stopAfterAttempt(Infinity)],
    ["stopAfterDelay of 0", () => stopAfterDelay(0)],
    ["stopAfterDelay of Infinity", () => stopAfterDelay(Infinity)],
    ["stopBeforeDelay of 0", () => stopBeforeDelay(0)],
    ["stopBeforeDelay of Infinity", () => stopBeforeDelay(Infinity)],
    ["waitFixed of 0", () => waitFixed(0)],
    ["waitFixed of MAX_VALUE", () => waitFixed(Number.MAX_VALUE)],
    ["waitRandom of 0 to 0", () => waitRandom(0, 0)],
    ["waitIncrementing of 0 by -MAX_VALUE", () => waitIncrementing({ start: 0, increment: -Number.MAX_VALUE, max: 0 })],
    ["waitExponential of nothing but 0", () => waitExponential({ base: 0, factor: 1, max: 0, min: 0 })],
    ["waitFibonacci of 0", () => waitFibonacci({ base: 0, max: 0 })],
    ["waitFullJitter of nothing but 0", () => waitFullJitter({ base: 0, factor: 1, max: 0, min: 0 })],
    ["waitEqualJitter of nothing but 0", () => waitEqualJitter({ base: 0, factor: 1, max: 0 })],
    ["waitDecorrelatedJitter of 0", () => waitDecorrelatedJitter({ base: 0, max: 0 })],
    ["waitJittered by 0", () => waitJittered(waitNone, { from: 0, to: 0, max: 0 })],
  ])("accepts %s", (_, make) => {
    expect(thrownBy(make)).toBe("nothing was thrown");
  });
});

describe("two ends in the wrong order", () => {
  it.each<[string, string, string, () => unknown]>([
    ["waitRandom", "min", "must not be above max (99), got 100", () => waitRandom(100, 99)],
    [
      "waitExponential",
      "min",
      "must not be above max (99), got 100",
      () => waitExponential({ base: 1, min: 100, max: 99 }),
    ],
    [
      "waitExponential",
      "min",
      "must not be above max (86400000), got 86400001",
      () => waitExponential({ base: 1, min: 86_400_001 }),
    ],
    [
      "waitFullJitter",
      "min",
      "must not be above max (99), got 100",
      () => waitFullJitter({ base: 1, min: 100, max: 99 }),
    ],
    [
      "waitDecorrelatedJitter",
      "base",
      "must not be above max (99), got 100",
      () => waitDecorrelatedJitter({ base: 100, max: 99 }),
    ],
    [
      "waitJittered",
      "from",
      "must not be above to (0.9), got 1",
      () => waitJittered(waitNone, { from: 1, to: 0.9, max: 5 }),
    ],
  ])("%s refuses ends in the wrong order: %s %s", (owner, option, rest, make) => {
    expectRefusal(make, RangeError, owner, option, rest);
  });
});

describe("an options object", () => {
  const takers: [owner: string, good: object, names: string, make: (options: any) => unknown][] = [
    ["waitIncrementing", { start: 1, increment: 1 }, "start, increment, max", waitIncrementing],
    ["waitExponential", { base: 1 }, "base, factor, max, min", waitExponential],
    ["waitFibonacci", { base: 1 }, "base, max", waitFibonacci],
    ["waitFullJitter", { base: 1 }, "base, factor, max, min", waitFullJitter],
    ["waitEqualJitter", { base: 1 }, "base, factor, max", waitEqualJitter],
    ["waitDecorrelatedJitter", { base: 1 }, "base, max", waitDecorrelatedJitter],
    ["waitJittered", { from: 1, to: 1 }, "from, to, max", (options) => waitJittered(waitNone, options)],
  ];

  describe.each(takers)("of %s", (owner, good, names, make) => {
    it.each<[unknown, string]>([
      [undefined, "undefined"],
      [null, "null"],
      [100, "100"],
      ["100", '"100"'],
      [() => 100, "a function"],
      [[good], "[[object Object]]"],
      [Promise.resolve(good), "[object Promise]"],
    ])("refuses options that are %s", (options, shown) => {
      const meant = options === 100 ? `; did you mean { ${Object.keys(good)[0]}: 100 }?` : "";
      expectRefusal(() => make(options), TypeError, owner, "options", `must be an object, got ${shown}${meant}`);
    });

    it("refuses options without what is required", () => {
      const required = Object.keys(good)[0]!;

      const error = thrownBy(() => make({}));

      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(new RegExp(`^${owner}: ${required} must be .*, got undefined$`));
    });

    // The last ones exist on every object: a table looked up carelessly would know them.
    it.each(["maxDelay", "Base", "", "constructor", "toString"])("must not have the unknown option %j", (name) => {
      const error = thrownBy(() => make({ ...good, [name]: 1 }));

      expect(error).toBeInstanceOf(TypeError);
      const meant = name === "Base" && "base" in good ? "; did you mean base?" : "";
      expect((error as Error).message).toBe(`${owner}: there is no option "${name}"; allowed are ${names}${meant}`);
    });

    it("refuses an unknown option even where it is undefined", () => {
      expect(thrownBy(() => make({ ...good, maxDelay: undefined }))).toBeInstanceOf(TypeError);
    });

    it("accepts inherited options", () => {
      expect(thrownBy(() => make(Object.create(good)))).toBe("nothing was thrown");
      expect(thrownBy(() => make(Object.create({ ...good, maxDelay: 1 })))).toBeInstanceOf(TypeError);
    });
  });

  it("waitEqualJitter takes no min, for half of the delay is its min", () => {
    expect(thrownBy(() => waitEqualJitter({ base: 1, min: 1 } as { base: number }))).toBeInstanceOf(TypeError);
  });

  it("reads options once: changing them later changes nothing", () => {
    const options = { base: 100, factor: 2, max: 5_000, min: 0 };
    const wait = waitExponential(options);

    Object.assign(options, { base: 1, factor: 1, max: 1, min: 1 });

    expect(wait(retryState({ attempt: 2 }))).toBe(200);
  });
});

describe("a function", () => {
  const noFunctions: [unknown, string][] = [
    [null, "null"],
    [true, "true"],
    [100, "100"],
    ["busy", '"busy"'],
    [{}, "[object Object]"],
    [/busy/, "[object RegExp]"],
  ];
  const takers: [owner: string, option: string, optional: boolean, make: (value: any) => unknown][] = [
    ["waitJittered", "wait", false, (wait) => waitJittered(wait, { from: 1, to: 1 })],
    ["waitFromError", "read", false, (read) => waitFromError(read, waitNone)],
    ["waitFromError", "otherwise", false, (otherwise) => waitFromError(() => 1, otherwise)],
    ["waitFromResult", "read", false, (read) => waitFromResult(read, waitNone)],
    ["waitFromResult", "otherwise", false, (otherwise) => waitFromResult(() => 1, otherwise)],
    ["retryIfError", "test", true, (test) => retryIfError(test)],
    ["retryIfErrorType", "test", true, (test) => retryIfErrorType(Error, test)],
    ["retryIfErrorCause", "test", false, (test) => retryIfErrorCause(test)],
    ["retryIfResult", "test", false, (test) => retryIfResult(test)],
    ["retryIfNotResult", "test", false, (test) => retryIfNotResult(test)],
    ["retryIfNot", "predicate", false, (predicate) => retryIfNot(predicate)],
  ];

  describe.each(takers)("%s's %s", (owner, option, optional, make) => {
    it.each(noFunctions)("refuses %s where a function is due", (value, shown) => {
      const meant = option === "wait" && value === 100 ? "; did you mean waitFixed(100)?" : "";
      expectRefusal(() => make(value), TypeError, owner, option, `must be a function, got ${shown}${meant}`);
    });

    if (optional) {
      it("accepts undefined where the function is optional", () => {
        expect(thrownBy(() => make(undefined))).toBe("nothing was thrown");
      });
    } else {
      it("refuses undefined where the function is required", () => {
        expectRefusal(() => make(undefined), TypeError, owner, option, "must be a function, got undefined");
      });
    }
  });
});

describe("the parts of a combinator", () => {
  const combinators: [owner: string, combine: (...parts: any[]) => unknown][] = [
    ["stopAny", stopAny],
    ["stopAll", stopAll],
    ["waitChain", waitChain],
    ["waitSum", waitSum],
    ["waitMax", waitMax],
    ["waitMin", waitMin],
    ["retryIfAny", retryIfAny],
    ["retryIfAll", retryIfAll],
  ];

  describe.each(combinators)("of %s", (owner, combine) => {
    it("refuses a combinator without parts", () => {
      const error = thrownBy(() => combine());

      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toBe(`${owner}: at least one strategy is needed, got none`);
    });

    it.each<[unknown, string]>([
      [undefined, "undefined"],
      [null, "null"],
      [3, "3"],
      [[() => 1], "[a function]"],
    ])("refuses a part that is %s, and says which one it is", (part, shown) => {
      const make = () =>
        combine(
          () => 1,
          part,
          () => 1,
        );

      expectRefusal(make, TypeError, owner, "strategy 2", `must be a function, got ${shown}`);
    });
  });
});

describe.each<[string, (type: any) => unknown]>([
  ["retryIfErrorType", retryIfErrorType],
  ["retryIfNotErrorType", retryIfNotErrorType],
])("the class of %s", (owner, make) => {
  // Not the whole message: only who complains, about which class, what it got and what is allowed.
  it.each<[unknown, number, string]>([
    [undefined, 1, "undefined"],
    [null, 1, "null"],
    ["RangeError", 1, '"RangeError"'],
    [new RangeError(), 1, "[object Error]"],
    [[RangeError, "URIError"], 2, '"URIError"'],
  ])("refuses a class that is %s", (type, place, shown) => {
    const error = thrownBy(() => make(type));

    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(new RegExp(`^${owner}: .*${place} must be a .*, got `));
    expect((error as Error).message).toContain(shown);
  });

  it("refuses an empty list of classes", () => {
    const error = thrownBy(() => make([]));

    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(new RegExp(`^${owner}: at least one .* is needed, got none$`));
  });
});

describe("the pattern of retryIfErrorMessage", () => {
  it.each<[unknown, string]>([
    [undefined, "undefined"],
    [null, "null"],
    [503, "503"],
    [{}, "[object Object]"],
    [["busy"], '["busy"]'],
    [() => "busy", "a function"],
  ])("refuses a pattern that is %s", (pattern, shown) => {
    const rest = `must be a string or a RegExp, got ${shown}`;

    expectRefusal(() => retryIfErrorMessage(pattern as never), TypeError, "retryIfErrorMessage", "pattern", rest);
  });
});

describe("the codes of retryIfErrorCode", () => {
  it.each<Bad>([
    [undefined, "undefined", TypeError],
    [null, "null", TypeError],
    [true, "true", TypeError],
    [503n, "503n", TypeError],
    [[503], "[503]", TypeError],
    [NAN[0], "NaN", RangeError],
  ])("refuses a code that is %s", (code, shown, Kind) => {
    const make = () => retryIfErrorCode("ECONNRESET", code as never);

    expectRefusal(make, Kind, "retryIfErrorCode", "a code", `must be a string or a number, got ${shown}`);
  });

  it("refuses an empty list of codes", () => {
    const error = thrownBy(() => retryIfErrorCode());

    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe("retryIfErrorCode: at least one code is needed, got none");
  });
});

describe("a list in a message", () => {
  const message = (list: unknown) => (thrownBy(() => retry(() => 1, { name: list } as never)) as Error).message;

  it("shows its entries, and of lists among them that they are", () => {
    const itself: unknown[] = [];
    itself.push(itself);

    expect(message([1, "a", null, undefined, 2n, () => 1, Error, {}, [1]])).toBe(
      'retry: name must be a string, got [1,"a",null,undefined,2n,a function,a class,[object Object],[object Array]]',
    );
    expect(message(itself)).toBe("retry: name must be a string, got [[object Array]]");
  });

  it.each([
    ["many entries", Array.from({ length: 1_000_000 }, () => 1)],
    ["two hundred and one holes", new Array(201)],
    ["a long entry", ["x".repeat(5_000), "y"]],
  ])("is cut short where it has %s, and shows that it is", (_, list) => {
    const [, shown] = message(list).split("got ");

    expect(shown).toMatch(/^\[.*…$/);
    expect(shown!.length).toBe(201);
  });
});
