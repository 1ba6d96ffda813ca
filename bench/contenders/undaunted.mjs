import { retryFetch } from "../../dist/http.js";
import * as undaunted from "../../dist/index.js";
import { overStandIn } from "./stand-in.mjs";

const { retry, retrySync, runWithRetry, Retry, stopAfterAttempt, waitFixed, waitFullJitter, waitNone } = undaunted;

const OPTIONS = { stop: stopAfterAttempt(4), wait: waitFullJitter({ base: 500, max: 20_000 }) };
const NO_DELAY = { wait: waitNone };
const budget = { acquire: () => 1, recordSuccess() {}, refund() {}, balance: 1 };

const look = () => {};

// Reached by name, so that the row appears as soon as the export does.
const { bulkhead, circuitBreaker, retryBudget } = undaunted;

// Not the limit's ms: timers of one length share a list, and it must pay for its own.
const TIMEOUT = 59_000;

const stack = (fn) => {
  const guarded = bulkhead({ limit: 200, queue: 100 }).wrap(circuitBreaker().wrap(fn));
  return retry(guarded, { attemptTimeout: TIMEOUT, totalTimeout: 300_000, budget: retryBudget() });
};

export const shapes = {
  success: (fn) => retry(fn),
  ownStop: (fn) => retry(fn, { stop: (state) => state.attempt >= 4 }),
  ownWait: (fn) => retry(fn, { wait: (state) => state.attempt * 100 }),
  onRetry: (fn) => retry(fn, { onRetry: look }),
  onAttempt: (fn) => retry(fn, { onAttempt: look }),
  ownRetryIf: (fn) => retry(fn, { retryIf: (error) => error instanceof Error }),
  ownRetryIfOfState: (fn) => retry(fn, { retryIf: (error, state) => error instanceof Error && state.attempt < 4 }),
  onSuccess: (fn) => retry(fn, { onSuccess: look }),
  signal: (fn) => retry(fn, { signal: new AbortController().signal }),
  attemptTimeout: (fn) => retry(fn, { attemptTimeout: 60_000 }),
  timeout: (fn) => retry(fn, { attemptTimeout: TIMEOUT }),
  stack,
  pending: (fn) => retry(fn, { attemptTimeout: TIMEOUT, totalTimeout: 300_000 }),
  budget: (fn) => retry(fn, { budget }),
  run: (fn) => (x) => runWithRetry(() => fn(x), OPTIONS),
  failures: (fn) => retry(fn, NO_DELAY),
  method: (method) => Retry()(method, { kind: "method", name: "load", static: false, private: false }),
  http: (fn) => overStandIn(fn, (fetch) => retryFetch({ fetch })),
  sync: (fn) => retrySync(fn, NO_DELAY),
  sleeping: (fn, ms) => retry(fn, { wait: waitFixed(ms) }),
  onSignal: (fn, ms, signal) => retry(fn, { wait: waitFixed(ms), signal }),
  ...(circuitBreaker && { breaker: (fn) => circuitBreaker({}).wrap(fn) }),
};
