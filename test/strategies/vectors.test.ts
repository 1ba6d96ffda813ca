// Delays, stops and refusals that other projects' own tests state, replayed where the rule is ours too. The files in
// vectors/ hold the rows that are replayed and say which project, file and commit they were taken from.
//
// What those projects test and we do otherwise, and so leave out:
// - urllib3: the first retry comes at once.
// - litl's decay, node-retry's, p-retry's and lifeomic's factors below 1: our delays do not shrink.
// - celery's and avast's negative base: we refuse it.
// - aws-py's decorrelated jitter draws from base to base + 3 · previous and clamps the sample; we clamp the window.
// - Polly's decorrelated jitter v2, spring's jitter floored at the base, cockatiel's stateful function: we have no such
//   wait.
// - cockatiel's jitters: its windows are stated too widely to tell one rule from another.
// - cenkalti's inclusive whole numbers, resilience4j's intervals cut to whole ms after every step: ours are not rounded.
// - backon's largest representable delay: ours ends at `max`. Its total delay may end exactly at the bound, ours not.
// - Options: one attempt, a delay or cap of 0 and any string as a code are fine with us; a factor of 0 is not. Rows
//   about hedging, throttling, budgets and breakers are not about these strategies.

import {
  retry,
  retryIfErrorCode,
  type Stop,
  stopAfterAttempt,
  stopAfterDelay,
  stopAll,
  stopAny,
  stopBeforeDelay,
  stopNever,
  type Wait,
  waitChain,
  waitEqualJitter,
  waitExponential,
  waitFibonacci,
  waitFixed,
  waitFullJitter,
  waitIncrementing,
  waitJittered,
  waitMax,
  waitMin,
  waitRandom,
  waitSum,
} from "undaunted";
import { retryState } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import backoff from "../vectors/backoff.json";
import options from "../vectors/option-validation.json";
import stops from "../vectors/stop-conditions.json";

const ALMOST_1 = 1 - 2 ** -53;

describe("delays", () => {
  interface Row {
    id: string;
    src: string;
    strategy: string;
    params: Partial<Record<string, any>>;
    n: number;
    rand?: number | undefined;
    expect?: number | string | undefined;
    tolerance?: number | undefined;
    expectRange?: number[] | undefined;
    stat?: string | undefined;
  }

  const rows: readonly Row[] = backoff.rows;

  const exponential = ({ initialMs, factor, maxMs, minMs }: Row["params"]) => ({
    base: initialMs,
    factor,
    max: maxMs ?? Number.MAX_VALUE,
    min: minMs,
  });
  const linear = ({ initialMs, incrementMs, delayMs, maxMs }: Row["params"]) =>
    waitIncrementing({ start: initialMs ?? delayMs, increment: incrementMs ?? delayMs, max: maxMs });
  const fibonacci = ({ initialMs, maxMs }: Row["params"]) =>
    waitFibonacci({ base: initialMs, max: maxMs ?? Number.MAX_VALUE });
  const around = (jitterFactor: number) => ({ from: 1 - jitterFactor, to: 1 + jitterFactor });
  const list = ({ delaysMs }: Row["params"]) => waitChain(...delaysMs.map(waitFixed));
  const floored =
    (wait: Wait): Wait =>
    (state) =>
      Math.floor(wait(state));
  // Failsafe counts its jitter downwards: what it draws is our distance from the upper end.
  const mirrored =
    (wait: Wait): Wait =>
    (state) =>
      Math.floor(wait({ ...state, random: () => 1 - state.random() }));

  const waits: Record<string, (params: Row["params"]) => Wait> = {
    constant: ({ delayMs }) => waitFixed(delayMs),
    linear,
    fibonacci,
    list,
    "list-then-repeat-last": list,
    uniform: ({ minMs, maxMs }) => waitRandom(minMs, maxMs),
    "uniform, truncated": ({ minMs, maxMs }) => floored(waitRandom(minMs, maxMs)),
    exponential: (params) => waitExponential(exponential(params)),
    "exponential-full-jitter": (params) => waitFullJitter(exponential(params)),
    "exponential-full-jitter, floor to integer ms": (params) => floored(waitFullJitter(exponential(params))),
    "exponential-equal-jitter": ({ initialMs, factor, maxMs }) =>
      waitEqualJitter({ base: initialMs, factor, max: maxMs }),
    "exponential+jitterAdd": ({ jitterMs, minMs = 0, ...params }) =>
      waitMax(
        waitFixed(minMs),
        waitMin(waitFixed(params.maxMs), waitSum(waitExponential(exponential(params)), waitRandom(0, jitterMs))),
      ),
    "exponential + uniform(0,delay)": (params) =>
      waitJittered(waitExponential(exponential(params)), { from: 1, to: 2 }),
    "exponential * (1+rand)": (params) => waitJittered(waitExponential(exponential(params)), { from: 1, to: 2 }),
    "exponential * (1+0.2*rand), exponent starts at n": (params) =>
      waitJittered(waitExponential({ base: params.initialMs * params.factor, factor: params.factor }), {
        from: 1,
        to: 1.2,
      }),
    "exponential ±randomizationFactor": (params) =>
      waitJittered(waitExponential(exponential(params)), around(params.jitterFactor)),
    "exponential ±jitterFactor": (params) =>
      waitJittered(waitExponential(exponential(params)), around(params.jitterFactor)),
    "constant ±jitterFactor": ({ delayMs, jitterFactor }) => waitJittered(waitFixed(delayMs), around(jitterFactor)),
    "constant ±factor jitter (rand 0 = +)": ({ delayMs, jitterFactor }) =>
      mirrored(waitJittered(waitFixed(delayMs), around(jitterFactor))),
    "constant ±ms jitter (rand 0 = +)": ({ delayMs, jitterMs }) =>
      mirrored(waitSum(waitFixed(delayMs - jitterMs), waitRandom(0, 2 * jitterMs))),
    "linear ±25% jitter": (params) => waitJittered(linear(params), around(0.25)),
    "fibonacci + uniform(0,initial)": (params) => waitSum(fibonacci(params), waitRandom(0, params.initialMs)),
  };

  const stopOf = ({ maxRetries, maxTotalDelayMs }: Row["params"]): Stop =>
    stopAny(
      maxRetries === undefined ? stopNever : stopAfterAttempt(maxRetries + 1),
      maxTotalDelayMs === undefined ? stopNever : stopAfterDelay(maxTotalDelayMs),
    );

  /** The delay before the n-th retry, or "stop", where attempts take no time. */
  function play({ params, strategy, n }: Row, random: number): number | "stop" {
    const [wait, stop] = [waits[strategy]!(params), stopOf(params)];
    let elapsed = 0;
    for (let attempt = 1; ; attempt++) {
      const state = retryState({ attempt, elapsed, random: () => random });
      const delay = wait(state);
      if (stop({ ...state, delay })) return "stop";
      if (attempt === n) return delay;
      elapsed += delay;
    }
  }

  function replay(row: Row) {
    if (row.stat) {
      const delays = Array.from({ length: 4_000 }, (_, index) => play(row, (index + 0.5) / 4_000) as number);
      const mean = delays.reduce((sum, delay) => sum + delay, 0) / 4_000;
      expect(mean, row.id).toBeGreaterThanOrEqual(row.expectRange![0]!);
      expect(mean, row.id).toBeLessThanOrEqual(row.expectRange![1]!);
      return;
    }
    const ends = row.rand === undefined ? [0, ALMOST_1] : [row.rand, row.rand];
    const expected = row.expectRange ?? [row.expect, row.expect];
    for (const [index, random] of ends.entries()) {
      const delay = play(row, random);
      if (typeof delay === "string" || typeof expected[index] === "string") {
        expect(delay, row.id).toBe(expected[index]);
        continue;
      }
      // Some peers state the ends of a window in whole ms.
      const tolerance = row.expectRange ? row.expectRange[1]! / 100 : (row.tolerance ?? 0);
      expect(Math.abs(delay - expected[index]!), `${row.id}: ${delay}`).toBeLessThanOrEqual(tolerance);
    }
  }

  it.each([
    ["tenacity", 63],
    ["go-retryablehttp", 3],
    ["aws-go", 1],
    ["aws-go-jitter", 2],
    ["aws-ts-backoff", 6],
    ["aws-py", 43],
    ["botocore-v21", 5],
    ["polly", 13],
    ["failsafe", 11],
    ["spring", 16],
    ["finagle-backoff", 24],
    ["litl", 47],
    ["cenkalti", 7],
    ["celery", 1],
    ["bullmq", 10],
    ["avast", 8],
    ["gax-go", 15],
    ["backon", 37],
    ["resilience4j", 2],
    ["lifeomic", 8],
    ["node-retry", 3],
    ["cockatiel", 8],
    ["p-retry", 5],
    ["axios-retry", 25],
  ])("delays are those of %s in %i rows", (src, count) => {
    const followed = rows.filter((row) => row.src === src);

    expect(followed).toHaveLength(count);
    followed.forEach(replay);
  });

  it("vectors come from projects that are named, with a commit", () => {
    expect([...new Set(rows.map((row) => row.src))].sort()).toEqual(Object.keys(backoff.sources).sort());
  });
});

describe("stops", () => {
  interface Condition {
    kind: string;
    value?: number | undefined;
    of?: Condition[] | undefined;
  }

  const leaves: Record<string, (value: number) => Stop> = {
    never: () => stopNever,
    maxAttempts: stopAfterAttempt,
    maxElapsedMs: stopAfterDelay,
    maxElapsedIncludingNextDelayMs: stopBeforeDelay,
  };

  function stopOf({ kind, value, of = [] }: Condition): Stop {
    if (kind === "any") return stopAny(...of.map(stopOf));
    if (kind === "all") return stopAll(...of.map(stopOf));
    return leaves[kind]!(value!);
  }

  it.each([["tenacity", 42]])("are those of %s in %i rows", (src, count) => {
    const followed = stops.rows.filter((row) => row.src === src);

    expect(followed).toHaveLength(count);
    for (const { id, stop, attempt, elapsedMs, nextDelayMs, expectStop } of followed) {
      const state = retryState({ attempt, elapsed: elapsedMs, delay: nextDelayMs });
      expect(stopOf(stop)(state), id).toBe(expectStop);
    }
  });
});

describe("options", () => {
  const policies: Record<string, Record<string, (value: any) => unknown>> = {
    "grpc-node": {
      "retry.maxAttempts": (n) => stopAfterAttempt(n),
      "retry.initialBackoff": (base) => waitExponential({ base }),
      "retry.maxBackoff": (max) => waitExponential({ base: 1_000, max }),
      "retry.backoffMultiplier": (factor) => waitExponential({ base: 1_000, factor }),
      "retry.retryableStatusCodes": (codes) => retryIfErrorCode(...(codes ?? [codes])),
      'retry (maxAttempts 2, 1s, 1s, x1, [14,"RESOURCE_EXHAUSTED"])': () =>
        retry(async () => {}, {
          stop: stopAfterAttempt(2),
          wait: waitExponential({ base: 1_000, max: 1_000, factor: 1 }),
          retryIf: retryIfErrorCode(14, "RESOURCE_EXHAUSTED"),
        }),
    },
    "p-retry": {
      retries: (retries) => stopAfterAttempt(typeof retries === "number" ? retries + 1 : retries),
      forever: (forever) => retry(async () => {}, { forever } as object),
      maxRetryTime: (ms) => stopAfterDelay(ms),
    },
    resilience4j: {
      interval: (ms) => waitFixed(ms),
      maxInterval: (max) => waitExponential({ base: 100, max }),
      randomizationFactor: (factor) => waitJittered(waitFixed(100), { from: 1 - factor, to: 1 + factor }),
    },
    spring: {
      multiplier: (factor) => waitExponential({ base: 2_000, factor }),
    },
  };

  // JSON has no word for these.
  const values: Record<string, number> = { NaN: Number.NaN, Infinity };

  it.each([
    ["grpc-node", 12],
    ["p-retry", 7],
    ["resilience4j", 13],
    ["spring", 1],
  ])("options are refused and accepted as by %s in %i rows", (src, count) => {
    const followed = options.rows.filter((row) => row.src === src);

    expect(followed).toHaveLength(count);
    for (const { id, option, value, expect: verdict } of followed) {
      const make = () => policies[src]![option]!(values[String(value)] ?? value);
      // Which class a refusal has is each project's own affair.
      if (verdict === "ok") expect(make, id).not.toThrow();
      else expect(make, id).toThrow(/must be|must not be|at least one|no option/);
    }
  });
});
