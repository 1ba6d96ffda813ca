import { readField } from "../common/inspect.js";
import type { Rule } from "../common/validate.js";
import type { Held } from "./store.js";

/** A store in a table of a database. */
export interface TableStore {
  /** Creates the table and its index where they are not there. */
  setUp(): Promise<void>;
  /** Deletes what is over, 1,000 keys at a time, and returns how many that was: for a job that runs now and then. */
  cleanUp(): Promise<number>;
}

/** How many keys a statement of `cleanUp` deletes: each is short, and nobody waits for it. */
export const BATCH = 1_000;

/** Deletes batch after batch until one is not full. */
export async function inBatches(deleteBatch: () => Promise<number>): Promise<number> {
  let deleted = 0;
  for (;;) {
    const count = await deleteBatch();
    deleted += count;
    if (count < BATCH) return deleted;
  }
}

/** The name of a table, plain or quoted by `quote`, with or without its schema. */
export function tableRule(quote: '"' | "`", examples: string): Rule {
  const part = `(?:[A-Za-z_][\\w$]*|${quote}(?:[^${quote}\\0]|${quote}${quote})+${quote})`;
  const name = new RegExp(`^${part}(?:\\.${part})?$`);
  return [`the name of a table, as ${examples}`, "string", (table) => name.test(table)];
}

/** A row of the table, as what it says of its key. */
export function heldBy(row: { fingerprint: string; record: string | null; left: number }): Held {
  const { fingerprint, record, left } = row;
  if (record !== null) return { state: "done", fingerprint, record };
  return { state: "running", fingerprint, retryAfter: Math.max(0, Number(left)) };
}

const OTHERS: readonly (readonly [library: string, is: (client: unknown) => boolean, instead: string])[] = [
  ["TypeORM's DataSource", (client) => has(client, "createQueryRunner"), "the pool of its driver"],
  ["Sequelize", (client) => has(client, "getQueryInterface"), "a pool of the driver"],
  ["Kysely", (client) => has(client, "selectFrom"), "the pool that its dialect is made of"],
  ["Prisma", (client) => has(client, "$queryRawUnsafe") || has(client, "$queryRaw"), "a pool of the driver"],
  ["postgres.js", (client) => typeof client === "function" && has(client, "unsafe"), "a Pool of pg"],
  ["Knex", (client) => typeof client === "function" && has(client, "raw"), "a pool of the driver"],
  ["Drizzle", (client) => has(client, "$with"), "the pool that it was made of"],
];

/** Throws a `TypeError` for what has a `query` of another kind, or none, and is known. */
export function refuseOthers(owner: string, client: unknown): void {
  const other = OTHERS.find(([, is]) => is(client));
  if (other) throw new TypeError(`${owner}: client must be one of the driver's own; for ${other[0]} give ${other[2]}`);
}

function has(client: unknown, method: string): boolean {
  return typeof readField(client, method) === "function";
}
