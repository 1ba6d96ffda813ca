import type { Ask, Connection, Dialect } from "./dialect.js";

/** Their texts come from the caller, and are watched. */
const STATEMENTS: readonly unknown[] = ["query", "execute", "batch"];
/** They are `retryTransaction`'s own business. */
const OURS: readonly unknown[] = [
  ...["release", "destroy", "end", "close", "connect", "reset", "changeUser"],
  ...["beginTransaction", "commit", "rollback"],
];
/** It would begin or end the transaction; a savepoint is the caller's own. */
const BORDER =
  /^\s*(abort|begin|commit|end|start\s+transaction|prepare\s+transaction|rollback(?!\s+(work\s+|transaction\s+)?to\b))\b/i;

const watched = new WeakSet<object>();

/** Whether this is what the work of a transaction got. */
export const isTransaction = (value: object): boolean => watched.has(value);

/**
 * The connection of a transaction as its work gets it: one statement at a time, and none once the transaction has ended. A statement that
 * would not be part of it any more rejects with the error that ended it.
 */
export class Watched {
  readonly client: object;
  /** Every error that came from the database in this transaction, as it was thrown. */
  readonly errors = new Set<unknown>();
  /** What ended the transaction. */
  #end: { readonly error: unknown } | undefined;
  /** What failed last, with nothing that succeeded after it. */
  #suspect: { readonly error: unknown } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly connection: Connection,
    private readonly dialect: Dialect,
  ) {
    this.client = this.#proxyOf(connection.client);
    watched.add(this.client);
  }

  /** Asks as the work does. */
  ask: Ask = (text, values) => this.#next(() => this.connection.ask(text, values));

  /** From now on every statement rejects with this. */
  close(error: unknown): void {
    this.#end ??= { error };
  }

  /** Waits for the statements that nobody waited for, and throws what ended the transaction. */
  async settle(): Promise<void> {
    await this.#last;
    this.#throwEnd();
  }

  /** What led to a COMMIT that committed nothing. */
  whyRolledBack(): unknown {
    return (
      (this.#end ?? this.#suspect)?.error ?? new Error("retryTransaction: the server rolled back instead of committing")
    );
  }

  #throwEnd(): void {
    if (this.#end) throw this.#end.error;
  }

  /** One after the other, whatever became of the one before: drivers would send the next while the last fails. */
  #next(run: () => unknown): Promise<any> {
    const result = this.#last.then(() => this.#run(run));
    this.#last = result.catch(() => {});
    return result;
  }

  async #run(run: () => unknown): Promise<unknown> {
    this.#throwEnd();
    try {
      const result = await run();
      this.#suspect = undefined;
      return result;
    } catch (error) {
      if (this.#suspect && this.dialect.isAftermath(error)) throw this.#suspect.error;
      this.errors.add(error);
      this.#suspect ??= { error };
      if (await this.dialect.ends(error, this.connection.ask)) this.close(error);
      throw error;
    }
  }

  #proxyOf(client: object): object {
    return new Proxy(client, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        if (OURS.includes(key)) return () => refuse(`${String(key)}()`);
        // The drivers' classes have private fields: a proxy is not their `this`.
        const method = value.bind(target);
        return STATEMENTS.includes(key) ? (...args: unknown[]) => this.#statement(method, args) : method;
      },
    });
  }

  #statement(method: (...args: unknown[]) => unknown, args: readonly unknown[]): unknown {
    const [first] = args as [any];
    const text = typeof first === "string" ? first : (first?.text ?? first?.sql);
    if (typeof text === "string" && BORDER.test(text)) refuse(text.trim());
    // A cursor or a callback is handed to the driver as it is.
    if (typeof first?.submit === "function" || typeof args.at(-1) === "function") {
      this.#throwEnd();
      return method(...args);
    }
    return this.#next(() => method(...args));
  }
}

function refuse(what: string): never {
  throw new TypeError(`retryTransaction: it begins, commits and rolls back by itself; its work must not call ${what}`);
}
