import pg, { type ClientConfig, type PoolClient } from "pg";
import { type RetryOptions, retry, stopAfterAttempt } from "undaunted";
import { idempotent, postgresIdempotencyStore } from "undaunted/idempotency";
import { instant } from "undaunted/testing";
import { classifyPostgresError, type RetryIfTransientOptions, retryIfTransient } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { PATIENCE } from "../limits.js";
import { barrier, failureOf } from "./calls.js";
import { type Postgres, proxy, startPostgres, type TcpProxy, whatIsMissing } from "./servers/index.js";
import { until } from "./servers/until.js";

const missing = whatIsMissing("postgres");

describe.skipIf(missing)(`PostgreSQL${missing ? ` (${missing})` : ""}`, () => {
  let server: Postgres;
  let link: TcpProxy;

  beforeAll(async () => {
    server = await startPostgres({ deadlock_timeout: "20ms", max_connections: 20 });
    link = await proxy(server);
    await ask(`
      create table account (id int primary key, balance int not null check (balance >= 0));
      create table entry (id int primary key, account int references account);
      create table effects (what text);
      create role common login;
      grant all on effects to common;
    `);
    const store = postgresIdempotencyStore({ query: async (text) => ({ rows: await ask(text) }) });
    await store.setUp();
  });

  afterAll(async () => {
    await link?.close();
    await server?.close();
  });

  beforeEach(async () => {
    await ask("truncate account, entry, effects, idempotency_keys; insert into account values (1, 100), (2, 100)");
  });

  const proxied = () => ({ ...server.connection, port: link.port });

  /** A connection that lasts as long as the test. */
  async function connect(config: ClientConfig = server.connection) {
    const client = new pg.Client(config);
    client.on("error", () => {});
    onTestFinished(() => client.end().catch(() => {}));
    await client.connect();
    return client;
  }

  /** What one query answers, on a connection of its own. */
  async function ask(text: string, config: ClientConfig = server.connection) {
    const client = new pg.Client(config);
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query(text)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  type Work<T> = (client: pg.Client | PoolClient) => Promise<T>;

  /** One transaction on a connection of its own. */
  async function inTransaction<T>(work: Work<T>, config: ClientConfig = server.connection, begin = "begin") {
    const client = new pg.Client(config);
    client.on("error", () => {});
    try {
      await client.connect();
      await client.query(begin);
      const result = await work(client);
      await client.query("commit");
      return result;
    } finally {
      await client.end().catch(() => {});
    }
  }

  function policy(wants: RetryIfTransientOptions = {}, more: RetryOptions = {}): RetryOptions {
    return { stop: stopAfterAttempt(4), retryIf: retryIfTransient(wants), ...instant, ...more };
  }

  /** Holds a lock that `HELD` waits for. */
  async function hold() {
    const holder = await connect();
    await holder.query("select pg_advisory_lock(1)");
    return holder;
  }
  const HELD = "select 'done' as answer from pg_advisory_xact_lock_shared(1)";

  /** The process that waits for a lock. */
  function waiting(): Promise<number> {
    const look = async () => {
      const [found] = await ask("select pid from pg_stat_activity where wait_event_type = 'Lock'");
      if (!found) throw new Error("none");
      return found.pid as number;
    };
    return until(look, PATIENCE, () => "nobody waits for a lock");
  }

  /** Connections of this kind until there is no more of them. */
  async function connectAll(config: ClientConfig): Promise<pg.Client[]> {
    const clients: pg.Client[] = [];
    for (;;) {
      try {
        clients.push(await connect(config));
      } catch (error) {
        expect(error).toMatchObject({ code: "53300" });
        return clients;
      }
    }
  }

  /** The server takes its time to let a client go. */
  async function fewerThan(count: number): Promise<void> {
    const look = async () => {
      const rows = await ask("select from pg_stat_activity where usename = 'common'");
      if (rows.length >= count) throw new Error(`${rows.length} clients`);
    };
    await until(look, PATIENCE, () => "no client has left");
  }

  const balances = async () => (await ask("select balance from account order by id")).map(({ balance }) => balance);
  const effects = async () => (await ask("select what from effects")).map(({ what }) => what);

  describe("a conflict", () => {
    it("of two serializable transactions ends with both done, one after the other", async () => {
      const bothHaveRead = barrier(2);
      const move = (from: number, to: number) =>
        retry(
          () =>
            inTransaction(
              async (client) => {
                const { rows } = await client.query("select sum(balance)::int as sum from account");
                await bothHaveRead();
                await client.query(`update account set balance = ${rows[0].sum} where id = ${from}`);
                return to;
              },
              server.connection,
              "begin isolation level serializable",
            ),
          policy(),
        );
      const [one, two] = [move(1, 2), move(2, 1)];

      await Promise.all([one(), two()]);

      expect(one.stats.attempts + two.stats.attempts).toBe(3);
      // The second sum is of what the first has written.
      expect((await balances()).sort()).toEqual([200, 300]);
    });

    it("that is a deadlock ends with both done", async () => {
      const bothHaveOne = barrier(2);
      const add = (first: number, second: number) =>
        retry(
          () =>
            inTransaction(async (client) => {
              await client.query(`update account set balance = balance + 1 where id = ${first}`);
              await bothHaveOne();
              await client.query(`update account set balance = balance + 1 where id = ${second}`);
            }),
          policy(),
        );
      const [one, two] = [add(1, 2), add(2, 1)];

      await Promise.all([one(), two()]);

      expect(one.stats.attempts + two.stats.attempts).toBe(3);
      expect(await balances()).toEqual([102, 102]);
    });

    it.each([
      ["lock_timeout", "set local lock_timeout = 10"],
      ["nowait", "select from account where id = 1 for update nowait"],
    ])("with whoever holds the row is over when that one has finished (%s)", async (_, prelude) => {
      const holder = await connect();
      await holder.query("begin; update account set balance = balance + 1 where id = 1");
      const add = retry(
        () =>
          inTransaction(async (client) => {
            await client.query(prelude);
            await client.query("update account set balance = balance + 1 where id = 1");
          }),
        policy({}, { onRetry: async () => void (await holder.query("commit")) }),
      );

      await add();

      expect(add.stats.attempts).toBe(2);
      expect(await balances()).toEqual([102, 100]);
    });
  });

  describe("a query whose process is terminated", () => {
    it("is tried again where it is idempotent", async () => {
      const holder = await hold();
      const read = retry(() => ask(HELD), policy({ idempotent: true }, { onRetry: () => release(holder) }));
      const answer = read();

      await ask(`select pg_terminate_backend(${await waiting()})`);

      expect(await answer).toEqual([{ answer: "done" }]);
      expect(read.stats.attempts).toBe(2);
    });

    it("is not tried again where nobody says so", async () => {
      await hold();
      const read = retry(() => ask(HELD), policy());
      const failed = expect(read()).rejects.toMatchObject({ code: "57P01" });

      await ask(`select pg_terminate_backend(${await waiting()})`);

      await failed;
      expect(read.stats.attempts).toBe(1);
    });

    it("is not tried again where it was only cancelled", async () => {
      await hold();
      const read = retry(() => ask(HELD), policy({ idempotent: true, unknown: true }));
      const failed = expect(read()).rejects.toMatchObject({ code: "57014" });

      await ask(`select pg_cancel_backend(${await waiting()})`);

      await failed;
      expect(read.stats.attempts).toBe(1);
    });
  });

  describe("a server that is stopped", () => {
    it.each([
      ["fast", () => server.stop("fast")],
      ["immediate", () => server.stop("immediate")],
      ["killed", () => server.kill()],
    ] as const)("in mid-query (%s) answers once it is back", async (_, stop) => {
      await hold();
      let stopped: Promise<void> | undefined;
      const startAgain = async () => {
        await stopped;
        await server.start();
      };
      const read = retry(() => ask(HELD), policy({ idempotent: true }, { onRetry: startAgain }));
      const answer = read();
      await waiting();

      stopped = stop();

      expect(await answer).toEqual([{ answer: "done" }]);
      expect(read.stats.attempts).toBe(2);
    });

    it("before the call lets even a write be tried again: it was never sent", async () => {
      const write = retry(
        () => inTransaction((client) => client.query("insert into effects values ('once')")),
        policy({}, { onRetry: () => server.start() }),
      );
      await server.stop();

      await write();

      expect(write.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["once"]);
    });
  });

  it("lets a write be tried again that got no connection, all being taken", async () => {
    const config = { ...server.connection, user: "common" };
    const taken = await connectAll(config);
    const leave = async () => {
      // More than one: the server lists a client for a shorter time than it counts it.
      await Promise.all(taken.map((client) => client.end()));
      await fewerThan(taken.length / 2);
    };
    const write = retry(
      () => inTransaction((client) => client.query("insert into effects values ('once')"), config),
      policy({}, { onRetry: leave }),
    );

    await write();

    expect(write.stats.attempts).toBe(2);
    expect(await effects()).toEqual(["once"]);
  });

  describe("what is refused for good", () => {
    it.each([
      ["a duplicate key", "23505", "insert into account values (1, 0)"],
      ["a parent row that is missing", "23503", "insert into entry values (1, 100)"],
      ["a check constraint", "23514", "update account set balance = -1"],
      ["a text that is no number", "22P02", "select 'a'::int"],
      ["a division by zero", "22012", "select 1 / 0"],
      ["a table that is missing", "42P01", "select * from nowhere"],
      ["a syntax error", "42601", "selec 1"],
    ])("is tried once, whatever may be repeated: %s", async (_, code, query) => {
      const write = retry(() => ask(query), policy({ idempotent: true, unknown: true }));

      await expect(write()).rejects.toMatchObject({ code });

      expect(write.stats.attempts).toBe(1);
    });

    it("is tried once: a wrong role", async () => {
      const read = retry(() => ask("select 1", { ...server.connection, user: "nowhere" }), policy({ unknown: true }));

      await expect(read()).rejects.toMatchObject({ code: "28000" });

      expect(read.stats.attempts).toBe(1);
    });
  });

  describe("parentMayFollow", () => {
    it("tries a child again until its parent is there", async () => {
      const write = retry(
        () => ask("insert into entry values (1, 3) returning account"),
        policy(
          { parentMayFollow: true },
          { onRetry: async () => void (await ask("insert into account values (3, 0)")) },
        ),
      );

      expect(await write()).toEqual([{ account: 3 }]);

      expect(write.stats.attempts).toBe(2);
    });

    it("does not try again to delete a parent that has children", async () => {
      await ask("insert into entry values (1, 1)");
      const remove = retry(() => ask("delete from account where id = 1"), policy({ parentMayFollow: true }));

      await expect(remove()).rejects.toMatchObject({ code: "23503" });

      expect(remove.stats.attempts).toBe(1);
    });
  });

  describe("a connection lost during COMMIT", () => {
    const write = () => inTransaction((client) => client.query("insert into effects values ('lost?')"), proxied());

    /** The effect and its key in one transaction. */
    const writeOnce = () =>
      inTransaction(async (client) => {
        const store = postgresIdempotencyStore(client);
        const effect = async () => void (await client.query("insert into effects values ('kept')"));
        await idempotent(effect, { key: () => "a wish", name: "effect", store })();
      }, proxied());

    it.each(["reset", "end"] as const)("after it has gone is not tried again: it is done (%s)", async (how) => {
      const call = retry(write, policy());
      const cut = link.cutAfter(/commit/, how);

      const error = await failureOf(call());
      await cut;

      expect(classifyPostgresError(error)).toBe("idempotent");
      expect(call.stats.attempts).toBe(1);
      expect(await effects()).toEqual(["lost?"]);
    });

    it("is done twice where what is not idempotent is called so", async () => {
      const call = retry(write, policy({ idempotent: true }));
      void link.cutAfter(/commit/);

      await call();

      expect(await effects()).toEqual(["lost?", "lost?"]);
    });

    it.each(["reset", "end"] as const)(
      "after it has gone is tried again with a key, and done once (%s)",
      async (how) => {
        const call = retry(writeOnce, policy({ idempotent: true }));
        void link.cutAfter(/commit/, how);

        await call();

        expect(call.stats.attempts).toBe(2);
        expect(await effects()).toEqual(["kept"]);
      },
    );

    it("before it arrived is tried again with a key, and done once", async () => {
      const call = retry(writeOnce, policy({ idempotent: true }));
      void link.cutBefore(/commit/);

      await call();

      expect(call.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["kept"]);
    });

    it("or during any statement before it is tried again with a key, and done once", async () => {
      const call = retry(writeOnce, policy({ idempotent: true }));
      void link.cutAfter(/set record/);

      await call();

      expect(call.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["kept"]);
    });
  });

  describe("a network that", () => {
    it.each(["reset", "end"] as const)(
      "cuts an answer in its midst (%s) gives the whole of it at the second attempt",
      async (how) => {
        const read = retry(
          () => ask("select * from generate_series(1, 10000)", proxied()),
          policy({ idempotent: true }),
        );
        void link.cutInAnswer(5_000, how);

        const rows = await read();

        expect(rows).toHaveLength(10_000);
        expect(read.stats.attempts).toBe(2);
      },
    );

    it("cuts an answer in its midst ends in an error where nobody says that it may be asked twice", async () => {
      const read = retry(() => ask("select * from generate_series(1, 10000)", proxied()), policy());
      void link.cutInAnswer(5_000);

      expect(classifyPostgresError(await failureOf(read()))).toBe("idempotent");

      expect(read.stats.attempts).toBe(1);
    });

    it("refuses connections lets even a write be tried again", async () => {
      const write = retry(
        () => inTransaction((client) => client.query("insert into effects values ('once')"), proxied()),
        policy({}, { onRetry: () => link.passThrough() }),
      );
      await link.refuse();

      await write();

      expect(write.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["once"]);
    });

    it("lets nothing through while connecting lets even a write be tried again", async () => {
      const write = retry(
        () =>
          inTransaction((client) => client.query("insert into effects values ('once')"), {
            ...proxied(),
            connectionTimeoutMillis: 500,
          }),
        policy({}, { onRetry: () => link.passThrough() }),
      );
      link.hang();

      await write();

      expect(write.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["once"]);
    });

    it("lets nothing through while a pool connects is waited out", async () => {
      const pool = new pg.Pool({ ...proxied(), connectionTimeoutMillis: 500 });
      onTestFinished(() => pool.end());
      const write = retry(
        () => pool.query("insert into effects values ('once')"),
        policy({ idempotent: true }, { onRetry: () => link.passThrough() }),
      );
      link.hang();

      await write();

      expect(write.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["once"]);
    });

    it("delays an answer beyond query_timeout lets it be asked again where it is idempotent", async () => {
      const read = retry(
        () => ask("select 1 as one", { ...proxied(), query_timeout: 500 }),
        policy({ idempotent: true }, { onRetry: () => link.passThrough() }),
      );
      link.delay(1_000);
      onTestFinished(() => link.passThrough());

      expect(await read()).toEqual([{ one: 1 }]);

      expect(read.stats.attempts).toBe(2);
    });

    it("delays an answer beyond query_timeout ends in an error where nobody says that it may be asked twice", async () => {
      const read = retry(() => ask("select 1 as one", { ...proxied(), query_timeout: 500 }), policy());
      link.delay(1_000);
      onTestFinished(() => link.passThrough());

      await expect(read()).rejects.toThrow("Query read timeout");

      expect(read.stats.attempts).toBe(1);
    });
  });
});

const release = async (holder: pg.Client) => void (await holder.query("select pg_advisory_unlock(1)"));
