import type { Attributes, Counter, Histogram, Meter } from "@opentelemetry/api";
import type { GiveUpEvent, ObservedEvent, RetryEvent, SuccessEvent } from "../common/observe-events.js";
import { boundedLabel } from "./bounded.js";
import { ATTRIBUTES as A, METRICS, type Metric } from "./names.js";

/** What is known of a call in flight. */
interface InFlight {
  /** The attempt that the last retry followed: its time has been told. */
  told: number;
  /** ms. */
  delay: number;
}

/** A listener that counts and measures what happens. */
export function metricsOf(meter: Meter): (event: ObservedEvent) => void {
  const histogram = ({ name, unit, description, buckets }: Metric): Histogram =>
    meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: [...(buckets ?? [])] } });
  const counter = ({ name, unit, description }: Metric): Counter => meter.createCounter(name, { unit, description });

  const callDuration = histogram(METRICS.callDuration);
  const callAttempts = histogram(METRICS.callAttempts);
  const callRetries = histogram(METRICS.callRetries);
  const callDelay = histogram(METRICS.callDelay);
  const attemptDuration = histogram(METRICS.attemptDuration);
  const delays = histogram(METRICS.delay);
  const retries = counter(METRICS.retries);
  const giveUps = counter(METRICS.giveUps);
  const lateResults = counter(METRICS.lateResults);
  const refusals = counter(METRICS.refusals);
  const transitions = counter(METRICS.transitions);
  const queueDuration = histogram(METRICS.queueDuration);
  const hints = counter(METRICS.hints);
  const replays = counter(METRICS.replays);
  const fleetEvents = counter(METRICS.fleetEvents);

  const inFlight = new Map<number, InFlight>();
  const nameOf = boundedLabel();
  const typeOf = boundedLabel();
  const policy = (name: string): Attributes => ({ [A.policy]: nameOf(name) });
  const failure = (type: string | undefined): Attributes => (type === undefined ? {} : { [A.errorType]: typeOf(type) });

  const retried = ({ call, attempt, name, errorType, attemptElapsed, delay, source }: RetryEvent) => {
    const of = { ...policy(name), ...failure(errorType) };
    attemptDuration.record(attemptElapsed / 1_000, { ...of, [A.outcome]: "retry" });
    retries.add(1, of);
    delays.record(delay / 1_000, { ...policy(name), [A.source]: source });
    inFlight.set(call, { told: attempt, delay: (inFlight.get(call)?.delay ?? 0) + delay });
  };

  const ended = (event: SuccessEvent | GiveUpEvent) => {
    const { type, call, attempt, name, attemptElapsed, elapsed } = event;
    const { told, delay } = inFlight.get(call) ?? { told: 0, delay: 0 };
    inFlight.delete(call);
    const of = { ...policy(name), [A.outcome]: type };
    if (attempt > told)
      attemptDuration.record(attemptElapsed / 1_000, { ...of, ...("errorType" in event && failure(event.errorType)) });
    callDuration.record(elapsed / 1_000, of);
    callAttempts.record(attempt, of);
    if (attempt > 1) callRetries.record(attempt - 1, of);
    if (delay > 0) callDelay.record(delay / 1_000, of);
  };

  const refused = (guardType: string, name: string, reason?: string) =>
    refusals.add(1, {
      [A.guardType]: guardType,
      [A.guard]: nameOf(name),
      ...(reason !== undefined && { [A.reason]: reason }),
    });

  return (event) => {
    const { name } = event;
    switch (event.type) {
      case "retry":
        return retried(event);
      case "success":
        return ended(event);
      case "give-up":
        giveUps.add(1, { ...policy(name), ...failure(event.errorType), [A.reason]: event.reason });
        return ended(event);
      case "late-result":
        return lateResults.add(1, policy(name));
      case "hint":
        return hints.add(1, policy(name));
      case "budget-refused":
        return refused("budget", name);
      case "circuit-refused":
        return refused("circuit", name, event.state);
      case "bulkhead-full":
        return refused("bulkhead", name, event.reason);
      case "circuit-change":
        return transitions.add(1, { [A.guard]: nameOf(name), [A.from]: event.from, [A.state]: event.to });
      case "queued":
        return queueDuration.record(event.waited / 1_000, { [A.guard]: nameOf(name) });
      case "replay":
        return replays.add(1, policy(name));
      case "fleet-connected":
      case "fleet-lost":
      case "fleet-opened":
      case "fleet-closed":
        return fleetEvents.add(1, { [A.guard]: nameOf(name), [A.event]: event.type });
      default:
        return undefined;
    }
  };
}
