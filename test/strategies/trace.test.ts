import {
  bulkhead,
  type CallRecord,
  circuitBreaker,
  mergeHooks,
  NonRetryableError,
  type RetryOptions,
  redact,
  retry,
  retryBudget,
  retryIfErrorType,
  retryIfResult,
  retrySync,
  stopAfterAttempt,
  TryAgainError,
  traceCalls,
  waitExponential,
  waitFixed,
  waitFromError,
} from "undaunted";
import { flaky } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");
const clock = {
  now: () => 0,
  setTimer(fn: () => void) {
    queueMicrotask(fn);
    return () => {};
  },
};

/** The record of one call. */
async function recordOf(outcomes: readonly unknown[], options: RetryOptions = {}): Promise<CallRecord> {
  const records: CallRecord[] = [];
  const work = retry(flaky(outcomes), {
    ...{ clock, wait: waitFixed(5), name: "load", ...options },
    ...traceCalls((record) => records.push(record)),
  });
  await work("a secret argument").catch(() => {});
  expect(records).toHaveLength(1);
  return records[0]!;
}

const saidIn = async (...args: Parameters<typeof recordOf>) =>
  (await recordOf(...args)).attempts.map(({ said }) => said);

describe("the record of a call", () => {
  it("reads as lines: each attempt, its error, what was said, the delay and where it came from, and the end", async () => {
    const record = await recordOf([busy, busy, busy, "ok"], { wait: waitExponential({ base: 10, max: 20 }) });

    expect(String(record).split("\n")).toEqual([
      "load: succeeded after 4 attempts in 0 ms",
      "  1: 0 ms, Error: busy; retryIf yes, stop no; the next in 10 ms (policy)",
      "  2: 0 ms, Error: busy; retryIf yes, stop no; the next in 20 ms (cap)",
      "  3: 0 ms, Error: busy; retryIf yes, stop no; the next in 20 ms (cap)",
      "  4: 0 ms, a value that was taken",
    ]);
  });

  it("is data, too", async () => {
    expect(await recordOf([busy], { stop: stopAfterAttempt(1) })).toEqual({
      name: "load",
      attempts: [
        {
          ...{ attempt: 1, took: 0, error: "Error: busy", said: ["retryIf yes", "stop yes"] },
          ...{ delay: undefined, source: undefined },
        },
      ],
      ...{ omitted: 0, made: 1, elapsed: 0, reason: "stopped", error: "Error: busy" },
    });
  });

  it.each([
    [10, 10, 0],
    [11, 10, 1],
    [100, 10, 90],
  ])(
    "of %i attempts keeps %i, the first five and the last five, and counts the other %i",
    async (made, kept, omitted) => {
      const record = await recordOf(Array(made).fill(busy), { stop: stopAfterAttempt(made) });

      expect(record.attempts).toHaveLength(kept);
      expect(record.attempts.map(({ attempt }) => attempt)).toEqual([
        ...[1, 2, 3, 4, 5],
        ...[made - 4, made - 3, made - 2, made - 1, made],
      ]);
      expect(record).toMatchObject({ omitted, made });
      const lines = String(record).split("\n");
      expect(lines.filter((line) => line.includes("more"))).toEqual(omitted > 0 ? [`  (${omitted} more)`] : []);
      expect(lines).toHaveLength(omitted > 0 ? 12 : 11);
    },
  );

  it("says what each strategy, the attempt, the budget and the breaker said", async () => {
    const breaker = circuitBreaker();
    breaker.isolate();
    const open = await breaker.run(() => 1).catch((error) => error);
    const slots = bulkhead({ limit: 1 });
    slots.run(() => new Promise(() => {}));
    const full = await slots.run(() => 1).catch((error) => error);
    const once = { stop: stopAfterAttempt(1) };

    expect(await saidIn([busy], { retryIf: retryIfErrorType(TypeError) })).toEqual([["retryIf no"]]);
    expect(await saidIn([new NonRetryableError("x")])).toEqual([["the attempt asked for no other"]]);
    expect(await saidIn([new TryAgainError(), 1])).toEqual([["the attempt asked for another", "stop no"], []]);
    expect(await saidIn([open])).toEqual([["the breaker let it not through"]]);
    expect(await saidIn([full], once)).toEqual([["retryIf yes", "stop yes"]]);
    expect(await saidIn([busy, 1], { budget: retryBudget() })).toEqual([
      ["retryIf yes", "stop no", "budget paid 1"],
      [],
    ]);
    expect(await saidIn([busy], { budget: retryBudget({ initial: 0, trickle: { upTo: 0 } }) })).toEqual([
      ["retryIf yes", "stop no", "the budget refused"],
    ]);
    expect(await saidIn([busy], { totalTimeout: 3 })).toEqual([["totalTimeout is over, or would be"]]);
    expect(await saidIn([busy], { signal: AbortSignal.abort() })).toEqual([]);
    expect(await saidIn([0, 1], { retryIf: retryIfResult((n) => n === 0) })).toEqual([["retryIf yes", "stop no"], []]);
  });

  it("says where each delay came from", async () => {
    const asked = waitFromError((error) => (error as { after?: number }).after, waitFixed(1));
    const { attempts } = await recordOf(
      [Object.assign(new Error("x"), { after: 9 }), busy, new TryAgainError({ after: 3 }), 1],
      {
        wait: asked,
      },
    );

    expect(attempts.map(({ delay, source }) => [delay, source])).toEqual([
      [9, "hint"],
      [1, "policy"],
      [3, "hint"],
      [undefined, undefined],
    ]);
  });

  it("has one row for an attempt whose sleep was aborted", async () => {
    const controller = new AbortController();
    const records: CallRecord[] = [];
    const hooks = mergeHooks(
      traceCalls((record) => records.push(record)),
      { onRetry: () => controller.abort() },
    );

    await retry(flaky([busy, 1]), { ...hooks, signal: controller.signal })().catch(() => {});

    expect(records).toMatchObject([{ made: 1, omitted: 0, reason: "aborted", attempts: [{ attempt: 1 }] }]);
  });

  it("has no secret of an argument, a result or a URL in it", async () => {
    const error = new Error("GET https://ada:secret@example.com/v1?token=secret failed\nand\u001b[31m more");
    const record = await recordOf([error, "secret result"]);

    expect(JSON.stringify(record) + record).not.toContain("secret");
    expect(record.attempts[0]!.error).toBe("Error: GET https://example.com/v1?… failed\\u000aand\\u001b[31m more");
  });

  it("is the same of a sync call, and of each of two calls that overlap", async () => {
    const records: CallRecord[] = [];
    const hooks = traceCalls((record) => records.push(record));

    retrySync(flaky([busy, 1]), { ...hooks, wait: () => 0, name: "sync" })();
    const [a, b] = ["a", "b"].map((name) => retry(flaky([busy, 1]), { ...hooks, clock, wait: () => 0, name }));
    await Promise.all([a!(), b!()]);

    expect(records.map(({ name, made }) => [name, made])).toEqual([
      ["sync", 2],
      ["a", 2],
      ["b", 2],
    ]);
  });

  it("needs a listener", () => {
    expect(() => traceCalls(undefined as never)).toThrow("traceCalls: listener must be a function, got undefined");
  });
});

describe("redact", () => {
  it.each([
    ["https://ada:pw@example.com/", "https://example.com/"],
    ["https://example.com/a/b?key=1#x", "https://example.com/a/b?…"],
    ["https://example.com/a#access_token=1", "https://example.com/a?…"],
    ["postgres://ada:pw@db:5432/orders?sslmode=require", "postgres://db:5432/orders?…"],
    ["https://ada:p@w@example.com/x", "https://example.com/x"],
    [
      "https://hooks.example.com/services/T02ABCDEF/B03ABCDEF/x9Y8z7W6v5U4t3S2r1Q0",
      "https://hooks.example.com/services/T02ABCDEF/B03ABCDEF/…",
    ],
    ["https://example.com/users/3f2504e0-4f89-41d3-9a0c-0305e82c3301/pets", "https://example.com/users/…/pets"],
    ["https://example.com/a-long-word-without-any-number", "https://example.com/a-long-word-without-any-number"],
    ["two: http://a/?b and 'http://c/?d'", "two: http://a/?… and 'http://c/?…'"],
    ["no URL: a/b?c=d", "no URL: a/b?c=d"],
  ])("makes %j into %j", (text, redacted) => {
    expect(redact(text)).toBe(redacted);
  });
});
