import { sql as drizzleSql, eq } from "drizzle-orm";
import { int, mysqlTable } from "drizzle-orm/mysql-core";
import { drizzle as drizzleMysql } from "drizzle-orm/mysql2";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { integer, pgTable, serial } from "drizzle-orm/pg-core";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { Kysely, MysqlDialect, PostgresDialect, sql } from "kysely";
import { createPool as createMysqlPool } from "mysql2";
import mysql from "mysql2/promise";
import postgres from "postgres";
import { createPool as createSlonik, sql as slonikSql } from "slonik";
import { mysqlOptions, pgPool } from "./drivers.js";
import { type Orm, type Stack, type Work, workOfText } from "./stack.js";

const PG = {
  accounts: pgTable("accounts", { id: integer("id").primaryKey(), balance: integer("balance").notNull() }),
  entries: pgTable("entries", { id: integer("id").primaryKey(), account: integer("account").notNull() }),
  charges: pgTable("charges", { id: serial("id").primaryKey(), n: integer("n").notNull() }),
};

const MYSQL = {
  accounts: mysqlTable("accounts", { id: int("id").primaryKey(), balance: int("balance").notNull() }),
  entries: mysqlTable("entries", { id: int("id").primaryKey(), account: int("account").notNull() }),
  charges: mysqlTable("charges", { id: int("id").autoincrement().primaryKey(), n: int("n").notNull() }),
};

/** The builders of both databases look alike and have no type in common. */
function drizzleWork(db: any, { accounts, entries, charges }: any): Work {
  return {
    raw: async (text) => db.execute(drizzleSql.raw(text)),
    read: async (id) => db.select().from(accounts).where(eq(accounts.id, id)),
    add: async (id, amount) =>
      db
        .update(accounts)
        .set({ balance: drizzleSql`${accounts.balance} + ${amount}` })
        .where(eq(accounts.id, id)),
    charge: async () => db.insert(charges).values({ n: 1 }),
    enter: async (id, account) => db.insert(entries).values({ id, account }),
  };
}

function drizzleOrm(db: any, tables: object, close: () => Promise<unknown>): Orm {
  return {
    ...drizzleWork(db, tables),
    transaction: (work, isolated) =>
      db.transaction(
        (tx: unknown) => work(drizzleWork(tx, tables)),
        ...(isolated && tables === PG ? [{ isolationLevel: "serializable" }] : []),
      ),
    close,
  };
}

interface Rows {
  accounts: { id: number; balance: number };
  entries: { id: number; account: number };
  charges: { n: number };
}

const kyselyWork = (db: Kysely<Rows>): Work => ({
  raw: (text) => sql.raw(text).execute(db),
  read: (id) => db.selectFrom("accounts").selectAll().where("id", "=", id).execute(),
  add: (id, amount) =>
    db
      .updateTable("accounts")
      .set((column) => ({ balance: column("balance", "+", amount) }))
      .where("id", "=", id)
      .execute(),
  charge: () => db.insertInto("charges").values({ n: 1 }).execute(),
  enter: (id, account) => db.insertInto("entries").values({ id, account }).execute(),
});

const kyselyOrm = (db: Kysely<Rows>, serializable: boolean): Orm => ({
  ...kyselyWork(db),
  transaction(work, isolated) {
    const begin = db.transaction();
    const builder = isolated && serializable ? begin.setIsolationLevel("serializable") : begin;
    return builder.execute((tx) => work(kyselyWork(tx)));
  },
  close: () => db.destroy(),
});

function template(text: string): TemplateStringsArray {
  return Object.freeze(Object.assign([text], { raw: Object.freeze([text]) }));
}

export const builders: readonly Stack[] = [
  {
    name: "Drizzle on pg",
    database: "postgres",
    packages: ["drizzle-orm", "pg"],
    async open(target) {
      const pool = pgPool(target);
      return drizzleOrm(drizzlePg({ client: pool }), PG, () => pool.end());
    },
  },
  {
    name: "Drizzle on postgres.js",
    database: "postgres",
    packages: ["drizzle-orm", "postgres"],
    async open({ max, patience, ...target }) {
      const client = postgres({ ...target, max, connect_timeout: patience / 1_000, backoff: false });
      return drizzleOrm(drizzlePostgres({ client }), PG, () => client.end({ timeout: 0 }));
    },
  },
  {
    name: "Drizzle on mysql2",
    database: "mariadb",
    packages: ["drizzle-orm", "mysql2"],
    async open(target) {
      const pool = mysql.createPool(mysqlOptions(target));
      return drizzleOrm(drizzleMysql({ client: pool as any }), MYSQL, () => pool.end());
    },
  },
  {
    name: "Kysely on pg",
    database: "postgres",
    packages: ["kysely", "pg"],
    open: async (target) => kyselyOrm(new Kysely({ dialect: new PostgresDialect({ pool: pgPool(target) }) }), true),
  },
  {
    name: "Kysely on mysql2",
    database: "mariadb",
    packages: ["kysely", "mysql2"],
    open: async (target) =>
      kyselyOrm(
        new Kysely({ dialect: new MysqlDialect({ pool: createMysqlPool(mysqlOptions(target)) as any }) }),
        false,
      ),
  },
  {
    name: "slonik",
    database: "postgres",
    packages: ["slonik"],
    async open({ host, port, user, database, max, patience }) {
      const pool = await createSlonik(`postgres://${user}@${host}:${port}/${database}`, {
        maximumPoolSize: max,
        connectionTimeout: patience,
        connectionRetryLimit: 0,
        queryRetryLimit: 0,
        transactionRetryLimit: 0,
      } as any);
      // It takes templates only.
      const ask = (db: any) => (text: string) => db.query(slonikSql.unsafe(template(text)));
      return {
        ...workOfText(ask(pool)),
        transaction: (work, isolated) =>
          pool.transaction(async (tx) => {
            if (isolated) await ask(tx)("set transaction isolation level serializable");
            return work(workOfText(ask(tx)));
          }),
        close: () => pool.end(),
      };
    },
  },
];
