import mariadb from "mariadb";
import mysql from "mysql2/promise";
import pg from "pg";
import {
  type Mariadb,
  type Postgres,
  proxy,
  type Server,
  startMariadb,
  startPostgres,
  type TcpProxy,
} from "../transient/servers/index.js";

/** A pool of any of the three drivers, behind a proxy, and what the tests ask of it. */
export interface Client {
  readonly name: "pg" | "mysql2" | "mariadb";
  readonly link: TcpProxy;
  readonly server: Server;
  readonly pool: any;
  /** Asks the server itself, beside the proxy and the pool. */
  ask(text: string): Promise<any[]>;
  /** Another pool through the same proxy. */
  poolOf(max: number): any;
  close(): Promise<void>;
}

export const NAMES = ["pg", "mysql2", "mariadb"] as const;

export async function startClient(name: Client["name"], max = 8): Promise<Client> {
  return name === "pg" ? startPg(max) : startMysql(name, max);
}

async function startPg(max: number): Promise<Client> {
  const server: Postgres = await startPostgres({ deadlock_timeout: "10ms" });
  const link = await proxy(server);
  const poolOf = (max: number) => {
    const pool = new pg.Pool({ ...server.connection, port: link.port, max, connectionTimeoutMillis: 5_000 });
    pool.on("error", () => {});
    return pool;
  };
  const pool = poolOf(max);
  return {
    ...{ name: "pg", server, link, pool, poolOf },
    async ask(text) {
      const client = new pg.Client(server.connection);
      client.on("error", () => {});
      await client.connect();
      try {
        return (await client.query(text)).rows;
      } finally {
        await client.end();
      }
    },
    close: () => closed(() => pool.end(), link, server),
  };
}

async function startMysql(name: "mysql2" | "mariadb", max: number): Promise<Client> {
  const server: Mariadb = await startMariadb({ "innodb-snapshot-isolation": "ON", "innodb-lock-wait-timeout": 2 });
  const link = await proxy(server);
  const poolOf = (connectionLimit: number) => {
    const options = { ...server.connection, port: link.port, connectionLimit, connectTimeout: 5_000 };
    if (name === "mysql2") return mysql.createPool(options);
    return mariadb.createPool({ ...options, acquireTimeout: 5_000, minimumIdle: 0 });
  };
  const pool = poolOf(max);
  return {
    ...{ name, server, link, pool, poolOf },
    async ask(text) {
      const connection = await mysql.createConnection(server.connection);
      connection.on("error", () => {});
      try {
        return (await connection.query(text))[0] as any[];
      } finally {
        connection.destroy();
      }
    },
    close: () => closed(() => pool.end(), link, server),
  };
}

async function closed(end: () => Promise<void>, link: TcpProxy, server: Server): Promise<void> {
  link.cut();
  await end().catch(() => {});
  await link.close();
  await server.close();
}

/** Rows as every driver's `query` returns them. */
export function rowsOf(result: any): any[] {
  if (!Array.isArray(result)) return result.rows;
  return Array.isArray(result[0]) ? result[0] : result;
}
