// Steps that other projects' own tests of their budgets state, replayed against the budgets of that name. The files in
// vectors/ hold the rows that are replayed and say which project, file and commit they were taken from.
//
// What is left out:
// - grpc-core's two Replacement cases swap the configuration of a throttle in use; ours are made once.
// - aws-go's CUBIC rate and its measured sending rate belong to the adaptive mode, which we do not have.
// - Of the AWS rows only outcome and quota are replayed: delays, and the delay that long polling makes when it gives up,
//   are no business of a budget.

import {
  awsRetryQuota,
  finagleRetryBudget,
  grpcRetryThrottle,
  type RetryBudget,
  retry,
  retryIfError,
  stopAfterAttempt,
  waitNone,
} from "undaunted";
import { flaky, retryState, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import standardMode from "../vectors/aws-standard-mode.json";
import timings from "../vectors/aws-timings-and-adaptive.json";
import steps from "../vectors/retry-budget.json";

interface Row {
  id: string;
  src: string;
  case: string;
  given: Partial<Record<string, number>>;
  op?: string | undefined;
  ops?: readonly (readonly (string | number | boolean)[])[] | undefined;
  expectRetryAllowed?: boolean | undefined;
  tokensAfter?: number | undefined;
  expectBalance?: number | undefined;
}

const rowsOf = (src: string): readonly Row[] => (steps.rows as readonly Row[]).filter((row) => row.src === src);

const refused = retryState({ outcome: { ok: false, error: { name: "ThrottlingException" } } });
const failed = retryState();

describe("a budget's steps", () => {
  it("a budget's steps are grpc-core's in 15 rows", () => {
    const rows = rowsOf("grpc-core");
    const throttle = grpcRetryThrottle({ maxTokens: 4, tokenRatio: 1.6 });

    expect(rows).toHaveLength(15);
    for (const { id, given, op, expectRetryAllowed, tokensAfter } of rows) {
      expect(given, id).toEqual({ maxTokens: 4, tokenRatio: 1.6 });
      if (op === "success") throttle.recordSuccess(0);
      else throttle.recordFailure!(failed);
      expect(throttle.balance, id).toBe(tokensAfter);
      if (expectRetryAllowed !== undefined) expect(throttle.acquire(failed), id).toBe(expectRetryAllowed ? 1 : 0);
    }
  });

  const ofFinagle = ({ given }: Row) =>
    finagleRetryBudget({
      ttl: given.ttlS === undefined ? undefined : given.ttlS * 1_000,
      minPerSecond: given.minRetriesPerSec,
      ratio: given.percentCanRetry,
      clock: virtualClock(),
    });

  it("a budget's steps are finagle's in 2 rows", () => {
    const rows = rowsOf("finagle-budget").filter((row) => row.op !== "construct");
    const [aboveOne, empty] = rows;
    const [generous, mean] = rows.map(ofFinagle);

    expect(rows).toHaveLength(2);
    for (let deposit = 0; deposit < 10_000; deposit++) generous!.recordSuccess(0);
    expect(generous!.balance, aboveOne!.id).toBe(aboveOne!.expectBalance);
    mean!.recordSuccess(0);
    expect(mean!.acquire(failed) === 1, empty!.id).toBe(empty!.expectRetryAllowed);
  });

  it("a budget's steps are refused as by finagle in 4 rows", () => {
    const rows = rowsOf("finagle-budget").filter((row) => row.op === "construct");

    expect(rows).toHaveLength(4);
    for (const row of rows) expect(() => ofFinagle(row), row.id).toThrow(RangeError);
  });

  it("a budget's steps are tower's in 3 rows", async () => {
    const rows = rowsOf("tower-budget");

    expect(rows).toHaveLength(3);
    for (const { id, given, ops } of rows) {
      const clock = virtualClock();
      const budget = finagleRetryBudget({
        ttl: given.ttlMs,
        minPerSecond: given.minPerSec,
        ratio: given.percent,
        clock,
      });
      for (const [op, argument] of ops!) {
        if (op === "deposit") budget.recordSuccess(0);
        else if (op === "advance") await clock.advance(argument as number);
        else expect(budget.acquire(failed) === 1, id).toBe(argument);
      }
    }
  });

  it("a budget's steps are aws-py's in 4 rows", () => {
    const rows = rowsOf("aws-py");

    expect(rows).toHaveLength(4);
    for (const { id, given, ops } of rows) {
      const quota = awsRetryQuota({ capacity: given.capacity });
      const play: Record<string, (amount: number) => unknown> = {
        capacity: () => quota.balance,
        acquire: () => quota.acquire(failed) || "throws",
        acquireThrottling: () => quota.acquire(refused) || "throws",
        release: (amount) => {
          quota.recordSuccess(amount);
          return amount;
        },
      };
      for (const [op, argument] of ops!) expect(play[op as string]!(argument as number), id).toBe(argument);
    }
  });
});

/** A failed response as the AWS SDK for JavaScript throws it. */
function awsError(status: number, name = "Error") {
  return Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status } });
}

const THROTTLING = "Throttling";
const retryIf = retryIfError((error: any) => error.$metadata.httpStatusCode >= 500 || error.name === THROTTLING);

describe("AWS's standard mode", () => {
  interface Step {
    status: number;
    errorCode?: string | undefined;
    outcome: string;
    quota?: number | undefined;
  }
  interface Case {
    id: string;
    given: { maxAttempts?: number | undefined; initialTokens?: number | undefined };
    steps: readonly Step[];
  }

  const outcomes: Record<string, string> = {
    stopped: "max_attempts_exceeded",
    budget: "retry_quota_exceeded",
    "not-retryable": "fail_request",
  };

  /** Plays the responses, one call after the other, and tells what became of each. */
  async function replay({ given, steps: expected }: Case): Promise<Step[]> {
    const { maxAttempts = 3, initialTokens } = given;
    const budget = awsRetryQuota({ initial: initialTokens });
    const send = flaky(expected.map((step) => (step.status === 200 ? "ok" : awsError(step.status, step.errorCode))));
    const seen: Step[] = [];
    const note = (outcome: string) => {
      const { status, errorCode } = expected[seen.length]!;
      seen.push({ status, errorCode, outcome, quota: budget.balance });
    };
    const call = retry(send, {
      stop: stopAfterAttempt(maxAttempts),
      wait: waitNone,
      retryIf,
      budget,
      clock: virtualClock(),
      onRetry: () => note("retry_request"),
      onSuccess: () => note("success"),
      onGiveUp: ({ reason }) => note(outcomes[reason] ?? reason),
    });
    while (seen.length < expected.length) await call().catch(() => {});
    return seen;
  }

  it("ends in the same outcome and quota after each response in 19 rows", async () => {
    const cases = standardMode.rows as readonly Case[];

    expect(cases).toHaveLength(19);
    for (const each of cases) {
      const expected = each.steps.map(({ status, errorCode, outcome, quota }) => ({
        status,
        errorCode,
        outcome,
        // What a failure that is not retried leaves is not stated.
        quota: quota ?? 500,
      }));
      expect(await replay(each), each.id).toEqual(expected);
    }
  });
});

describe("AWS's costs", () => {
  const attemptsPerCase = 8;

  /** Tokens gone when each attempt begins, since the one before began. */
  async function costsOf(budget: RetryBudget, errorTypes: readonly string[]): Promise<(number | null)[]> {
    const errors = errorTypes.map((type) => (type === "THROTTLING" ? awsError(400, THROTTLING) : awsError(500)));
    const costs: (number | null)[] = [];
    let before = budget.balance;
    const call = retry(flaky(errors), {
      stop: stopAfterAttempt(attemptsPerCase),
      wait: waitNone,
      retryIf,
      budget,
      onAttempt: () => {
        costs.push(before! - budget.balance! || null);
        before = budget.balance;
      },
    });
    await call().catch(() => {});
    return costs;
  }

  it.each([
    ["legacy-costs", { cost: 10 }, 32],
    ["2026", {}, 16],
  ])("AWS's costs of the version %s are the same in %3$i rows", async (version, options, count) => {
    const rows = timings.rows.filter((row) => row.version === version);

    expect(rows).toHaveLength(count);
    for (let from = 0; from < rows.length; from += attemptsPerCase) {
      const ofCase = rows.slice(from, from + attemptsPerCase);
      // The row of a retry names the failure that it follows; the first attempt follows none.
      const errorTypes = [...ofCase.slice(1).map((row) => row.errorType), "TRANSIENT"];
      expect(await costsOf(awsRetryQuota(options), errorTypes), ofCase[0]!.id).toEqual(ofCase.map((row) => row.cost));
    }
  });
});
