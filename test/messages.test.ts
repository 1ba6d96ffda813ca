import { readdirSync, readFileSync } from "node:fs";
import axios from "axios";
import {
  AttemptTimeoutError,
  awsRetryQuota,
  BulkheadFullError,
  bulkhead,
  bulkheads,
  CircuitOpenError,
  circuitBreaker,
  circuitBreakers,
  currentAttempt,
  finagleRetryBudget,
  grpcRetryThrottle,
  mergeHooks,
  NonRetryableError,
  previewPolicy,
  Retry,
  RetryExhaustedError,
  RetrySync,
  retry,
  retryBudget,
  retryBudgets,
  retryIfAll,
  retryIfAny,
  retryIfError,
  retryIfErrorCause,
  retryIfErrorCode,
  retryIfErrorMessage,
  retryIfErrorType,
  retryIfNot,
  retryIfNotResult,
  retryIfResult,
  retryLogger,
  retryRateLimit,
  retrySync,
  runWithRetry,
  runWithRetrySync,
  stopAfterAttempt,
  stopAfterDelay,
  stopAll,
  stopAny,
  stopBeforeDelay,
  TryAgainError,
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
import { retryAxios } from "undaunted/axios";
import { retryBullmq } from "undaunted/bullmq";
import { type NextAttempt, nextAttempt, retryDurably, runAttempt, stopAfterErrors } from "undaunted/durable";
import { retryGraphile } from "undaunted/graphile-worker";
import {
  isIdempotentMethod,
  isRetryableStatus,
  parseRetryAfter,
  peekText,
  retryFetch,
  retryIfResponse,
  serverDelay,
} from "undaunted/http";
import {
  IdempotencyMismatchError,
  IdempotencyRecordError,
  idempotent,
  memoryIdempotencyStore,
  mysqlIdempotencyStore,
  postgresIdempotencyStore,
  redisIdempotencyStore,
  sqliteIdempotencyStore,
} from "undaunted/idempotency";
import { retryIterable } from "undaunted/iterable";
import { instrument } from "undaunted/otel";
import { retryPgBoss } from "undaunted/pg-boss";
import { compilePolicy, describePolicy, livePolicy } from "undaunted/policy";
import { redisFleet } from "undaunted/redis";
import { answerFailure, deadlineOf, idempotentHandler, idempotentMiddleware } from "undaunted/server";
import { simulate } from "undaunted/simulation";
import { chaos, flaky, instant, retryState, seededRandom, testRetries, virtualClock } from "undaunted/testing";
import { retryIfTransient } from "undaunted/transient";
import { describe, expect, it, vi } from "vitest";

// A function returns, an option defaults to, an error is thrown. Only a server answers: HttpStatusError says so, and answerFailure.
const DIALECT = /\banswer(?!Failure\b)|\btell|\btold\b|\bnobody\b|\bsomebody\b|\bwhoever\b/i;

/** The messages of what was thrown, and of its causes. */
function messagesOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [String(thrown)];
  return [thrown.message, ...(thrown.cause === undefined ? [] : messagesOf(thrown.cause))];
}

/** The messages of what `fn` throws or rejects with; an empty list where it does neither. */
async function provoke(fn: () => unknown): Promise<string[]> {
  try {
    await fn();
  } catch (thrown) {
    return messagesOf(thrown);
  }
  return [];
}

/** Nothing of this is what any option takes, or at most one of it is. */
const BAD = [Symbol("bad"), Number.NaN, -1, "", null, [], new Date(0), Promise.resolve(1)] as const;

const key = () => "key";
const engine = { step: async <R>(_name: string, fn: () => Promise<R>) => fn(), sleep: async () => {} };
const boss = { getDb() {}, fail() {}, update() {} };
const client = { query: async () => ({ rows: [] }), eval: async () => null, call: async () => null };
const database = { exec() {}, prepare: () => ({ run() {}, get() {}, all() {} }) };

/** Everything that takes options: how it is called with some, what it needs beside the option under test, and what takes anything. */
const TAKERS: [owner: string, make: (options: any) => unknown, needed?: object, anything?: string][] = [
  ["retry", (options) => retry(() => 1, options)],
  ["retry's with", (options) => retry(() => 1).with(options)],
  ["retrySync", (options) => retrySync(() => 1, options)],
  ["runWithRetry", (options) => runWithRetry(() => 1, options)],
  ["@Retry", (options) => Retry(options)],
  ["@RetrySync", (options) => RetrySync(options)],
  ["TryAgainError", (options) => new TryAgainError(options), {}, "cause"],
  ["mergeHooks", (options) => mergeHooks(options)],
  ["retryLogger", (options) => retryLogger({ warn() {}, error() {} }, options)],
  ["waitIncrementing", waitIncrementing, { start: 1, increment: 1 }],
  ["waitExponential", waitExponential, { base: 1 }],
  ["waitFibonacci", waitFibonacci, { base: 1 }],
  ["waitFullJitter", waitFullJitter, { base: 1 }],
  ["waitEqualJitter", waitEqualJitter, { base: 1 }],
  ["waitDecorrelatedJitter", waitDecorrelatedJitter, { base: 1 }],
  ["waitJittered", (options) => waitJittered(waitNone, options), { from: 1, to: 1 }],
  ["retryBudget", retryBudget],
  ["retryBudget's trickle", (trickle) => retryBudget({ trickle })],
  ["retryBudgets", retryBudgets, { key }],
  ["awsRetryQuota", awsRetryQuota],
  ["grpcRetryThrottle", grpcRetryThrottle, { maxTokens: 10, tokenRatio: 0.1 }],
  ["finagleRetryBudget", finagleRetryBudget],
  ["retryRateLimit", retryRateLimit, { perSecond: 1 }],
  ["circuitBreaker", circuitBreaker],
  ["circuitBreaker's window", (window) => circuitBreaker({ failureRate: 0.5, window })],
  ["circuitBreaker's halfOpen", (halfOpen) => circuitBreaker({ halfOpen })],
  ["circuitBreakers", circuitBreakers, { key }],
  ["bulkhead", bulkhead, { limit: 1 }],
  ["bulkheads", bulkheads, { key, limit: 1 }],
  ["retryFetch", retryFetch],
  ["retryAxios", (options) => retryAxios(axios.create(), options)],
  ["retryIterable", (options) => retryIterable(async () => [], options)],
  ["livePolicy", (options) => livePolicy({ read: () => ({}) }, options)],
  ["compilePolicy", (options) => compilePolicy("grpc", {}, options)],
  ["describePolicy", (options) => describePolicy(options)],
  ["retryIfTransient", retryIfTransient],
  ["testRetries", testRetries],
  ["simulate", simulate, { policy: {}, before: 0, after: 0, clients: 1 }],
  ["simulate's server", (server) => simulate({ policy: {}, server, before: 0, after: 0, clients: 1 })],
  [
    "simulate's outage",
    (outage) => simulate({ policy: {}, outage, before: 0, after: 0, clients: 1 }),
    { kind: "slow" },
  ],

  ["idempotent", (options) => idempotent(async () => 1, options), { key }],
  ["memoryIdempotencyStore", memoryIdempotencyStore],
  ["answerFailure", (options) => answerFailure(new Error("down"), options)],
  ["deadlineOf", (options) => deadlineOf({ headers: {} }, options as { max: number })],
  ["idempotentHandler", (options) => idempotentHandler(() => new Response(), options as never)],
  ["idempotentMiddleware", (options) => idempotentMiddleware(options as never)],
  ["postgresIdempotencyStore", (options) => postgresIdempotencyStore(client as never, options)],
  ["mysqlIdempotencyStore", (options) => mysqlIdempotencyStore(client as never, options)],
  ["sqliteIdempotencyStore", (options) => sqliteIdempotencyStore(database as never, options)],
  ["redisIdempotencyStore", (options) => redisIdempotencyStore(client as never, options)],
  ["nextAttempt", (options) => nextAttempt(options, { outcome: { ok: true, value: 1 } })],
  ["runAttempt", (options) => runAttempt(() => 1, options)],
  ["retryDurably", (options) => retryDurably(engine, () => 1, options)],
  ["retryBullmq", (options) => retryBullmq(options)],
  ["retryPgBoss", (options) => retryPgBoss(boss as never, options)],
  ["retryGraphile", (options) => retryGraphile(() => 1, options)],
  ["retryGraphile's place", (place) => retryGraphile(() => 1, {}, place)],
  ["instrument", (options) => instrument(options)()],
  ["fleet.pauses", (options) => redisFleet(redis, { name: "n" }).pauses(options as never)],
  ["chaos", (options) => chaos(options as never), { rate: 0.5 }],
];

describe("messages about options", () => {
  it.each(TAKERS)("%s refuses each option in plain words", async (_owner, make, needed = {}, anything = "") => {
    const [unknown = ""] = await provoke(() => make({ ...needed, "no such option": 1 }));
    const options = /; allowed are (.+)$/.exec(unknown)?.[1]?.split(", ") ?? [];
    expect(options, unknown).not.toEqual([]);

    const messages = [unknown, ...(await provoke(() => make(5)))];
    for (const option of options) {
      const provoked: string[] = [];
      for (const value of BAD) provoked.push(...(await provoke(() => make({ ...needed, [option]: value }))));
      expect(provoked.length > 0, option).toBe(option !== anything);
      messages.push(...provoked);
    }

    expect(messages.filter((message) => DIALECT.test(message))).toEqual([]);
  });
});

it("provokes whatever reads its options by a table", () => {
  const src = new URL("../src/", import.meta.url);
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const owners = files.flatMap((file) =>
    [...readFileSync(new URL(file, src), "utf8").matchAll(/readOptions\(\s*"(\w+)"/g)].map(([, owner]) => owner!),
  );

  expect(owners.length).toBeGreaterThan(15);
  expect(owners.filter((owner) => !TAKERS.some(([taker]) => taker.split(/'s | /).includes(owner)))).toEqual([]);
});

const open = (options: object = {}) => {
  const clock = virtualClock();
  const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 10, clock, ...options });
  const fail = breaker.run(() => Promise.reject(new Error("down"))).catch(() => {});
  return fail.then(() => ({ clock, breaker }));
};
const never = () => new Promise<never>(() => {});
const fails = { ...instant, stop: stopAfterAttempt(1) };
const busy = new Error("busy");
const failure = { outcome: { ok: false, error: busy } } as const;
const tokens = (acquire: unknown) => ({ acquire, recordSuccess() {}, refund() {}, balance: 0 }) as never;

/** Everything else that is refused, given up or misused. */
const MISUSES: Record<string, () => unknown> = {
  "stopAfterAttempt of half a number": () => stopAfterAttempt(0.5),
  "stopAfterDelay below 0": () => stopAfterDelay(-1),
  "stopBeforeDelay below 0": () => stopBeforeDelay(-1),
  "stopAny of nothing": () => stopAny(),
  "stopAll of a number": () => stopAll(3 as never),
  "waitFixed of NaN": () => waitFixed(Number.NaN),
  "waitRandom of the wrong order": () => waitRandom(2, 1),
  "waitChain of nothing": () => waitChain(),
  "waitSum of nothing": () => waitSum(),
  "waitMax of a number": () => waitMax(1 as never),
  "waitMin of a number": () => waitMin(1 as never),
  "waitFromError of nothing": () => waitFromError(undefined as never, waitNone),
  "waitFromResult of nothing": () => waitFromResult(() => 1, undefined as never),
  "retryIfError of a number": () => retryIfError(1 as never),
  "retryIfErrorType of an arrow function": () => retryIfErrorType((() => {}) as never),
  "retryIfErrorType of two classes": () => retryIfErrorType(RangeError, TypeError as never),
  "retryIfErrorMessage of a number": () => retryIfErrorMessage(5 as never),
  "retryIfErrorCode of nothing": () => retryIfErrorCode(),
  "retryIfErrorCode of NaN": () => retryIfErrorCode(Number.NaN),
  "retryIfErrorCause of nothing": () => retryIfErrorCause(undefined as never),
  "retryIfResult of nothing": () => retryIfResult(undefined as never),
  "retryIfNotResult of nothing": () => retryIfNotResult(undefined as never),
  "retryIfNot of a result predicate": () => retryIfNot(retryIfResult(() => true) as never),
  "retryIfAny of nothing": () => retryIfAny(),
  "retryIfAll of a number": () => retryIfAll(1 as never),
  "retryIfResponse of nothing": () => retryIfResponse(undefined as never),
  "peekText of half a byte": () => peekText(new Response("body"), 0.5),
  "isRetryableStatus of a string": () => isRetryableStatus("503" as never),
  "isIdempotentMethod of a number": () => isIdempotentMethod(1 as never),
  "parseRetryAfter of a string as time": () => parseRetryAfter("1", "now" as never),
  "serverDelay of a number": () => serverDelay(5 as never, 0),
  "TryAgainError after a negative time": () => new TryAgainError({ after: -1 }),
  "CircuitOpenError of bad options": () => new CircuitOpenError("open", 5 as never),
  "flaky of a number": () => flaky(5 as never),
  "flaky at the end of its script": () => flaky([])(),
  "seededRandom of NaN": () => seededRandom(Number.NaN),
  "a virtual clock that goes back": () => virtualClock().advance(-1),
  "a logger without methods": () => retryLogger({} as never),

  "a strategy in place of options": () => retry(() => 1, stopAfterAttempt(3) as never),
  "an options function that returns a number": () => retry(() => 1, (() => 5) as never)(),
  "a policy that previews half a row": () => previewPolicy({}, 0.5),
  "retry of no function": () => retry(5 as never),
  "retry of a generator function": () => retry(function* () {} as never),
  "retrySync of an async function": () => retrySync((async () => {}) as never),
  "retrySync of a function that returns a promise": () => retrySync((() => Promise.resolve()) as () => any)(),
  "retrySync with an async fallback": () => {
    const read = (): number => {
      throw busy;
    };
    return retrySync(read, { ...fails, fallback: (async () => 1) as never })();
  },
  "currentAttempt outside an attempt": () => currentAttempt(),
  "a thread that may not sleep": () => {
    const wait = vi.spyOn(Atomics, "wait").mockImplementation(() => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    });
    try {
      return runWithRetrySync(flaky([busy]) as () => unknown, { wait: waitFixed(5) });
    } finally {
      wait.mockRestore();
    }
  },
  "@Retry on a field": () => (Retry() as any)(undefined, { kind: "field", name: "load" }),
  "@Retry on a parameter": () => (Retry() as any)({}, "load", 0),
  "@Retry without its parentheses": () => (Retry as any)(() => {}, { kind: "method", name: "load" }),
  "@wrap on a getter": () => (circuitBreaker().wrap as any)(() => {}, { kind: "getter", name: "load" }),
  "wrapSync of an async function": () => circuitBreaker().wrapSync((async () => {}) as never),
  "runSync of a block that returns a promise": () => circuitBreaker().runSync((() => Promise.resolve()) as never),
  "run of no function": () => bulkhead({ limit: 1 }).run(5 as never),

  "a StrategyError for a promise of stop": () => retry(flaky([busy]), { ...instant, stop: never as never })(),
  "a StrategyError for a delay of NaN": () => retry(flaky([busy]), { ...instant, wait: () => Number.NaN })(),
  "a StrategyError for a promise of wait": () => retry(flaky([busy]), { ...instant, wait: never as never })(),
  "a StrategyError for a factory as wait": () =>
    retry(flaky([busy]), { ...instant, wait: (() => waitNone) as never })(),
  "a StrategyError for a factory as retryIf": () => retry(flaky([busy]), { retryIf: (() => () => true) as never })(),
  "a StrategyError for tokens of NaN": () => retry(flaky([busy]), { ...instant, budget: tokens(() => Number.NaN) })(),
  "a StrategyError for a sync policy's promise": () =>
    retrySync(flaky([busy]), { ...instant, budget: tokens(async () => 1) })(),
  "a StrategyError for classify": () => circuitBreaker({ classify: () => "fine" as never }).run(() => 1),
  "a StrategyError for a promise of classify": () => circuitBreaker({ classify: never as never }).run(() => 1),
  "a policy that gives up on a value": () => retry(() => 1, { ...fails, retryIf: retryIfResult(() => true) })(),
  "an attempt that times out": () => {
    const clock = virtualClock();
    const result = retry(never, { ...fails, clock, attemptTimeout: 10 })();
    result.catch(() => {});
    return clock.advance(10).then(() => result);
  },
  "a call that times out": () => {
    const clock = virtualClock();
    const result = retry(never, { clock, totalTimeout: 10 })();
    result.catch(() => {});
    return clock.advance(10).then(() => result);
  },
  "a sleep that would pass the deadline": () =>
    retry(flaky([busy]), { clock: virtualClock(), totalTimeout: 5, wait: waitFixed(10) })(),
  "a call that was given up for good": () => runWithRetry(() => Promise.reject(new NonRetryableError("no such user"))),
  "a call that asks for another attempt": () => retry(() => Promise.reject(new TryAgainError()), fails)(),
  RetryExhaustedError: () => Promise.reject(new RetryExhaustedError(retryState({}))),
  AttemptTimeoutError: () => Promise.reject(new AttemptTimeoutError(5, 1)),

  "an open circuit": async () => (await open()).breaker.run(() => 1),
  "a half-open circuit": async () => {
    const { breaker, clock } = await open();
    await clock.advance(10);
    breaker.run(never);
    return breaker.run(() => 1);
  },
  "an isolated circuit": () => {
    const breaker = circuitBreaker();
    breaker.isolate();
    return breaker.run(() => 1);
  },
  "a circuit of a key that is undefined": () => circuitBreakers({ key: () => undefined as never }).wrap(() => 1)(),
  "bad rates of a circuit": () => circuitBreaker({ failureRate: 0.5, window: { calls: 10 }, minimumCalls: 20 }),
  "a saved state that is none": () => circuitBreaker({ initialState: { state: "ajar" } as never }),
  "a full bulkhead": () => {
    const slots = bulkhead({ limit: 1 });
    slots.run(never);
    return slots.run(() => 1);
  },
  BulkheadFullError: () => Promise.reject(new BulkheadFullError("bulkhead: full")),
  "a bulkhead of a key that is a promise": () => bulkheads({ key: (async () => 1) as never, limit: 1 }).wrap(() => 1)(),

  "an idempotency key that is a number": () => idempotent(async () => 1, { key: () => 5 as never })(),
  "an idempotency key that is a promise": () => idempotent(async () => 1, { key: (async () => "a") as never })(),
  "a fingerprint that is a number": () => idempotent(async () => 1, { key, fingerprint: () => 5 as never })(),
  "arguments that JSON does not have": () => idempotent(async (_of: symbol) => 1, { key })(Symbol("none")),
  "a result that JSON does not have": () => idempotent(async () => Symbol("none"), { key })(),
  "a call that runs already": () => {
    const charge = idempotent(never, { key });
    charge();
    return new Promise(setImmediate).then(() => charge());
  },
  IdempotencyMismatchError: () => Promise.reject(new IdempotencyMismatchError("a")),
  IdempotencyRecordError: () => Promise.reject(new IdempotencyRecordError("a", "the store failed")),
  "an idempotency store that is none": () => redisIdempotencyStore(5 as never),
  "retryDurably without an engine": () => retryDurably(5 as never, () => 1),
  "retryPgBoss without pg-boss": () => retryPgBoss({} as never),
  "retryBullmq's processor of no function": () => retryBullmq().processor(5 as never),
  "stopAfterErrors of two words": () => stopAfterErrors(1, "two words"),
  "nextAttempt of what means one process": () => nextAttempt({ unref: true } as never, failure),
  "a memo of another version": () => decided(nextAttempt({}, { ...failure, memo: { v: 2 } as never })),
  "a memo that is none": () => decided(nextAttempt({}, { ...failure, memo: {} as never })),
  "a memo that lost a number": () => decided(nextAttempt({}, { ...failure, memo: { v: 1 } as never })),
  "redisFleet of no client": () => redisFleet(5 as never, { name: "n" }),
  "redisFleet without a name": () => redisFleet(redis, {} as never),
  "redisFleet of a name with a space": () => redisFleet(redis, { name: "a b" }),
  "redisFleet that subscribes over its own client": () => redisFleet(redis, { name: "n", subscribe: redis as never }),
  "redisFleet that subscribes by nothing": () => redisFleet(redis, { name: "n", subscribe: {} as never }),
  "redisFleet of an option that is not there": () => redisFleet(redis, { name: "n", key: "k" } as never),
  "sharing a breaker without a rate": () => redisFleet(redis, { name: "n" }).share(circuitBreaker(), { key: "k" }),
  "pauses whose key is a number": () => {
    const pauses = redisFleet(redis, { name: "n" }).pauses({ key: () => 5 as never });
    return retryFetch({ fetch: flaky([new Response()]), pauseOrigin: pauses })("https://example.com/");
  },
  "sharing a bulkhead": () => redisFleet(redis, { name: "n" }).share(bulkhead({ limit: 1 }) as never, { key: "k" }),
  "sharing without a key": () => redisFleet(redis, { name: "n" }).share(retryBudget()),
  "isolating whom": () => {
    const breaker = redisFleet(redis, { name: "n" }).share(circuitBreaker({ failureRate: 0.5 }), { key: "k" });
    breaker.isolate({ local: 1 as never });
  },
  "a table that is no name": () => postgresIdempotencyStore(client as never, { table: "a; drop" }),

  "an HTTP idempotencyKey that returns a number": () =>
    retryFetch({ fetch: fetched, idempotencyKey: () => 5 as never })("https://example.com", { method: "POST" }),
  "an HTTP idempotencyKey outside ASCII": () =>
    retryFetch({ fetch: fetched, idempotencyKey: () => "é" })("https://example.com", { method: "POST" }),
  "methods that return a promise": () =>
    retryFetch({ fetch: fetched, methods: (async () => true) as never })("https://example.com"),
  "statuses that return a promise": () =>
    retryFetch({ fetch: fetched, statuses: (async () => true) as never })("https://example.com"),
  "an HTTP signal that is none": () => retryFetch({ fetch: fetched })("https://example.com", { signal: 5 as never }),
  "retryAxios of no instance": () => retryAxios(5 as never),
};

async function decided(next: Promise<NextAttempt>): Promise<never> {
  throw ((await next) as { error: unknown }).error;
}

const redis = { eval: async () => [], subscribe: async () => {}, unsubscribe: async () => {} };

function fetched(): Promise<Response> {
  return Promise.resolve(new Response(null, { status: 503 }));
}

describe("messages of what is refused, given up or misused", () => {
  it.each(Object.entries(MISUSES))("%s is an error in plain words", async (_what, misuse) => {
    const messages = await provoke(misuse);

    expect(messages).not.toEqual([]);
    expect(messages.filter((message) => DIALECT.test(message))).toEqual([]);
  });
});

it.each([
  ["a delay that is no number", "a StrategyError for a delay of NaN", "wait must return a finite number >= 0, got NaN"],
  ["a promise of stop", "a StrategyError for a promise of stop", "stop must be synchronous; it returned a promise"],
  ["a half-open circuit", "a half-open circuit", "half-open: all probe calls are in flight"],
])("names what is wrong with %s", async (_what, misuse, message) => {
  const [first] = await provoke(MISUSES[misuse]!);

  expect(first).toContain(message);
});

it("a warning of a hook that throws is in plain words", async () => {
  const warnings: string[] = [];
  const warn = vi.spyOn(process, "emitWarning").mockImplementation((warning) => void warnings.push(String(warning)));
  const onRetry = () => {
    throw busy;
  };

  await retry(flaky([busy, 1]), { ...instant, onRetry })();
  warn.mockRestore();

  expect(warnings).toHaveLength(1);
  expect(warnings[0]).not.toMatch(DIALECT);
});
