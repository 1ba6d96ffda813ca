import type { Run, Second } from "./fleet.js";

/** Attempts per call that was due, while the outage lasted: 1 without retries. */
export function amplification(run: Run): number {
  const { before, during } = run.scenario;
  return loadOf(run.seconds.slice(before, before + during));
}

/** Attempts per call over the whole run. */
export function overallLoad(run: Run): number {
  return loadOf(run.seconds);
}

/** The attempts of the busiest second after the outage, as a multiple of the normal load. */
export function peakAfter(run: Run): number {
  const { clients, rate, shards } = run.scenario;
  return Math.max(...afterOutage(run).map(({ attempts }) => attempts)) / ((clients * rate) / shards);
}

/** Seconds after the outage from which on 99 % of first attempts succeed, second by second; Infinity: not in this run. */
export function recovery(run: Run): number {
  const seconds = afterOutage(run);
  const well = seconds.map(({ calls, firstSuccesses }) => firstSuccesses >= 0.99 * calls);
  const since = well.lastIndexOf(false) + 1;
  return since < seconds.length ? since : Infinity;
}

/** The share of calls that succeeded in the end, over the whole run. */
export function success(run: Run): number {
  return sumOf(run.seconds, "successes") / sumOf(run.seconds, "calls");
}

function afterOutage({ scenario, seconds }: Run): readonly Second[] {
  return seconds.slice(scenario.before + scenario.during);
}

function loadOf(seconds: readonly Second[]): number {
  return sumOf(seconds, "attempts") / sumOf(seconds, "calls");
}

/** Counts over some seconds. */
export function sumOf(seconds: readonly Second[], field: keyof Second): number {
  return seconds.reduce((sum, second) => sum + second[field], 0);
}
