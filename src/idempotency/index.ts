export { IdempotencyInFlightError, IdempotencyMismatchError, IdempotencyRecordError } from "./errors.js";
export { Idempotent, type IdempotentOptions, idempotent } from "./idempotent.js";
export { memoryIdempotencyStore } from "./memory-store.js";
export { newIdempotencyKey } from "./new-key.js";
export {
  type PostgresIdempotencyStore,
  type PostgresIdempotencyStoreOptions,
  postgresIdempotencyStore,
  type Queryable,
} from "./postgres-store.js";
export { type RedisClient, type RedisIdempotencyStoreOptions, redisIdempotencyStore } from "./redis-store.js";
export type { Claim, IdempotencyStore } from "./store.js";
