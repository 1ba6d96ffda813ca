import { createConnection, createPool, type PoolConfig } from "mariadb";
import { freePort } from "../servers/index.js";
import { type MysqlDriver, type MysqlSession, recordMysql } from "./mysql.js";
import { failureOf, type Scope } from "./recorder.js";

const driver: MysqlDriver = {
  name: "mariadb",
  async connect(config) {
    const client = await createConnection(config);
    const failed = new Promise((resolve) => void client.once("error", resolve));
    return {
      failed,
      query: (sql) => client.query(sql),
      end: () => client.end(),
      destroy: () => client.destroy(),
    };
  },
  recordOwn,
};

/** Records what `mariadb` throws. */
export const recordMariadb = (): Promise<void> => recordMysql(driver);

function pool({ defer }: Scope, options: PoolConfig) {
  const made = createPool(options);
  defer(() => made.end());
  return made;
}

async function recordOwn({ direct, link, proxied, record }: MysqlSession): Promise<void> {
  const open = async ({ defer }: Scope, options: object) => {
    const client = await createConnection({ ...direct, ...options });
    client.on("error", () => {});
    defer(() => client.destroy());
    return client;
  };
  await record("query", "queryTimeout", async (scope) => {
    const client = await open(scope, { queryTimeout: 20 });
    return failureOf(client.query("select sleep(30)"));
  });
  await record("query", "socketTimeout", async (scope) => {
    const client = await open(scope, { socketTimeout: 100 });
    return failureOf(client.query("select sleep(30)"));
  });
  await record("pool", "no connection of the pool becomes free in time", async (scope) => {
    const connections = pool(scope, { ...direct, connectionLimit: 1, acquireTimeout: 300 });
    const taken = await connections.getConnection();
    const error = await failureOf(connections.query("select 1"));
    await taken.release();
    return error;
  });
  await record("pool", "a pool that its user has closed", async () => {
    const connections = createPool(direct);
    await connections.end();
    return failureOf(connections.query("select 1"));
  });
  await record("pool", "nobody listens, through a pool", async (scope) =>
    failureOf(pool(scope, { ...direct, port: await freePort(), acquireTimeout: 300 }).query("select 1")),
  );
  await record("pool", "a wrong password, through a pool", async (scope) =>
    failureOf(pool(scope, { ...direct, user: "guarded", password: "wrong", acquireTimeout: 300 }).query("select 1")),
  );
  await record("pool", "the server does not say hello, through a pool", async (scope) => {
    scope.defer(() => link.passThrough());
    link.hang();
    return failureOf(pool(scope, { ...proxied, acquireTimeout: 300 }).query("select 1"));
  });
}
