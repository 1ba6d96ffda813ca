import {
  AttemptTimeoutError,
  CircuitOpenError,
  NonRetryableError,
  type RetryOptions,
  retryBudget,
  retryIfErrorCode,
  retryIfResult,
  stopAfterAttempt,
  stopBeforeDelay,
  TryAgainError,
  throwRetryExhausted,
  waitDecorrelatedJitter,
  waitFixed,
  waitFromError,
  waitFullJitter,
  waitNone,
} from "undaunted";
import { type EndedAttempt, type NextAttempt, nextAttempt, type RetryMemo } from "undaunted/durable";
import { retryIfTransient } from "undaunted/transient";
import { describe, expect, it } from "vitest";

const busy = () => Object.assign(new Error("busy"), { code: "EBUSY" });
const failed = (error: unknown = busy()) => ({ outcome: { ok: false, error } }) as const;
const returned = <T>(value: T) => ({ outcome: { ok: true, value } }) as const;

/** As an engine keeps it. */
const kept = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/** The decisions on failures one after another; each is handed what was kept of the one before. */
async function decisions(options: object, errors: readonly unknown[], step = 0): Promise<NextAttempt[]> {
  const all: NextAttempt[] = [];
  let memo: RetryMemo | undefined;
  let now = 50_000;
  for (const error of errors) {
    const next = kept(await nextAttempt(options, { ...failed(error), memo, now }));
    all.push(next);
    if (next.do !== "retry") break;
    memo = next.memo;
    now = next.at + step;
  }
  return all;
}

describe("nextAttempt", () => {
  it("retries a failure after the policy's delay, and keeps what the next decision needs", async () => {
    const next = await nextAttempt({ wait: waitFixed(250) }, { ...failed(), now: 1_000 });

    expect(next).toEqual({
      do: "retry",
      delay: 250,
      at: 1_250,
      error: { name: "Error", message: "busy", code: "EBUSY" },
      memo: {
        v: 1,
        startedAt: 1_000,
        attempt: 1,
        previousDelay: 250,
        idle: 250,
        at: 1_250,
        taken: 0,
        errors: { Error: [1, 1], EBUSY: [1, 1] },
      },
    });
  });

  it("accepts a value", async () => {
    expect(await nextAttempt({}, returned("done"))).toEqual({ do: "accept", value: "done" });
  });

  it("gives up after the last attempt, with an error that an outer retry does not try again", async () => {
    const all = await decisions({ stop: stopAfterAttempt(3), wait: waitNone }, [busy(), busy(), busy()]);

    expect(all.map((each) => each.do)).toEqual(["retry", "retry", "giveUp"]);
    expect(all[2]).toMatchObject({
      reason: "stopped",
      error: { name: "Error", message: "busy", code: "EBUSY", exhausted: true },
      memo: { attempt: 3, taken: 0 },
    });
  });

  it("leaves what is not retryable to an outer retry", async () => {
    const next = await nextAttempt({ retryIf: retryIfErrorCode(503) }, failed());

    expect(next).toMatchObject({ do: "giveUp", reason: "not-retryable" });
    expect(next).not.toHaveProperty("error.exhausted");
  });

  it.each([
    ["a NonRetryableError", new NonRetryableError("no such user")],
    ["an open circuit", new CircuitOpenError("open")],
  ])("says of %s that nobody is to retry it, which its class cannot say any more", async (_what, error) => {
    expect(await nextAttempt({}, failed(error))).toMatchObject({
      do: "giveUp",
      reason: "not-retryable",
      error: { name: error.name, exhausted: true },
    });
  });

  it("waits as long as a TryAgainError says", async () => {
    expect(await nextAttempt({}, failed(new TryAgainError({ after: 77 })))).toMatchObject({ do: "retry", delay: 77 });
  });

  it("polls: a value that is not wanted yet has no error", async () => {
    const next = await nextAttempt({ retryIf: retryIfResult((v) => v === "no"), wait: waitNone }, returned("no"));

    expect(next).toMatchObject({ do: "retry", delay: 0 });
    expect(next).not.toHaveProperty("error");
  });

  it("reads the delay that a server asked for from the error", async () => {
    const wait = waitFromError((error) => (error as { retryAfter?: number }).retryAfter, waitFixed(1));
    const error = Object.assign(busy(), { retryAfter: 3_000 });

    expect(await nextAttempt({ wait }, failed(error))).toMatchObject({ delay: 3_000 });
  });

  it("goes on from the delay before, across processes", async () => {
    const wait = waitDecorrelatedJitter({ base: 100, max: 10_000 });

    const all = await decisions({ wait, random: () => 1 }, [busy(), busy(), busy()]);

    expect(all.map((each) => each.do === "retry" && each.delay)).toEqual([300, 900, 2_700]);
    expect(all[2]).toMatchObject({ memo: { idle: 3_900 } });
  });

  it("draws its random numbers from the policy's source", async () => {
    const wait = waitFullJitter({ base: 1_000 });

    expect(await nextAttempt({ wait, random: () => 0.25 }, failed())).toMatchObject({ delay: 250 });
  });

  it("waits for a predicate that is asynchronous", async () => {
    expect(await nextAttempt({ retryIf: async () => false }, failed())).toMatchObject({ reason: "not-retryable" });
  });

  it("takes the call's arguments to strategies", async () => {
    const retryIf: RetryOptions["retryIf"] = (_error, { args }) => args[0] === "again";

    expect(await nextAttempt({ retryIf }, { ...failed(), args: ["again"] })).toMatchObject({ do: "retry" });
    expect(await nextAttempt({ retryIf }, failed())).toMatchObject({ do: "giveUp" });
  });

  it("works with the predicate of another room", async () => {
    const next = await nextAttempt({ retryIf: retryIfTransient() }, failed(new TypeError("a bug")));

    expect(next).toMatchObject({ do: "giveUp", reason: "not-retryable" });
  });

  it("goes by new options at the next decision", async () => {
    const first = await nextAttempt({ wait: waitFixed(10) }, { ...failed(), now: 0 });
    const { memo } = first as { memo: RetryMemo };

    const second = await nextAttempt({ wait: waitFixed(99) }, { ...failed(), memo, now: 10 });

    expect(second).toMatchObject({ do: "retry", delay: 99, memo: { attempt: 2, idle: 109 } });
  });
});

describe("the time of nextAttempt", () => {
  it("holds a deadline over several decisions", async () => {
    const all = await decisions({ totalTimeout: 2_500, wait: waitFixed(1_000) }, [busy(), busy(), busy()]);

    expect(all.map((each) => each.do)).toEqual(["retry", "retry", "giveUp"]);
    expect(all[2]).toMatchObject({
      reason: "deadline",
      error: { code: "ERR_TOTAL_TIMEOUT", cause: { code: "EBUSY" } },
    });
  });

  it("holds a soft limit over several decisions", async () => {
    const all = await decisions({ stop: stopBeforeDelay(2_500), wait: waitFixed(1_000) }, [busy(), busy(), busy()]);

    expect(all.at(-1)).toMatchObject({ do: "giveUp", reason: "stopped", error: { code: "EBUSY" } });
  });

  it("counts a clock that went back as no time", async () => {
    let elapsed = -1;
    const stop = (state: { elapsed: number }) => {
      elapsed = state.elapsed;
      return false;
    };

    await nextAttempt({ stop }, { ...failed(), startedAt: 5_000, now: 4_000 });

    expect(elapsed).toBe(0);
  });

  it("takes what an engine counts before what the memo says", async () => {
    const seen: number[] = [];
    const stop = ({ attempt, elapsed }: { attempt: number; elapsed: number }) => {
      seen.push(attempt, elapsed);
      return false;
    };
    const { memo } = (await nextAttempt({}, { ...failed(), now: 0 })) as { memo: RetryMemo };

    await nextAttempt({ stop }, { ...failed(), memo, attempt: 7, startedAt: 100, now: 350 });

    expect(seen).toEqual([7, 250]);
  });

  it("asks again what took its time to decide", async () => {
    let now = 0;
    const { now: system } = Date;
    Date.now = () => now;
    try {
      const onRetry = async () => {
        now = 90;
      };
      const next = await nextAttempt({ stop: stopBeforeDelay(100), wait: waitFixed(50), onRetry }, failed());
      expect(next).toMatchObject({ do: "giveUp", reason: "stopped" });
    } finally {
      Date.now = system;
    }
  });
});

it("counts an attempt from when it was due, where no more is known", async () => {
  const seen: number[] = [];
  const stop = ({ attemptElapsed }: { attemptElapsed: number }) => {
    seen.push(attemptElapsed);
    return false;
  };
  const first = await nextAttempt({ stop, wait: waitFixed(1_000) }, { ...failed(), startedAt: 0, now: 40 });

  await nextAttempt({ stop }, { ...failed(), memo: (first as { memo: RetryMemo }).memo, now: 1_100 });

  expect(seen).toEqual([40, 60]);
});

it("gives up on nothing for others where it is detached", async () => {
  const next = await nextAttempt({ stop: stopAfterAttempt(1), detached: true }, failed());

  expect(next).toMatchObject({ do: "giveUp", reason: "stopped" });
  expect(next).not.toHaveProperty("error.exhausted");
});

describe("a budget of nextAttempt", () => {
  it("pays once for each retry that is decided, and not where there is none", async () => {
    const budget = retryBudget({ capacity: 2, trickle: { upTo: 0 }, fade: Infinity });

    const all = await decisions({ budget, wait: waitNone }, [busy(), busy(), busy()]);

    expect(all.map((each) => each.do)).toEqual(["retry", "retry", "giveUp"]);
    expect(all[0]).toMatchObject({ memo: { taken: 1 } });
    expect(all[2]).toMatchObject({ reason: "budget" });
    expect(budget.balance).toBe(0);
  });

  it.each<[string, unknown, number]>([
    ["gets its token back when the retry succeeds", busy(), 3],
    ["keeps the token after overload", Object.assign(busy(), { status: 503 }), 2],
    ["keeps the token after a timeout", new AttemptTimeoutError(10, 1), 2],
  ])("%s", async (_what, error, balance) => {
    const budget = retryBudget({ capacity: 3, perSuccess: 0, trickle: { upTo: 0 }, fade: Infinity });
    const [first] = await decisions({ budget }, [error]);

    await nextAttempt({ budget }, { ...returned(1), memo: (first as { memo: RetryMemo }).memo });

    expect(budget.balance).toBe(balance);
  });

  it("gets back what a retry took that its deadline then forbids", async () => {
    const budget = retryBudget({ capacity: 3, trickle: { upTo: 0 }, fade: Infinity });
    let now = 0;
    const { now: system } = Date;
    Date.now = () => now;
    try {
      const onRetry = () => {
        now = 1_000;
      };
      const next = await nextAttempt({ budget, onRetry, totalTimeout: 500, wait: waitNone }, failed());
      expect(next).toMatchObject({ do: "giveUp", reason: "deadline" });
      expect(budget.balance).toBe(3);
    } finally {
      Date.now = system;
    }
  });
});

describe("hooks and fallbacks of nextAttempt", () => {
  it("are called once per decision, and waited for", async () => {
    const seen: string[] = [];
    const hook = (name: string) => async () => {
      await undefined;
      seen.push(name);
    };
    const hooks = { onRetry: hook("retry"), onSuccess: hook("success"), onGiveUp: hook("give up") };
    const options = { ...hooks, stop: stopAfterAttempt(2), wait: waitNone };

    await decisions(options, [busy(), busy()]);
    await nextAttempt(options, returned(1));

    expect(seen).toEqual(["retry", "give up", "success"]);
  });

  it("turn giving up into a value that is accepted", async () => {
    const fallback = async ({ reason }: { reason: string }) => `instead: ${reason}`;

    const next = await nextAttempt({ stop: stopAfterAttempt(1), fallback }, failed());

    expect(next).toEqual({ do: "accept", value: "instead: stopped" });
  });

  it("give up in what a fallback throws", async () => {
    const next = await nextAttempt({ stop: stopAfterAttempt(1), fallback: throwRetryExhausted }, failed());

    expect(next).toMatchObject({
      do: "giveUp",
      reason: "stopped",
      error: { code: "ERR_RETRY_EXHAUSTED", cause: { code: "EBUSY" }, exhausted: true },
    });
  });

  it("change nothing by what they write to the state", async () => {
    const onGiveUp = (state: object) => void Object.assign(state, { error: new Error("written"), reason: "aborted" });
    const fallback = (state: { error: unknown; reason: string }) => [state.error, state.reason];
    const error = busy();

    const next = await nextAttempt({ stop: stopAfterAttempt(1), onGiveUp, fallback } as object, failed(error));

    expect(next).toEqual({ do: "accept", value: [error, "stopped"] });
  });

  it("change nothing where they fail", async () => {
    const errors: unknown[] = [];
    const onRetry = () => {
      throw "broken";
    };

    const next = await nextAttempt({ onRetry, onHookError: (error) => void errors.push(error) }, failed());

    expect(next).toMatchObject({ do: "retry" });
    expect(errors).toEqual(["broken"]);
  });
});

describe("what fails in nextAttempt", () => {
  it.each<[string, RetryOptions]>([
    ["stop throws", { stop: () => fail() }],
    ["wait throws", { wait: () => fail() }],
    ["wait returns NaN", { wait: () => Number.NaN }],
    ["retryIf rejects", { retryIf: async () => fail() }],
    ["the budget throws", { budget: { acquire: () => fail(), recordSuccess() {}, refund() {}, balance: 0 } }],
  ])("gives up where %s, without a fallback", async (_what, options) => {
    const next = await nextAttempt({ ...options, fallback: () => "instead" } as object, failed());

    expect(next).toMatchObject({
      do: "giveUp",
      reason: "strategy",
      error: { code: "ERR_RETRY_STRATEGY", exhausted: true },
    });
  });

  it.each<[string, unknown, RegExp]>([
    ["a later version", { v: 2 }, /version 2.*reads version 1/],
    ["no version", {}, /no version/],
    ["text", "1", /no version/],
    ["a number that JSON lost", { v: 1, startedAt: null }, /startedAt is no number/],
  ])("gives up on a memo of %s, and says so", async (_what, memo, message) => {
    const next = await nextAttempt({}, { ...failed(), memo: memo as RetryMemo });

    expect(next).toMatchObject({ do: "giveUp", reason: "memo", memo, error: { exhausted: true } });
    expect((next as { error: Error }).error.message).toMatch(message);
  });

  it("takes null for no memo, as a column of a table has it", async () => {
    expect(await nextAttempt({}, { ...failed(), memo: null })).toMatchObject({ memo: { attempt: 1 } });
  });

  it.each(["clock", "signal", "unref", "onLateResult"])("refuses %s, which means one process", (name) => {
    expect(() => nextAttempt({ [name]: {} } as object, failed())).toThrow(`nextAttempt: ${name} means one process`);
  });

  it.each<[string, object]>([
    ["an outcome", {}],
    ["an outcome that says how it ended", { outcome: { value: 1 } }],
    ["a whole number as attempt", { ...failed(), attempt: 0 }],
    ["a finite time", { ...failed(), now: Infinity }],
  ])("wants %s", (_what, ended) => {
    expect(() => nextAttempt({}, ended as EndedAttempt)).toThrow(/^nextAttempt: (outcome|attempt|now) must be/);
  });
});

function fail(): never {
  throw new Error("broken");
}

describe("a memo", () => {
  it("stays under 1 kB and holds no text of the errors' own, whatever they are", async () => {
    let memo: RetryMemo | undefined;
    for (let n = 1; n <= 60; n++) {
      const error = Object.assign(new Error(`card 4242 of user ${n}`), {
        name: `Error${"x".repeat(30)}${n}`,
        code: n % 2 ? `E_${"Y".repeat(36)}${n}` : `with a space ${n}`,
        status: 500 + n,
      });
      const next = await nextAttempt(
        { stop: () => false, wait: () => Math.PI * 1e5, random: () => 1 },
        {
          ...failed(error),
          memo,
          now: 1.7e12 + Math.PI * n,
        },
      );
      memo = kept((next as { memo: RetryMemo }).memo);
      expect(JSON.stringify(memo).length).toBeLessThanOrEqual(1_000);
    }

    expect(JSON.stringify(memo)).not.toMatch(/4242|with a space/);
    const numbers = (value: unknown): unknown[] =>
      typeof value === "object" ? Object.values(value as object).flatMap(numbers) : [typeof value];
    expect(new Set(numbers(memo))).toEqual(new Set(["number"]));
  });
});
