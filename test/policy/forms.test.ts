import type { RetryIf, RetryState, Stop, Wait } from "undaunted";
import * as core from "undaunted";
import { describePolicy, policyFrom } from "undaunted/policy";
import { retryState, seededRandom } from "undaunted/testing";
import { retryIfTransient } from "undaunted/transient";
import { describe, expect, it } from "vitest";
import { FORMS } from "../../src/policy/forms.js";

// Each strategy as data and as code: both do the same in 50 random states, and so does what a description is made of again.

class Busy extends Error {
  override name = "Busy";
}
class Fatal extends Error {
  override name = "Fatal";
}
const isBig = (value: unknown) => Number(value) > 5;
const isBusy = (error: unknown) => error instanceof Busy;
const isLate = (state: RetryState) => state.attempt > 3;
const refs = { Busy, Fatal, isBig, isBusy, isLate };

const { stopAfterAttempt, stopAfterDelay, stopAll, stopAny, stopBeforeDelay, stopNever } = core;
const { waitExponential, waitFixed, waitNone, retryIfErrorCode, retryIfErrorName, retryIfError, retryIfResult } = core;
const { retryNever } = core;

type Pair<S> = readonly [data: unknown, code: S];

const STOPS: readonly Pair<Stop>[] = [
  ["stopNever", stopNever],
  [{ stopAfterAttempt: 5 }, stopAfterAttempt(5)],
  [{ stopAfterDelay: 4_000 }, stopAfterDelay(4_000)],
  [{ stopBeforeDelay: 4_000 }, stopBeforeDelay(4_000)],
  [
    { stopAny: [{ stopAfterAttempt: 8 }, { stopBeforeDelay: 3_000 }] },
    stopAny(stopAfterAttempt(8), stopBeforeDelay(3_000)),
  ],
  [
    { stopAll: [{ stopAfterAttempt: 3 }, { stopAfterDelay: 3_000 }] },
    stopAll(stopAfterAttempt(3), stopAfterDelay(3_000)),
  ],
  [{ stopAny: { stopAfterAttempt: 2 } }, stopAny(stopAfterAttempt(2))],
  [{ ref: "isLate" }, isLate],
];

const exponential = { base: 100, factor: 3, max: 5_000, min: 50 };
const withoutMin = { base: 100, factor: 3, max: 5_000 };
const base = { waitExponential: { base: 100 } };

const WAITS: readonly Pair<Wait>[] = [
  ["waitNone", waitNone],
  [{ waitFixed: 200 }, waitFixed(200)],
  [{ waitRandom: [100, 300] }, core.waitRandom(100, 300)],
  [
    { waitIncrementing: { start: 10, increment: 5, max: 40 } },
    core.waitIncrementing({ start: 10, increment: 5, max: 40 }),
  ],
  [{ waitExponential: exponential }, waitExponential(exponential)],
  [{ waitFullJitter: exponential }, core.waitFullJitter(exponential)],
  [{ waitEqualJitter: withoutMin }, core.waitEqualJitter(withoutMin)],
  [{ waitDecorrelatedJitter: { base: 100, max: 9_000 } }, core.waitDecorrelatedJitter({ base: 100, max: 9_000 })],
  [{ waitFibonacci: { base: 100, max: 900 } }, core.waitFibonacci({ base: 100, max: 900 })],
  [
    { waitJittered: { wait: base, from: 0.8, to: 1.2, max: 2_000 } },
    core.waitJittered(waitExponential({ base: 100 }), { from: 0.8, to: 1.2, max: 2_000 }),
  ],
  [{ waitResetAfter: [base, 800] }, core.waitResetAfter(waitExponential({ base: 100 }), 800)],
  [
    { waitChain: [{ waitFixed: 1 }, "waitNone", base] },
    core.waitChain(waitFixed(1), waitNone, waitExponential({ base: 100 })),
  ],
  [{ waitSum: [{ waitFixed: 7 }, base] }, core.waitSum(waitFixed(7), waitExponential({ base: 100 }))],
  [{ waitMax: [{ waitFixed: 700 }, base] }, core.waitMax(waitFixed(700), waitExponential({ base: 100 }))],
  [{ waitMin: [{ waitFixed: 700 }, base] }, core.waitMin(waitFixed(700), waitExponential({ base: 100 }))],
  [
    { waitFromError: { path: "response.headers.retry-after", unit: "s", otherwise: base } },
    core.waitFromError(
      (error: any) => {
        const after = error?.response?.headers["retry-after"];
        return after === undefined ? undefined : Number(after) * 1_000;
      },
      waitExponential({ base: 100 }),
    ),
  ],
  [
    { waitFromResult: { path: "after", otherwise: { waitFixed: 3 } } },
    core.waitFromResult((value: any) => value?.after, waitFixed(3)),
  ],
];

const RETRY_IFS: readonly Pair<RetryIf>[] = [
  ["retryNever", retryNever],
  ["retryIfError", retryIfError()],
  [{ retryIfError: { ref: "isBusy" } }, retryIfError(isBusy)],
  [{ retryIfErrorType: { ref: "Busy" } }, core.retryIfErrorType(Busy)],
  [{ retryIfErrorType: [{ ref: "Busy" }, { ref: "isBusy" }] }, core.retryIfErrorType(Busy, isBusy)],
  [{ retryIfErrorType: [[{ ref: "Busy" }, { ref: "Fatal" }]] }, core.retryIfErrorType([Busy, Fatal])],
  [{ retryIfNotErrorType: { ref: "Fatal" } }, core.retryIfNotErrorType(Fatal)],
  [{ retryIfNotErrorType: [{ ref: "Fatal" }, { ref: "Busy" }] }, core.retryIfNotErrorType([Fatal, Busy])],
  [{ retryIfErrorName: ["Busy"] }, retryIfErrorName("Busy")],
  [{ retryIfNotErrorName: "Busy" }, core.retryIfNotErrorName("Busy")],
  [{ retryIfErrorCode: [503, "ECONNRESET"] }, retryIfErrorCode(503, "ECONNRESET")],
  [{ retryIfErrorMessage: "us" }, core.retryIfErrorMessage("us")],
  [{ retryIfErrorMessage: { pattern: "^B", flags: "i" } }, core.retryIfErrorMessage(/^B/i)],
  [{ retryIfTransient: { idempotent: true } }, retryIfTransient({ idempotent: true })],
  [{ retryIfErrorCause: { ref: "isBusy" } }, core.retryIfErrorCause(isBusy)],
  [{ retryIfResult: { ref: "isBig" } }, retryIfResult(isBig)],
  [{ retryIfNotResult: { ref: "isBig" } }, core.retryIfNotResult(isBig)],
  [{ retryIfOutcome: { ref: "isLate" } }, core.retryIfOutcome(isLate)],
  [
    { retryIfAny: [{ retryIfErrorName: "Busy" }, { retryIfResult: { ref: "isBig" } }] },
    core.retryIfAny(retryIfErrorName("Busy"), retryIfResult(isBig)),
  ],
  [
    { retryIfAll: [{ retryIfErrorName: "Busy" }, { retryIfErrorCode: 503 }] },
    core.retryIfAll(retryIfErrorName("Busy"), retryIfErrorCode(503)),
  ],
  [{ retryIfNot: { retryIfErrorName: "Busy" } }, core.retryIfNot(retryIfErrorName("Busy"))],
  [{ ref: "isBusy" }, isBusy],
];

const random = seededRandom(7);
const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;

function randomState(): RetryState {
  const error = Object.assign(pick([new Busy("busy"), new Fatal("fatal", { cause: new Busy() }), new Error("Bust")]), {
    code: pick([503, "ECONNRESET", "ENOENT", undefined]),
    response: pick([undefined, { headers: { "retry-after": "2" } }, { headers: {} }]),
  });
  const value = pick([undefined, 3, 9, { after: 40 }]);
  return retryState({
    attempt: 1 + Math.floor(random() * 12),
    elapsed: random() * 6_000,
    attemptElapsed: random() * 1_600,
    delay: random() * 3_000,
    previousDelay: pick([0, random() * 2_000]),
    outcome: random() < 0.7 ? { ok: false, error } : { ok: true, value },
  });
}

const states = Array.from({ length: 50 }, randomState);

/** What a strategy says in all states, its random numbers the same for each that is asked. */
function sayings(role: "stop" | "wait" | "retryIf", strategy: any): unknown[] {
  const numbers = seededRandom(11);
  return states.map((state) => {
    const asked = retryState({ ...state, random: numbers });
    if (role !== "retryIf") return strategy(asked);
    return strategy(state.outcome.ok ? undefined : state.outcome.error, asked);
  });
}

describe.each([
  ["stop", STOPS],
  ["wait", WAITS],
  ["retryIf", RETRY_IFS],
] as const)("%s as data", (role, pairs) => {
  it.each(pairs.map(([data, code]) => [JSON.stringify(data), data, code] as const))(
    "does in 50 states what the same in code does: %s",
    (_, data, code) => {
      const made = policyFrom({ [role]: data } as never, refs);
      const again = policyFrom(JSON.parse(JSON.stringify(describePolicy(made))), refs);

      expect(sayings(role, made[role])).toEqual(sayings(role, code));
      expect(sayings(role, again[role])).toEqual(sayings(role, code));
      expect(describePolicy(made)).toEqual({ [role]: data });
    },
  );

  it("is there for each strategy that the core exports", () => {
    const prefix = role === "retryIf" ? /^retry(If|Never)/ : new RegExp(`^${role}[A-Z]`);
    const exported = Object.keys(core).filter((name) => prefix.test(name));

    const own = Object.keys(FORMS[role]).filter((name) => name !== "retryIfTransient");
    expect(own.sort()).toEqual(exported.sort());
    const tried = new Set(pairs.map(([data]) => (typeof data === "string" ? data : Object.keys(data as object)[0])));
    expect([...tried].filter((name) => name !== "ref").sort()).toEqual(Object.keys(FORMS[role]).sort());
  });
});

describe("a path of data", () => {
  it("asks a Map and Headers, and calls no other object's get", () => {
    const asked: string[] = [];
    const client = { get: (url: string) => asked.push(url) };
    const { wait } = policyFrom({ wait: { waitFromError: { path: "at.after", otherwise: { waitFixed: 9 } } } });
    const delayFor = (at: unknown) => wait!(retryState({ outcome: { ok: false, error: { at } } }));

    expect([new Map([["after", 5]]), new Headers({ after: "6" }), { after: 7 }, client].map(delayFor)).toEqual([
      5, 6, 7, 9,
    ]);
    expect(asked).toEqual([]);
  });
});
