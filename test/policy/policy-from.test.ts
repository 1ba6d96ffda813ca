import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { retry, retryBudget, stopAfterAttempt, waitFixed, waitNone } from "undaunted";
import { describePolicy, policyFrom } from "undaunted/policy";
import { flaky, retryState } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { ASYNC } from "../../src/loop/policy.js";
import { policySchema } from "../../src/policy/schema.js";

const schema = JSON.parse(readFileSync(new URL("../../policy.schema.json", import.meta.url), "utf8"));
const validate = new Ajv2020({ formats: { regex: true }, strictTuples: false, allowUnionTypes: true }).compile(schema);

const GRPC = {
  maxAttempts: 9,
  initialBackoff: "0.1s",
  maxBackoff: "2s",
  backoffMultiplier: 1.5,
  retryableStatusCodes: ["UNAVAILABLE", 8],
};

const A_POLICY = {
  stop: { stopAfterAttempt: 5 },
  wait: { waitFullJitter: { base: 500, max: 20_000 } },
  retryIf: { retryIfErrorCode: [503, "ECONNRESET"] },
  attemptTimeout: 1_000,
} as const;

describe("policyFrom", () => {
  it("returns options that a policy takes", async () => {
    const fn = flaky([Object.assign(new Error("busy"), { status: 503 }), "ok"]);

    const value = await retry(fn, { ...policyFrom(A_POLICY), wait: waitNone })();

    expect(value).toBe("ok");
  });

  it("takes what data cannot hold from refs, the very objects", () => {
    const budget = retryBudget();
    const onRetry = () => {};

    const options = policyFrom(
      { budget: { ref: "payments" }, onRetry: { ref: "log" }, attemptTimeout: { ref: "longer" } },
      { payments: budget, log: onRetry, longer: (attempt: number) => attempt * 100 },
    );

    expect(options.budget).toBe(budget);
    expect(options.onRetry).toBe(onRetry);
    expect((options.attemptTimeout as (n: number) => number)(3)).toBe(300);
  });

  it("takes an editor's $schema for no option", () => {
    expect(policyFrom({ $schema: "undaunted/policy.schema.json", name: "load" } as never)).toEqual({ name: "load" });
  });

  it("is not changed by what its data becomes later", () => {
    const data = { stop: { stopAfterAttempt: 3 } };
    const options = policyFrom(data);

    data.stop.stopAfterAttempt = 9;

    expect(describePolicy(options)).toEqual({ stop: { stopAfterAttempt: 3 } });
  });

  it.each([
    [null, "policyFrom: data must be an object, got null"],
    ["standard", 'policyFrom: data must be an object, got "standard"'],
    [{ stops: 5 }, "policyFrom: there is no stops; allowed are stop, wait, retryIf,"],
    [{ stops: 5 }, "did you mean stop?"],
    [{ stop: 5 }, 'policyFrom: stop must be a name, or an object with one, as { "stopAfterAttempt": 5 }; got 5'],
    [{ stop: {} }, "policyFrom: stop must be a name, or an object with one"],
    [{ stop: { stopAfterAttempt: 5, stopAfterDelay: 5 } }, "got names stopAfterAttempt, stopAfterDelay"],
    [{ stop: { stopAfterAtempt: 5 } }, 'got "stopAfterAtempt"; did you mean stopAfterAttempt?'],
    [{ stop: { stopAfterAttempt: "5" } }, 'policyFrom: stop.stopAfterAttempt must be a whole number from 1, got "5"'],
    [{ stop: { stopAfterAttempt: 0 } }, "policyFrom: stop.stopAfterAttempt must be a whole number from 1, got 0"],
    [{ stop: { stopAfterAttempt: Infinity } }, "policyFrom: stop.stopAfterAttempt must be a whole number from 1"],
    [{ stop: { stopAfterAttempt: [5] } }, "policyFrom: stop.stopAfterAttempt must be a whole number from 1, got"],
    [
      { stop: "stopAfterAttempt" },
      'policyFrom: stop: stopAfterAttempt needs its arguments: write { "stopAfterAttempt": … }',
    ],
    [{ stop: { stopNever: true } }, 'policyFrom: stop.stopNever must be written as "stopNever", it takes nothing'],
    [{ stop: "waitNone" }, "policyFrom: stop must be one of stopNever, stopAfterAttempt,"],
    [{ stop: "constructor" }, 'got "constructor"'],
    [{ stop: { stopAny: [] } }, "policyFrom: stop.stopAny must hold at least one stop, got none"],
    [
      { stop: { stopAny: [{ stopAfterAttempt: 5 }, { stopAfterDelay: -1 }] } },
      "policyFrom: stop.stopAny[1].stopAfterDelay must be a finite number of ms from 0, got -1",
    ],
    [
      { wait: { waitFullJitter: { base: 500, max: "20s" } } },
      'policyFrom: wait.waitFullJitter.max must be a finite number of ms from 0, got "20s"',
    ],
    [
      { wait: { waitFullJitter: { base: 500, maximum: 5 } } },
      "policyFrom: there is no wait.waitFullJitter.maximum; allowed are base, factor, max, min",
    ],
    [{ wait: { waitFullJitter: { max: 500 } } }, "policyFrom: wait.waitFullJitter.base is missing"],
    [{ wait: { waitFullJitter: 500 } }, "policyFrom: wait.waitFullJitter must be an object, got 500"],
    [
      { wait: { waitRandom: [300, 100] } },
      "policyFrom: wait.waitRandom: waitRandom: min must not be above max (100), got 300",
    ],
    [{ wait: { waitRandom: [300] } }, "policyFrom: wait.waitRandom must be [min, max], got 1 of them"],
    [
      { wait: { waitJittered: { wait: "waitNever", from: 1, to: 2 } } },
      "policyFrom: wait.waitJittered.wait must be one of waitNone,",
    ],
    [
      { wait: { waitFromError: { path: "a..b", otherwise: "waitNone" } } },
      'policyFrom: wait.waitFromError.path must be names joined by dots, got "a..b"',
    ],
    [
      { wait: { waitFromError: { path: "__proto__.x", otherwise: "waitNone" } } },
      "policyFrom: wait.waitFromError.path must be names",
    ],
    [
      { retryIf: { retryIfErrorCode: [503, null] } },
      "policyFrom: retryIf.retryIfErrorCode[1] must be a string or a number, got null",
    ],
    [
      { retryIf: { retryIfErrorMessage: { pattern: "(" } } },
      'policyFrom: retryIf.retryIfErrorMessage.pattern must be a regular expression, got "("',
    ],
    [
      { retryIf: { retryIfErrorMessage: { pattern: "a", flags: "zz" } } },
      'policyFrom: retryIf.retryIfErrorMessage.flags must be flags of a regular expression, got "zz"',
    ],
    [
      { retryIf: { retryIfErrorType: { ref: "Busy" } } },
      'policyFrom: retryIf.retryIfErrorType.ref must be a name in refs (there: none), got "Busy"',
    ],
    [
      { retryIf: { retryIfErrorType: "Busy" } },
      'policyFrom: retryIf.retryIfErrorType must be { "ref": name }, got "Busy"',
    ],
    [
      { retryIf: { retryIfErrorType: [{ ref: "Busy" }] } },
      "policyFrom: retryIf.retryIfErrorType[0].ref must be a name",
    ],
    [
      { retryIf: { retryIfErrorType: [[{ ref: "Busy" }]] } },
      "policyFrom: retryIf.retryIfErrorType[0][0].ref must be a name",
    ],
    [{ retryIf: { retryIfNotErrorType: [5] } }, 'policyFrom: retryIf.retryIfNotErrorType[0] must be { "ref": name }'],
    [{ retryIf: { retryIfResult: { ref: "x" } } }, "policyFrom: retryIf.retryIfResult.ref must be a name"],
    [
      { wait: { waitRandom: [1, "x"] } },
      'policyFrom: wait.waitRandom[1] must be a finite number of ms from 0, got "x"',
    ],
    [
      { wait: { waitResetAfter: [{ waitFixed: -1 }, 5] } },
      "policyFrom: wait.waitResetAfter[0].waitFixed must be a finite number of ms from 0, got -1",
    ],
    [
      { wait: { waitResetAfter: [{ waitFixed: 1 }, 0] } },
      "policyFrom: wait.waitResetAfter[1] must be a finite number of ms above 0, got 0",
    ],
    [{ stop: { stopAny: "stopAll" } }, "policyFrom: stop.stopAny: stopAll needs its arguments"],
    [{ retryIf: { ref: "toString" } }, 'policyFrom: retryIf.ref must be a name in refs (there: none), got "toString"'],
    [{ budget: { capacity: 5 } }, "policyFrom: there is no budget.capacity; allowed are ref"],
    [{ attemptTimeout: 0 }, "policyFrom: attemptTimeout must be a finite number of ms above 0, got 0"],
    [{ unref: "yes" }, 'policyFrom: unref must be true or false, got "yes"'],
    [JSON.parse('{ "__proto__": { "stop": 1 } }'), "policyFrom: there is no __proto__; allowed are"],
  ])("refuses %j and names the path", (data, message) => {
    expect(() => policyFrom(data as never)).toThrow(message);
  });

  it("refuses a reference to what the option does not take", () => {
    expect(() => policyFrom({ budget: { ref: "b" } }, { b: 5 })).toThrow(
      "policyFrom: budget must be a RetryBudget, got 5",
    );
    expect(() => policyFrom({ retryIf: { retryIfErrorType: { ref: "b" } } }, { b: 5 })).toThrow(
      "policyFrom: retryIf.retryIfErrorType: retryIfErrorType: class 1 must be a class, got 5",
    );
  });

  it("refuses what is nested without end, before the stack does", () => {
    let stop: object = { stopAfterAttempt: 1 };
    for (let n = 0; n < 100_000; n++) stop = { stopAny: [stop] };

    expect(() => policyFrom({ stop } as never)).toThrow("must not be nested deeper than 20");
  });
});

describe("a delay that is looked up in an error", () => {
  const wait = (path: string, unit?: "ms" | "s") =>
    policyFrom({ wait: { waitFromError: { path, ...(unit && { unit }), otherwise: { waitFixed: 7 } } } }).wait!;
  const ask = (wait: any, error: unknown) => wait(retryState({ outcome: { ok: false, error } }));

  it.each([
    [{ response: { headers: new Headers({ "Retry-After": "2" }) } }, 2_000],
    [{ response: { headers: new Map([["retry-after", 3]]) } }, 3_000],
    [{ response: { headers: { "retry-after": " 1.5 " } } }, 1_500],
    [{ response: { headers: { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" } } }, 7],
    [{ response: { headers: { "retry-after": -5 } } }, 7],
    [
      {
        response: {
          headers: {
            get: () => {
              throw new Error("no");
            },
          },
        },
      },
      7,
    ],
    [{ response: null }, 7],
    [undefined, 7],
  ])("finds what is there: case %#", (error, ms) => {
    expect(ask(wait("response.headers.retry-after", "s"), error)).toBe(ms);
  });

  it("is counted in ms unless told", () => {
    expect(ask(wait("after"), { after: 40 })).toBe(40);
  });
});

describe("policies of others", () => {
  const retryPolicy = GRPC;
  const ours = {
    stop: { stopAfterAttempt: 5 },
    wait: { waitJittered: { wait: { waitExponential: { base: 100, factor: 1.5, max: 2_000 } }, from: 0.8, to: 1.2 } },
    retryIf: { retryIfErrorCode: [14, 8] },
  };

  it("are read: a retryPolicy of gRPC, alone and in its method config", () => {
    expect(describePolicy(policyFrom(retryPolicy))).toEqual(ours);
    expect(describePolicy(policyFrom({ retryPolicy }))).toEqual(ours);
  });

  it("are read: the standard mode of an AWS SDK", () => {
    expect(describePolicy(policyFrom({ retryMode: "standard" }))).toEqual({
      stop: { stopAfterAttempt: 3 },
      wait: { waitFullJitter: { base: 100, max: 20_000 } },
      retryIf: { retryIfTransient: { idempotent: true } },
    });
    expect(describePolicy(policyFrom({ retryMode: "standard", maxAttempts: 7 }))).toMatchObject({
      stop: { stopAfterAttempt: 7 },
    });
  });

  it.each([
    [{ retryPolicy, timeout: "1s", name: [{}] }, "policyFrom: there is no timeout; allowed are retryPolicy, name"],
    [{ retryPolicy: 5 }, "policyFrom: retryPolicy must be an object, got 5"],
    [
      { retryPolicy: { ...retryPolicy, maxAttempts: 1 } },
      "policyFrom: retryPolicy.maxAttempts must be a whole number from 2, got 1",
    ],
    [
      { retryPolicy: { ...retryPolicy, retryableStatusCodes: [14, "BUSY"] } },
      'policyFrom: retryPolicy.retryableStatusCodes[1] must be a code of gRPC as "UNAVAILABLE" or 14, got "BUSY"',
    ],
    [{ retryPolicy: { ...retryPolicy, hedging: 1 } }, "policyFrom: there is no retryPolicy.hedging"],
    [{ ...retryPolicy, maxAttempts: 1 }, "policyFrom: maxAttempts must be a whole number from 2, got 1"],
    [{ ...retryPolicy, maxBackoff: 2 }, 'policyFrom: maxBackoff must be a duration above 0 as "0.1s", got 2'],
    [{ ...retryPolicy, maxBackoff: "1m" }, 'policyFrom: maxBackoff must be a duration above 0 as "0.1s", got "1m"'],
    [{ ...retryPolicy, maxBackoff: `${"9".repeat(400)}s` }, "policyFrom: maxBackoff must be a duration above 0"],
    [{ ...retryPolicy, initialBackoff: "0.0s" }, "policyFrom: initialBackoff must be a duration above 0"],
    [{ ...retryPolicy, backoffMultiplier: 0.5 }, "policyFrom: backoffMultiplier must be a number from 1, got 0.5"],
    [{ ...retryPolicy, backoffMultiplier: Infinity }, "policyFrom: backoffMultiplier must be a number from 1"],
    [{ ...retryPolicy, retryableStatusCodes: [] }, "policyFrom: retryableStatusCodes must be a list of codes"],
    [{ ...retryPolicy, retryableStatusCodes: [[14]] }, "policyFrom: retryableStatusCodes[0] must be a code of gRPC"],
    [{ ...retryPolicy, hedging: 1 }, "policyFrom: there is no hedging; allowed are maxAttempts, initialBackoff"],
    [{ retryMode: "standard", maxAttempts: Infinity }, "policyFrom: maxAttempts must be a whole number from 1"],
    [{ retryMode: "adaptive" }, 'policyFrom: retryMode must be "standard"'],
    [{ retryMode: "standard", retries: 1 }, "policyFrom: there is no retries; allowed are retryMode, maxAttempts"],
  ])("are refused where they are wrong: case %#", (data, message) => {
    expect(() => policyFrom(data as never)).toThrow(message);
  });
});

describe("describePolicy", () => {
  it("says of what was written in code that it is custom, by its name", () => {
    function myStop() {
      return true;
    }

    expect(
      describePolicy({
        stop: myStop,
        wait: waitFixed(5),
        retryIf: () => true,
        budget: { ...retryBudget(), name: "payments" } as never,
        signal: new AbortController().signal,
        totalTimeout: Number.POSITIVE_INFINITY,
        name: "load",
        unref: true,
      }),
    ).toEqual({
      stop: { custom: "myStop" },
      wait: { custom: "anonymous" },
      retryIf: { custom: "retryIf" },
      budget: { custom: "payments" },
      signal: { custom: "object" },
      name: "load",
      unref: true,
    });
  });

  it("knows parts of options that were put together anew, and references by their names", () => {
    const budget = retryBudget();
    const given = policyFrom({ ...A_POLICY, budget: { ref: "shared" } }, { shared: budget });

    expect(describePolicy({ ...given, stop: stopAfterAttempt(2) })).toEqual({
      ...A_POLICY,
      stop: { custom: "anonymous" },
      budget: { ref: "shared" },
    });
  });

  it("refuses what is no option of retry, and knows all that are", () => {
    expect(() => describePolicy({ foo: 1 } as never)).toThrow(
      'describePolicy: there is no option "foo"; allowed are stop, wait, retryIf,',
    );
    expect(() => describePolicy({ onRetri: () => {} } as never)).toThrow("did you mean onRetry?");

    expect(() => describePolicy({ stop: 5 } as never)).toThrow("describePolicy: stop must be a function, got 5");
    for (const name of Object.keys(ASYNC.table)) {
      expect(() => describePolicy({ [name]: null })).toThrow(`describePolicy: ${name} must be`);
    }
  });

  it("hands out data that is nobody else's", () => {
    const options = policyFrom(A_POLICY);
    (describePolicy(options).wait as any).waitFullJitter.base = 1;

    expect(describePolicy(options)).toEqual(A_POLICY);
  });
});

describe("policy.schema.json", () => {
  it.each([
    [{ stop: { stopAfterAtempt: 5 } }, /stop/],
    [{ retryPolicy: { ...GRPC, maxAttempts: 1 } }, /retryPolicy\/maxAttempts/],
    [{ ...GRPC, maxAttempts: 1 }, /maxAttempts/],
    [{ retryMode: "adaptive" }, /retryMode/],
  ])("finds the mistake in the form that was meant: %j", (data, path) => {
    validate(data);

    const paths = validate.errors!.map(({ instancePath }) => instancePath).filter((each) => each !== "");
    expect(paths.length).toBeGreaterThan(0);
    for (const each of paths) expect(each).toMatch(path);
  });

  it("is what the tables say: npm run schema writes it", () => {
    expect(schema).toEqual(JSON.parse(JSON.stringify(policySchema())));
  });

  it.each([
    A_POLICY,
    {},
    { $schema: "x", stop: "stopNever", wait: "waitNone", retryIf: "retryNever" },
    {
      stop: { stopAny: [{ stopAfterAttempt: 5 }, { ref: "mine" }] },
      attemptTimeout: { ref: "longer" },
      budget: { ref: "b" },
    },
    { wait: { waitResetAfter: [{ waitRandom: [1, 2] }, 1_000] } },
    { retryIf: { retryIfErrorType: [[{ ref: "A" }, { ref: "B" }], { ref: "test" }] } },
    { retryIf: { retryIfErrorMessage: { pattern: "x", flags: "i" } } },
    { wait: { waitFromError: { path: "response.headers.retry-after", unit: "s", otherwise: "waitNone" } } },
    GRPC,
    { $schema: "x", ...GRPC, initialBackoff: "100s", retryableStatusCodes: ["unavailable", "Data_Loss", 0, 16] },
    { $schema: "x", retryPolicy: GRPC, name: [{ service: "orders" }] },
    { $schema: "x", retryMode: "standard" },
    { retryMode: "standard", maxAttempts: 7 },
  ])("takes what policyFrom takes: %j", (data) => {
    expect([validate(data), validate.errors]).toEqual([true, null]);
    const refs = {
      mine: () => true,
      longer: () => 5,
      b: retryBudget(),
      A: class A {},
      B: class B {},
      test: () => true,
    };
    expect(() => policyFrom(data as never, refs)).not.toThrow();
  });

  it.each([
    { stops: 5 },
    { stop: 5 },
    { stop: { stopAfterAttempt: 0 } },
    { stop: { stopAfterAttempt: 1.5 } },
    { stop: { stopAfterAttempt: 5, stopNever: 1 } },
    { stop: "waitNone" },
    { stop: "stopAfterAttempt" },
    { wait: { waitFullJitter: { base: -1 } } },
    { wait: { waitFullJitter: { max: 5 } } },
    { wait: { waitRandom: [1] } },
    { wait: { waitRandom: [1, 2, 3] } },
    { wait: { waitFromError: { path: "a..b", otherwise: "waitNone" } } },
    { retryIf: { retryIfErrorCode: [] } },
    { retryIf: { retryIfResult: "x" } },
    { attemptTimeout: 0 },
    { unref: "yes" },
    { budget: 5 },
    { ...GRPC, maxAttempts: 1 },
    { ...GRPC, initialBackoff: "0.0s" },
    { ...GRPC, maxBackoff: "1m" },
    { ...GRPC, maxBackoff: "1.0000000001s" },
    { ...GRPC, maxBackoff: `${"9".repeat(13)}s` },
    { ...GRPC, backoffMultiplier: 0.5 },
    { ...GRPC, retryableStatusCodes: [] },
    { ...GRPC, retryableStatusCodes: ["BUSY"] },
    { ...GRPC, retryableStatusCodes: [17] },
    { ...GRPC, retryableStatusCodes: [1.5] },
    { ...GRPC, hedging: 1 },
    { ...GRPC, maxBackoff: undefined },
    { maxAttempts: 3 },
    { retryPolicy: 5 },
    { retryPolicy: {} },
    { retryPolicy: GRPC, timeout: "1s" },
    { retryPolicy: { ...GRPC, $schema: "x" } },
    { retryMode: "adaptive" },
    { retryMode: "standard", maxAttempts: 0 },
    { retryMode: "standard", stop: "stopNever" },
  ])("refuses what policyFrom refuses: %j", (data) => {
    expect(validate(data)).toBe(false);
    expect(() => policyFrom(data as never)).toThrow();
  });
});
