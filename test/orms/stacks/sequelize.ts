import { DataTypes, Sequelize, type Transaction } from "sequelize";
import type { Orm, Stack, Target, Work } from "./stack.js";

function open(dialect: "postgres" | "mysql", target: Target): Orm {
  const { host, port, user, password, database, max, patience } = target;
  const db = new Sequelize(database, user, password, {
    ...{ dialect, host, port, logging: false },
    pool: { max, acquire: patience },
    define: { timestamps: false },
  });
  const accounts = db.define("accounts", { balance: DataTypes.INTEGER });
  const entries = db.define("entries", { account: DataTypes.INTEGER });
  const charges = db.define("charges", { n: DataTypes.INTEGER });
  const workIn = (transaction: Transaction | null): Work => ({
    raw: (text) => db.query(text, { transaction }),
    read: (id) => accounts.findByPk(id, { transaction }),
    add: (id, by) => accounts.increment("balance", { by, where: { id }, transaction }),
    charge: () => charges.create({ n: 1 }, { transaction }),
    enter: (id, account) => entries.create({ id, account }, { transaction }),
  });
  return {
    ...workIn(null),
    transaction: (work, isolated) =>
      db.transaction(isolated && dialect === "postgres" ? { isolationLevel: "SERIALIZABLE" as any } : {}, (tx) =>
        work(workIn(tx)),
      ),
    close: () => db.close(),
  };
}

export const sequelizes: readonly Stack[] = [
  {
    name: "Sequelize on pg",
    database: "postgres",
    packages: ["sequelize", "pg"],
    open: async (target) => open("postgres", target),
  },
  {
    name: "Sequelize on mysql2",
    database: "mariadb",
    packages: ["sequelize", "mysql2"],
    open: async (target) => open("mysql", target),
  },
];
