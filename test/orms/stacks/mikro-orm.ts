import { EntitySchema, IsolationLevel, raw } from "@mikro-orm/core";
import { MikroORM as Mariadb } from "@mikro-orm/mariadb";
import { MikroORM as Postgres } from "@mikro-orm/postgresql";
import type { Orm, Stack, Target, Work } from "./stack.js";

const accounts = new EntitySchema<{ id: number; balance: number }>({
  name: "accounts",
  properties: { id: { type: "integer", primary: true, autoincrement: false }, balance: { type: "integer" } },
});
const entries = new EntitySchema<{ id: number; account: number }>({
  name: "entries",
  properties: { id: { type: "integer", primary: true, autoincrement: false }, account: { type: "integer" } },
});
const charges = new EntitySchema<{ id: number; n: number }>({
  name: "charges",
  properties: { id: { type: "integer", primary: true, autoincrement: true }, n: { type: "integer" } },
});

const workOf = (em: any): Work => ({
  raw: (text) => em.getConnection().execute(text, [], "all", em.getTransactionContext()),
  read: (id) => em.findOne(accounts, { id }),
  add: (id, amount) => em.nativeUpdate(accounts, { id }, { balance: raw(`balance + ${amount}`) }),
  charge: () => em.insert(charges, { n: 1 }),
  enter: (id, account) => em.insert(entries, { id, account }),
});

async function open(Driver: typeof Postgres | typeof Mariadb, target: Target): Promise<Orm> {
  const { host, port, user, password, database, max, patience } = target;
  const orm = await (Driver as typeof Postgres).init({
    ...{ host, port, user, password, dbName: database, entities: [accounts, entries, charges] },
    pool: { min: 0, max },
    driverOptions:
      Driver === (Postgres as unknown)
        ? { connectionTimeoutMillis: patience }
        : { connectTimeout: patience, acquireTimeout: patience },
    logger: () => {},
    discovery: { warnWhenNoEntities: false },
  });
  const fresh = () => orm.em.fork();
  const now = (of: (work: Work) => Promise<unknown>) => of(workOf(fresh()));
  return {
    raw: (text) => now((work) => work.raw(text)),
    read: (id) => now((work) => work.read(id)),
    add: (id, amount) => now((work) => work.add(id, amount)),
    charge: () => now((work) => work.charge()),
    enter: (id, account) => now((work) => work.enter(id, account)),
    transaction: (work, isolated) =>
      fresh().transactional(
        (em) => work(workOf(em)),
        isolated && Driver === (Postgres as unknown) ? { isolationLevel: IsolationLevel.SERIALIZABLE } : {},
      ),
    close: () => orm.close(true),
  };
}

export const mikroOrms: readonly Stack[] = [
  {
    name: "MikroORM on pg",
    database: "postgres",
    packages: ["@mikro-orm/postgresql", "pg"],
    open: (target) => open(Postgres, target),
  },
  {
    name: "MikroORM on mysql2",
    database: "mariadb",
    packages: ["@mikro-orm/mariadb", "@mikro-orm/mysql", "mysql2"],
    open: (target) => open(Mariadb, target),
  },
];
