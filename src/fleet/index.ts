import { GuardFleet } from "./fleet.js";
import { type FleetOptions, readFleetOptions } from "./options.js";
import type { FleetTransport } from "./protocol.js";

export type { Fleet } from "./fleet.js";
export type { FleetOptions, FleetPauses, LimitedRequest, PausesOptions, ShareOptions, StoreLost } from "./options.js";
export type { FleetNews, FleetReply, FleetRequest, FleetTransport } from "./protocol.js";

/** A fleet over any store: `transport` is the way to it. */
export function fleetOf({ transport, ...options }: FleetOptions & { transport: FleetTransport }): GuardFleet {
  return new GuardFleet(transport, readFleetOptions("fleetOf", options));
}
