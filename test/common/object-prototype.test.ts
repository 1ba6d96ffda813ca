import {
  bulkhead,
  bulkheads,
  CircuitOpenError,
  circuitBreaker,
  circuitBreakers,
  retry,
  retryBudget,
  retrySync,
  runWithRetry,
  stopAfterAttempt,
  TryAgainError,
  waitExponential,
  waitNone,
} from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky } from "undaunted/testing";
import { retryIfTransient } from "undaunted/transient";
import { afterEach, describe, expect, it } from "vitest";

const polluted = Object.prototype as unknown as Record<string, unknown>;
const names: string[] = [];

/** Gives every object in the program a property, until the test is over. */
function pollute(name: string, value: unknown): void {
  polluted[name] = value;
  names.push(name);
}

afterEach(() => {
  for (const name of names.splice(0)) delete polluted[name];
});

const makers: [string, () => unknown][] = [
  ["retry", () => retry(() => 1, { stop: stopAfterAttempt(2) })],
  ["retrySync", () => retrySync(() => 1, { stop: stopAfterAttempt(2) })],
  ["with", () => retry(() => 1).with({ stop: stopAfterAttempt(2) })],
  ["waitExponential", () => waitExponential({ base: 5 })],
  ["circuitBreaker", () => circuitBreaker({ name: "api" })],
  ["bulkhead", () => bulkhead({ limit: 2 })],
  ["retryBudget", () => retryBudget({ capacity: 2 })],
  ["retryFetch", () => retryFetch({ throwOnFailure: true })],
  ["retryIfTransient", () => retryIfTransient({ idempotent: true })],
];

/** Fails at first where it is retried. */
const work = () => flaky([new Error("busy"), "ok"]);

const POLICY =
  "stop wait retryIf retryExhausted budget totalTimeout fallback onAttempt onRetry onSuccess onGiveUp onHookError";
const CALL = `${POLICY} name random attemptTimeout signal onLateResult unref detached clock`.split(" ");
const KEYED = "key max limit queue maxWait name onRefused onHookError clock".split(" ");
const BREAKER = "name window slowRate openFor halfOpen lease classify initialState onStateChange onRefused clock".split(
  " ",
);
const HTTP = `${POLICY} methods statuses prepare pauseOrigin throwOnFailure maxRetryAfter breaker bulkhead fetch`.split(
  " ",
);

const calls: [string, () => Promise<unknown>, string[]][] = [
  ["retry", () => retry(work(), { wait: waitNone })(), CALL],
  ["with", () => retry(work(), { wait: waitNone }).with({ retryExhausted: true })(), CALL],
  ["a function of options", () => retry(work(), () => ({ wait: waitNone }))(), CALL],
  ["runWithRetry", () => runWithRetry(work(), { wait: waitNone }), CALL],
  ["bulkheads", () => bulkheads({ key: () => 1, limit: 1 }).wrap(async () => "ok")(), KEYED],
  ["circuitBreakers", () => circuitBreakers({ key: () => 1 }).wrap(async () => "ok")(), BREAKER],
  [
    "retryFetch and its init",
    async () => {
      const api = retryFetch({
        fetch: flaky([new Response(null, { status: 503 }), new Response("ok")]),
        wait: waitNone,
      });
      return (await api("https://example.test/", {})).text();
    },
    HTTP,
  ],
];

describe("an enumerable property of Object.prototype", () => {
  it.each(makers)("makes no options an error: %s", (_, make) => {
    pollute("first", () => {});

    expect(make).not.toThrow();
  });

  it("is no option where its name is one", async () => {
    pollute("attemptTimeout", 1);
    pollute("stop", "never");
    pollute("base", -1);

    expect(await retry(() => new Promise((resolve) => setTimeout(resolve, 5, "ok")), {})()).toBe("ok");
    expect(await runWithRetry(() => "ok", {})).toBe("ok");
    expect(() => waitExponential({} as never)).toThrow("base must be a finite number of ms from 0, got undefined");
  });

  it.each(calls)("is no option of %s, whichever name it has", async (_, call, names) => {
    for (const name of names) {
      pollute(name, "polluted");
      await expect(call(), name).resolves.toBe("ok");
      delete polluted[name];
    }
  });

  it("is no cause of an error that has none", () => {
    pollute("cause", "polluted");

    expect(Object.hasOwn(new TryAgainError({}), "cause")).toBe(false);
    expect(Object.hasOwn(new CircuitOpenError("open", {}), "cause")).toBe(false);
  });

  it("hides no option of the object's own, nor one that it inherits", () => {
    pollute("base", 1);
    const inherits = Object.create({ base: -2 });

    expect(() => waitExponential({ base: -1 })).toThrow("got -1");
    expect(() => waitExponential(inherits)).toThrow("got -2");
  });

  it("is none of another realm's either", async () => {
    const { runInNewContext } = await import("node:vm");
    const options = runInNewContext("Object.prototype.first = 1; ({ base: 5 })");

    expect(() => waitExponential(options)).not.toThrow();
    expect(() => waitExponential(runInNewContext("({ first: 1, base: 5 })"))).toThrow('no option "first"');
  });
});
