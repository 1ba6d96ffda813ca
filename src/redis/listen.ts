import type { Clock } from "../common/clock.js";
import { sharedUnder } from "../common/shared.js";
import type { FleetNews } from "../fleet/protocol.js";
import { takesARow } from "./client.js";
import { newsOf } from "./codec.js";

/** A client that listens to a channel, and does nothing else: what `client.duplicate()` returns. */
export interface RedisSubscriber {
  subscribe(channel: string, ...rest: any[]): Promise<unknown>;
  unsubscribe(channel: string, ...rest: any[]): Promise<unknown>;
}

/** ms in which a subscriber of `redis` must have been told to connect. */
const CONNECTED_WITHIN = 250;

/** What takes part in listening. */
export interface Listening {
  readonly subscriber: RedisSubscriber;
  readonly channel: string;
  readonly listener: (news: FleetNews) => void;
  /** It hears nothing, and why. */
  readonly failed: (error: unknown) => void;
  readonly clock: Clock;
}

/** Listens to a channel by a client of either kind; returns what ends that. */
export function listen(listening: Listening): () => Promise<unknown> {
  return takesARow(listening.subscriber) ? listenByIoredis(listening) : listenByRedis(listening);
}

function listenByRedis(listening: Listening): () => Promise<unknown> {
  const { subscriber, channel, listener, failed, clock } = listening;
  const hear = (message: unknown) => tell(listener, message);
  subscriber.subscribe(channel, hear).catch(failed);
  // One that nobody connects keeps the subscription to itself, and says nothing of it.
  const cancel = clock.setTimer(
    () => {
      if ((subscriber as { isOpen?: unknown }).isOpen === false) failed(new Error(NOT_CONNECTED));
    },
    CONNECTED_WITHIN,
    true,
  );
  return () => {
    cancel();
    return subscriber.unsubscribe(channel, hear);
  };
}

const NOT_CONNECTED =
  "redisFleet: subscribe is not connected, so that nothing is heard over it: await subscribe.connect() before";

/** How many listen to a channel by a client: it has one subscription for all of them. */
const listeners = /* @__PURE__ */ sharedUnder("listeners", new WeakMap<object, Map<string, number>>());

function listenByIoredis({ subscriber, channel, listener, failed }: Listening): () => Promise<unknown> {
  const emitter = subscriber as unknown as Record<
    "on" | "off",
    (event: string, hear: (...args: any[]) => void) => void
  >;
  const hear = (of: unknown, message: unknown) => {
    if (of === channel) tell(listener, message);
  };
  emitter.on("message", hear);
  const counts = listeners.get(subscriber) ?? new Map<string, number>();
  listeners.set(subscriber, counts);
  counts.set(channel, (counts.get(channel) ?? 0) + 1);
  subscriber.subscribe(channel).catch(failed);
  return async () => {
    emitter.off("message", hear);
    const left = counts.get(channel)! - 1;
    counts.set(channel, left);
    return left === 0 && subscriber.unsubscribe(channel);
  };
}

function tell(listener: (news: FleetNews) => void, message: unknown): void {
  const news = newsOf(message);
  if (news) listener(news);
}
