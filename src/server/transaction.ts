import { readField } from "../common/inspect.js";
import type { IdempotencyStore } from "../idempotency/store.js";

/** A pool of `pg`, `mysql2/promise` or `mariadb`. */
export interface TransactionPool {
  connect?(): Promise<any>;
  getConnection?(): Promise<any>;
}

/** A store that can be part of a transaction. */
export interface TransactionalStore extends IdempotencyStore {
  within(client: any): IdempotencyStore;
}

/** A connection, as all three drivers have it. */
interface Connection {
  query(sql: string): Promise<unknown>;
  release(destroy?: boolean): void;
  destroy?(): void;
  on?(event: "error", listener: () => void): unknown;
  off?(event: "error", listener: () => void): unknown;
}

/** Nothing is to be kept of a request, though nothing failed: its answer says that it was not done. */
export class NotDone extends Error {}

/** Runs `work` in a transaction, which is rolled back where it rejects. A connection on which anything failed is not used again. */
export async function inTransaction<T>(pool: TransactionPool, work: (tx: any) => Promise<T>): Promise<T> {
  const connection: Connection = await (pool.getConnection ? pool.getConnection() : pool.connect!());
  // A connection that is lost also emits an error, which would end the process where nobody listens.
  const ignore = () => {};
  connection.on?.("error", ignore);
  let isSound = false;
  try {
    await connection.query("begin");
    const result = await work(connection);
    await connection.query("commit");
    isSound = true;
    return result;
  } catch (error) {
    isSound = await connection.query("rollback").then(
      () => error instanceof NotDone,
      () => false,
    );
    throw error;
  } finally {
    connection.off?.("error", ignore);
    letGo(connection, isSound);
  }
}

function letGo(connection: Connection, isSound: boolean): void {
  // pg destroys one that is released with true, the others have a method for it.
  if (isSound) connection.release();
  else if (typeof readField(connection, "destroy") === "function") connection.destroy!();
  else connection.release(true);
}

const transactions = /* @__PURE__ */ new WeakMap<object, unknown>();

export function noteTransaction(request: object, tx: unknown): void {
  transactions.set(request, tx);
}

/**
 * The connection on which a request's transaction is open: in a handler behind `idempotentMiddleware({ transaction })`. It is the
 * middleware's to commit. `undefined` elsewhere.
 *
 * @example
 * transactionOf(new Request("http://localhost")); // => undefined
 */
export function transactionOf<T = any>(request: object): T | undefined {
  return transactions.get(request) as T | undefined;
}
