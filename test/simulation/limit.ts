import { retryRateLimit } from "undaunted";
import { seededRandom, virtualClock } from "undaunted/testing";
import { fleetOf } from "../../src/fleet/index.js";
import type { FleetNews, FleetReply, FleetRequest } from "../../src/fleet/protocol.js";
import { fleetStore } from "../../src/fleet/store/index.js";
import { failed } from "../docs/prelude.js";
import { Network } from "./network.js";

export interface Asking {
  readonly processes: number;
  /** Tokens that each process asks for in a second, at random. */
  readonly rate: number;
  /** What all of them may have in a second. */
  readonly perSecond: number;
  readonly seconds: number;
  /** ms to the store and back. */
  readonly latency?: number;
  readonly seed: number;
}

export interface Asked {
  readonly asked: number;
  readonly granted: number;
  /** Those of them that had not to wait for the store. */
  readonly atOnce: number;
  /** Most that were granted in any span of 10 s. */
  readonly mostInTen: number;
  readonly exchanges: number;
}

/** Processes that ask for tokens of a limit that they share, on virtual time. */
export async function askForTokens({ processes, rate, perSecond, seconds, latency = 2, seed }: Asking): Promise<Asked> {
  const clock = virtualClock();
  const random = seededRandom(seed);
  const model = fleetStore();
  const network = new Network<FleetRequest, FleetReply, FleetNews>(
    clock,
    random,
    { latency, loss: 0, newsLoss: 0, events: [] },
    () => ({ exchange: (request, now) => model.exchange(request, now + 1e6) }),
  );
  const grants: number[] = [];
  const seen = { asked: 0, atOnce: 0 };
  const state = failed(new Error("busy"));
  for (let index = 0; index < processes; index++) {
    const fleet = fleetOf({ transport: network.transport(index), name: "fleet", clock, random });
    const limit = fleet.share(retryRateLimit({ perSecond, clock }), { key: "limit" });
    const grant = (tokens: number) => {
      if (tokens > 0) grants.push(clock.now());
    };
    const ask = () => {
      seen.asked++;
      const tokens = limit.acquire(state);
      if (typeof tokens === "number") {
        if (tokens > 0) seen.atOnce++;
        grant(tokens);
      } else tokens.then(grant);
      clock.setTimer(ask, wait());
    };
    const wait = () => (-Math.log(1 - random()) / rate) * 1_000;
    clock.setTimer(ask, wait());
  }
  await clock.advance(seconds * 1_000);
  return {
    ...seen,
    granted: grants.length,
    mostInTen: mostWithin(grants, 10_000),
    exchanges: network.exchanges.reduce((sum, count) => sum + count, 0),
  };
}

function mostWithin(times: readonly number[], span: number): number {
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! > span) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
