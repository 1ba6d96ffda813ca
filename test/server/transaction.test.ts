import { createPool, type Pool as MysqlPool } from "mysql2/promise";
import { Pool } from "pg";
import { mysqlIdempotencyStore, newIdempotencyKey, postgresIdempotencyStore } from "undaunted/idempotency";
import { type IdempotentServerOptions, idempotentHandler, notDone, type TransactionPool } from "undaunted/server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { deferred } from "../idempotency/deferred.js";
import { named } from "../idempotency/kinds-of-store.js";
import {
  type Mariadb,
  type Postgres,
  proxy,
  startMariadb,
  startPostgres,
  whatIsMissing,
} from "../transient/servers/index.js";
import { type App, FRAMEWORKS, type Reply } from "./apps.js";

let key: string;

beforeEach(() => {
  key = newIdempotencyKey();
});

const missing = whatIsMissing("postgres");

describe.skipIf(missing)(named("in the transaction form, over PostgreSQL,", missing), () => {
  let server: Postgres;
  let pool: Pool;
  let app: App | undefined;

  beforeAll(async () => {
    if (missing) return;
    server = await startPostgres();
    pool = new Pool({ ...server.connection, max: 10 });
    await postgresIdempotencyStore(pool).setUp();
    await pool.query("create table orders (key text unique)");
  });

  afterAll(async () => {
    await pool?.end();
    await server?.close();
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
    // Every connection came back, with no transaction open.
    expect([pool.totalCount - pool.idleCount, pool.waitingCount]).toEqual([0, 0]);
  });

  const orders = async (of = key) =>
    (await pool.query("select count(*)::int as n from orders where key = $1", [of])).rows[0].n;
  const options = (more: Partial<IdempotentServerOptions<any>> = {}) =>
    ({
      ...{ name: "orders", store: postgresIdempotencyStore(pool), transaction: pool, scope: "public" as const },
      ...{ onError: () => {}, onStoreError: () => {} },
      ...more,
    }) as IdempotentServerOptions<any> & { transaction: TransactionPool };
  const request = (more: object = {}) =>
    new Request("http://localhost/", { method: "POST", body: "tea", headers: { "idempotency-key": key }, ...more });
  const insert = (tx: Pool) => tx.query("insert into orders values ($1)", [key]);

  describe.each(FRAMEWORKS)("behind %s,", (_name, start) => {
    const open = async (reply: (tx: Pool) => Reply | Promise<Reply>) => {
      const handler = vi.fn(async (_body: unknown, tx: unknown) => {
        await insert(tx as Pool);
        return reply(tx as Pool);
      });
      app = await start(handler, options());
      const { url } = app;
      const post = (headers: object = { "idempotency-key": key }) =>
        fetch(url, { method: "POST", body: "{}", headers: { "content-type": "application/json", ...headers } });
      return { handler, post };
    };

    it("effect and answer commit together, before the answer is sent", async () => {
      const { handler, post } = await open(() => ({ status: 201, body: { of: key } }));

      const first = await post();
      expect([first.status, await orders()]).toEqual([201, 1]);
      const again = await post();

      expect([again.headers.get("idempotent-replayed"), await again.text()]).toEqual(["true", await first.text()]);
      expect([handler.mock.calls.length, await orders()]).toEqual([1, 1]);
    });

    it.each<[string, (tx: Pool) => Reply | Promise<Reply>, number]>([
      ["a 503", () => ({ status: 503 }), 503],
      ["an error", () => ({ throws: new Error("bug") }), 500],
      ["a 429", () => ({ status: 429 }), 429],
      ["a statement that fails", (tx) => tx.query("select 1 / 0") as never, 500],
      ["what is marked as not done", () => ({ notDone: true }), 200],
    ])("%s rolls back: nothing has happened, and the next request with the key runs", async (_what, reply, status) => {
      const { handler, post } = await open((tx) =>
        handler.mock.calls.length === 1 ? reply(tx) : { body: { is: "done" } },
      );

      expect((await post()).status).toBe(status);
      expect(await orders()).toBe(0);
      expect(await (await post()).json()).toEqual({ is: "done" });
      expect([handler.mock.calls.length, await orders()]).toEqual([2, 1]);
    });

    it("a request without a key has a transaction, too", async () => {
      const { post } = await open(() => ({ status: 201 }));
      expect([(await post({})).status, await orders()]).toEqual([201, 1]);
      await app!.close();

      key = newIdempotencyKey();
      const failing = await open(() => ({ status: 500 }));
      expect([(await failing.post({})).status, await orders()]).toEqual([500, 0]);
    });
  });

  it("a second request with the key waits for the first, and gets its answer", async () => {
    const work = deferred();
    const handler = vi.fn(async (_request: Request, tx: Pool) => {
      await insert(tx);
      await work.promise;
      return new Response("first");
    });
    const serve = idempotentHandler(handler, options());
    const first = serve(request());
    await vi.waitFor(() => expect(handler).toHaveBeenCalled());
    const second = serve(request());

    work.resolve();

    expect(await Promise.all([first, second].map(async (each) => (await each).text()))).toEqual(["first", "first"]);
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it.each([
    ["after the server has committed", "cutAfter"],
    ["before the server hears of it", "cutBefore"],
  ] as const)(
    "has one effect where the connection breaks in the commit, %s, and the client comes again",
    async (_when, cut) => {
      const faulty = await proxy(server);
      const through = new Pool({ ...server.connection, port: faulty.port });
      through.on("error", () => {});
      const serve = idempotentHandler(
        async (_request: Request, tx: Pool) => {
          await insert(tx);
          return new Response("done");
        },
        options({ store: postgresIdempotencyStore(through), transaction: through }),
      );
      void faulty[cut](/commit/);

      const first = await serve(request());

      expect([first.status, first.headers.get("x-should-retry")]).toEqual([503, null]);
      expect(await (await serve(request())).text()).toBe("done");
      expect(await orders()).toBe(1);
      await through.end();
      await faulty.close();
    },
  );

  it("hands what is marked as not done to the client, and keeps nothing", async () => {
    const serve = idempotentHandler(async (_request: Request, tx: Pool) => {
      await insert(tx);
      return notDone(new Response("later"));
    }, options());

    expect(await (await serve(request())).text()).toBe("later");
    expect(await orders()).toBe(0);
  });
});

const noMariadb = whatIsMissing("mariadb");

describe.skipIf(noMariadb)(named("in the transaction form, over MariaDB,", noMariadb), () => {
  let server: Mariadb;
  let pool: MysqlPool;

  beforeAll(async () => {
    if (noMariadb) return;
    server = await startMariadb();
    pool = createPool(server.connection);
    await mysqlIdempotencyStore(pool).setUp();
    await pool.query("create table orders (id varchar(64)) engine = InnoDB");
  });

  afterAll(async () => {
    await pool?.end();
    await server?.close();
  });

  it.each([
    [200, 1, "true"],
    [503, 0, null],
  ])(
    "a %i has %d effects, and the next request with the key gets an answer that is replayed: %s",
    async (status, effects, replayed) => {
      const serve = idempotentHandler(
        async (_request: Request, tx: MysqlPool) => {
          await tx.query("insert into orders values (?)", [key]);
          return new Response(null, { status });
        },
        { name: "orders", store: mysqlIdempotencyStore(pool), transaction: pool, scope: "public" },
      );
      const post = () =>
        serve(new Request("http://localhost/", { method: "POST", headers: { "idempotency-key": key } }));

      expect([(await post()).status, (await post()).headers.get("idempotent-replayed")]).toEqual([status, replayed]);
      const [rows] = await pool.query("select count(*) as n from orders where id = ?", [key]);
      expect(rows).toEqual([{ n: effects }]);
    },
  );
});
