import type { Retryability } from "undaunted/transient";

/** What is to be made of each failure of test/orms, whichever ORM it came through. */
const VERDICTS: Readonly<Record<string, Retryability>> = {
  "serialization failure": "safe",
  deadlock: "safe",
  "lock timeout": "safe",
  "backend killed in a statement": "idempotent",
  "backend killed in a transaction": "idempotent",
  "server stopped": "safe",
  "full pool": "safe",
  "unique violation": "permanent",
  "foreign key violation": "permanent",
  "COMMIT lost (reset)": "idempotent",
  "COMMIT lost (end)": "idempotent",
};

/** Their pools wait for ever, and have no option to do otherwise, or were given none: mysql2, postgres.js, slonik. */
const WAITING: readonly string[] = [
  "postgres.js",
  "mysql2",
  "Drizzle on postgres.js",
  "Drizzle on mysql2",
  "Kysely on mysql2",
  "slonik",
  "TypeORM on mysql2",
  "MikroORM on mysql2",
];

export function verdictOf(stack: string, failure: string): Retryability {
  return failure === "full pool" && WAITING.includes(stack) ? "unknown" : VERDICTS[failure]!;
}

export const FAILURES: readonly string[] = Object.keys(VERDICTS);
