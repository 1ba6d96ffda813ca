import "reflect-metadata";
import { DataSource, type EntityManager, EntitySchema } from "typeorm";
import type { Orm, Stack, Target, Work } from "./stack.js";

const accounts = new EntitySchema({
  name: "accounts",
  columns: { id: { type: Number, primary: true }, balance: { type: Number } },
});
const entries = new EntitySchema({
  name: "entries",
  columns: { id: { type: Number, primary: true }, account: { type: Number } },
});
const charges = new EntitySchema({
  name: "charges",
  columns: { id: { type: Number, primary: true, generated: true }, n: { type: Number } },
});

const workOf = (db: EntityManager): Work => ({
  raw: (text) => db.query(text),
  read: (id) => db.findOneBy(accounts, { id }),
  add: (id, amount) => db.increment(accounts, { id }, "balance", amount),
  charge: () => db.insert(charges, { n: 1 }),
  enter: (id, account) => db.insert(entries, { id, account }),
});

async function open(type: "postgres" | "mariadb", { user, max, patience, ...target }: Target): Promise<Orm> {
  const settings = { ...target, username: user, entities: [accounts, entries, charges], logging: false, poolSize: max };
  const db =
    type === "postgres"
      ? new DataSource({ type, ...settings, connectTimeoutMS: patience, poolErrorHandler() {} })
      : new DataSource({ type, ...settings, connectTimeout: patience, poolErrorHandler() {} } as any);
  await db.initialize();
  return {
    ...workOf(db.manager),
    transaction: (work, isolated) =>
      isolated && type === "postgres"
        ? db.transaction("SERIALIZABLE", (tx) => work(workOf(tx)))
        : db.transaction((tx) => work(workOf(tx))),
    close: () => db.destroy(),
  };
}

export const typeorms: readonly Stack[] = [
  {
    name: "TypeORM on pg",
    database: "postgres",
    packages: ["typeorm", "pg"],
    open: (target) => open("postgres", target),
  },
  {
    name: "TypeORM on mysql2",
    database: "mariadb",
    packages: ["typeorm", "mysql2"],
    open: (target) => open("mariadb", target),
  },
];
