import { Client, credentials, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { compileRetryPolicy } from "@temporalio/common";
import { compilePolicy, type PolicyData } from "undaunted/policy";
import { describe, expect, it, onTestFinished } from "vitest";

// It has no types.
const { default: aslValidator } = await import("asl-validator" as string);

const A_POLICY: PolicyData = {
  stop: { stopAfterAttempt: 3 },
  wait: { waitExponential: { base: 100, factor: 1.5, max: 400 } },
  retryIf: { retryIfNotErrorName: ["ValidationError"] },
  attemptTimeout: 1_000,
};

// What any target meets: all waits, and what can be said of stops.
const WAITS: NonNullable<PolicyData["wait"]>[] = [
  "waitNone",
  { waitFixed: 250.5 },
  { waitRandom: [100, 300] },
  { waitIncrementing: { start: 100, increment: 50 } },
  { waitExponential: { base: 100, min: 300 } },
  { waitFullJitter: { base: 500, max: 20_000 } },
  { waitEqualJitter: { base: 500 } },
  { waitDecorrelatedJitter: { base: 100, max: 9_000 } },
  { waitFibonacci: { base: 100 } },
  { waitJittered: { wait: { waitFixed: 100 }, from: 0.8, to: 1.2 } },
  { waitResetAfter: [{ waitFixed: 100 }, 60_000] },
  { waitChain: [{ waitFixed: 1 }, { waitFixed: 9_000 }] },
  { waitMax: [{ waitFixed: 1 }, { waitExponential: { base: 100 } }] },
  { waitFromError: { path: "after", otherwise: { waitFixed: 5 } } },
  { ref: "mine" },
];
const STOPS: NonNullable<PolicyData["stop"]>[] = [
  "stopNever",
  { stopAfterAttempt: 1 },
  { stopAfterAttempt: 12 },
  { stopBeforeDelay: 30_000 },
  { stopAny: [{ stopAfterAttempt: 5 }, { stopAfterDelay: 30_000 }] },
];
const policies = [...WAITS.map((wait) => ({ wait })), ...STOPS.map((stop) => ({ stop }))];

describe("compilePolicy", () => {
  it("writes out the defaults that data leaves out", () => {
    const { config } = compilePolicy("temporal", { attemptTimeout: 1_000 });

    expect(config).toEqual({
      startToCloseTimeout: 1_000,
      retry: { initialInterval: 500, backoffCoefficient: 2, maximumInterval: 20_000, maximumAttempts: 4 },
    });
  });

  it.each(["temporal", "stepFunctions", "grpc"] as const)(
    "lists for %s what each policy loses, with its path and why",
    (target) => {
      for (const data of policies) {
        for (const { path, why } of compilePolicy(target, data).lost) {
          expect(path).toMatch(/^(stop|wait|retryIf|attemptTimeout|totalTimeout)(\.|\[|$)/);
          expect(why.length).toBeGreaterThan(10);
        }
      }
    },
  );

  it.each([
    [
      "temporal",
      { retryIf: { retryIfErrorCode: 503 } },
      "retryIf cannot be said there: Temporal knows which types of errors are not retried",
    ],
    ["temporal", { retryIf: { retryIfErrorName: "Busy" } }, "retryIf cannot be said there"],
    [
      "stepFunctions",
      { retryIf: { retryIfErrorCode: 503 } },
      "retryIf cannot be said there: Step Functions knows errors by their names",
    ],
    ["grpc", { retryIf: { retryIfErrorCode: 503 } }, "retryIf cannot be said there: only the codes of gRPC"],
    [
      "grpc",
      { retryIf: { retryIfErrorName: "Busy" } },
      "retryIf cannot be said there: gRPC knows errors by their codes",
    ],
    [
      "temporal",
      { retryIf: { retryIfErrorMessage: "busy" } },
      "retryIfErrorMessage is no list of names or codes; without it everything would be retried",
    ],
    ["temporal", { retryIf: { ref: "mine" } }, "retryIf cannot be said there"],
    [
      "grpc",
      { stop: { ref: "mine" } },
      "stop cannot be said there: ref is no count and no time; without it it would retry for ever",
    ],
    [
      "grpc",
      { stop: { stopAll: [{ stopAfterAttempt: 2 }, { stopAfterDelay: 5 }] } },
      "stopAll is no count and no time",
    ],
  ] as const)("refuses for %s what cannot be said: %j", (target, data, message) => {
    expect(() => compilePolicy(target, data as never)).toThrow(message);

    const path = "stop" in data ? "stop" : "retryIf";
    const { lost } = compilePolicy(target, data as never, { allow: [path] });
    expect(lost).toContainEqual(expect.objectContaining({ path, got: undefined }));
  });

  it("takes the name of what may be left out", () => {
    const data = { retryIf: { retryIfErrorMessage: "busy" } };

    expect(() => compilePolicy("temporal", data, { allow: ["retryIfErrorMessage"] })).not.toThrow();
    expect(() => compilePolicy("temporal", data, { allow: ["retryIfErrorCode"] })).toThrow();
  });

  it("refuses to allow what is no name", () => {
    const data = { retryIf: { retryIfErrorMessage: "busy" } };

    expect(() => compilePolicy("temporal", data, { allow: ["retryIf", "retryIfErorMessage"] })).toThrow(
      /^compilePolicy: allow\[1\] must be one of stop, retryIf, ref, stopNever, .*; got "retryIfErorMessage"; did you mean/,
    );
    expect(() => compilePolicy("temporal", {}, { allow: ["foo"] })).toThrow('got "foo"');
    expect(() => compilePolicy("temporal", {}, { allow: ["waitFixed"] })).toThrow('got "waitFixed"');
    expect(() => compilePolicy("temporal", {}, { allow: [5 as never] })).toThrow("retryNever, retryIfError");
    expect(() => compilePolicy("temporal", {}, { allow: "stop" as never })).toThrow("allow must be a list of names");
    expect(() => compilePolicy("temporal", { retryIf: { ref: "mine" } }, { allow: ["ref"] })).not.toThrow();
  });

  it("names the path of a part that stands without its list", () => {
    const paths = (wait: PolicyData["wait"] & object) =>
      compilePolicy("stepFunctions", { wait, retryIf: "retryIfError" }).lost.map(({ path }) => path);

    expect(paths({ waitChain: { waitExponential: { base: 1_000, max: 9_000, min: 2_000 } } })).toContain(
      "wait.waitChain.waitExponential.min",
    );
    expect(paths({ waitChain: [{ waitExponential: { base: 1_000, max: 9_000, min: 2_000 } }] })).toContain(
      "wait.waitChain[0].waitExponential.min",
    );
  });

  it.each([
    ["azure", {}, "compilePolicy: target must be temporal, stepFunctions, grpc"],
    ["grpc", { stop: 5 }, "policyFrom: stop must be a name"],
    ["grpc", 5, "compilePolicy: data must be an object"],
  ])("refuses bad input: %s, %j", (target, data, message) => {
    expect(() => compilePolicy(target as never, data as never)).toThrow(message);
  });

  it("does without the objects that references name", () => {
    const data: PolicyData = { ...A_POLICY, budget: { ref: "shared" }, onRetry: { ref: "log" } };

    const { lost } = compilePolicy("temporal", data);

    expect(lost.map(({ path }) => path)).toEqual(["budget", "onRetry"]);
  });
});

describe("for Temporal", () => {
  it("says all that Temporal can say", () => {
    const { config, lost } = compilePolicy("temporal", { ...A_POLICY, totalTimeout: 60_000 });

    expect(config).toEqual({
      startToCloseTimeout: 1_000,
      scheduleToCloseTimeout: 60_000,
      retry: {
        initialInterval: 100,
        backoffCoefficient: 1.5,
        maximumInterval: 400,
        maximumAttempts: 3,
        nonRetryableErrorTypes: ["ValidationError"],
      },
    });
    expect(lost).toEqual([]);
  });

  it("is taken by Temporal's own compile step, whatever the policy", () => {
    for (const data of policies) {
      const { config } = compilePolicy("temporal", data);

      expect(() => compileRetryPolicy(config.retry)).not.toThrow();
    }
  });

  it.each([
    [{ wait: "waitNone" }, { path: "wait", wanted: "0 ms", got: "1 ms" }],
    [{ wait: { waitFixed: 0.5 } }, { path: "wait", wanted: "0.5 ms", got: "1 ms" }],
    [{ wait: { waitFullJitter: { base: 100 } } }, { path: "wait", wanted: "full jitter", got: undefined }],
    [
      { wait: { waitExponential: { base: 100, min: 300 } } },
      { path: "wait.waitExponential.min", wanted: 300, got: 300 },
    ],
    [{ stop: { stopAfterDelay: 5_000 } }, { path: "stop", wanted: "5000 ms", got: "scheduleToCloseTimeout" }],
    [{}, { path: "attemptTimeout", got: undefined }],
  ] as const)("lists what %j loses", (data, loss) => {
    expect(compilePolicy("temporal", data as never).lost).toContainEqual(expect.objectContaining(loss));
  });

  it("makes one attempt where nothing is retried", () => {
    expect(compilePolicy("temporal", { retryIf: "retryNever" }).config.retry.maximumAttempts).toBe(1);
  });
});

describe("for Step Functions", () => {
  const machine = (config: { Retry: object[] }) => ({
    StartAt: "Load",
    States: {
      Load: { Type: "Task", Resource: "arn:aws:lambda:eu-west-1:123456789012:function:load", End: true, ...config },
    },
  });

  it("says all that a state can say, in whole seconds", () => {
    const { config, lost } = compilePolicy("stepFunctions", {
      wait: { waitFullJitter: { base: 1_500, max: 20_000 } },
      retryIf: { retryIfErrorName: ["Lambda.TooManyRequestsException"] },
      attemptTimeout: 2_500,
    });

    expect(config).toEqual({
      Retry: [
        {
          ErrorEquals: ["Lambda.TooManyRequestsException"],
          IntervalSeconds: 2,
          BackoffRate: 2,
          MaxDelaySeconds: 20,
          JitterStrategy: "FULL",
          MaxAttempts: 3,
        },
      ],
      TimeoutSeconds: 3,
    });
    expect(lost).toEqual([
      { path: "wait", wanted: "1500 ms", got: "2000 ms", why: "whole units of 1000 ms, rounded up" },
      { path: "attemptTimeout", wanted: "2500 ms", got: "3000 ms", why: "whole units of 1000 ms, rounded up" },
    ]);
  });

  it("never retries the names that are left out", () => {
    const { config } = compilePolicy("stepFunctions", A_POLICY);

    expect(config.Retry[0]).toEqual({ ErrorEquals: ["ValidationError"], MaxAttempts: 0 });
    expect(config.Retry[1].ErrorEquals).toEqual(["States.ALL"]);
  });

  it("is a state that asl-validator takes, whatever the policy", () => {
    for (const data of [A_POLICY, ...policies]) {
      const { isValid, errorsText } = aslValidator(machine(compilePolicy("stepFunctions", data).config) as never);

      expect([isValid, errorsText("\n")]).toEqual([true, ""]);
    }
  });

  // https://states-language.net/spec.html#errors: what the validator does not look at.
  it("keeps the bounds of the language, whatever the policy", () => {
    for (const data of [A_POLICY, ...policies]) {
      for (const retrier of compilePolicy("stepFunctions", data).config.Retry) {
        const {
          IntervalSeconds = 1,
          MaxDelaySeconds = Number.POSITIVE_INFINITY,
          MaxAttempts,
          BackoffRate = 1,
        } = retrier;

        expect([IntervalSeconds, MaxAttempts].every(Number.isInteger)).toBe(true);
        expect(IntervalSeconds).toBeGreaterThanOrEqual(1);
        expect(MaxAttempts).toBeLessThanOrEqual(99_999_999);
        expect(BackoffRate).toBeGreaterThanOrEqual(1);
        expect(MaxDelaySeconds).toBeGreaterThan(IntervalSeconds);
      }
    }
  });

  it("is refused by asl-validator where it is wrong", () => {
    const { config } = compilePolicy("stepFunctions", A_POLICY);
    config.Retry[1].MaxAttempts = -1;

    expect(aslValidator(machine(config) as never).isValid).toBe(false);
  });
});

describe("for gRPC", () => {
  /** Calls a server that fails with `code` as often as it is asked, through a channel with `config`; returns its count. */
  async function attemptsOf(config: object, code: number): Promise<number> {
    let calls = 0;
    const server = new Server();
    const raw = (value: Buffer) => value;
    const definition = {
      load: {
        path: "/test.Test/Load",
        requestStream: false as const,
        responseStream: false as const,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    };
    server.addService(definition, {
      load: (_call: unknown, answer: (error: Partial<ServiceError>) => void) => {
        calls++;
        answer({ code, details: "no" });
      },
    });
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.service_config": JSON.stringify(config),
      "grpc.service_config_disable_resolution": 1,
    });
    onTestFinished(() => {
      client.close();
      server.forceShutdown();
    });
    const failed = await new Promise<ServiceError | null>((resolve) =>
      client.makeUnaryRequest("/test.Test/Load", raw, raw, Buffer.alloc(0), (error) => resolve(error)),
    );
    expect(failed?.code).toBe(code);
    return calls;
  }

  const quick: PolicyData = {
    stop: { stopAfterAttempt: 3 },
    wait: { waitExponential: { base: 1, max: 2 } },
    retryIf: { retryIfErrorCode: ["UNAVAILABLE", 8] },
  };

  it("makes a real channel retry with those attempts and codes", async () => {
    const { config } = compilePolicy("grpc", quick);

    expect(await attemptsOf(config, status.UNAVAILABLE)).toBe(3);
    expect(await attemptsOf(config, status.RESOURCE_EXHAUSTED)).toBe(3);
    expect(await attemptsOf(config, status.NOT_FOUND)).toBe(1);
  });

  it("makes a real channel retry every failure, or none, where the policy does", async () => {
    const { retryIf: _, ...all } = quick;

    expect(await attemptsOf(compilePolicy("grpc", all).config, status.INTERNAL)).toBe(3);
    expect(await attemptsOf(compilePolicy("grpc", { ...quick, retryIf: "retryNever" }).config, status.INTERNAL)).toBe(
      1,
    );
  });

  it("says all that a service config can say", () => {
    const { config, lost } = compilePolicy("grpc", {
      ...quick,
      wait: { waitJittered: { wait: { waitExponential: { base: 100, factor: 1.5, max: 1_000 } }, from: 0.8, to: 1.2 } },
      totalTimeout: 30_000,
    });

    expect(config).toEqual({
      methodConfig: [
        {
          name: [{}],
          timeout: "30s",
          retryPolicy: {
            maxAttempts: 3,
            initialBackoff: "0.1s",
            maxBackoff: "1s",
            backoffMultiplier: 1.5,
            retryableStatusCodes: ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
          },
        },
      ],
    });
    expect(lost).toEqual([]);
  });

  it("lists that more than five attempts count as five", () => {
    const { config, lost } = compilePolicy("grpc", { stop: { stopAfterAttempt: 12 } });

    expect(config.methodConfig[0].retryPolicy.maxAttempts).toBe(5);
    expect(lost).toContainEqual(expect.objectContaining({ path: "stop", wanted: 12, got: 5 }));
  });
});

describe("compilePolicy's data", () => {
  it("may be a retryPolicy of gRPC or an AWS mode, which no defaults stand for", () => {
    const retryPolicy = {
      maxAttempts: 3,
      initialBackoff: "1s",
      maxBackoff: "2s",
      backoffMultiplier: 1.5,
      retryableStatusCodes: ["UNAVAILABLE"],
    };

    expect(compilePolicy("grpc", { retryPolicy } as never).config.methodConfig[0].retryPolicy).toEqual(retryPolicy);
    expect(
      compilePolicy("temporal", { retryMode: "standard", maxAttempts: 7 } as never, { allow: ["retryIf"] }).config
        .retry,
    ).toMatchObject({ maximumAttempts: 7, initialInterval: 100 });
  });

  it.each([
    [{ attemptTimout: { ref: "mine" } }, "there is no attemptTimout"],
    [{ totalTimeout: { ref: "mine" } }, "totalTimeout must be a finite number of ms above 0"],
    [{ budget: { ref: "mine", more: 1 } }, "there is no budget.more"],
  ])("is refused where a reference stands for no option that takes one: %j", (data, message) => {
    expect(() => compilePolicy("temporal", data as never)).toThrow(message);
  });

  it("has no code of gRPC in 0, which is OK", () => {
    expect(() => compilePolicy("grpc", { retryIf: { retryIfErrorCode: [0, 14] } })).toThrow("1 to 16");
  });
});
