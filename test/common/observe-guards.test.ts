import {
  awsRetryQuota,
  bulkhead,
  bulkheads,
  circuitBreaker,
  circuitBreakers,
  finagleRetryBudget,
  grpcRetryThrottle,
  type ObservedEvent,
  observe,
  retry,
  retryBudget,
  retryBudgets,
  retryRateLimit,
  stopAfterAttempt,
  waitNone,
} from "undaunted";
import { retryFetch } from "undaunted/http";
import { idempotent } from "undaunted/idempotency";
import { virtualClock } from "undaunted/testing";
import { afterEach, beforeEach, expect, it } from "vitest";

let seen: ObservedEvent[];
let stop: () => void;

beforeEach(() => {
  seen = [];
  stop = observe((event) => seen.push(event));
});
afterEach(() => stop());

const fails = async () => Promise.reject(new Error("down"));
const of = (...types: ObservedEvent["type"][]) => seen.filter(({ type }) => types.includes(type));

it("a breaker reports its changes of state and whom it refuses, by its own clock", async () => {
  const clock = virtualClock();
  const breaker = circuitBreaker({ name: "payments", consecutiveFailures: 1, openFor: 10, clock });

  await breaker.run(fails).catch(() => {});
  await clock.advance(4);
  await breaker.run(fails).catch(() => {});
  await clock.advance(10);
  breaker.isolate();

  const outside = { name: "payments", call: undefined, attempt: undefined };
  expect(seen).toEqual([
    { type: "circuit-change", ...outside, from: "closed", to: "open", at: 0 },
    { type: "circuit-refused", ...outside, state: "open", at: 4 },
    { type: "circuit-change", ...outside, from: "open", to: "half-open", at: 14 },
    { type: "circuit-change", ...outside, from: "half-open", to: "isolated", at: 14 },
  ]);
});

it("what happens at a guard inside an attempt names the call and the attempt", async () => {
  const breaker = circuitBreaker({ consecutiveFailures: 1 });
  breaker.isolate();

  await retry(breaker.wrap(fails), { retryIf: () => true })().catch(() => {});

  const [{ call } = { call: undefined }] = of("attempt");
  expect(of("circuit-refused")).toMatchObject([{ name: "circuit breaker", call, attempt: 1, state: "isolated" }]);
});

it("a bulkhead reports whom it refuses and how long others waited, and in which attempt", async () => {
  const clock = virtualClock();
  const slots = bulkhead({ name: "pool", limit: 1, queue: 2, maxWait: 20, clock });
  const work = () => new Promise<void>((resolve) => clock.setTimer(resolve, 15));
  const once = { stop: stopAfterAttempt(1), clock };

  const calls = ["a", "b", "c", "d"].map((name) => retry(slots.wrap(work), { ...once, name })().catch(() => {}));
  await clock.advance(100);
  await Promise.all(calls);

  const call = (name: string) => seen.find((event) => event.name === name)!.call;
  expect(of("bulkhead-full", "queued")).toEqual([
    { type: "bulkhead-full", name: "pool", reason: "queue-full", call: call("d"), attempt: 1, at: 0 },
    { type: "queued", name: "pool", waited: 15, call: call("b"), attempt: 1, at: 15 },
    { type: "bulkhead-full", name: "pool", reason: "max-wait", call: call("c"), attempt: 1, at: 20 },
  ]);
});

it("a wait that began unobserved has no length that could be told", async () => {
  stop();
  const clock = virtualClock();
  const slots = bulkhead({ limit: 1, queue: 1, clock });
  const work = () => new Promise<void>((resolve) => clock.setTimer(resolve, 15));
  const calls = [slots.run(work), slots.run(work)];

  stop = observe((event) => seen.push(event));
  await clock.advance(100);
  await Promise.all(calls);

  expect(seen).toEqual([]);
});

it("guards for many keys never tell a key", async () => {
  const breakers = circuitBreakers({ name: "shards", key: (id) => id, consecutiveFailures: 1 });
  const unnamed = circuitBreakers({ key: (id) => id, consecutiveFailures: 1 });
  const pools = bulkheads({ name: "pools", key: (id) => id, limit: 1 });
  const budget = retryBudgets({ name: "tenants", key: (id) => id, initial: 0, trickle: { upTo: 0 } });

  await breakers
    .wrap(fails as (id: string) => Promise<never>)("secret")
    .catch(() => {});
  await unnamed
    .wrap(fails as (id: string) => Promise<never>)("secret")
    .catch(() => {});
  const never = pools.wrap((_: string) => new Promise(() => {}));
  never("secret");
  await never("secret").catch(() => {});
  await retry(fails as (id: string) => Promise<never>, { budget })("secret").catch(() => {});

  expect(JSON.stringify(seen)).not.toContain("secret");
  expect(seen.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["shards", "circuit breaker", "pools", "tenants"]),
  );
});

it.each([
  ["retryBudget", retryBudget({ name: "mine", initial: 0, trickle: { upTo: 0 } })],
  ["retryRateLimit", retryRateLimit({ name: "mine", perSecond: 1e-9 })],
  ["awsRetryQuota", awsRetryQuota({ name: "mine", initial: 0 })],
  ["grpcRetryThrottle", grpcRetryThrottle({ name: "mine", maxTokens: 1, tokenRatio: 0.1 })],
  ["finagleRetryBudget", finagleRetryBudget({ name: "mine", minPerSecond: 0, ratio: 0 })],
])("%s is called by its name where it refuses a retry, and the call gives up after", async (_, budget) => {
  // Whatever was there is spent first.
  await retry(fails, { wait: waitNone, budget })().catch(() => {});
  seen = [];

  await retry(fails, { wait: waitNone, budget })().catch(() => {});

  const { call } = seen[0]!;
  expect(seen).toMatchObject([
    { type: "attempt", name: "fails" },
    { type: "budget-refused", name: "mine", call, attempt: 1 },
    { type: "give-up", name: "fails", reason: "budget" },
  ]);
});

it("a budget without a name, as a user's own may be, is called a retry budget", async () => {
  const budget = { acquire: () => 0, recordSuccess() {}, refund() {}, balance: 0 };

  await retry(fails, { budget })().catch(() => {});

  expect(of("budget-refused")).toMatchObject([{ name: "retry budget" }]);
});

it("a result on record is reported as replayed, without its key", async () => {
  const order = idempotent(async (_key: string) => "tea", { key: (key) => key, name: "orders" });

  await order("secret");
  await order("secret");

  expect(of("replay")).toMatchObject([{ name: "orders", call: undefined }]);
  expect(JSON.stringify(seen)).not.toContain("secret");
});

it("retryFetch reports under its own name or the policy's, never a URL, and heeds hints", async () => {
  const clock = { now: () => 0, setTimer: soon };
  const answers = [new Response("", { status: 503, headers: { "retry-after": "7" } }), new Response("ok")];
  const fetch = async () => answers.shift()!;

  await retryFetch({ fetch, clock })("https://user:secret@example.com/secret?token=secret");

  expect(seen.map(({ type }) => type)).toEqual(["attempt", "hint", "retry", "attempt", "success"]);
  expect(of("hint", "retry")).toMatchObject([{ asked: 7_000 }, { source: "hint", errorType: "HttpStatusError" }]);
  expect(new Set(seen.map(({ name }) => name))).toEqual(new Set(["retryFetch"]));
  expect(JSON.stringify(seen)).not.toMatch(/secret|example/);
});

it("retryFetch says that a body could not be sent again", async () => {
  const fetch = async () => new Response("", { status: 503 });
  const body = new Blob(["x"]).stream();

  await retryFetch({ fetch, name: "api" })("https://example.com", {
    method: "PUT",
    body,
    duplex: "half",
  } as RequestInit);

  expect(of("give-up")).toMatchObject([{ name: "api", reason: "body-not-replayable" }]);
});

/** A timer that does not wait. */
function soon(fn: () => void) {
  queueMicrotask(fn);
  return () => {};
}
