// All names in one place. There is no convention for resilience yet; these follow gRPC's A96 where that has a word
// (https://github.com/grpc/proposal/blob/master/A96-retry-otel-stats.md), and OpenTelemetry's naming rules. docs/observability.md has the
// table, which the tests hold.

/** The name of the tracer and of the meter. */
export const SCOPE = "undaunted";

export interface Metric {
  readonly name: string;
  readonly kind: "histogram" | "counter" | "gauge";
  /** UCUM. */
  readonly unit: string;
  readonly description: string;
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const COUNTS = [1, 2, 3, 4, 5, 7, 10, 20, 50];

const histogram = (name: string, unit: string, description: string): Metric => ({
  ...{ name, kind: "histogram", unit, description },
  buckets: unit === "s" ? SECONDS : COUNTS,
});
const counter = (name: string, unit: string, description: string): Metric => ({
  name,
  kind: "counter",
  unit,
  description,
});
const gauge = (name: string, unit: string, description: string): Metric => ({ name, kind: "gauge", unit, description });

export const METRICS = {
  callDuration: histogram("undaunted.call.duration", "s", "Time of calls, all attempts and delays included"),
  callAttempts: histogram("undaunted.call.attempts", "{attempt}", "Attempts per call"),
  callRetries: histogram("undaunted.call.retries", "{retry}", "Retries per call; calls without one are not reported"),
  callDelay: histogram(
    "undaunted.call.retry_delay",
    "s",
    "Time per call in which it waited for its next attempt; calls without are not reported",
  ),
  attemptDuration: histogram("undaunted.attempt.duration", "s", "Time of attempts"),
  delay: histogram("undaunted.retry.delay", "s", "Delays before retries"),
  retries: counter("undaunted.retries", "{retry}", "Retries that were decided on"),
  giveUps: counter("undaunted.give_ups", "{call}", "Calls that were given up"),
  lateResults: counter("undaunted.late_results", "{attempt}", "Attempts that settled after they had been cut"),
  refusals: counter("undaunted.refusals", "{refusal}", "What a budget, a circuit breaker or a bulkhead refused"),
  transitions: counter("undaunted.circuit.transitions", "{transition}", "Changes of a circuit breaker's state"),
  queueDuration: histogram("undaunted.bulkhead.queue.duration", "s", "Time that calls waited for a slot"),
  hints: counter("undaunted.hints", "{hint}", "Delays that a server asked for and got"),
  replays: counter("undaunted.replays", "{call}", "Results of idempotent functions that were on record"),
  fleetEvents: counter("undaunted.fleet.events", "{event}", "What happened to a fleet's store and verdicts"),
  budgetBalance: gauge("undaunted.budget.balance", "{token}", "Tokens that retries can be paid with"),
  circuits: gauge(
    "undaunted.circuit.breakers",
    "{circuit}",
    "Circuit breakers in each state: a single one is 1 in its own and 0 in the others",
  ),
  inFlight: gauge("undaunted.bulkhead.in_flight", "{call}", "Calls that hold a slot"),
  queued: gauge("undaunted.bulkhead.queued", "{call}", "Calls that wait for a slot"),
  limit: gauge("undaunted.bulkhead.limit", "{call}", "Slots that there are"),
} as const satisfies Record<string, Metric>;

export const ATTRIBUTES = {
  policy: "undaunted.policy",
  outcome: "undaunted.outcome",
  reason: "undaunted.reason",
  source: "undaunted.delay.source",
  guard: "undaunted.guard",
  guardType: "undaunted.guard.type",
  state: "undaunted.circuit.state",
  from: "undaunted.circuit.from",
  event: "undaunted.fleet.event",
  attempt: "undaunted.attempt",
  delay: "undaunted.delay",
  record: "undaunted.record",
  errorType: "error.type",
  resendCount: "http.request.resend_count",
} as const;

/** Events of an attempt's span. */
export const SPAN_EVENTS = {
  retry: "undaunted.retry",
  giveUp: "undaunted.give_up",
} as const;
