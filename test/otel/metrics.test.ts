import {
  bulkhead,
  bulkheads,
  circuitBreaker,
  circuitBreakers,
  type RetryOptions,
  retry,
  retryBudget,
  retryBudgets,
  stopAfterAttempt,
  waitFixed,
} from "undaunted";
import { idempotent } from "undaunted/idempotency";
import { instrument } from "undaunted/otel";
import { flaky, virtualClock } from "undaunted/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { METRICS } from "../../src/otel/names.js";
import { read } from "../docs/blocks.js";
import { sdk } from "./collected.js";

let collected: ReturnType<typeof sdk>;
let stop: () => void;

beforeEach(() => {
  collected = sdk();
  stop = instrument(collected.providers);
});
afterEach(() => stop());

const busy = new TypeError("busy");
const fails = async (..._: unknown[]): Promise<unknown> => Promise.reject(busy);

/** The points of a metric, as `attributes value` each. */
async function points(name: string): Promise<unknown[]> {
  const metric = (await collected.metrics()).get(name);
  return (metric?.points ?? []).map(({ attributes, value }) => [
    Object.fromEntries(Object.entries(attributes).map(([key, of]) => [key.replace("undaunted.", ""), of])),
    value,
  ]);
}

async function twoRetries(): Promise<void> {
  const clock = virtualClock();
  const call = retry(flaky([busy, busy, "ok"]), { clock, name: "load", wait: waitFixed(500) })();
  await clock.advance(2_000);
  await call;
}

describe("the metrics of calls", () => {
  it("hold durations in seconds, attempts and retries per call, and delays", async () => {
    await twoRetries();
    const of = { policy: "load", outcome: "success" };

    expect(await points("undaunted.call.duration")).toEqual([[of, { count: 1, sum: 1 }]]);
    expect(await points("undaunted.call.attempts")).toEqual([[of, { count: 1, sum: 3 }]]);
    expect(await points("undaunted.call.retries")).toEqual([[of, { count: 1, sum: 2 }]]);
    expect(await points("undaunted.call.retry_delay")).toEqual([[of, { count: 1, sum: 1 }]]);
    expect(await points("undaunted.retry.delay")).toEqual([
      [
        { policy: "load", "delay.source": "policy" },
        { count: 2, sum: 1 },
      ],
    ]);
    expect(await points("undaunted.retries")).toEqual([[{ policy: "load", "error.type": "TypeError" }, 2]]);
    expect(await points("undaunted.attempt.duration")).toEqual([
      [
        { policy: "load", outcome: "retry", "error.type": "TypeError" },
        { count: 2, sum: 0 },
      ],
      [of, { count: 1, sum: 0 }],
    ]);
    expect(await points("undaunted.give_ups")).toEqual([]);
  });

  it("report no zeros: a call without a retry is in no histogram of retries", async () => {
    await retry(async () => 1, { name: "load" })();

    expect(await points("undaunted.call.retries")).toEqual([]);
    expect(await points("undaunted.call.retry_delay")).toEqual([]);
    expect(await points("undaunted.call.attempts")).toHaveLength(1);
  });

  it("count what was given up by its reason, and the time of each attempt once", async () => {
    const controller = new AbortController();
    await retry(fails, { name: "load", stop: stopAfterAttempt(1) })().catch(() => {});
    await retry(fails, { name: "load", signal: controller.signal, onRetry: () => controller.abort() })().catch(
      () => {},
    );

    expect(await points("undaunted.give_ups")).toEqual([
      [{ policy: "load", "error.type": "TypeError", reason: "stopped" }, 1],
      [{ policy: "load", "error.type": "AbortError", reason: "aborted" }, 1],
    ]);
    const attempts = await points("undaunted.attempt.duration");
    expect(attempts.map((point) => (point as [object, { count: number }])[1].count)).toEqual([1, 1]);
  });

  it("have a bound on names and error types: what comes after 200 is _OTHER", async () => {
    const once: RetryOptions = { stop: stopAfterAttempt(1) };
    for (let n = 0; n < 300; n++) {
      const error = Object.assign(new Error("x"), { name: `Error${n}` });
      await retry(async (): Promise<unknown> => Promise.reject(error), { ...once, name: `policy${n}` })().catch(
        () => {},
      );
    }

    const all = (await points("undaunted.give_ups")) as [Record<string, string>, number][];
    expect(all).toHaveLength(201);
    expect(all.at(-1)).toEqual([{ policy: "_OTHER", "error.type": "_OTHER", reason: "stopped" }, 100]);
  });
});

describe("the metrics of guards", () => {
  it("count refusals, transitions and the time in queues", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ name: "payments", consecutiveFailures: 1, clock });
    await breaker.run(fails).catch(() => {});
    await breaker.run(fails).catch(() => {});
    const slots = bulkhead({ name: "pool", limit: 1, queue: 1, clock });
    const work = () => new Promise<void>((resolve) => clock.setTimer(resolve, 2_000));
    const calls = [slots.run(work), slots.run(work), slots.run(work).catch(() => {})];
    await clock.advance(5_000);
    await Promise.all(calls);
    const budget = retryBudget({ name: "orders", initial: 0, trickle: { upTo: 0 } });
    await retry(fails, { budget })().catch(() => {});

    expect(await points("undaunted.refusals")).toEqual([
      [{ "guard.type": "circuit", guard: "payments", reason: "open" }, 1],
      [{ "guard.type": "bulkhead", guard: "pool", reason: "queue-full" }, 1],
      [{ "guard.type": "budget", guard: "orders" }, 1],
    ]);
    expect(await points("undaunted.circuit.transitions")).toEqual([
      [{ guard: "payments", "circuit.from": "closed", "circuit.state": "open" }, 1],
    ]);
    expect(await points("undaunted.bulkhead.queue.duration")).toEqual([[{ guard: "pool" }, { count: 1, sum: 2 }]]);
  });

  it("show a named guard as it is now, from its construction on", async () => {
    stop();
    const budget = retryBudget({ name: "orders-1", capacity: 7, fade: Infinity });
    const breaker = circuitBreaker({ name: "payments-1" });
    const slots = bulkhead({ name: "pool-1", limit: 3, queue: 9 });
    const unnamed = [retryBudget(), circuitBreaker(), bulkhead({ limit: 99 })];
    for (let n = 0; n < 5; n++) slots.run(() => new Promise(() => {}));
    breaker.isolate();
    stop = instrument(collected.providers);

    const mine = async (name: string, guard: string) =>
      ((await points(name)) as [{ guard: string }, number][]).filter(([of]) => of.guard === guard);
    expect(await mine("undaunted.budget.balance", "orders-1")).toEqual([[{ guard: "orders-1" }, 7]]);
    expect(await mine("undaunted.bulkhead.in_flight", "pool-1")).toEqual([[{ guard: "pool-1" }, 3]]);
    expect(await mine("undaunted.bulkhead.queued", "pool-1")).toEqual([[{ guard: "pool-1" }, 2]]);
    expect(await mine("undaunted.bulkhead.limit", "pool-1")).toEqual([[{ guard: "pool-1" }, 3]]);
    expect(await mine("undaunted.circuit.breakers", "payments-1")).toEqual(
      ["closed", "open", "half-open", "isolated"].map((state) => [
        { guard: "payments-1", "circuit.state": state },
        state === "isolated" ? 1 : 0,
      ]),
    );
    const all = (await points("undaunted.bulkhead.limit")) as [object, number][];
    expect(all.map(([, limit]) => limit)).not.toContain(99);
    expect([budget, unnamed]).toHaveLength(2);
  });

  it("show a family as counts per state and sums, never a key", async () => {
    const breakers = circuitBreakers({ name: "shards-2", key: (id) => id, consecutiveFailures: 1 });
    const pools = bulkheads({ name: "pools-2", key: (id) => id, limit: 2 });
    const budgets = retryBudgets({ name: "tenants-2", key: (id) => id, capacity: 5, fade: Infinity });
    for (const key of ["secret-a", "secret-b"])
      await breakers
        .wrap(fails)(key)
        .catch(() => {});
    breakers.get("secret-c");
    for (const key of ["secret-a", "secret-b"]) pools.wrap((_: string) => new Promise(() => {}))(key);
    budgets.get("secret-a");
    budgets.get("secret-b");

    const of = async (name: string, guard: string) =>
      ((await points(name)) as [{ guard: string; "circuit.state"?: string }, number][])
        .filter(([attributes]) => attributes.guard === guard)
        .map(([attributes, value]) => [attributes["circuit.state"], value]);
    expect(await of("undaunted.circuit.breakers", "shards-2")).toEqual([
      ["closed", 1],
      ["open", 2],
      ["half-open", 0],
      ["isolated", 0],
    ]);
    expect(await of("undaunted.bulkhead.in_flight", "pools-2")).toEqual([[undefined, 2]]);
    expect(await of("undaunted.bulkhead.limit", "pools-2")).toEqual([[undefined, 4]]);
    expect(await of("undaunted.budget.balance", "tenants-2")).toEqual([[undefined, 10]]);
    expect(JSON.stringify([...(await collected.metrics())])).not.toContain("secret");
  });

  it("add up those of one name", async () => {
    const both = [bulkhead({ name: "pool-3", limit: 2 }), bulkhead({ name: "pool-3", limit: 5 })];

    const limits = (await points("undaunted.bulkhead.limit")) as [{ guard: string }, number][];
    expect(limits.filter(([{ guard }]) => guard === "pool-3")).toEqual([[{ guard: "pool-3" }, 7]]);
    expect(both).toHaveLength(2);
  });
});

it("counts late results, hints and replays", async () => {
  const clock = virtualClock();
  const slow = () => new Promise((resolve) => clock.setTimer(() => resolve(1), 50));
  const call = retry(slow, { name: "slow", clock, attemptTimeout: 10, stop: stopAfterAttempt(1) })().catch(() => {});
  await clock.advance(100);
  await call;
  const order = idempotent(async (_: string) => "tea", { key: (key) => key, name: "orders" });
  await order("secret");
  await order("secret");

  expect(await points("undaunted.late_results")).toEqual([[{ policy: "slow" }, 1]]);
  expect(await points("undaunted.replays")).toEqual([[{ policy: "orders" }, 1]]);
});

it("measures nothing once it has been stopped", async () => {
  stop();
  await twoRetries();
  bulkhead({ name: "pool-4", limit: 2 });

  expect([...(await collected.metrics()).values()].flatMap((metric) => metric.points)).toEqual([]);
});

it("docs/observability.md has each metric with its unit, and each attribute", async () => {
  const page = read("docs/observability.md");

  const missing = Object.values(METRICS).filter(
    ({ name, unit, kind }) => !page.includes(`| \`${name}\` | ${kind} | \`${unit}\` |`),
  );
  expect(missing).toEqual([]);
});

it("instrument refuses what is no provider", () => {
  expect(() => instrument({ meterProvider: {} as never })).toThrow(
    "instrument: meterProvider must be a MeterProvider, got [object Object]",
  );
  expect(() => instrument({ tracer: {} } as never)).toThrow('instrument: there is no option "tracer"');
});
