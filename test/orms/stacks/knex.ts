import knexOf, { type Knex } from "knex";
import { Model } from "objection";
import type { Orm, Stack, Target, Work } from "./stack.js";

const SILENT = { warn() {}, error() {}, debug() {}, deprecate() {} };

const open = (client: "pg" | "mysql2", { max, patience, ...connection }: Target) =>
  knexOf({ client, connection, pool: { min: 0, max }, acquireConnectionTimeout: patience, log: SILENT });

const knexWork = (db: Knex): Work => ({
  raw: async (text) => db.raw(text),
  read: async (id) => db("accounts").where({ id }),
  add: async (id, amount) => db("accounts").where({ id }).increment("balance", amount),
  charge: async () => db("charges").insert({ n: 1 }),
  enter: async (id, account) => db("entries").insert({ id, account }),
});

class Account extends Model {
  static override tableName = "accounts";
}
class Entry extends Model {
  static override tableName = "entries";
}
class Charge extends Model {
  static override tableName = "charges";
}

const objectionWork = (db: Knex): Work => ({
  raw: async (text) => db.raw(text),
  read: async (id) => Account.query(db).findById(id),
  add: async (id, amount) => Account.query(db).findById(id).increment("balance", amount),
  charge: async () => Charge.query(db).insert({ n: 1 } as object),
  enter: async (id, account) => Entry.query(db).insert({ id, account } as object),
});

function ormOf(db: Knex, workOf: (db: Knex) => Work, serializable: boolean): Orm {
  return {
    ...workOf(db),
    transaction: (work, isolated) =>
      db.transaction((tx) => work(workOf(tx)), isolated && serializable ? { isolationLevel: "serializable" } : {}),
    close: () => db.destroy(),
  };
}

export const knexes: readonly Stack[] = [
  {
    name: "Knex on pg",
    database: "postgres",
    packages: ["knex", "pg"],
    open: async (target) => ormOf(open("pg", target), knexWork, true),
  },
  {
    name: "Knex on mysql2",
    database: "mariadb",
    packages: ["knex", "mysql2"],
    open: async (target) => ormOf(open("mysql2", target), knexWork, false),
  },
  {
    name: "Objection on pg",
    database: "postgres",
    packages: ["objection", "knex", "pg"],
    open: async (target) => ormOf(open("pg", target), objectionWork, true),
  },
  {
    name: "Objection on mysql2",
    database: "mariadb",
    packages: ["objection", "knex", "mysql2"],
    open: async (target) => ormOf(open("mysql2", target), objectionWork, false),
  },
];
