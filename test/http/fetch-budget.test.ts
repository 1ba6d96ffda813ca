import { type RetryBudget, retryBudget, retryBudgets, stopAfterAttempt, stopNever, waitNone } from "undaunted";
import { originOf, type RetryFetchOptions, retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { status } from "./fetching.js";

const A = "https://a.example/path?x=1";
const B = "https://b.example/";
const down: typeof fetch = async () => status(500);

describe("the budget by default", () => {
  const api = (options: RetryFetchOptions = {}) =>
    retryFetch({ fetch: down, wait: waitNone, stop: stopNever, clock: virtualClock(), ...options });

  it("is a retryBudget(), whose 10 tokens are spent with 10 retries", async () => {
    const client = api();

    expect((await client(A)).status).toBe(500);

    expect(client.stats.retries).toBe(10);
  });

  it("is each origin's own", async () => {
    const client = api();

    await client(A);
    await client(B);

    expect(client.stats.retries).toBe(20);
  });

  it("is shared by all paths and methods of an origin", async () => {
    const client = api();

    await client(A);
    await client(new Request("https://a.example/other", { method: "DELETE" }));

    expect(client.stats.retries).toBe(10);
  });

  it("is shared with the clients made by with()", async () => {
    const client = api();

    await client(A);
    await client.with({ name: "other" })(A);

    expect(client.stats.retries).toBe(10);
  });

  it("is shared by the policies that a function answers", async () => {
    const clock = virtualClock();
    const policies = [1, 2].map(() => ({ fetch: down, wait: waitNone, stop: stopNever, clock }));
    const client = retryFetch(({ url }) => policies[url.pathname === "/1" ? 0 : 1]!);

    await client("https://a.example/1");
    await client("https://a.example/2");

    expect(client.stats.retries).toBe(10);
  });

  it("is not shared with other clients", async () => {
    await api()(A);
    const client = api();

    await client(A);

    expect(client.stats.retries).toBe(10);
  });

  it("is filled by successes", async () => {
    const clock = virtualClock();
    const answers = [...Array.from({ length: 11 }, () => status(500)), ...Array.from({ length: 5 }, () => status(200))];
    const client = retryFetch({
      fetch: flaky([...answers, status(500), status(200)]),
      clock,
      wait: waitNone,
      stop: stopNever,
    });
    for (let n = 0; n < 6; n++) await client(A);

    const response = await client(A);

    expect(response.status).toBe(200);
  });

  it("keeps time by the policy's clock", async () => {
    const clock = virtualClock();
    const client = api({ clock });
    await client(A);

    await clock.advance(60_000);
    await client(A);

    expect(client.stats.retries).toBe(11);
  });

  it("is told to onGiveUp where it is spent", async () => {
    const reasons: string[] = [];

    await api({ onGiveUp: ({ reason }) => reasons.push(reason) })(A);

    expect(reasons).toEqual(["budget"]);
  });
});

describe("budget", () => {
  it("false is none", async () => {
    const client = retryFetch({ fetch: down, wait: waitNone, stop: stopAfterAttempt(30), budget: false });

    await client(A);

    expect(client.stats.attempts).toBe(30);
  });

  it("false may be given to with()", async () => {
    const client = retryFetch({ fetch: down, wait: waitNone, stop: stopAfterAttempt(30) });

    await client.with({ budget: false })(A);

    expect(client.stats.attempts).toBe(30);
  });

  it("may be one for all origins", async () => {
    const budget = retryBudget({ capacity: 3, clock: virtualClock() });
    const client = retryFetch({ fetch: down, wait: waitNone, stop: stopNever, budget });

    await client(A);
    await client(B);

    expect(client.stats.retries).toBe(3);
  });

  it("may be kept by origin, and shared by clients", async () => {
    const budget = retryBudgets({ key: originOf, capacity: 3, clock: virtualClock() });
    const [one, other] = [1, 2].map(() => retryFetch({ fetch: down, wait: waitNone, stop: stopNever, budget }));

    await one!(new URL(A));
    await other!(new Request(A));
    await other!(B);

    expect([one!.stats.retries, other!.stats.retries]).toEqual([3, 3]);
    expect(budget.size).toBe(2);
  });

  it("hears of successes with the call's arguments", async () => {
    const heard: unknown[] = [];
    const budget: RetryBudget = {
      acquire: () => 1,
      recordSuccess: (_taken, _after, args) => heard.push(...args!),
      refund() {},
      balance: 1,
    };

    await retryFetch({ fetch: flaky([status(200)]), budget })(A, { method: "PUT" });

    expect(heard).toEqual([A, { method: "PUT" }]);
  });
});
