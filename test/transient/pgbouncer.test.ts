import pg from "pg";
import { classifyPostgresError } from "undaunted/transient";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { failureOf } from "./calls.js";
import { freePort, type Postgres, type Server, startPgbouncer, startPostgres, whatIsMissing } from "./servers/index.js";

const missing = whatIsMissing("postgres") ?? whatIsMissing("pgbouncer");

describe.skipIf(missing)(`pgbouncer${missing ? ` (${missing})` : ""}`, () => {
  let server: Postgres;
  let pooler: Server;

  beforeAll(async () => {
    server = await startPostgres();
    const to = (port: number, more = "") => `host=127.0.0.1 port=${port} user=postgres ${more}`;
    pooler = await startPgbouncer(
      {
        one: to(server.port, "dbname=postgres pool_size=1"),
        many: to(server.port, "dbname=postgres pool_size=5"),
        missing: to(server.port, "dbname=nope"),
        down: to(await freePort()),
      },
      { query_wait_timeout: 1, idle_transaction_timeout: 1, max_client_conn: 6, server_login_retry: 1 },
    );
  });

  afterAll(async () => {
    await pooler?.close();
    await server?.close();
  });

  async function connected(database: string): Promise<pg.Client> {
    const client = new pg.Client({ host: "127.0.0.1", port: pooler.port, user: "anybody", database });
    client.on("error", () => {});
    onTestFinished(() => client.end().catch(() => {}));
    await client.connect();
    return client;
  }

  const failure = async (database: string, text = "select 1") =>
    failureOf(connected(database).then((client) => client.query(text)));

  it("is safe where its server is down", async () => {
    expect(classifyPostgresError(await failure("down"))).toBe("safe");
  });

  it("is permanent where the database behind it is not there", async () => {
    expect(classifyPostgresError(await failure("missing"))).toBe("permanent");
  });

  it("is safe where no connection became free in time", async () => {
    const holder = await connected("one");
    await holder.query("begin");

    expect(classifyPostgresError(await failure("one"))).toBe("safe");
  });

  it("is idempotent where a transaction idled too long", async () => {
    const client = await connected("many");
    const gone = new Promise((resolve) => client.once("error", resolve));
    await client.query("begin");

    expect(classifyPostgresError(await gone)).toBe("idempotent");
  });

  it("is safe where it has too many clients", async () => {
    const clients: pg.Client[] = [];
    const all = async () => {
      for (;;) clients.push(await connected("many"));
    };

    expect(classifyPostgresError(await failureOf(all()))).toBe("safe");
    await Promise.all(clients.map((client) => client.end()));
  });

  it("is idempotent where the server's connection is killed under a statement", async () => {
    const client = await connected("many");
    const killed = failureOf(client.query("select pg_terminate_backend(pg_backend_pid()), pg_sleep(30)"));

    expect(classifyPostgresError(await killed)).toBe("idempotent");
  });
});
