export {
  type MysqlTransactionConnection,
  type PgTransactionClient,
  type RetryTransactionOptions,
  retryTransaction,
  type TransactionOf,
  type TransactionPool,
} from "../transaction/index.js";
export { classifyAwsError } from "./aws.js";
export { classifyError } from "./classify.js";
export { classifyGrpcError } from "./grpc.js";
export { classifyMongoError } from "./mongo.js";
export { classifyMysqlError } from "./mysql.js";
export { classifyNetworkError } from "./network.js";
export { classifyPostgresError } from "./postgres.js";
export { classifyRedisError } from "./redis.js";
export { type RetryIfTransientOptions, retryIfTransient } from "./retry-if-transient.js";
export type { Retryability } from "./retryability.js";
export { classifySqlServerError } from "./sql-server.js";
export { classifySqliteError } from "./sqlite.js";
