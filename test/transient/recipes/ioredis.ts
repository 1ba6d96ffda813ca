import { Redis } from "ioredis";
import { retry, stopAfterAttempt } from "undaunted";
import { classifyRedisError, retryIfTransient } from "undaunted/transient";

export function countersOf(target: { host: string; port: number }) {
  const redis = new Redis({
    // What was under way when the connection was lost is not sent again behind your back.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 2_000,
    ...target,
  });
  redis.on("error", () => {});

  return {
    read: retry((key: string) => redis.get(key), {
      stop: stopAfterAttempt(4),
      retryIf: retryIfTransient({ idempotent: true, classify: classifyRedisError }),
    }),
    // An INCR that may have happened is not repeated; LOADING and READONLY are.
    count: retry((key: string) => redis.incr(key), {
      stop: stopAfterAttempt(4),
      retryIf: retryIfTransient({ classify: classifyRedisError }),
    }),
    close: () => redis.disconnect(),
  };
}
