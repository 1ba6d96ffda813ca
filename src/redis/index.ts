export type { Pause, PauseLeft, SharedPauses } from "../common/pause.js";
export type { Fleet } from "../fleet/fleet.js";
export type {
  FleetOptions,
  FleetPauses,
  LimitedRequest,
  PausesOptions,
  ShareOptions,
  StoreLost,
} from "../fleet/options.js";
export type { RedisClient } from "./client.js";
export type { RedisSubscriber } from "./listen.js";
export { type RedisFleetOptions, redisFleet } from "./redis-fleet.js";
