export type { MysqlTransactionConnection, PgTransactionClient, TransactionOf, TransactionPool } from "./clients.js";
export { type RetryTransactionOptions, retryTransaction } from "./retry-transaction.js";
