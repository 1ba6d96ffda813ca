import { Redis as Ioredis } from "ioredis";
import { createClient } from "redis";
import type { RedisClient, RedisSubscriber } from "undaunted/redis";

export const LIBRARIES = ["ioredis", "redis"] as const;
export type Library = (typeof LIBRARIES)[number];

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
}

/** The two connections that a fleet needs, of either library. */
export interface Connections {
  readonly client: RedisClient;
  readonly subscribe: RedisSubscriber;
  /** How many listen to what they emit. */
  listeners(): number;
  end(): void;
}

export async function connect(library: Library, login: Login): Promise<Connections> {
  return library === "ioredis" ? byIoredis(login) : await byRedis(login);
}

type Emitter = { eventNames(): (string | symbol)[]; listenerCount(name: string | symbol): number };

const count = (emitters: readonly Emitter[]) =>
  emitters.reduce((sum, each) => each.eventNames().reduce((total, name) => total + each.listenerCount(name), sum), 0);

function byIoredis(login: Login): Connections {
  const make = () =>
    new Ioredis({ ...login, maxRetriesPerRequest: null, retryStrategy: () => 50 }).on("error", () => {});
  const [client, subscribe] = [make(), make()];
  return {
    client,
    subscribe,
    listeners: () => count([client, subscribe]),
    end() {
      client.disconnect();
      subscribe.disconnect();
    },
  };
}

async function byRedis({ host, port, ...user }: Login): Promise<Connections> {
  const make = () =>
    createClient({ ...user, socket: { host, port, reconnectStrategy: () => 50 } })
      .on("error", () => {})
      .connect();
  const [client, subscribe] = await Promise.all([make(), make()]);
  return {
    client,
    subscribe,
    listeners: () => count([client, subscribe]),
    end() {
      client.destroy();
      subscribe.destroy();
    },
  };
}
