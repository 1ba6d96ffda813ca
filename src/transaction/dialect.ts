import type { Retryability } from "../transient/retryability.js";

export type Isolation = "read uncommitted" | "read committed" | "repeatable read" | "serializable";

/** How a transaction is to begin. */
export interface Begin {
  readonly isolation: Isolation | undefined;
  readonly readOnly: boolean;
}

/** Asks one connection. */
export type Ask = (text: string, values?: unknown[]) => Promise<any>;

/** A connection of either kind of pool. */
export interface Connection {
  /** The driver's own. */
  readonly client: object;
  readonly ask: Ask;
  /** Gives it back to the pool, or gives it up. Only the first call counts. */
  release(destroy: boolean): void;
}

/** Whether a transaction is committed whose COMMIT was not answered. */
export type Fate = "committed" | "aborted" | "in progress" | "unknown";

/** Asks for a transaction's fate, on another connection. */
export type Trace = (other: Connection) => Promise<Fate>;

/** What differs between the databases. */
export interface Dialect {
  connect(): Promise<Connection>;
  begin(options: Begin): readonly string[];
  classify(error: unknown): Retryability;
  /** Whether a statement's error ended the transaction, so that what follows would not be part of it. */
  ends(error: unknown, ask: Ask): boolean | Promise<boolean>;
  /** Whether an error only says that an earlier one has ended the transaction. */
  isAftermath(error: unknown): boolean;
  /** Whether what COMMIT returned says that nothing was committed. */
  rolledBack(result: unknown): boolean;
  /** Whether the server refused to write. */
  isReadOnly(error: unknown): boolean;
  /** How the transaction's fate can be asked for; `undefined` where it wrote nothing. */
  trace(ask: Ask): Promise<Trace | undefined>;
}

export const unknownFate: Trace = async () => "unknown";
