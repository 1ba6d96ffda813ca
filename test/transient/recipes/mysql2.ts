import mysql from "mysql2/promise";
import { retry, stopAfterAttempt } from "undaunted";
import { classifyMysqlError, retryIfTransient, retryTransaction } from "undaunted/transient";

export function storeOf(options: mysql.PoolOptions) {
  // The pool has no limit of time for who waits for a connection: bound how many may wait.
  const pool = mysql.createPool({ connectionLimit: 10, queueLimit: 100, connectTimeout: 5_000, ...options });

  return {
    balance: retry(
      async (id: number) => {
        const [rows] = await pool.query("select balance from accounts where id = ?", [id]);
        return (rows as { balance: number }[])[0];
      },
      { stop: stopAfterAttempt(4), retryIf: retryIfTransient({ idempotent: true, classify: classifyMysqlError }) },
    ),
    charge: (id: number, amount: number) =>
      retryTransaction(pool, (tx) => tx.query("update accounts set balance = balance - ? where id = ?", [amount, id])),
    close: () => pool.end(),
  };
}
