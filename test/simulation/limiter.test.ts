// A limiter that refuses calls with "429, come back in a second", and a client's calls through it, on virtual time: how many
// requests reach it for each call, with a policy's defaults, and with the origin paused.

import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { seededRandom, virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";

interface Run {
  /** The share of requests that are refused. */
  readonly refuses: number;
  readonly pauseOrigin: boolean;
}

const CALLS = 100;

/** 10 calls a second. Returns the requests there were, and the share of calls that ended well. */
async function through({ refuses, pauseOrigin }: Run): Promise<{ requests: number; success: number }> {
  const clock = virtualClock();
  const random = seededRandom(1);
  let requests = 0;
  const limiter = async () => {
    requests++;
    return random() < refuses
      ? new Response(null, { status: 429, headers: { "retry-after": "1" } })
      : new Response(null, { status: 200 });
  };
  const options: RetryFetchOptions = { clock, random, pauseOrigin };
  const api = retryFetch({ ...options, fetch: limiter as typeof fetch });
  const calls: Promise<Response>[] = [];
  for (let n = 0; n < CALLS; n++) {
    clock.setTimer(() => calls.push(api("https://api.example.com/")), n * 100);
  }

  for (let minute = 0; minute < 10; minute++) await clock.advance(60_000);

  const ended = await Promise.all(calls);
  return { requests, success: ended.filter(({ ok }) => ok).length / ended.length };
}

it.each([
  { refuses: 0.5, pauseOrigin: false, least: 0.75 },
  { refuses: 0.5, pauseOrigin: true, least: 0.75 },
  { refuses: 1, pauseOrigin: false, least: 0 },
  { refuses: 1, pauseOrigin: true, least: 0 },
])("a limiter that refuses $refuses of all, pauseOrigin $pauseOrigin, meets at most 2 requests a call", async (run) => {
  const { requests, success } = await through(run);

  // And those that the budget holds when nothing has been heard of the limiter yet.
  expect(requests).toBeLessThanOrEqual(2 * CALLS + 10);
  expect(success).toBeGreaterThanOrEqual(run.least);
});

it("a burst of thirty calls that are each refused once ends well for all", async () => {
  const clock = virtualClock();
  const refused = new Set<string>();
  const limiter = async (url: string) => {
    if (refused.has(url)) return new Response(null, { status: 200 });
    refused.add(url);
    return new Response(null, { status: 429, headers: { "retry-after": "1" } });
  };
  const api = retryFetch({ fetch: limiter, clock });

  const calls = Promise.all(Array.from({ length: 30 }, (_, n) => api(`https://api.example.com/${n}`)));
  await clock.runAll();

  expect((await calls).map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 200));
});
