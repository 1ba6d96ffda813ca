import mariadb from "mariadb";
import mysql from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { type Stack, type Target, workOfText } from "./stack.js";

// The drivers alone, with the transaction that their manuals show: a ROLLBACK that fails takes the place of the error
// before it.

export function pgPool({ max, patience, ...target }: Target): pg.Pool {
  const pool = new pg.Pool({ ...target, max, connectionTimeoutMillis: patience });
  pool.on("error", () => {});
  pool.on("connect", (client) => void client.on("error", () => {}));
  return pool;
}

export const mysqlOptions = ({ max, patience, ...target }: Target) => ({
  ...target,
  connectionLimit: max,
  connectTimeout: patience,
});

export const mariadbOptions = (target: Target) => ({
  ...mysqlOptions(target),
  acquireTimeout: target.patience,
  // Without it a pool whose server is gone only says so after its patience.
  initializationTimeout: target.patience,
});

export const drivers: readonly Stack[] = [
  {
    name: "pg",
    database: "postgres",
    packages: ["pg"],
    async open(target) {
      const pool = pgPool(target);
      return {
        ...workOfText((text) => pool.query(text)),
        async transaction(work, isolated) {
          const client = await pool.connect();
          try {
            await client.query(isolated ? "BEGIN ISOLATION LEVEL SERIALIZABLE" : "BEGIN");
            const result = await work(workOfText((text) => client.query(text)));
            await client.query("COMMIT");
            return result;
          } catch (error) {
            await client.query("ROLLBACK");
            throw error;
          } finally {
            client.release(true);
          }
        },
        close: () => pool.end(),
      };
    },
  },
  {
    name: "postgres.js",
    database: "postgres",
    packages: ["postgres"],
    async open({ max, patience, ...target }) {
      const sql = postgres({ ...target, max, connect_timeout: patience / 1_000, backoff: false, onnotice: () => {} });
      return {
        ...workOfText((text) => sql.unsafe(text)),
        transaction: (work, isolated) =>
          sql.begin(isolated ? "isolation level serializable" : "", (tx) =>
            work(workOfText((text) => tx.unsafe(text))),
          ),
        close: () => sql.end({ timeout: 0 }),
      };
    },
  },
  {
    name: "mysql2",
    database: "mariadb",
    packages: ["mysql2"],
    async open(target) {
      const pool = mysql.createPool(mysqlOptions(target));
      return {
        ...workOfText((text) => pool.query(text)),
        async transaction(work) {
          const connection = await pool.getConnection();
          try {
            await connection.beginTransaction();
            const result = await work(workOfText((text) => connection.query(text)));
            await connection.commit();
            return result;
          } catch (error) {
            await connection.rollback();
            throw error;
          } finally {
            connection.release();
          }
        },
        close: () => pool.end(),
      };
    },
  },
  {
    name: "mariadb",
    database: "mariadb",
    packages: ["mariadb"],
    async open(target) {
      const pool = mariadb.createPool(mariadbOptions(target));
      return {
        ...workOfText((text) => pool.query(text)),
        async transaction(work) {
          const connection = await pool.getConnection();
          try {
            await connection.beginTransaction();
            const result = await work(workOfText((text) => connection.query(text)));
            await connection.commit();
            return result;
          } catch (error) {
            // Not `connection.rollback()`: that one is silent where the connection is gone.
            await connection.query("ROLLBACK");
            throw error;
          } finally {
            await connection.release();
          }
        },
        close: () => pool.end(),
      };
    },
  },
];
