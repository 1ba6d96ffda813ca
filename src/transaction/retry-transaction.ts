import type { AttemptContext, RetryOptions, RetryState } from "../common/attempt.js";
import { checkCallable } from "../common/callable.js";
import { askPredicate, JUDGES_ERRORS, JUDGES_VALUES, mark, traitsOfPredicate } from "../common/traits.js";
import { BOOLEAN, check, FUNCTION, hasMethods, OPTIONS, type Rule, readOptions } from "../common/validate.js";
import { runWithRetry } from "../retry.js";
import { stopAfterAttempt } from "../strategies/stop.js";
import { waitFullJitter } from "../strategies/wait.js";
import type { TransactionOf, TransactionPool } from "./clients.js";
import type { Dialect, Isolation } from "./dialect.js";
import { askForFate } from "./fate.js";
import { mysqlDialect } from "./mysql.js";
import { postgresDialect } from "./postgres.js";
import { TransactionAttempt, type Work } from "./transaction-attempt.js";
import { isTransaction } from "./watched.js";

/** The options of `retryTransaction`: those of a policy, and these. */
export interface RetryTransactionOptions<T = any, C = any> extends RetryOptions<T> {
  /**
   * The isolation level.
   * @default the database's own
   */
  isolation?: Isolation | undefined;
  /**
   * Whether the transaction only reads. A lost COMMIT is then tried again, and a write is not.
   * @default false
   */
  readOnly?: boolean | undefined;
  /**
   * Whether the whole may happen twice without harm: then it is also tried again where nobody knows whether it was committed.
   * @default false
   */
  idempotent?: boolean | undefined;
  /**
   * MySQL and MariaDB: whether this transaction was committed, asked on another connection once the session that lost its COMMIT is gone;
   * reads what the transaction wrote. PostgreSQL is asked itself.
   * @default none: a COMMIT whose answer was lost stays in doubt
   */
  wasDone?: ((connection: C) => boolean | Promise<boolean>) | undefined;
  /**
   * What else is tried again, where the transaction was surely not committed: a unique violation, say, after which the work finds the row.
   * @default nothing else
   */
  retryIf?: RetryOptions<T>["retryIf"];
}

const ISOLATIONS: readonly unknown[] = ["read uncommitted", "read committed", "repeatable read", "serializable"];
const ISOLATION: Rule = /* @__PURE__ */ (() => [
  `one of ${ISOLATIONS.join(", ")}`,
  "string",
  (value: unknown) => ISOLATIONS.includes(value),
])();
const TABLE: Record<string, Rule> = {
  isolation: ISOLATION,
  readOnly: BOOLEAN,
  idempotent: BOOLEAN,
  wasDone: FUNCTION,
};
const OWNER = "retryTransaction";

/**
 * Runs a transaction, and all of it again after a failure that passes by: a serialization failure, a deadlock, a lock that was waited for too
 * long, a server that restarts. `pool` is one of `pg`, `mysql2/promise` or `mariadb`; `work` gets a connection of it, between BEGIN and COMMIT,
 * which `retryTransaction` sends itself, and the attempt's context. It may run several times: what it does elsewhere it does each time. By
 * default 8 attempts, with full jitter from 20 ms to 1 s.
 *
 * A connection that is lost before COMMIT was sent is always worth another attempt. One that is lost after it leaves the transaction in doubt:
 * PostgreSQL is asked what became of it, MySQL and MariaDB by `wasDone`; what stays in doubt rejects with the COMMIT's error, unless
 * `idempotent`. A statement's error that ended the transaction cannot be swallowed: later statements and the COMMIT reject with it.
 *
 * Called within a transaction on its pool, it is a transaction of its own, with a connection of its own: on a small pool each may wait for the
 * other's. Rejects with a `TypeError` for what is no pool, and for a bad option.
 *
 * @example
 * declare const pool: import("pg").Pool;
 * const transfer = (from: string, to: string) => retryTransaction(pool, async (tx) => {
 *   await tx.query("update accounts set balance = balance - 1 where name = $1", [from]);
 *   await tx.query("update accounts set balance = balance + 1 where name = $1", [to]);
 * }, { isolation: "serializable" });
 */
export async function retryTransaction<P extends TransactionPool, T = any>(
  pool: P,
  work: (tx: TransactionOf<P>, context: AttemptContext) => T,
  options: RetryTransactionOptions<NoInfer<Awaited<T>>, TransactionOf<P>> = {},
): Promise<Awaited<T>> {
  checkPool(pool);
  checkCallable(OWNER, work);
  check(OWNER, "options", options, OPTIONS);
  const { isolation, readOnly = false, idempotent = false, wasDone, retryIf, ...policy } = options;
  readOptions(OWNER, { isolation, readOnly, idempotent, wasDone }, TABLE);
  if (retryIf && traitsOfPredicate(retryIf) & JUDGES_VALUES) {
    throw new TypeError(
      `${OWNER}: retryIf must look at errors alone: what was committed is not done again for its result`,
    );
  }
  const dialect = dialectOf(pool, wasDone);
  let attempt: TransactionAttempt;

  const begin = { isolation, readOnly };
  const whatElse = (error: unknown, state: RetryState<Awaited<T>>) =>
    retryIf ? askPredicate(retryIf as (...asked: any) => boolean | Promise<boolean>, error, state) : false;
  return runWithRetry<T>(
    (context) => {
      attempt = new TransactionAttempt(dialect, begin, (trace) => askForFate(dialect, trace, context.signal, policy));
      return attempt.run(work as Work<T>, context) as T;
    },
    {
      name: work.name || OWNER,
      stop: stopAfterAttempt(8),
      wait: waitFullJitter({ base: 20, max: 1_000 }),
      ...policy,
      retryIf: mark((error: unknown, state: RetryState<Awaited<T>>) => {
        const verdict = attempt.verdictOf(error);
        if (verdict === "safe") return true;
        if (verdict === "idempotent" || attempt.isInDoubt) return idempotent;
        return whatElse(error, state);
      }, JUDGES_ERRORS),
    },
  );
}

function checkPool(pool: object): void {
  check(OWNER, "pool", pool, ["a pool of pg, mysql2/promise or mariadb", "object"]);
  if (isTransaction(pool) || "release" in pool) {
    throw new TypeError(
      `${OWNER}: it takes a pool, got a connection; within a transaction, its work goes on with its own connection, or makes a savepoint`,
    );
  }
  if ("promise" in pool && typeof pool.promise === "function") {
    throw new TypeError(`${OWNER}: this pool of mysql2 takes callbacks; pass pool.promise()`);
  }
}

function dialectOf(pool: any, wasDone: any): Dialect {
  if (hasMethods("getConnection")(pool)) return mysqlDialect(pool, wasDone);
  check(OWNER, "pool", pool, ["a pool of pg, mysql2/promise or mariadb", "object", hasMethods("connect")]);
  if (wasDone) throw new TypeError(`${OWNER}: wasDone is for MySQL and MariaDB; PostgreSQL is asked itself`);
  return postgresDialect(pool);
}
