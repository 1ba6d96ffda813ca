import { hasMethods, type Rule } from "../common/validate.js";
import { type Fleet, GuardFleet } from "../fleet/fleet.js";
import { type FleetOptions, readFleetOptions } from "../fleet/options.js";
import type { FleetNews, FleetTransport } from "../fleet/protocol.js";
import { isAway, type RedisClient, scriptRunner, takesARow } from "./client.js";
import { argumentsOf, channelOf, keysOf, newsOf, replyOf } from "./codec.js";
import { SCRIPT } from "./script/index.js";

/** A client that listens to a channel, and does nothing else: what `client.duplicate()` returns. */
export interface RedisSubscriber {
  subscribe(channel: string, ...rest: any[]): Promise<unknown>;
  unsubscribe(channel: string, ...rest: any[]): Promise<unknown>;
}

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
  const transport: FleetTransport & { close?(): Promise<void> } = {
    async exchange(request) {
      if (isAway(client)) throw new Error("redisFleet: the client is not connected");
      return replyOf(request.kind, await run(SCRIPT, keysOf(name, request), argumentsOf(name, request)));
    },
  };
  if (!subscribe) return new GuardFleet(transport, settings);
  let over: Promise<unknown> | undefined;
  const failed = (error: unknown) => fleet.context.report(error);
  transport.onNews = (listener) => {
    const end = listen(subscribe, channelOf(name), listener, failed);
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

/** Listens to a channel by a client of either kind; returns what ends that. */
function listen(
  subscriber: RedisSubscriber,
  channel: string,
  listener: (news: FleetNews) => void,
  failed: (error: unknown) => void,
): () => Promise<unknown> {
  const hear = (message: unknown) => {
    const news = newsOf(message);
    if (news) listener(news);
  };
  if (!takesARow(subscriber)) {
    subscriber.subscribe(channel, hear).catch(failed);
    return () => subscriber.unsubscribe(channel, hear);
  }
  const emitter = subscriber as unknown as Record<
    "on" | "off",
    (event: string, hear: (...args: any[]) => void) => void
  >;
  const hearOf = (of: unknown, message: unknown) => {
    if (of === channel) hear(message);
  };
  emitter.on("message", hearOf);
  subscriber.subscribe(channel).catch(failed);
  return () => {
    emitter.off("message", hearOf);
    return subscriber.unsubscribe(channel);
  };
}
