import { Redis } from "ioredis";
import { createClient } from "redis";

export interface RedisConnection {
  send(...words: readonly string[]): Promise<unknown>;
  close(): void;
}

/** The drivers by their names; connecting again or sending anything again is left to us. */
export const DRIVERS: Readonly<Record<string, (target: { readonly port: number }) => Promise<RedisConnection>>> = {
  async ioredis({ port }) {
    const client = new Redis({
      host: "127.0.0.1",
      port,
      lazyConnect: true,
      enableReadyCheck: false,
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => null,
    });
    client.on("error", () => {});
    await client.connect();
    return { send: (name, ...words) => client.call(name!, ...words), close: () => client.disconnect() };
  },
  async redis({ port }) {
    const client = createClient({ socket: { host: "127.0.0.1", port, reconnectStrategy: false } });
    client.on("error", () => {});
    await client.connect();
    return {
      send: (...words) => client.sendCommand(words),
      close: () => {
        if (client.isOpen) client.destroy();
      },
    };
  },
};
