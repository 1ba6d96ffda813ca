import {
  type GiveUpState,
  Retry,
  retry,
  retrySync,
  runWithRetry,
  runWithRetrySync,
  TotalTimeoutError,
} from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const ways: [string, (task: () => unknown, options: object) => unknown][] = [
  ["an options function", (task, options) => retry(task, () => options)()],
  ["an options function of a sync policy", async (task, options) => retrySync(task as () => any, () => options)()],
  ["with", (task, options) => retry(task).with(options)()],
  ["with of a sync policy", async (task, options) => retrySync(task as () => any).with(options)()],
  ["runWithRetry", (task, options) => runWithRetry(task, options)],
  ["runWithRetrySync", async (task, options) => runWithRetrySync(task as () => any, options)],
];

describe.each(ways)("a deadline that has passed, from %s,", (_, call) => {
  it.each([0, -5, -Infinity])(
    "of %d ms ends the call before it begins, with onGiveUp and no onAttempt",
    async (totalTimeout) => {
      const task = flaky(["too late"]);
      const seen: GiveUpState[] = [];
      const onAttempt = () => expect.fail("an attempt began");
      const onGiveUp = (state: GiveUpState) => seen.push(state);

      const result = Promise.resolve(call(task, { totalTimeout, onAttempt, onGiveUp }));
      const error = await result.then(
        () => expect.fail("it did not end"),
        (thrown: TotalTimeoutError) => thrown,
      );

      expect(error).toBeInstanceOf(TotalTimeoutError);
      expect(error).toMatchObject({ timeout: totalTimeout, attempts: 0 });
      expect(error.outcome).toEqual({ ok: false, error });
      expect(seen).toMatchObject([{ reason: "deadline", attempt: 0, error, outcome: { ok: false, error } }]);
      expect(task.calls).toHaveLength(0);
    },
  );

  it("asks a fallback", async () => {
    const task = flaky(["too late"]);

    expect(await call(task, { totalTimeout: -1, fallback: ({ reason }: GiveUpState) => `cached: ${reason}` })).toBe(
      "cached: deadline",
    );
    expect(task.calls).toHaveLength(0);
  });

  it("is a RangeError where it is no number", async () => {
    await expect((async () => call(() => 1, { totalTimeout: Number.NaN }))()).rejects.toThrow(RangeError);
  });
});

it("a deadline that all calls would have passed is a RangeError when the policy is made", () => {
  const message = "totalTimeout must be a number of ms above 0, got 0";

  expect(() => retry(() => 1, { totalTimeout: 0 })).toThrow(new RangeError(`retry: ${message}`));
  expect(() => retrySync(() => 1, { totalTimeout: 0 })).toThrow(new RangeError(`retrySync: ${message}`));
  expect(() => Retry({ totalTimeout: 0 })).toThrow(new RangeError(`retry: ${message}`));
  expect(() => retryFetch({ totalTimeout: 0 })).toThrow(new RangeError(`retryFetch: ${message}`));
});

it("a policy that was made for one call is refused for all of them", async () => {
  const options = { totalTimeout: 0 };

  await expect(runWithRetry(() => 1, options)).rejects.toBeInstanceOf(TotalTimeoutError);
  expect(() => retry(() => 1, options)).toThrow(RangeError);
});

it("a deadline that has passed ends a call of retryFetch whose options are worked out for it", async () => {
  const fetch = flaky([new Response("too late")]);

  await expect(retryFetch(() => ({ fetch, totalTimeout: -1 }))("https://example.com")).rejects.toBeInstanceOf(
    TotalTimeoutError,
  );
  expect(fetch.calls).toHaveLength(0);
});
