import type { Scenario, SimulatedSecond, SimulationResult } from "./options.js";

/** What is read off the seconds of a run. */
export function measuresOf(
  scenario: Pick<Scenario, "before" | "during" | "after">,
  perSecond: readonly SimulatedSecond[],
  normalLoad: number,
): SimulationResult {
  const { before, during } = scenario;
  const end = before + during;
  const inOutage = during > 0 ? perSecond.slice(Math.floor(before / 1_000), Math.ceil(end / 1_000)) : perSecond;
  const first = Math.ceil(end / 1_000);
  const afterwards = perSecond.slice(first);
  const calls = sumOf(perSecond, "calls");
  const attempts = sumOf(perSecond, "attempts");
  return {
    load: ratio(sumOf(inOutage, "attempts"), sumOf(inOutage, "calls")),
    peak: afterwards.reduce((most, second) => Math.max(most, second.attempts), 0) / normalLoad,
    recovery: first * 1_000 - end + recoveryIn(afterwards),
    success: ratio(sumOf(perSecond, "successes"), calls),
    calls,
    attempts,
    perSecond,
  };
}

/** 0 where nobody has called. */
function ratio(part: number, calls: number): number {
  return calls > 0 ? part / calls : 0;
}

/** ms from which on 99 % of first attempts succeed, second by second. */
function recoveryIn(seconds: readonly SimulatedSecond[]): number {
  const well = seconds.map(({ calls, firstSuccesses }) => firstSuccesses >= 0.99 * calls);
  const since = well.lastIndexOf(false) + 1;
  return since < seconds.length ? since * 1_000 : Infinity;
}

/** Counts over some seconds. */
export function sumOf(seconds: readonly SimulatedSecond[], field: keyof SimulatedSecond): number {
  return seconds.reduce((sum, second) => sum + second[field], 0);
}
