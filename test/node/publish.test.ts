import { AsyncLocalStorage } from "node:async_hooks";
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { circuitBreaker, observe, retry, stopAfterAttempt, waitNone } from "undaunted";
import { publishEvents } from "undaunted/node";
import { flaky } from "undaunted/testing";
import { afterEach, beforeEach, expect, it } from "vitest";

const TYPES = ["attempt", "retry", "success", "give-up", "circuit-change", "circuit-refused"];
let published: [channel: string, event: unknown][];
let stop: () => void;
const hear = (event: unknown, name: string | symbol) => published.push([String(name), event]);

beforeEach(() => {
  published = [];
  for (const type of TYPES) subscribe(`undaunted:${type}`, hear);
  stop = publishEvents();
});
afterEach(() => {
  stop();
  for (const type of TYPES) unsubscribe(`undaunted:${type}`, hear);
});

it("publishes each event once, on the channel of its type, as observe delivers it", async () => {
  const observed: unknown[] = [];
  const end = observe((event) => observed.push(event));
  const breaker = circuitBreaker({ consecutiveFailures: 1 });

  await retry(flaky([new TypeError("busy"), "ok"]), { name: "load", wait: waitNone })();
  await retry(
    breaker.wrap(async () => Promise.reject(new Error("down"))),
    { stop: stopAfterAttempt(1) },
  )().catch(() => {});
  await breaker.run(() => 1).catch(() => {});
  end();

  expect(published.map(([, event]) => event)).toEqual(observed);
  expect(published.map(([name]) => name)).toEqual(
    observed.map((event) => `undaunted:${(event as { type: string }).type}`),
  );
  expect(published).toHaveLength(8);
});

it("an attempt, and what it awaits, runs in the stores that are bound to undaunted:attempt", async () => {
  const store = new AsyncLocalStorage<number>();
  const attempts = channel("undaunted:attempt");
  attempts.bindStore(store, (event) => (event as { attempt: number }).attempt);
  const seen: unknown[] = [];
  const work = flaky([new Error("busy"), "ok"]);

  await retry(
    async () => {
      seen.push(store.getStore());
      await null;
      seen.push(store.getStore());
      return work();
    },
    { wait: waitNone },
  )();
  attempts.unbindStore(store);

  expect(seen).toEqual([1, 1, 2, 2]);
  expect(store.getStore()).toBeUndefined();
});

it("publishes nothing once it has been stopped", async () => {
  stop();

  await retry(async () => {})();

  expect(published).toEqual([]);
});
