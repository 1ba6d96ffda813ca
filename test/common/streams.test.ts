import { EMPTY, Observable, of } from "rxjs";
import {
  bulkhead,
  bulkheads,
  circuitBreaker,
  circuitBreakers,
  NonRetryableError,
  retry,
  retrySync,
  runWithRetry,
  runWithRetrySync,
} from "undaunted";
import { idempotent } from "undaunted/idempotency";
import { instant } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

async function* numbers() {
  yield 1;
}

type Observe = { subscribe(): unknown };

const STREAMS: [what: string, make: () => unknown][] = [
  ["an async generator", () => numbers()],
  ["an Observable", () => of(1)],
  ["an Observable", () => EMPTY],
  ["an Observable", () => new Observable<number>()],
  ["an Observable", (): Observe => ({ subscribe: () => {}, ["@@observable" as never]: () => {} })],
];

const key = () => "key";

/** All that may call a function of the user's, how often it may do so, and what it makes of the function. */
const WRAPPERS: [name: string, wrap: (fn: () => unknown) => () => Promise<unknown>][] = [
  ["retry", (fn) => retry(fn, instant)],
  ["retry with a signal", (fn) => retry(fn, { ...instant, signal: new AbortController().signal })],
  ["retry with a timeout", (fn) => retry(fn, { ...instant, totalTimeout: 1_000 })],
  ["runWithRetry", (fn) => () => runWithRetry(fn, instant)],
  ["circuitBreaker's wrap", (fn) => circuitBreaker().wrap(fn)],
  ["circuitBreaker's wrap in a policy", (fn) => retry(circuitBreaker().wrap(fn), instant)],
  ["circuitBreaker's run", (fn) => () => circuitBreaker().run(fn)],
  ["circuitBreakers' wrap", (fn) => circuitBreakers({ key }).wrap(fn)],
  ["bulkhead's wrap", (fn) => bulkhead({ limit: 1 }).wrap(fn)],
  ["bulkhead's wrap in a policy", (fn) => retry(bulkhead({ limit: 1 }).wrap(fn), { ...instant, attemptTimeout: 100 })],
  ["bulkhead's run", (fn) => () => bulkhead({ limit: 1 }).run(fn)],
  ["bulkheads' wrap", (fn) => bulkheads({ key, limit: 1 }).wrap(fn)],
  ["idempotent", (fn) => idempotent(fn, { key })],
];

describe.each(WRAPPERS)("%s", (_, wrap) => {
  it.each(STREAMS)("refuses a function that returns %s, and calls it once", async (what, make) => {
    const fn = vi.fn(make);

    await expect(wrap(fn)()).rejects.toThrow(
      new TypeError(`fn must not return ${what}: wrap a function that consumes it`),
    );
    expect(fn).toHaveBeenCalledTimes(1);
  });
});

// What `idempotent` returns must be JSON.
describe.each(WRAPPERS.slice(0, -1))("%s", (_, wrap) => {
  it("passes on what a promise brings, though it is a stream", async () => {
    const stream = of(1);

    expect(await wrap(async () => stream)()).toBe(stream);
  });

  it.each([
    ["an object that only has a method subscribe", { subscribe() {} }],
    ["a stream of Node's, which has a pipe", { pipe() {} }],
    ["an object that lets nothing unknown be read", strict({ id: 1 })],
  ])("passes on %s", async (_what, value) => {
    expect(await wrap(() => value)()).toBe(value);
  });
});

/** Throws where a property is read that it does not have, as the configuration objects of some programs do. */
function strict(of: object): object {
  return new Proxy(of, {
    get(target, name) {
      if (name === "then" || typeof name === "symbol" || name in target) return Reflect.get(target, name);
      throw new Error(`no ${name}`);
    },
  });
}

describe.each<[string, (fn: () => any) => () => unknown]>([
  ["retrySync", (fn) => retrySync(fn, instant)],
  ["runWithRetrySync", (fn) => () => runWithRetrySync(fn, instant)],
  ["circuitBreaker's wrapSync", (fn) => circuitBreaker().wrapSync(fn)],
])("%s", (_, wrap) => {
  it.each(STREAMS)("refuses a sync function that returns %s, and calls it once", (what, make) => {
    const fn = vi.fn(make);

    expect(wrap(fn)).toThrow(`fn must not return ${what}; use `);
    expect(fn).toHaveBeenCalledTimes(1);
  });
});

it("a breaker counts a function that returns a stream as nothing: its callee was not asked", async () => {
  const breaker = circuitBreaker({ consecutiveFailures: 1 });

  await breaker.run(() => of(1)).catch(() => {});

  expect(breaker.state).toBe("closed");
  expect(breaker.stats).toMatchObject({ failures: 0, ignored: 1 });
});

it("a guard hears of a promise by its own `then` only where that is the usual one, as `await` takes it", async () => {
  const promise = Object.assign(Promise.resolve("done"), {
    then: () => {
      throw new NonRetryableError("instrumented");
    },
  });

  expect(await circuitBreaker().wrap(() => promise)()).toBe("done");
  expect(await bulkhead({ limit: 1 }).wrap(() => promise)()).toBe("done");
});
