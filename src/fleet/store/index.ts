import type { FleetNews, FleetReply, FleetRequest } from "../protocol.js";
import { StoredBreaker } from "./breaker.js";
import { StoredPauses } from "./pause.js";
import { StoredBudget, StoredLimit } from "./tokens.js";

type Stored = StoredBreaker | StoredBudget | StoredLimit | StoredPauses;

/** A store at work on one exchange after the other. */
export interface FleetStore {
  exchange(request: FleetRequest, now: number): { reply: FleetReply; news?: FleetNews };
  /** Guards that it knows of. */
  readonly size: number;
}

/**
 * The store of a fleet as a plain object: what the script in Redis does, in the same steps. Time is passed in: ms, above
 * 0. Deterministic; for simulations, and to hold the script against.
 */
export function fleetStore(): FleetStore {
  const kept = new Map<string, Stored>();
  return {
    exchange(request, now) {
      const name = `${request.kind} ${request.key}`;
      let stored = kept.get(name);
      if (!stored || stored.expireAt <= now) {
        stored = begin(request, now);
        kept.set(name, stored);
      }
      return stored.exchange(request as never, now);
    },
    get size() {
      return kept.size;
    },
  };
}

function begin(request: FleetRequest, now: number): Stored {
  switch (request.kind) {
    case "breaker":
      return new StoredBreaker(request.nonce, request, now);
    case "budget":
      return new StoredBudget(request, now);
    case "limit":
      return new StoredLimit(request, now);
    case "pause":
      return new StoredPauses(request, now);
  }
}
