import { retry, waitFixed, waitNone } from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { busy, countedSignal, never, now, reason, recordingBudget, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

describe("a budget whose retry never begins", () => {
  it("gives a budget its tokens back after an abort in the sleep", async () => {
    const { signal, abort } = countedSignal();
    const { budget, log } = recordingBudget(() => 3);
    const result = retry(flaky([busy]), { clock: virtualClock(), signal, budget, wait: waitFixed(10) })();
    await now(result);

    abort();

    await expect(result).rejects.toBe(reason);
    expect(log).toEqual(["acquire", "refund 3"]);
  });

  it.each(["onRetry", "onAttempt"] as const)(
    "gives a budget its tokens back after a deadline in a pending %s",
    async (hook) => {
      const clock = virtualClock();
      const { budget, log } = recordingBudget(() => 2);
      let calls = 0;
      const result = retry(flaky([busy]), {
        clock,
        budget,
        totalTimeout: 100,
        wait: waitNone,
        // The first attempt's own onAttempt lets it begin.
        [hook]: () => (hook === "onRetry" || ++calls > 1 ? never() : undefined),
      })();
      result.catch(() => {});

      await clock.advance(100);

      await expect(result).rejects.toMatchObject({ code: "ERR_TOTAL_TIMEOUT" });
      expect(log).toEqual(["acquire", "refund 2"]);
    },
  );

  it("gives back what a budget grants after the end", async () => {
    const { signal, abort } = countedSignal();
    let grant = (_taken: number) => {};
    const { budget, log } = recordingBudget(
      () =>
        new Promise((resolve) => {
          grant = resolve;
        }),
    );
    const result = retry(flaky([busy]), { signal, budget, ...instant })();
    await now(result);

    abort();
    await expect(result).rejects.toBe(reason);
    grant(5);
    await now(result);

    expect(log).toEqual(["acquire", "refund 5"]);
  });

  it("leaves a budget what a retry took that has begun", async () => {
    const { signal, abort } = countedSignal();
    const { budget, log } = recordingBudget(() => 1);
    const result = retry(flaky([busy, never]), { signal, budget, ...instant })();
    await now(result);

    abort();

    await expect(result).rejects.toBe(reason);
    expect(log).toEqual(["acquire"]);
  });
});
