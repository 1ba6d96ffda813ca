import { hasMethods, type Rule } from "../common/validate.js";
import { type Fleet, GuardFleet } from "../fleet/fleet.js";
import { type FleetOptions, readFleetOptions } from "../fleet/options.js";
import type { FleetTransport } from "../fleet/protocol.js";
import { isAway, type RedisClient, scriptRunner, whetherAway } from "./client.js";
import { argumentsOf, channelOf, keysOf, replyOf } from "./codec.js";
import { listen, type RedisSubscriber } from "./listen.js";
import { SCRIPT } from "./script/index.js";

export interface RedisFleetOptions extends FleetOptions {
  /**
   * A second connection (`client.duplicate()`; one of `redis` must be connected) over which a process hears at once that
   * the fleet opened or closed. Without one it asks: see `askAfter`.
   */
  subscribe?: RedisSubscriber | undefined;
}

const SUBSCRIBER: Rule = [
  "a client with the methods subscribe and unsubscribe",
  "object",
  /* @__PURE__ */ hasMethods("subscribe", "unsubscribe"),
];

/** ms that `close()` waits for the channel at most. */
const CLOSED_AFTER = 250;

/**
 * A fleet whose processes share budgets and breakers through Redis: for a client of `ioredis` or of `redis`, single, by
 * sentinels or of a cluster. What is shared stays each process's own while Redis does not answer: no call fails, or waits,
 * because of it. The clients stay the caller's: `close()` ends neither. Throws a `TypeError` or `RangeError` for a bad
 * option.
 *
 * @example
 * const client = { eval: async () => [] }; // a client of ioredis or redis
 * const fleet = redisFleet(client, { name: "orders" });
 * const breaker = fleet.share(circuitBreaker({ failureRate: 0.5 }), { key: "payments" });
 * breaker.state; // => "closed"
 */
export function redisFleet(client: RedisClient, options: RedisFleetOptions): Fleet {
  const run = scriptRunner("redisFleet", client);
  const settings = readFleetOptions("redisFleet", options, { subscribe: SUBSCRIBER });
  const { name, subscribe } = settings;
  if ((subscribe as object | undefined) === client) {
    throw new TypeError("redisFleet: subscribe must be another connection than client: try client.duplicate()");
  }
  const away = whetherAway(client, settings.clock);
  const transport: FleetTransport & { close?(): Promise<void> } = {
    async exchange(request) {
      if (away()) throw new Error("redisFleet: the client is not connected");
      return replyOf(request.kind, await run(SCRIPT, keysOf(name, request), argumentsOf(name, request)));
    },
  };
  if (!subscribe) return new GuardFleet(transport, settings);
  let over: Promise<unknown> | undefined;
  const failed = (error: unknown) => fleet.context.report(error);
  transport.onNews = (listener) => {
    const { clock } = settings;
    const end = listen({ subscriber: subscribe, channel: channelOf(name), listener, failed, clock });
    return () => {
      over = end().catch(() => {});
    };
  };
  // A client that is away, or that nobody answers, unsubscribes when it is back, which may be never.
  transport.close = () =>
    new Promise<void>((resolve) => {
      const cancel = settings.clock.setTimer(resolve, isAway(subscribe) ? 0 : CLOSED_AFTER);
      over?.then(() => {
        cancel();
        resolve();
      });
    });
  const fleet = new GuardFleet(transport, settings);
  return fleet;
}
