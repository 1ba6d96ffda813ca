import { createConnection, createPool, type PoolOptions } from "mysql2/promise";
import { freePort } from "../servers/index.js";
import { type MysqlDriver, type MysqlSession, recordMysql } from "./mysql.js";
import { failureOf, type Scope } from "./recorder.js";

const driver: MysqlDriver = {
  name: "mysql2",
  async connect(config) {
    const client = await createConnection(config);
    const failed = new Promise((resolve) => void client.once("error", resolve));
    return {
      failed,
      query: async (sql) => (await client.query(sql))[0],
      end: () => client.end(),
      destroy: () => client.destroy(),
    };
  },
  recordOwn,
};

/** Records what `mysql2` throws. */
export const recordMysql2 = (): Promise<void> => recordMysql(driver);

function pool({ defer }: Scope, options: PoolOptions) {
  const made = createPool(options);
  defer(() => made.end());
  return made;
}

async function recordOwn({ direct, link, proxied, record }: MysqlSession): Promise<void> {
  await record("query", "a query's own timeout", async (scope) => {
    const client = await createConnection(direct);
    client.on("error", () => {});
    scope.defer(() => client.destroy());
    return failureOf(client.query({ sql: "select sleep(30)", timeout: 20 }));
  });
  await record("pool", "the pool is used up, and waitForConnections is off", async (scope) => {
    const connections = pool(scope, { ...direct, connectionLimit: 1, waitForConnections: false });
    const taken = await connections.getConnection();
    const error = await failureOf(connections.query("select 1"));
    taken.release();
    return error;
  });
  await record("pool", "the pool's queue is full", async (scope) => {
    const connections = pool(scope, { ...direct, connectionLimit: 1, queueLimit: 1 });
    const taken = await connections.getConnection();
    const queued = connections.query("select 1");
    const error = await failureOf(connections.query("select 1"));
    taken.release();
    await queued;
    return error;
  });
  await record("pool", "a pool that its user has closed", async () => {
    const connections = createPool(direct);
    await connections.end();
    return failureOf(connections.query("select 1"));
  });
  await record("pool", "nobody listens, through a pool", async (scope) =>
    failureOf(pool(scope, { ...direct, port: await freePort() }).query("select 1")),
  );
  await record("pool", "connectTimeout, through a pool", async (scope) => {
    scope.defer(() => link.passThrough());
    link.hang();
    return failureOf(pool(scope, { ...proxied, connectTimeout: 50 }).query("select 1"));
  });
}
