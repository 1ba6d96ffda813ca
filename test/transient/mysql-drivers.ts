import mariadb from "mariadb";
import mysql2 from "mysql2/promise";

export interface MysqlConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly connectTimeout?: number;
}

/** What the tests need of a connection of either driver. */
export interface MysqlConnection {
  query(sql: string): Promise<any>;
  /** Without a word to the server. */
  destroy(): void;
}

/** The drivers by their names; connecting again or sending anything again is left to us. */
export const DRIVERS: Readonly<Record<string, (config: MysqlConfig) => Promise<MysqlConnection>>> = {
  async mysql2(config) {
    const connection = await mysql2.createConnection(config);
    connection.on("error", () => {});
    return { query: async (sql) => (await connection.query(sql))[0], destroy: () => connection.destroy() };
  },
  async mariadb(config) {
    const connection = await mariadb.createConnection(config);
    connection.on("error", () => {});
    return { query: (sql) => connection.query(sql), destroy: () => connection.destroy() };
  },
};
