import { type RetryOptions, retry, stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { classifyMysqlError, type RetryIfTransientOptions, retryIfTransient } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { PATIENCE } from "../limits.js";
import { barrier, failureOf } from "./calls.js";
import { DRIVERS, type MysqlConfig, type MysqlConnection } from "./mysql-drivers.js";
import { type Mariadb, proxy, startMariadb, type TcpProxy, whatIsMissing } from "./servers/index.js";
import { until } from "./servers/until.js";

const missing = whatIsMissing("mariadb");

describe.skipIf(missing)(`MariaDB${missing ? ` (${missing})` : ""}`, () => {
  let server: Mariadb;
  let link: TcpProxy;

  beforeAll(async () => {
    server = await startMariadb({ "max-connections": 20 });
    link = await proxy(server);
    await admin(
      "create table account (id int primary key, balance int not null check (balance >= 0))",
      "create table entry (id int primary key, account int, foreign key (account) references account (id))",
      "create table effects (what varchar(20))",
      "create user common@'127.0.0.1'",
      "grant all on test.* to common@'127.0.0.1'",
    );
  });

  afterAll(async () => {
    await link?.close();
    await server?.close();
  });

  beforeEach(async () => {
    await admin("delete from entry", "delete from account", "delete from effects");
    await admin("insert into account values (1, 100), (2, 100)");
  });

  const proxied = () => ({ ...server.connection, port: link.port });
  const common = () => ({ ...server.connection, user: "common" });

  /** What the last of these queries answers, on a connection of its own. */
  async function admin(...queries: string[]): Promise<any> {
    const connection = await DRIVERS.mysql2!(server.connection);
    try {
      let answer: unknown;
      for (const query of queries) answer = await connection.query(query);
      return answer;
    } finally {
      connection.destroy();
    }
  }

  function policy(wants: RetryIfTransientOptions = {}, more: RetryOptions = {}): RetryOptions {
    return { stop: stopAfterAttempt(4), retryIf: retryIfTransient(wants), ...instant, ...more };
  }

  const balances = async () =>
    (await admin("select balance from account order by id")).map(({ balance }: { balance: number }) => balance);
  const effects = async () => (await admin("select what from effects")).map(({ what }: { what: string }) => what);

  /** The connection, in the server, that waits for a lock. */
  function waiting(): Promise<number> {
    const look = async () => {
      const [found] = await admin("select id from information_schema.processlist where state = 'User lock'");
      if (!found) throw new Error("none");
      return Number(found.id);
    };
    return until(look, PATIENCE, () => "nobody waits for a lock");
  }

  describe.each(Object.entries(DRIVERS))("through %s:", (_, open) => {
    /** A connection that lasts as long as the test. */
    async function connect(config: MysqlConfig = server.connection) {
      const connection = await open(config);
      onTestFinished(() => connection.destroy());
      return connection;
    }

    /** What one query answers, on a connection of its own. */
    async function ask(query: string, config: MysqlConfig = server.connection): Promise<any[]> {
      const connection = await open(config);
      try {
        return Array.from(await connection.query(query));
      } finally {
        connection.destroy();
      }
    }

    /** One transaction on a connection of its own. */
    async function inTransaction<T>(
      work: (connection: MysqlConnection) => Promise<T>,
      config: MysqlConfig = server.connection,
    ) {
      const connection = await open(config);
      try {
        await connection.query("begin");
        const result = await work(connection);
        await connection.query("commit");
        return result;
      } finally {
        connection.destroy();
      }
    }

    const write = (config?: MysqlConfig) => () =>
      inTransaction((connection) => connection.query("insert into effects values ('done')"), config);

    /** Holds a lock that `HELD` waits for. */
    async function hold() {
      const holder = await connect();
      await holder.query("select get_lock('held', 0)");
      return holder;
    }
    const HELD = "select get_lock('held', 60) as answer";

    it("a deadlock ends with both transactions done", async () => {
      const bothHaveOne = barrier(2);
      const add = (first: number, second: number) =>
        retry(
          () =>
            inTransaction(async (connection) => {
              await connection.query(`update account set balance = balance + 1 where id = ${first}`);
              await bothHaveOne();
              await connection.query(`update account set balance = balance + 1 where id = ${second}`);
            }),
          policy(),
        );
      const [one, two] = [add(1, 2), add(2, 1)];

      await Promise.all([one(), two()]);

      expect(one.stats.attempts + two.stats.attempts).toBe(3);
      expect(await balances()).toEqual([102, 102]);
    });

    it("a lock timeout is over when whoever held the row has finished, and what came before it is done once", async () => {
      const holder = await connect();
      await holder.query("begin");
      await holder.query("update account set balance = balance + 1 where id = 1");
      const add = retry(
        () =>
          inTransaction(async (connection) => {
            await connection.query("set innodb_lock_wait_timeout = 1");
            // The timeout of the next statement does not take this one back.
            await connection.query("update account set balance = balance + 1 where id = 2");
            await connection.query("update account set balance = balance + 1 where id = 1");
          }),
        policy({}, { onRetry: async () => void (await holder.query("commit")) }),
      );

      await add();

      expect(add.stats.attempts).toBe(2);
      expect(await balances()).toEqual([102, 101]);
    });

    it("a query whose connection is killed is tried again where it is idempotent", async () => {
      const holder = await hold();
      const read = retry(() => ask(HELD), policy({ idempotent: true }, { onRetry: () => release(holder) }));
      const answer = read();

      await admin(`kill connection ${await waiting()}`);

      expect((await answer).map(({ answer }) => Number(answer))).toEqual([1]);
      expect(read.stats.attempts).toBe(2);
    });

    it("a query whose connection is killed is not tried again where nobody says so", async () => {
      await hold();
      const read = retry(() => ask(HELD), policy());
      const failed = failureOf(read());

      await admin(`kill connection ${await waiting()}`);

      expect(classifyMysqlError(await failed)).toBe("idempotent");
      expect(read.stats.attempts).toBe(1);
    });

    it.each(["stop", "kill"] as const)("a server that ends in mid-query (%s) answers once it is back", async (end) => {
      await hold();
      let ended: Promise<void> | undefined;
      const startAgain = async () => {
        await ended;
        await server.start();
      };
      const read = retry(() => ask(HELD), policy({ idempotent: true }, { onRetry: startAgain }));
      const answer = read();
      await waiting();

      ended = server[end]();

      expect((await answer).map(({ answer }) => Number(answer))).toEqual([1]);
      expect(read.stats.attempts).toBe(2);
    });

    it("a server that is not there lets even a write be tried again: it was never sent", async () => {
      const call = retry(write(), policy({}, { onRetry: () => server.start() }));
      await server.stop();

      await call();

      expect(call.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["done"]);
    });

    it("too many connections let even a write be tried again", async () => {
      const taken: MysqlConnection[] = [];
      const full = await failureOf(connectForEver(taken));
      const leave = async () => {
        // More than one: the server lists a connection for a shorter time than it counts it.
        for (const each of taken) each.destroy();
        await fewerThan(taken.length / 2);
      };
      const call = retry(write(common()), policy({}, { onRetry: leave }));

      await call();

      expect(full).toMatchObject({ errno: 1040 });
      expect(call.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["done"]);
    });

    async function connectForEver(taken: MysqlConnection[]): Promise<never> {
      for (;;) taken.push(await connect(common()));
    }

    /** The server takes its time to let a connection go. */
    async function fewerThan(count: number): Promise<void> {
      const look = async () => {
        const rows = await admin("select id from information_schema.processlist where user = 'common'");
        if (rows.length >= count) throw new Error(`${rows.length} connections`);
      };
      await until(look, PATIENCE, () => "no connection has ended");
    }

    it.each([
      ["a duplicate key", 1062, "insert into account values (1, 0)"],
      ["a parent row that is missing", 1452, "insert into entry values (1, 100)"],
      ["a check constraint", 4025, "update account set balance = -1"],
      ["a table that is missing", 1146, "select * from nowhere"],
      ["a syntax error", 1064, "selec 1"],
    ])("what is refused for good is tried once, whatever may be repeated: %s", async (_, errno, query) => {
      const call = retry(() => ask(query), policy({ idempotent: true, unknown: true }));

      await expect(call()).rejects.toMatchObject({ errno });

      expect(call.stats.attempts).toBe(1);
    });

    it("parentMayFollow tries a child again until its parent is there", async () => {
      const addParent = async () => void (await admin("insert into account values (3, 0)"));
      const call = retry(
        () => inTransaction((connection) => connection.query("insert into entry values (1, 3)")),
        policy({ parentMayFollow: true }, { onRetry: addParent }),
      );

      await call();

      expect(call.stats.attempts).toBe(2);
      expect(await admin("select * from entry")).toEqual([{ id: 1, account: 3 }]);
    });

    it("parentMayFollow does not try again to delete a parent that has children", async () => {
      await admin("insert into entry values (1, 1)");
      const call = retry(() => ask("delete from account where id = 1"), policy({ parentMayFollow: true }));

      await expect(call()).rejects.toMatchObject({ errno: 1451 });

      expect(call.stats.attempts).toBe(1);
    });

    it.each(["reset", "end"] as const)(
      "a COMMIT whose answer is lost is not tried again: it is done (%s)",
      async (how) => {
        const call = retry(write(proxied()), policy());
        const cut = link.cutAfter(/commit/, how);

        const error = await failureOf(call());
        await cut;

        expect(classifyMysqlError(error)).toBe("idempotent");
        expect(call.stats.attempts).toBe(1);
        expect(await effects()).toEqual(["done"]);
      },
    );

    it("a COMMIT whose answer is lost is done twice where what is not idempotent is called so", async () => {
      const call = retry(write(proxied()), policy({ idempotent: true }));
      void link.cutAfter(/commit/);

      await call();

      expect(await effects()).toEqual(["done", "done"]);
    });

    it("a COMMIT whose answer is lost is done once where the second attempt looks whether it is", async () => {
      const lookFirst = () =>
        inTransaction(async (connection) => {
          const found = Array.from(await connection.query("select * from effects where what = 'done'"));
          if (found.length === 0) await connection.query("insert into effects values ('done')");
        }, proxied());
      const call = retry(lookFirst, policy({ idempotent: true }));
      void link.cutAfter(/commit/);

      await call();

      expect(call.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["done"]);
    });

    it.each(["reset", "end"] as const)(
      "an answer that is cut in its midst is had in full at the second attempt (%s)",
      async (how) => {
        const read = retry(() => ask("select * from seq_1_to_10000", proxied()), policy({ idempotent: true }));
        void link.cutInAnswer(5_000, how);

        const rows = await read();

        expect(rows).toHaveLength(10_000);
        expect(read.stats.attempts).toBe(2);
      },
    );

    it("an answer that is cut in its midst is an error where nobody says that it may be asked for twice", async () => {
      const read = retry(() => ask("select * from seq_1_to_10000", proxied()), policy());
      void link.cutInAnswer(5_000);

      expect(classifyMysqlError(await failureOf(read()))).toBe("idempotent");

      expect(read.stats.attempts).toBe(1);
    });

    it("a network that refuses connections lets even a write be tried again", async () => {
      const call = retry(write(proxied()), policy({}, { onRetry: () => link.passThrough() }));
      await link.refuse();

      await call();

      expect(call.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["done"]);
    });

    it("a network that lets nothing through while connecting lets even a write be tried again", async () => {
      const call = retry(
        write({ ...proxied(), connectTimeout: 500 }),
        policy({}, { onRetry: () => link.passThrough() }),
      );
      link.hang();

      await call();

      expect(call.stats.attempts).toBe(2);
      expect(await effects()).toEqual(["done"]);
    });

    const release = async (holder: MysqlConnection) => void (await holder.query("select release_lock('held')"));
  });
});
