import {
  BulkheadFullError,
  bulkhead,
  bulkheads,
  CircuitOpenError,
  circuitBreaker,
  circuitBreakers,
  currentAttempt,
  stopAfterAttempt,
  waitFixed,
  waitNone,
} from "undaunted";
import { originOf, type RetryFetchOptions, retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { networkError, othersRun, status } from "./fetching.js";

const A = "https://a.example/path?x=1";
const B = "https://b.example/";
const down: typeof fetch = async () => status(500);
const hang: typeof fetch = () => new Promise(() => {});

describe("breaker", () => {
  /** The failures that a breaker counts in one attempt. */
  async function failures(first: unknown, options: RetryFetchOptions = {}): Promise<number> {
    const breaker = circuitBreaker({ consecutiveFailures: 100 });
    const api = retryFetch({ fetch: flaky([first]), stop: stopAfterAttempt(1), breaker, ...options });
    await api(A).catch(() => {});
    return breaker.stats.failures;
  }

  it("counts what statuses lists", async () => {
    expect(await failures(status(503))).toBe(1);
    expect(await failures(status(404), { statuses: [404] })).toBe(1);
    expect(await failures(status(202), { statuses: [202] })).toBe(1);
  });

  it("counts what statuses lists also where the server wants no retry", async () => {
    expect(await failures(status(503, { "x-should-retry": "false" }))).toBe(1);
  });

  it("counts no other status", async () => {
    expect(await failures(status(404))).toBe(0);
    expect(await failures(status(503), { statuses: [] })).toBe(0);
    expect(await failures(status(404), { throwOnFailure: true })).toBe(0);
    expect(await failures(status(404, { "x-should-retry": "true" }))).toBe(0);
  });

  it("counts a network that failed", async () => {
    expect(await failures(networkError("ECONNRESET"))).toBe(1);
  });

  it("does not hear of what prepare throws, or of a body that cannot be made", async () => {
    const broken = () => {
      throw new Error("broken");
    };
    const breaker = circuitBreaker();
    const api = retryFetch({ fetch: flaky([]), breaker });

    await api
      .with({ prepare: broken })(A)
      .catch(() => {});
    await api(A, { method: "PUT", body: broken }).catch(() => {});

    expect(breaker.stats).toMatchObject({ successes: 0, failures: 0, ignored: 0 });
  });

  it("counts an attempt that timed out, at once", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker();
    const api = retryFetch({ fetch: hang, breaker, attemptTimeout: 50, clock });
    api(A).catch(() => {});

    await clock.advance(50);

    expect(breaker.stats.failures).toBe(1);
  });

  it("counts an attempt that timed out after an async prepare", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker();
    const api = retryFetch({
      fetch: hang,
      prepare: async () => null,
      breaker,
      attemptTimeout: 50,
      clock,
    });
    api(A).catch(() => {});

    await clock.advance(50);

    expect(breaker.stats.failures).toBe(1);
  });

  it("sees each attempt, and ends the call once it is open", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 3 });
    const server = flaky(Array.from({ length: 3 }, () => status(500)));

    await expect(retryFetch({ fetch: server, breaker, wait: waitNone })(A)).rejects.toBeInstanceOf(CircuitOpenError);

    expect(server).toHaveBeenCalledTimes(3);
  });

  it("stays open for as long as the server asked for", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 1_000, clock });
    const server = flaky([status(503, { "retry-after": "40" })]);
    await retryFetch({ fetch: server, breaker, clock, stop: stopAfterAttempt(1) })(A);

    await clock.advance(39_999);
    const before = breaker.state;
    await clock.advance(1);

    expect([before, breaker.state]).toEqual(["open", "half-open"]);
  });

  it("may be each origin's own", async () => {
    const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 1 });
    const api = retryFetch({ fetch: async (url: string) => status(url === A ? 500 : 200), breaker });

    await api(A).catch(() => {});

    expect(breaker.get("https://a.example").state).toBe("open");
    expect((await api(B)).status).toBe(200);
  });

  it("is that of the origin that prepare moves the request to", async () => {
    const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 1 });
    const prepare = (request: { url: URL }) => {
      request.url = new URL(B);
    };

    await retryFetch({ fetch: flaky([status(500)]), breaker, prepare, stop: stopAfterAttempt(1) })(A);

    expect(breaker.get("https://b.example").state).toBe("open");
  });
});

describe("bulkhead", () => {
  it("limits the attempts in flight", async () => {
    const slots = bulkhead({ limit: 1 });
    slots.run(() => new Promise(() => {}));
    const api = retryFetch({ fetch: flaky([]), bulkhead: slots, stop: stopAfterAttempt(1) });

    await expect(api(A)).rejects.toBeInstanceOf(BulkheadFullError);
  });

  it("has its slot free while the call sleeps", async () => {
    const clock = virtualClock();
    const slots = bulkhead({ limit: 1 });
    const api = retryFetch({ fetch: down, bulkhead: slots, wait: waitFixed(1_000), clock });
    const call = api(A);

    await clock.advance(500);
    const { inFlight } = slots;
    await clock.runAll();
    await call;

    expect(inFlight).toBe(0);
  });

  it("holds its slot while prepare is waited for", async () => {
    const slots = bulkhead({ limit: 1 });
    retryFetch({ fetch: flaky([]), bulkhead: slots, prepare: () => new Promise(() => {}) })(A);

    await othersRun();

    expect(slots.inFlight).toBe(1);
  });

  it("stands around the breaker, which does not hear of what it refuses", async () => {
    const slots = bulkhead({ limit: 1 });
    slots.run(() => new Promise(() => {}));
    const breaker = circuitBreaker();
    const api = retryFetch({ fetch: flaky([]), bulkhead: slots, breaker, stop: stopAfterAttempt(1) });

    await api(A).catch(() => {});

    expect(breaker.stats).toMatchObject({ successes: 0, failures: 0, ignored: 0 });
  });

  it("may be each origin's own", async () => {
    const slots = bulkheads({ key: originOf, limit: 1 });
    const api = retryFetch({
      fetch: (url: string) => (url === A ? hang(url) : down(url)),
      bulkhead: slots,
      stop: stopAfterAttempt(1),
    });
    api(A);

    await expect(api(A)).rejects.toBeInstanceOf(BulkheadFullError);

    expect((await api(B)).status).toBe(500);
  });

  it("lets go of a call that queued, when a slot is free", async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    let free!: (value?: unknown) => void;
    slots.run(() => new Promise((resolve) => (free = resolve)));
    const call = retryFetch({ fetch: flaky([status(200)]), bulkhead: slots, prepare: async () => null })(A);
    await othersRun();

    free();

    expect((await call).status).toBe(200);
  });
});

it("fetch is called within the current attempt, also after an async prepare", async () => {
  const attempts: number[] = [];
  const fetch = async (_: string) => {
    attempts.push(currentAttempt().attempt);
    return status(attempts.length === 1 ? 503 : 200);
  };

  await retryFetch({ fetch, prepare: async () => null, wait: waitNone })(A);

  expect(attempts).toEqual([1, 2]);
});
