import mysql from "mysql2/promise";
import pg from "pg";
import { proxy, startMariadb, startPostgres, type TcpProxy } from "../transient/servers/index.js";
import { type Orm, type Stack, TABLES, type Target } from "./stacks/index.js";

/** A server of the tests' own, with the tables of the stacks, behind a proxy. */
export interface Database {
  /** The server's. */
  readonly version: string;
  readonly link: TcpProxy;
  /** Asks the server itself, beside the proxy and every pool. */
  ask(text: string): Promise<any[]>;
  /** Connects an ORM, through the proxy unless told. */
  open(stack: Stack, target?: Partial<Target>): Promise<Orm>;
  /** Empties the tables, but for accounts 1 and 2. */
  reset(): Promise<void>;
  charges(): Promise<number>;
  close(): Promise<void>;
}

export async function startDatabase(name: Stack["database"]): Promise<Database> {
  const server =
    name === "postgres"
      ? await startPostgres({ deadlock_timeout: "20ms" })
      : await startMariadb({ "innodb-snapshot-isolation": "ON" });
  const { host, user, database } = server.connection;
  const target = { host, user, database, password: "", port: server.port, max: 4, patience: 1_500 };
  const link = await proxy(server);
  const ask = name === "postgres" ? askPostgres(target) : askMariadb(target);
  for (const table of TABLES[name]) await ask(table);
  const [{ version }] = await ask("select version() as version");
  return {
    version: `${name === "postgres" ? "" : "MariaDB "}${/^[\w ]*[\d.]+/.exec(version)![0]}`,
    link,
    ask,
    open: (stack, other) => stack.open({ ...target, port: link.port, ...other }),
    async reset() {
      for (const table of ["entries", "charges", "accounts"]) await ask(`delete from ${table}`);
      await ask("insert into accounts (id, balance) values (1, 100), (2, 100)");
    },
    charges: async () => Number((await ask("select count(*) as n from charges"))[0].n),
    async close() {
      await link.close();
      await server.close();
    },
  };
}

function askPostgres(target: pg.ClientConfig): Database["ask"] {
  return async (text) => {
    const client = new pg.Client(target);
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  };
}

function askMariadb({ host, port, user, database }: Target): Database["ask"] {
  return async (text) => {
    const connection = await mysql.createConnection({ host, port, user, database });
    try {
      return (await connection.query(text))[0] as any[];
    } finally {
      connection.destroy();
    }
  };
}
