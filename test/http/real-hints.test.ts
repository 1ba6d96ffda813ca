import { waitFixed, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { clients, driven, event, gaps, serving } from "./real-clients.js";
import { respond } from "./servers/index.js";

// The server's clock need not be ours: a time counts from the response's own date.
const date = "Thu, 01 Jan 2015 00:00:00 GMT";
const epoch = Date.parse(date) / 1_000;

const HINTS: readonly [string, Record<string, string>, number][] = [
  ["retry-after-ms", { "retry-after-ms": "1500.5" }, 1_500.5],
  ["x-ms-retry-after-ms", { "x-ms-retry-after-ms": "2500" }, 2_500],
  ["Retry-After in seconds", { "retry-after": "3" }, 3_000],
  ["Retry-After as a date", { date, "retry-after": "Thu, 01 Jan 2015 00:00:40 GMT" }, 40_000],
  ["Retry-After as a date of 1994", { date, "retry-after": "Thursday, 01-Jan-15 00:00:41 GMT" }, 41_000],
  ["Retry-After as a date of C", { date, "retry-after": "Thu Jan  1 00:00:42 2015" }, 42_000],
  ["x-amz-retry-after", { "x-amz-retry-after": "4500" }, 4_500],
  ["the field RateLimit", { ratelimit: '"default";r=0;t=12' }, 12_000],
  ["X-RateLimit-Reset in seconds", { "x-ratelimit-reset": "13" }, 13_000],
  ["X-RateLimit-Reset as a time", { date, "x-ratelimit-reset": `${epoch + 14}` }, 14_000],
  ["X-RateLimit-Reset as a time in ms", { date, "x-ratelimit-reset": `${epoch}000` }, 0],
  ["the first of several", { "x-ratelimit-reset": "30", "retry-after": "20", "retry-after-ms": "10000" }, 10_000],
];

describe.each(clients)("%s", (_, client) => {
  it.each(HINTS)("is called again as late as a 429 asks by %s", async (_name, headers, ms) => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(429, { headers, body: "slow down" }), respond(200)], { now: clock.now });

    const response = await retryFetch({ ...policy, wait: waitNone })(server.url("/"));

    expect(response.status).toBe(200);
    expect(gaps(server)).toEqual([ms]);
  });

  it("is called again up to half as late again as a 503 asks", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(503, { headers: { "retry-after": "10" } }), respond(200)], {
      now: clock.now,
    });

    await retryFetch({ ...policy, wait: waitNone, random: () => 0.5 })(server.url("/"));

    expect(gaps(server)).toEqual([12_500]);
  });

  it("is called again no earlier than its policy has it, whatever a 429 asks", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(429, { headers: { "retry-after": "1" } }), respond(200)], {
      now: clock.now,
    });

    await retryFetch({ ...policy, wait: waitFixed(5_000) })(server.url("/"));

    expect(gaps(server)).toEqual([5_000]);
  });

  it("is called again as its policy has it where a 503 only tells of a quota", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(503, { headers: { "x-ratelimit-reset": "30" } }), respond(200)], {
      now: clock.now,
    });

    await retryFetch({ ...policy, wait: waitFixed(5_000) })(server.url("/"));

    expect(gaps(server)).toEqual([5_000]);
  });

  it.each([
    ["a minute and a second", { "retry-after": "61" }],
    ["three years", { "retry-after": "99999999" }],
    ["more seconds than a number can hold", { "retry-after": "9".repeat(400) }],
    ["until a day in the year 9999", { "retry-after": "Fri, 31 Dec 9999 23:59:59 GMT" }],
    ["61,000 ms", { "retry-after-ms": "61000" }],
    ["until a reset in an hour", { "x-ratelimit-reset": "3600" }],
  ])("is called once, and answers the response, where a 429 asks for %s", async (_name, headers) => {
    const { delays, policy } = driven(client);
    const server = await serving([respond(429, { headers, body: "come back later" })]);

    const response = await retryFetch(policy)(server.url("/"));

    expect(response.status).toBe(429);
    expect(await response.text()).toBe("come back later");
    expect(server.requests).toHaveLength(1);
    expect(delays).toEqual([]);
  });

  it("is called after three years where its policy allows that", async () => {
    const { clock, policy } = driven(client);
    const server = await serving([respond(429, { headers: { "retry-after": "99999999" } }), respond(200)], {
      now: clock.now,
    });

    await retryFetch({ ...policy, wait: waitNone, maxRetryAfter: Infinity })(server.url("/"));

    expect(gaps(server)).toEqual([99_999_999_000]);
  });

  it("is not called at once where it waits for three years on the system's clock", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const server = await serving([respond(429, { headers: { "retry-after": "99999999" } })]);
    const caller = new AbortController();
    const attempts: number[] = [];
    const retry = event();
    const api = retryFetch({
      fetch: client.fetch,
      maxRetryAfter: Infinity,
      onAttempt: ({ attempt }) => attempts.push(attempt),
      onRetry: retry.happen,
    });

    const call = api(server.url("/"), { signal: caller.signal });
    await retry.happened;
    await vi.advanceTimersByTimeAsync(3_600_000);
    caller.abort(new Error("enough"));

    await expect(call).rejects.toThrow("enough");
    expect(attempts).toEqual([1]);
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ["once", "false", 503, 1],
    ["twice", "true", 418, 2],
  ])("is called %s where x-should-retry is %s beside a %i", async (_times, verdict, status, requests) => {
    const { policy } = driven(client);
    const server = await serving([respond(status, { headers: { "x-should-retry": verdict } }), respond(200)]);

    await retryFetch({ ...policy, wait: waitNone })(server.url("/"));

    expect(server.requests).toHaveLength(requests);
  });
});
