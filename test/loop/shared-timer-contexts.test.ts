import { AsyncLocalStorage } from "node:async_hooks";
import { currentAttempt, type RetryOptions, retry, stopAfterAttempt, waitNone } from "undaunted";
import { expect, it } from "vitest";
import { busy, never, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

const requests = new AsyncLocalStorage<string>();

/** Options that write down what runs for which call, and in whose context. */
function spied(seen: string[]): RetryOptions {
  const note =
    <T>(what: string, answer: T) =>
    (state: { args?: readonly unknown[] } | unknown): T => {
      const of = (state as { args?: readonly unknown[] } | undefined)?.args?.[0] ?? "?";
      seen.push(`${what} of ${of} in ${requests.getStore()}`);
      return answer;
    };
  const budget = {
    acquire: note("acquire", 1),
    recordSuccess() {},
    refund: (_: number, state: unknown) => note("refund", undefined)(state),
    balance: 1,
  };
  return {
    budget,
    retryIf: (_: unknown, state: unknown) => note("retryIf", true)(state),
    onAttempt: note("onAttempt", undefined),
    onRetry: note("onRetry", undefined),
    onGiveUp: note("onGiveUp", undefined),
    fallback: note("fallback", "fallback"),
  };
}

/** Whatever ran for a call that was not its own. */
const strays = (seen: string[]) => seen.filter((each) => !/ of (\w+) in \1$/.test(each));

it.each([{ attemptTimeout: 20 }, { totalTimeout: 20 }])(
  "all code of a call's runs in its own context when a timer that it shares with others ends it: %o",
  async (timeouts) => {
    const seen: string[] = [];
    const call = retry((id: string) => (id === "warm" ? Promise.resolve() : never()), {
      ...spied(seen),
      ...timeouts,
      stop: stopAfterAttempt(2),
      wait: waitNone,
    });
    await requests.run("warm", () => call("warm"));

    const calls = ["a", "b", "c"].map((id) =>
      requests.run(id, () => call(id).then(() => seen.push(`then of ${id} in ${requests.getStore()}`))),
    );
    await Promise.all(calls);

    expect(strays(seen)).toEqual([]);
    expect(seen.filter((each) => each.startsWith("fallback"))).toHaveLength(3);
  },
);

it("a late result is reported in the context of its call, when a shared timer ended that", async () => {
  const seen: string[] = [];
  const settle = new Map<string, () => void>();
  const call = retry(
    (id: string) =>
      id === "warm" ? Promise.resolve(id) : new Promise<string>((resolve) => settle.set(id, () => resolve(id))),
    {
      attemptTimeout: 20,
      stop: stopAfterAttempt(1),
      onLateResult: (outcome) => void seen.push(`late of ${outcome.ok && outcome.value} in ${requests.getStore()}`),
    },
  );
  await requests.run("warm", () => call("warm"));
  const calls = ["a", "b"].map((id) => requests.run(id, () => call(id).catch(() => {})));
  await Promise.all(calls);

  requests.run("whoever settles it", () => {
    for (const each of settle.values()) each();
  });
  await new Promise((resolve) => setImmediate(resolve));

  expect(seen.sort()).toEqual(["late of a in a", "late of b in b"]);
});

it("calls that are aborted while they sleep or run give up and get their tokens back in their own contexts", async () => {
  const seen: string[] = [];
  const controller = new AbortController();
  const { fallback, ...options } = spied(seen);
  const call = retry((id: string) => (id === "b" ? never() : Promise.reject(busy)), {
    ...options,
    signal: controller.signal,
    attemptTimeout: 60_000,
    wait: () => 60_000,
  });
  const calls = ["a", "b", "c"].map((id) =>
    requests.run(id, () => call(id).catch(() => seen.push(`catch of ${id} in ${requests.getStore()}`))),
  );
  await new Promise((resolve) => setImmediate(resolve));

  requests.run("aborter", () => controller.abort());
  await Promise.all(calls);

  expect(strays(seen)).toEqual([]);
  expect(seen.filter((each) => each.startsWith("refund"))).toHaveLength(2);
  expect(seen.filter((each) => each.startsWith("onGiveUp"))).toHaveLength(3);
});

it("calls that an outer attempt ends, each in a context of its own within it, keep theirs", async () => {
  const seen: string[] = [];
  const { fallback, budget, ...options } = spied(seen);
  const inner = retry((_id: string) => never(), options);
  const outer = retry(
    () => {
      void currentAttempt().signal;
      return Promise.all(["a", "b"].map((id) => requests.run(id, () => inner(id))));
    },
    { attemptTimeout: 20, stop: stopAfterAttempt(1) },
  );

  await requests.run("outer", () => outer().catch(() => {}));
  await new Promise((resolve) => setImmediate(resolve));

  expect(strays(seen)).toEqual([]);
  expect(seen.filter((each) => each.startsWith("onGiveUp"))).toHaveLength(2);
});
