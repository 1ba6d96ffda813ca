import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Client, startClient } from "../transaction/clients.js";
import { failureOf } from "./calls.js";
import { countersOf as countersOfIoredis } from "./recipes/ioredis.js";
import { storeOf as storeOfMariadb } from "./recipes/mariadb.js";
import { storeOf as storeOfMysql2 } from "./recipes/mysql2.js";
import { storeOf as storeOfPg } from "./recipes/pg.js";
import { countersOf as countersOfRedis } from "./recipes/redis.js";
import { proxy, type Redis as RedisServer, startRedis, type TcpProxy, whatIsMissing } from "./servers/index.js";

const page = readFileSync(new URL("../../docs/drivers.md", import.meta.url), "utf8");
const missing = whatIsMissing("postgres") ?? whatIsMissing("mariadb") ?? whatIsMissing("redis");
const because = missing ? ` (${missing})` : "";

it.each(["pg", "mysql2", "mariadb", "ioredis", "redis"])("the page of drivers has the recipe for %s", (name) => {
  expect(page).toContain(readFileSync(new URL(`recipes/${name}.ts`, import.meta.url), "utf8"));
});

const stores = [
  ["pg", storeOfPg],
  ["mysql2", storeOfMysql2],
  ["mariadb", storeOfMariadb],
] as const;

describe.skipIf(missing).each(stores)(`the recipe for %s${because}`, (name, storeOf) => {
  let client: Client;
  let store: ReturnType<typeof storeOf>;

  beforeAll(async () => {
    client = await startClient(name);
    await client.ask("create table accounts (id int primary key, balance int)");
    await client.ask("insert into accounts values (1, 100)");
    const { port } = client.link;
    const mysql = { host: "127.0.0.1", port, user: "root", password: "", database: "test" };
    store = storeOf(
      name === "pg" ? { host: "127.0.0.1", port, user: "postgres", database: "postgres" } : (mysql as any),
    );
  });

  afterAll(async () => {
    client.link.cut();
    await store?.close().catch(() => {});
    await client?.close();
  });

  beforeEach(() => client.ask("update accounts set balance = 100"));

  it("reads again where the connection is lost", async () => {
    const [, row] = await Promise.all([client.link.cutAfter(/select balance/), store.balance(1)]);

    expect(row).toEqual({ balance: 100 });
  });

  it("charges once where the connection is lost in the statement", async () => {
    await Promise.all([client.link.cutAfter(/update accounts/), store.charge(1, 10)]);

    expect(await client.ask("select balance from accounts")).toEqual([{ balance: 90 }]);
  });

  it("charges at most once where the answer of COMMIT is lost", async () => {
    const charging = store.charge(1, 10).catch(() => {});
    await Promise.all([client.link.cutAfter(/^.{0,5}commit/is), charging]);

    expect(await client.ask("select balance from accounts")).toEqual([{ balance: 90 }]);
  });
});

const counters = [
  ["ioredis", countersOfIoredis],
  ["redis", countersOfRedis],
] as const;

describe.skipIf(missing)(`Redis${because}`, () => {
  let server: RedisServer;
  let link: TcpProxy;

  beforeAll(async () => {
    server = await startRedis();
    link = await proxy(server);
  });

  afterAll(async () => {
    await link?.close();
    await server?.close();
  });

  const through = () => ({ host: link.host, port: link.port });

  it.each(counters)("the recipe for %s counts once where the answer of INCR is lost", async (name, open) => {
    const counter = await open(through());
    const cut = link.cutAfter(/incr/i);

    const [, error] = await Promise.all([cut, failureOf(counter.count(name))]);

    expect(error).toBeInstanceOf(Error);
    expect(await counter.read(name)).toBe("1");
    counter.close();
  });

  it("ioredis as it comes counts twice, and says nothing", async () => {
    const redis = new Redis(through());
    redis.on("error", () => {});
    await redis.ping();
    const cut = link.cutAfter(/incr/i);

    const [, count] = await Promise.all([cut, redis.incr("as it comes")]);

    expect(count).toBe(2);
    redis.disconnect();
  });
});
