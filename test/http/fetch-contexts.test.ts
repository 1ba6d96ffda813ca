import { AsyncLocalStorage } from "node:async_hooks";
import { bulkhead, waitFixed } from "undaunted";
import { retryFetch, retryIfHttpFailure } from "undaunted/http";
import { virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";

// Two users' calls through one client: one of them waits in the bulkhead for the other's slot, and each is refused once and
// renewed once. All code of a call must run in its own async context.

const user = new AsyncLocalStorage<string>();

it("what the caller hands to a client runs in the async context of its own call, also when it waited for another's slot", async () => {
  const seen = new Map<string, string[]>();
  const note = (what: string, url: string) => {
    const owner = new URL(url).pathname.slice(1);
    seen.set(what, [...(seen.get(what) ?? []), `${owner} as ${user.getStore()}`]);
  };
  const clock = virtualClock();
  const refused = new Set<string>();
  const api = retryFetch({
    clock,
    bulkhead: bulkhead({ limit: 1, queue: 9 }),
    wait: waitFixed(10),
    fetch: async (url: string) => {
      note("fetch", url);
      const status = refused.has(url) ? 200 : 503;
      refused.add(url);
      return new Response(null, { status });
    },
    authorize: async ({ request }) => {
      note("authorize", request.url.href);
      return { authorization: `${user.getStore()}` };
    },
    prepare: async ({ url }) => note("prepare", url.href),
    hint: async () => {
      note("hint", `https://example.com/${user.getStore()}`);
      return undefined;
    },
    retryIf: (error, { args }) => {
      note("retryIf", `${args[0]}`);
      return retryIfHttpFailure(error);
    },
    onAttempt: ({ args }) => note("onAttempt", `${args[0]}`),
    onRetry: ({ args }) => note("onRetry", `${args[0]}`),
    onSuccess: ({ args }) => note("onSuccess", `${args[0]}`),
  });

  const calls = Promise.all(
    ["ada", "bob", "eve"].map((name) => user.run(name, () => api(`https://example.com/${name}`))),
  );
  await clock.runAll();
  await calls;

  const wrong = [...seen].flatMap(([what, each]) =>
    each.filter((pair) => !/^(\w+) as \1$/.test(pair)).map((pair) => `${what}: ${pair}`),
  );
  expect(wrong).toEqual([]);
  expect([...seen.keys()].sort()).toEqual(
    ["authorize", "fetch", "hint", "onAttempt", "onRetry", "onSuccess", "prepare", "retryIf"].sort(),
  );
});
