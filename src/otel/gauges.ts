import type { Meter, ObservableGauge, ObservableResult } from "@opentelemetry/api";
import { namedGuards } from "../common/named.js";
import { boundedLabel } from "./bounded.js";
import { ATTRIBUTES as A, METRICS, type Metric } from "./names.js";

const STATES = ["closed", "open", "half-open", "isolated"] as const;

/** Reads the guards that have a name whenever metrics are collected. Returns what ends it. */
export function gaugesOf(meter: Meter): () => void {
  const nameOf = boundedLabel();
  const stops: (() => void)[] = [];
  const gauge = ({ name, unit, description }: Metric, read: (result: ObservableResult) => void) => {
    const made: ObservableGauge = meter.createObservableGauge(name, { unit, description });
    made.addCallback(read);
    stops.push(() => made.removeCallback(read));
  };
  /** Several of one name are one: their numbers are added up. */
  const sum = <K extends "balance" | "inFlight" | "queued" | "limit">(fact: K) => {
    const sums = new Map<string, number>();
    for (const { name, facts } of namedGuards()) {
      const value = facts[fact];
      if (value !== undefined) sums.set(nameOf(name), (sums.get(nameOf(name)) ?? 0) + value);
    }
    return sums;
  };
  const sums = (metric: Metric, fact: "balance" | "inFlight" | "queued" | "limit") =>
    gauge(metric, (result) => {
      for (const [name, value] of sum(fact)) result.observe(value, { [A.guard]: name });
    });

  sums(METRICS.budgetBalance, "balance");
  sums(METRICS.inFlight, "inFlight");
  sums(METRICS.queued, "queued");
  sums(METRICS.limit, "limit");
  gauge(METRICS.circuits, (result) => {
    const counts = new Map<string, Map<string, number>>();
    for (const { name, facts } of namedGuards()) {
      if (!facts.states) continue;
      const label = nameOf(name);
      const of = counts.get(label) ?? new Map<string, number>(STATES.map((state) => [state, 0]));
      for (const state of facts.states) of.set(state, of.get(state)! + 1);
      counts.set(label, of);
    }
    for (const [name, of] of counts) {
      for (const [state, count] of of) result.observe(count, { [A.guard]: name, [A.state]: state });
    }
  });
  return () => {
    for (const stop of stops) stop();
  };
}
