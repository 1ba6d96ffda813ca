import pg from "pg";
import { retry, stopAfterAttempt } from "undaunted";
import { classifyPostgresError, retryIfTransient, retryTransaction } from "undaunted/transient";

export function storeOf(config: pg.PoolConfig) {
  // Without a limit a call waits for a connection for ever.
  const pool = new pg.Pool({ max: 10, connectionTimeoutMillis: 5_000, ...config });
  // An idle connection that is lost says so here, and ends the process where nobody listens.
  pool.on("error", () => {});

  return {
    // A read may happen twice.
    balance: retry(
      async (id: number) => (await pool.query("select balance from accounts where id = $1", [id])).rows[0],
      {
        stop: stopAfterAttempt(4),
        retryIf: retryIfTransient({ idempotent: true, classify: classifyPostgresError }),
      },
    ),
    // Writes belong together.
    charge: (id: number, amount: number) =>
      retryTransaction(pool, (tx) =>
        tx.query("update accounts set balance = balance - $2 where id = $1", [id, amount]),
      ),
    close: () => pool.end(),
  };
}
