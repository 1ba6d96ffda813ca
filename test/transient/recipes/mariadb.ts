import { createPool, type PoolConfig } from "mariadb";
import { retry, stopAfterAttempt } from "undaunted";
import { classifyMysqlError, retryIfTransient, retryTransaction } from "undaunted/transient";

export function storeOf(config: PoolConfig) {
  // It tries to connect until acquireTimeout ends: let that be shorter than a policy's own patience.
  const pool = createPool({ connectionLimit: 10, acquireTimeout: 2_000, connectTimeout: 1_000, ...config });

  return {
    balance: retry(
      async (id: number) =>
        (await pool.query("select balance from accounts where id = ?", [id]))[0] as { balance: number },
      { stop: stopAfterAttempt(4), retryIf: retryIfTransient({ idempotent: true, classify: classifyMysqlError }) },
    ),
    charge: (id: number, amount: number) =>
      retryTransaction(pool, (tx) => tx.query("update accounts set balance = balance - ? where id = ?", [amount, id])),
    close: () => pool.end(),
  };
}
