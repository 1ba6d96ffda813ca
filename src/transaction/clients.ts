// What is needed of the drivers, by its shape: none is imported.

/** A connection of a pool of `pg`, or of what looks like it. */
export interface PgTransactionClient {
  query(...args: any[]): any;
  /** Gives the connection back, or gives it up. */
  release(destroy?: any): void;
}

/** A connection of a pool of `mysql2/promise` or `mariadb`. */
export interface MysqlTransactionConnection {
  query(...args: any[]): any;
  /** Gives the connection back. */
  release(): unknown;
  /** Gives the connection up. */
  destroy(): void;
}

/** A pool of `pg`, `mysql2/promise` or `mariadb`. */
export type TransactionPool =
  | { connect(): Promise<PgTransactionClient> }
  | { getConnection(): Promise<MysqlTransactionConnection> };

/** The connections of a pool. */
export type TransactionOf<P> = P extends { getConnection(): Promise<infer C> }
  ? C
  : P extends { connect: { (): Promise<infer C>; (...callback: any): any } }
    ? C
    : P extends { connect(): Promise<infer C> }
      ? C
      : never;
