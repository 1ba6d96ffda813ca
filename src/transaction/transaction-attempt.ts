import type { AttemptContext } from "../common/attempt.js";
import { allIn } from "../transient/originals.js";
import type { Retryability } from "../transient/retryability.js";
import { type Begin, type Connection, type Dialect, type Trace, unknownFate } from "./dialect.js";
import { Watched } from "./watched.js";

export type Work<T> = (tx: any, context: AttemptContext) => T | Promise<T>;
/** Asks until the fate is known, or nobody can know it. */
export type AskForFate = (trace: Trace) => Promise<"committed" | "aborted" | "unknown">;

/** One attempt: a connection, from BEGIN to COMMIT. */
export class TransactionAttempt {
  /** From when COMMIT is handed to the driver until its answer says what it did. */
  #isCommitting = false;
  /** What the phase says, whatever the error. */
  #verdict: Retryability | undefined;
  #errors = new Set<unknown>();

  constructor(
    private readonly dialect: Dialect,
    private readonly begin: Begin,
    private readonly askForFate: AskForFate,
  ) {}

  /** Whether nobody knows if it is committed. */
  get isInDoubt(): boolean {
    return this.#isCommitting;
  }

  /** Whether what it failed with may be tried again. */
  verdictOf(error: unknown): Retryability {
    if (this.#verdict) return this.#verdict;
    if (this.begin.readOnly && this.dialect.isReadOnly(error)) return "permanent";
    const verdict = this.dialect.classify(error);
    // Of the database's own errors: before COMMIT, nothing that was done remains.
    const isOurs =
      verdict === "idempotent" && !this.#isCommitting && allIn(error).some((each) => this.#errors.has(each));
    return isOurs ? "safe" : verdict;
  }

  async run<T>(work: Work<T>, context: AttemptContext): Promise<T> {
    const { signal } = context;
    const connection = await this.#connect();
    const tx = new Watched(connection, this.dialect);
    this.#errors = tx.errors;
    const stop = () => {
      tx.errors.add(signal.reason);
      tx.close(signal.reason);
      // The server rolls back what it was in the midst of. A COMMIT that is under way is waited for, in the background.
      if (!this.#isCommitting) connection.release(true);
    };
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      return await this.#run(work, context, connection, tx);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #connect(): Promise<Connection> {
    try {
      return await this.dialect.connect();
    } catch (error) {
      this.#errors.add(error);
      throw error;
    }
  }

  async #run<T>(work: Work<T>, context: AttemptContext, connection: Connection, tx: Watched): Promise<T> {
    let result: T;
    let trace: Trace | undefined;
    try {
      for (const text of this.dialect.begin(this.begin)) await tx.ask(text);
      result = await work(tx.client, context);
      await tx.settle();
      trace = this.begin.readOnly ? undefined : await this.dialect.trace(tx.ask);
      // Aborted while it was asked.
      await tx.settle();
    } catch (error) {
      await this.#rollBack(connection, tx, error);
      throw error;
    }
    this.#isCommitting = true;
    try {
      const answer = await connection.ask("commit");
      this.#isCommitting = false;
      if (this.dialect.rolledBack(answer)) throw tx.whyRolledBack();
    } catch (error) {
      tx.errors.add(error);
      if (await this.#isCommitted(error, connection, tx, trace)) return result;
      throw error;
    }
    tx.close(new TypeError("retryTransaction: the transaction is over"));
    connection.release(false);
    return result;
  }

  /** After a COMMIT that failed. */
  async #isCommitted(error: unknown, connection: Connection, tx: Watched, trace: Trace | undefined): Promise<boolean> {
    const verdict = this.dialect.classify(error);
    if (!this.#isCommitting || verdict === "safe" || verdict === "permanent") {
      this.#isCommitting = false;
      await this.#rollBack(connection, tx, error);
      return false;
    }
    tx.close(error);
    connection.release(true);
    if (trace === unknownFate) return false;
    const fate = trace ? await this.askForFate(trace) : "aborted";
    if (fate === "unknown") return false;
    this.#isCommitting = false;
    // It wrote nothing, or nothing of it is left.
    if (fate === "aborted") this.#verdict = "safe";
    return fate === "committed";
  }

  /** Never hides the error before it. */
  async #rollBack(connection: Connection, tx: Watched, error: unknown): Promise<void> {
    const why = new TypeError("retryTransaction: the transaction is over", { cause: error });
    try {
      await connection.ask("rollback");
      // A server that turned read-only is left for another.
      connection.release(this.dialect.isReadOnly(error));
    } catch {
      connection.release(true);
    } finally {
      tx.close(why);
    }
  }
}
