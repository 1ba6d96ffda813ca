export { newIdempotencyKey } from "../common/new-key.js";
export type { RedisClient } from "../redis/client.js";
export {
  IdempotencyInFlightError,
  IdempotencyMismatchError,
  IdempotencyRecordError,
  IdempotencyTimeoutError,
  IdempotencyUndecidedError,
} from "./errors.js";
export { Idempotent, type IdempotentFunction, idempotent } from "./idempotent.js";
export type { IdempotencyKeys, IdempotencyState } from "./keys.js";
export { type MemoryIdempotencyStoreOptions, memoryIdempotencyStore } from "./memory-store.js";
export {
  type MysqlIdempotencyStore,
  type MysqlIdempotencyStoreOptions,
  type MysqlQueryable,
  mysqlIdempotencyStore,
} from "./mysql-store.js";
export type { FailureMeaning, IdempotentOptions, Replay, WasDone } from "./options.js";
export {
  type PostgresIdempotencyStore,
  type PostgresIdempotencyStoreOptions,
  postgresIdempotencyStore,
  type Queryable,
} from "./postgres-store.js";
export { type RedisIdempotencyStoreOptions, redisIdempotencyStore } from "./redis-store.js";
export type { TableStore } from "./sql.js";
export {
  type SqliteDatabase,
  type SqliteIdempotencyStore,
  type SqliteIdempotencyStoreOptions,
  type SqliteStatement,
  sqliteIdempotencyStore,
} from "./sqlite-store.js";
export type { Claim, Held, IdempotencyStore } from "./store.js";
