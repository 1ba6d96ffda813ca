import { createClient } from "redis";
import { retry, stopAfterAttempt } from "undaunted";
import { classifyRedisError, retryIfTransient } from "undaunted/transient";

export async function countersOf(socket: { host: string; port: number }) {
  const client = createClient({
    socket: { ...socket, connectTimeout: 2_000 },
    // What comes while there is no connection fails at once, and the policy decides how long it may take.
    disableOfflineQueue: true,
  });
  client.on("error", () => {});
  await client.connect();

  return {
    read: retry((key: string) => client.get(key), {
      stop: stopAfterAttempt(4),
      retryIf: retryIfTransient({ idempotent: true, classify: classifyRedisError }),
    }),
    count: retry((key: string) => client.incr(key), {
      stop: stopAfterAttempt(4),
      retryIf: retryIfTransient({ classify: classifyRedisError }),
    }),
    close: () => client.destroy(),
  };
}
