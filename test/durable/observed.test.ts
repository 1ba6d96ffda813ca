import { observe, stopAfterAttempt, waitFixed, waitNone } from "undaunted";
import { nextAttempt, type RetryMemo, retryDurably, runAttempt } from "undaunted/durable";
import { flaky, virtualClock } from "undaunted/testing";
import { expect, it, onTestFinished } from "vitest";
import { journalEngine } from "./journal.js";

const busy = () => Object.assign(new Error("busy"), { code: "EBUSY" });

/** What is reported of calls that begin now, without times and numbers of calls. */
function reported() {
  const events: object[] = [];
  onTestFinished(
    observe(({ type, name, attempt, ...rest }) => {
      const { code, reason, delay } = rest as { code?: unknown; reason?: string; delay?: number };
      events.push({
        type,
        name,
        attempt,
        ...(code !== undefined && { code }),
        ...(reason && { reason }),
        ...(delay && { delay }),
      });
    }),
  );
  return events;
}

it("each attempt of a durable call is reported under its own number, with what follows it", async () => {
  const events = reported();

  await journalEngine().run((each) =>
    retryDurably(each, flaky([busy(), busy(), "done"]), { wait: waitFixed(5), name: "charge" }),
  );

  expect(events).toEqual([
    { type: "attempt", name: "charge", attempt: 1 },
    { type: "retry", name: "charge", attempt: 1, code: "EBUSY", delay: 5 },
    { type: "attempt", name: "charge", attempt: 2 },
    { type: "retry", name: "charge", attempt: 2, code: "EBUSY", delay: 5 },
    { type: "attempt", name: "charge", attempt: 3 },
    { type: "success", name: "charge", attempt: 3 },
  ]);
});

it("giving up is reported, with the time since the call began in another process", async () => {
  const clock = virtualClock();
  const elapsed: unknown[] = [];
  const events = reported();
  onTestFinished(observe((event) => event.type === "give-up" && elapsed.push(event.elapsed)));
  const memo: RetryMemo = {
    ...{ v: 1, startedAt: 0, attempt: 1, previousDelay: 0, idle: 0, at: 0, taken: 0, errors: {} },
  };
  await clock.advance(700);

  await runAttempt(
    () => Promise.reject(busy()),
    { stop: stopAfterAttempt(2), wait: waitNone, clock, name: "charge" },
    memo,
  );

  expect(events).toEqual([
    { type: "attempt", name: "charge", attempt: 2 },
    { type: "give-up", name: "charge", attempt: 2, code: "EBUSY", reason: "stopped" },
  ]);
  expect(elapsed).toEqual([700]);
});

it("a decision alone is reported as what it is", async () => {
  const events = reported();
  const outcome = { ok: false, error: busy() } as const;

  await nextAttempt({ wait: waitFixed(5), name: "job" }, { outcome, attempt: 2 });
  await nextAttempt({ stop: () => JSON.parse("no"), name: "job" }, { outcome, attempt: 5 });

  expect(events).toEqual([
    { type: "retry", name: "job", attempt: 2, code: "EBUSY", delay: 5 },
    { type: "give-up", name: "job", attempt: 5, code: "ERR_RETRY_STRATEGY", reason: "broken" },
  ]);
});

it("a result that comes too late is reported", async () => {
  const clock = virtualClock();
  const events = reported();
  let finish: ((value: string) => void) | undefined;
  const task = () => new Promise<string>((resolve) => (finish = resolve));

  const running = runAttempt(task, { attemptTimeout: 10, clock, wait: waitNone, name: "slow" });
  await clock.advance(10);
  await running;
  finish!("late");
  await clock.advance(0);

  expect(events.at(-1)).toEqual({ type: "late-result", name: "slow", attempt: 1 });
});
