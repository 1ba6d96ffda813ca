import {
  type GiveUpState,
  NonRetryableError,
  type RetryState,
  retry,
  retryIfResult,
  runWithRetry,
  stopAfterAttempt,
  stopAfterDelay,
  stopAll,
  stopAny,
  stopBeforeDelay,
  stopNever,
  waitFixed,
  waitNone,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { bothLoops } from "./both-loops.js";

const busy = new Error("busy");
const mine = new Error("mine");
const end = () => {
  throw new NonRetryableError("gone", { cause: mine });
};
const budget = { acquire: end, recordSuccess() {}, refund() {}, balance: 0 };
const strategies: [string, object][] = [
  ["retryIf", { retryIf: end }],
  ["wait", { wait: end }],
  ["a wait under a user's own stop", { wait: end, stop: () => true }],
  ["stop", { stop: end }],
  ["a budget's acquire", { budget }],
];

describe.each(bothLoops)("a NonRetryableError in a strategy of %s", (_name, wrap) => {
  it.each(strategies)("ends the call with its cause: in %s", async (_, options) => {
    const seen: GiveUpState[] = [];
    const load = flaky([busy, "too late"]);
    const call = wrap(load, { ...instant, ...options, onGiveUp: (state: GiveUpState) => seen.push(state) });

    await expect(call()).rejects.toBe(mine);
    expect(load.calls).toHaveLength(1);
    expect(seen).toMatchObject([{ reason: "not-retryable", error: mine, outcome: { ok: false, error: busy } }]);
  });

  it("ends it with itself where it has no object for a cause", async () => {
    const gone = new NonRetryableError("gone", { cause: "a string" });
    const retryIf = () => {
      throw gone;
    };

    await expect(wrap(flaky([busy]), { ...instant, retryIf })()).rejects.toBe(gone);
  });

  it("ends it after a value too, whose outcome it stays", async () => {
    const seen: GiveUpState[] = [];
    const onGiveUp = (state: GiveUpState) => seen.push(state);

    await expect(wrap(flaky(["pending"]), { ...instant, retryIf: retryIfResult(end), onGiveUp })()).rejects.toBe(mine);
    expect(seen).toMatchObject([{ reason: "not-retryable", error: mine, outcome: { ok: true, value: "pending" } }]);
  });

  it("lets a fallback return something else", async () => {
    const fallback = ({ error, reason }: GiveUpState) => [error, reason];

    expect(await wrap(flaky([busy]), { ...instant, retryIf: end, fallback })()).toEqual([mine, "not-retryable"]);
  });

  it("is no attempt for an outer policy, one that retries what is exhausted included", async () => {
    const load = flaky([busy, "too late"]);
    const inner = wrap(load, { ...instant, retryIf: end });

    await expect(retry(async () => inner(), { ...instant, retryExhausted: true })()).rejects.toBe(mine);
    expect(load.calls).toHaveLength(1);
  });
});

it.each<[string, object]>([
  ["retryIf", { retryIf: async () => end() }],
  ["a budget's acquire", { budget: { ...budget, acquire: async () => end() } }],
])("a NonRetryableError that %s rejects with ends the call too", async (_, options) => {
  const load = flaky([busy, "too late"]);

  await expect(retry(load, { ...instant, ...options })()).rejects.toBe(mine);
  expect(load.calls).toHaveLength(1);
});

it("a NonRetryableError that stop throws when it is asked again before the sleep ends the call", async () => {
  const clock = virtualClock();
  let asked = 0;
  const seen: string[] = [];
  const result = runWithRetry(() => Promise.reject(busy), {
    clock,
    wait: waitNone,
    stop: stopAny(stopBeforeDelay(1_000), () => (++asked > 1 ? end() : false)),
    onRetry: () => new Promise<void>((resolve) => void clock.setTimer(resolve, 10)),
    onGiveUp: ({ reason }) => seen.push(reason),
  });
  result.catch(() => {});
  await clock.advance(10);

  await expect(result).rejects.toBe(mine);
  expect(seen).toEqual(["not-retryable"]);
});

describe.each(bothLoops)("stop and wait in %s", (_name, wrap) => {
  const asked: string[] = [];
  const wait = () => {
    asked.push("wait");
    return 0;
  };
  const own = () => {
    asked.push("stop");
    return true;
  };

  it.each<[string, () => unknown]>([
    ["throws", () => expect.fail("no delay")],
    ["returns nonsense", () => "soon"],
    ["has no delay any more", () => undefined],
  ])("end in the attempt's own error where a wait that %s comes after a stop that says yes", async (_, broken) => {
    for (const stop of [stopAfterAttempt(1), stopAfterDelay(0), () => true, stopAny(stopNever, () => true)]) {
      await expect(wrap(flaky([busy]), { stop, wait: broken as never })()).rejects.toBe(busy);
    }
  });

  it.each([
    ["stopAfterAttempt", stopAfterAttempt(1)],
    ["stopAfterDelay", stopAfterDelay(0)],
    ["stopAll of such", stopAll(stopAfterAttempt(1), stopAfterDelay(0))],
  ])("are asked in this order, and wait not at all, where stop does not read the delay: %s", async (_, stop) => {
    asked.length = 0;
    await wrap(flaky([busy]), { stop, wait })().catch(() => {});

    expect(asked).toEqual([]);
  });

  it.each([
    ["a user's own", own],
    ["a combination that holds one", stopAny(stopAfterAttempt(1), own)],
    ["stopBeforeDelay", stopBeforeDelay(0)],
  ])("are asked in the other order where stop may read it: %s", async (_, stop) => {
    asked.length = 0;
    await wrap(flaky([busy]), { stop, wait })().catch(() => {});

    expect(asked[0]).toBe("wait");
  });
});

describe.each<[string, (abort: () => void) => () => boolean | Promise<boolean>]>([
  [
    "an async retryIf",
    (abort) => async () => {
      abort();
      return true;
    },
  ],
  [
    "an async retryIf that took a while",
    (abort) => async () => {
      await null;
      abort();
      return true;
    },
  ],
  [
    "a retryIf",
    (abort) => () => {
      abort();
      return true;
    },
  ],
])("a call that is aborted in %s", (_, retryIfThat) => {
  it.each([
    ["a stop", waitNone],
    ["a stop that reads the delay", waitFixed(10)],
  ])("asks for nothing more: neither %s, nor wait, nor the budget", async (_what, wait) => {
    const controller = new AbortController();
    const asked: string[] = [];
    const note = <T>(what: string, answer: T) => {
      asked.push(what);
      return answer;
    };
    const options = {
      signal: controller.signal,
      retryIf: retryIfThat(() => controller.abort(mine)),
      stop: ({ delay }: RetryState) => note("stop", delay > 99),
      wait: (state: RetryState) => note("wait", wait(state)),
      budget: { ...budget, acquire: () => note("budget", 1) },
    };

    await expect(retry(flaky([busy, "too late"]), options)()).rejects.toBe(mine);
    await new Promise((resolve) => setImmediate(resolve));

    expect(asked).toEqual([]);
  });
});
