import { retry, stopAfterAttempt, stopAll, stopAny, waitNone } from "undaunted";
import { nextAttempt, type RetryMemo, stopAfterErrors } from "undaunted/durable";
import { flaky, instant, retryState } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const error = (fields: object) => Object.assign(new Error("failed"), fields);

describe("stopAfterErrors", () => {
  it("stops once so many attempts have failed with the same code", async () => {
    const fails = flaky([{ code: "A" }, { code: "B" }, { code: "A" }, { code: "B" }].map(error));

    await retry(fails, { ...instant, stop: stopAfterErrors(2, "A", "B") })().catch(() => {});

    expect(fails.calls).toHaveLength(3);
  });

  it("counts for each call on its own", async () => {
    const fails = flaky([{ code: "A" }, { code: "A" }].map(error));
    const call = retry(fails, { ...instant, stop: stopAny(stopAfterErrors(2, "A"), stopAfterAttempt(1)) });

    await call().catch(() => {});
    await call().catch(() => {});

    expect(fails.calls).toHaveLength(2);
  });

  it.each<[string, string | number, object]>([
    ["a name", "BusyError", { name: "BusyError" }],
    ["a code", "EBUSY", { code: "EBUSY" }],
    ["a status", 429, { status: 429 }],
    ["a number as code", 8, { code: 8 }],
    ["the code of a cause", "EBUSY", { cause: { code: "EBUSY" } }],
  ])("looks at %s", (_what, wanted, fields) => {
    const state = () => retryState({ call: {}, outcome: { ok: false, error: error(fields) } });

    expect(stopAfterErrors(1, wanted)(state())).toBe(true);
    expect(stopAfterErrors(2, wanted)(state())).toBe(false);
    expect(stopAfterErrors(1, "OTHER")(state())).toBe(false);
  });

  it("takes the outermost code, as retryIfErrorCode does", () => {
    const outcome = { ok: false, error: error({ code: "OUTER", cause: { code: "INNER" } }) } as const;

    expect(stopAfterErrors(1, "INNER")(retryState({ call: {}, outcome }))).toBe(false);
  });

  it("knows a number from a text", () => {
    const outcome = { ok: false, error: error({ code: "429" }) } as const;

    expect(stopAfterErrors(1, 429)(retryState({ call: {}, outcome }))).toBe(false);
  });

  it("counts an attempt once, however often it is asked about it", () => {
    const stop = stopAfterErrors(2, "A");
    const state = retryState({ call: {}, outcome: { ok: false, error: error({ code: "A" }) } });

    expect([stop(state), stop(state), stop({ ...state, attempt: 2 })]).toEqual([false, false, true]);
  });

  it("stands first in stopAll", async () => {
    const fails = flaky([1, 2, 3, 4].map(() => error({ code: "A" })));

    await retry(fails, { ...instant, stop: stopAll(stopAfterErrors(2, "A"), stopAfterAttempt(3)) })().catch(() => {});

    expect(fails.calls).toHaveLength(3);
  });

  it("goes on counting in another process, by the memo", async () => {
    const stop = stopAfterErrors(3, "A");
    let memo: RetryMemo | undefined;
    const verdicts: string[] = [];
    for (const code of ["A", "B", "A", "A"]) {
      const next = await nextAttempt(
        { stop, wait: waitNone },
        { outcome: { ok: false, error: error({ code }) }, memo },
      );
      verdicts.push(next.do);
      memo = JSON.parse(JSON.stringify((next as { memo: RetryMemo }).memo));
    }

    expect(verdicts).toEqual(["retry", "retry", "retry", "giveUp"]);
  });

  it("counts an attempt once that was decided in a process that died", async () => {
    const stop = stopAfterErrors(2, "A");
    const outcome = { ok: false, error: error({ code: "A" }) } as const;
    const { memo } = (await nextAttempt({ stop }, { outcome, attempt: 1 })) as { memo: RetryMemo };

    expect(await nextAttempt({ stop }, { outcome, attempt: 1, memo })).toMatchObject({ do: "retry" });
  });

  it.each<[string, () => unknown]>([
    ["no number", () => stopAfterErrors(0, "A")],
    ["nothing to count", () => stopAfterErrors(1)],
    ["a code that a memo would not keep", () => stopAfterErrors(1, "two words")],
    ["NaN", () => stopAfterErrors(1, Number.NaN)],
  ])("refuses %s", (_what, make) => {
    expect(make).toThrow(/^stopAfterErrors: /);
  });
});
