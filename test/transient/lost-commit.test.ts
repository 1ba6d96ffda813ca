import mariadb from "mariadb";
import mysql from "mysql2/promise";
import pg from "pg";
import { retry, stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { classifyError, retryIfTransient } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import {
  type Mariadb,
  type Postgres,
  proxy,
  startMariadb,
  startPostgres,
  type TcpProxy,
  whatIsMissing,
} from "./servers/index.js";

// The transaction as the drivers' manuals have it: where COMMIT loses the connection, it is the ROLLBACK's error that
// comes out. It was not sent, but the COMMIT before it was.

interface Connection {
  query(text: string): Promise<unknown>;
  /** Gives the connection up. */
  destroy(): unknown;
}

async function charge(connect: () => Promise<Connection>): Promise<void> {
  const connection = await connect();
  try {
    await connection.query("BEGIN");
    await connection.query("insert into charges values (1)");
    await connection.query("COMMIT");
  } catch (error) {
    await connection.query("ROLLBACK");
    throw error;
  } finally {
    connection.destroy();
  }
}

const HOW = ["reset", "end"] as const;
const missing = { postgres: whatIsMissing("postgres"), mariadb: whatIsMissing("mariadb") };
const reason = (what: string | undefined) => (what ? ` (${what})` : "");

describe.skipIf(missing.postgres)(`PostgreSQL${reason(missing.postgres)}`, () => {
  let server: Postgres;
  let link: TcpProxy;
  let admin: pg.Client;

  beforeAll(async () => {
    server = await startPostgres();
    link = await proxy(server);
    admin = new pg.Client(server.connection);
    await admin.connect();
    await admin.query("create table charges (n int)");
  });

  afterAll(async () => {
    await admin?.end();
    await link?.close();
    await server?.close();
  });

  beforeEach(() => admin.query("truncate charges"));

  async function connect(): Promise<Connection> {
    const client = new pg.Client({ ...server.connection, port: link.port });
    client.on("error", () => {});
    await client.connect();
    return { query: (text) => client.query(text), destroy: () => void client.end().catch(() => {}) };
  }

  it.each(HOW)("a COMMIT that was lost is not run again, whatever the ROLLBACK says (%s)", async (how) => {
    const lost = link.cutAfter(/COMMIT/, how);

    const charging = retry(charge, { retryIf: retryIfTransient(), ...instant })(connect).catch((error) => error);
    await lost;

    expect((await charging).message).toBe("Client has encountered a connection error and is not queryable");
    expect((await admin.query("select * from charges")).rows).toHaveLength(1);
  });

  it("a server that could not be reached is tried again, by the same predicate", async () => {
    await link.refuse();
    onTestFinished(() => link.passThrough());
    const again = { retryIf: retryIfTransient(), onRetry: () => link.passThrough(), ...instant };

    await retry(charge, again)(connect);

    expect((await admin.query("select * from charges")).rows).toHaveLength(1);
  });
});

describe.skipIf(missing.mariadb)(`MariaDB${reason(missing.mariadb)}`, () => {
  let server: Mariadb;
  let link: TcpProxy;
  let admin: mysql.Connection;

  beforeAll(async () => {
    server = await startMariadb();
    link = await proxy(server);
    admin = await mysql.createConnection(server.connection);
    await admin.query("create table charges (n int)");
  });

  afterAll(async () => {
    admin?.destroy();
    await link?.close();
    await server?.close();
  });

  beforeEach(async () => {
    await admin.query("truncate charges");
  });

  const charges = async () => (await admin.query("select * from charges"))[0];

  const drivers = {
    async mysql2(): Promise<Connection> {
      const connection = await mysql.createConnection({ ...server.connection, port: link.port });
      connection.on("error", () => {});
      return { query: (text) => connection.query(text), destroy: () => connection.destroy() };
    },
    async mariadb(): Promise<Connection> {
      const connection = await mariadb.createConnection({ ...server.connection, port: link.port });
      connection.on("error", () => {});
      return { query: (text) => connection.query(text), destroy: () => connection.destroy() };
    },
  };

  describe.each(Object.entries(drivers))("%s", (_, connect) => {
    it.each(HOW)("a COMMIT that was lost is not run again, whatever the ROLLBACK says (%s)", async (how) => {
      const lost = link.cutAfter(/COMMIT/, how);

      const charging = retry(charge, { retryIf: retryIfTransient(), ...instant })(connect).catch((error) => error);
      await lost;

      expect(classifyError(await charging)).toBe("idempotent");
      expect(await charges()).toHaveLength(1);
    });

    it("a server that could not be reached is tried again, by the same predicate", async () => {
      await link.refuse();
      onTestFinished(() => link.passThrough());
      const again = { retryIf: retryIfTransient(), stop: stopAfterAttempt(2), onRetry: () => link.passThrough() };

      await retry(charge, { ...again, ...instant })(connect);

      expect(await charges()).toHaveLength(1);
    });
  });
});
