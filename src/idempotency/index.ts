export { newIdempotencyKey } from "../common/new-key.js";
export { IdempotencyInFlightError, IdempotencyMismatchError, IdempotencyRecordError } from "./errors.js";
export { Idempotent, idempotent } from "./idempotent.js";
export { memoryIdempotencyStore } from "./memory-store.js";
export type { IdempotentOptions } from "./options.js";
export {
  type PostgresIdempotencyStore,
  type PostgresIdempotencyStoreOptions,
  postgresIdempotencyStore,
  type Queryable,
} from "./postgres-store.js";
export { type RedisClient, type RedisIdempotencyStoreOptions, redisIdempotencyStore } from "./redis-store.js";
export type { Claim, IdempotencyStore } from "./store.js";
