import { CREWS, pathOf } from "./crew.js";
import type { CrewResult, OutageResult, play } from "./play.js";
import type { Trouble } from "./server.js";

/** What is held of an outage: counts, and never how long something took. */
export interface Claim {
  readonly what: string;
  readonly count: number;
  readonly most: number;
  readonly holds: boolean;
}

/** What a call may fail of: the server, and the breaker that knows it. Never the store. */
const SERVERS_DOING: Record<Trouble, RegExp> = {
  hangs: /^(AttemptTimeoutError|CircuitOpenError)$/,
  refuses: /^(ECONNREFUSED|ECONNRESET|UND_ERR_SOCKET|AttemptTimeoutError|CircuitOpenError)$/,
  slow: /^(AttemptTimeoutError|CircuitOpenError|Error: status 503)$/,
};

/** What is left of the requests. A slow server is to be used as far as it goes, which is half of what those alone ask of it. */
const SPARED: Record<Trouble, number> = { hangs: 0.5, refuses: 0.5, slow: 0.75 };

const atMost = (what: string, count: number, most: number): Claim => ({ what, count, most, holds: count <= most });

/**
 * What must hold. With sharing off both crews of a guard do the same to the server, and these shares are missed by far; a
 * fleet that shares does some eighth of it, and half of it where the server is slow. A slow machine slows both crews alike, since they live in the same processes.
 */
export function claimsOf({ trouble, redisDies = false }: Parameters<typeof play>[0], result: OutageResult): Claim[] {
  const { crews } = result;
  const of = (guard: "breaker" | "budget", shared: boolean) => crews[pathOf({ guard, shared })]!;
  const [breaker, ownBreaker] = [of("breaker", true), of("breaker", false)];
  const [budget, ownBudget] = [of("budget", true), of("budget", false)];
  const sharers = breaker.calls + budget.calls;
  return [
    atMost("requests through shared breakers", breaker.inOutage, ownBreaker.inOutage * SPARED[trouble]),
    atMost("retries that a shared budget paid for", budget.retriesInOutage, ownBudget.retriesInOutage / 2),
    // A breaker that asks its store before each call and tells it after makes two for each.
    atMost("exchanges with Redis", result.exchanges, 1.5 * sharers),
    ...CREWS.flatMap((crew) => claimsOfCalls(pathOf(crew), crews[pathOf(crew)]!, SERVERS_DOING[trouble])),
    ...(redisDies ? [atMost("members that did not hear of a lost store", silent([breaker, budget]), 0)] : []),
  ];
}

function claimsOfCalls(path: string, { calls, successes, failures }: CrewResult, allowed: RegExp): Claim[] {
  const reasons = Object.entries(failures);
  const failed = reasons.reduce((sum, [, times]) => sum + times, 0);
  const others = reasons.filter(([why]) => !allowed.test(why));
  return [
    atMost(`calls of ${path} that never ended`, calls - successes - failed, 0),
    atMost(`calls of ${path} that failed of anything but the server: ${others.map(([why]) => why)}`, others.length, 0),
  ];
}

/** A lost store is heard of once for each time that it is lost. */
const silent = (crews: readonly CrewResult[]) =>
  crews.reduce((sum, { lost, well }) => sum + Math.max(0, well - lost), 0);

/** What is told of an outage, and held nowhere. */
export function linesOf({ crews, exchanges, usec }: OutageResult): string[] {
  const lines = Object.entries(crews).map(
    ([path, { calls, successes, inOutage, retriesInOutage }]) =>
      `  ${path}: ${inOutage} requests in the outage, ${retriesInOutage} of them retries; of ${calls} calls in all ${successes} succeeded`,
  );
  const sharers = CREWS.filter(({ shared }) => shared).reduce((sum, crew) => sum + crews[pathOf(crew)]!.calls, 0);
  const cost = `  ${(exchanges / sharers).toFixed(2)} exchanges per call, ${Math.round(usec / exchanges)} µs of Redis each`;
  return exchanges > 0 ? [...lines, cost] : lines;
}
