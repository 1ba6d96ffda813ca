import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { mysqlIdempotencyStore, postgresIdempotencyStore, sqliteIdempotencyStore } from "undaunted/idempotency";
import { expect, it } from "vitest";

// The docs have the tables for those who create them by hand: they must be what the stores work on.

const page = readFileSync(fileURLToPath(new URL("../../docs/idempotency-stores.md", import.meta.url)), "utf8");
const blocks = [...page.matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => statementsOf(sql!));

function statementsOf(sql: string): string[] {
  return sql.split(";").flatMap((each) => each.replace(/\s+/g, " ").trim() || []);
}

/** What a store's setUp asks its client for. */
async function asked(setUp: (client: any) => { setUp(): Promise<void> }): Promise<string[]> {
  const sql: string[] = [];
  const client = {
    query: async (text: string) => {
      sql.push(text);
      return { rows: [], affectedRows: 0 };
    },
    exec: (text: string) => void sql.push(text),
    prepare() {},
  };
  await setUp(client).setUp();
  return sql.flatMap(statementsOf);
}

it.each([
  ["PostgreSQL", postgresIdempotencyStore, 0],
  ["MySQL", mysqlIdempotencyStore, 1],
  ["SQLite", sqliteIdempotencyStore, 2],
] as const)("the table of %s in the docs is the one that setUp makes", async (_database, make, block) => {
  const made = await asked(make);

  // PostgreSQL's stand in a block that bears with another one that does the same.
  const tables = made.map((each) => each.replace(/^do \$\$ begin /, "")).filter((each) => each.startsWith("create"));
  expect(tables).toEqual(blocks[block]);
});
