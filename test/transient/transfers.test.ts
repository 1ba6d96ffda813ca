import mysql from "mysql2/promise";
import pg from "pg";
import { retry, stopAfterDelay, waitFullJitter } from "undaunted";
import { idempotent, postgresIdempotencyStore } from "undaunted/idempotency";
import { seededRandom } from "undaunted/testing";
import { retryIfTransient } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HOOK_TIMEOUT } from "../limits.js";
import { ACCOUNTS, balancesAfter, inOrder, START, type Transfer, transferAll, transfers } from "./bank.js";
import {
  type Mariadb,
  type Postgres,
  proxy,
  startMariadb,
  startPostgres,
  type TcpProxy,
  whatIsMissing,
} from "./servers/index.js";

const LONG = HOOK_TIMEOUT;
const reason = (missing: string | undefined) => (missing ? ` (${missing})` : "");

/** What lasts through a restart, and does not hold the tests up. */
const PATIENT = { stop: stopAfterDelay(60_000), wait: waitFullJitter({ base: 5, max: 200 }), random: seededRandom(1) };

const noPostgres = whatIsMissing("postgres");

describe.skipIf(noPostgres)(`transfers in PostgreSQL${reason(noPostgres)}`, () => {
  let server: Postgres;
  let link: TcpProxy;
  let pool: pg.Pool;
  /** What has happened to the transfers. */
  let met: { lostCommits: number; found: number; terminated: number; restarts: number };

  beforeAll(async () => {
    server = await startPostgres({ deadlock_timeout: "10ms" });
    link = await proxy(server);
    pool = new pg.Pool({ ...server.connection, port: link.port, max: 8, connectionTimeoutMillis: 5_000 });
    pool.on("error", () => {});
    pool.on("connect", (client) => void client.on("error", () => {}));
    await ask("create table accounts (name text primary key, balance int not null)");
    // Without a key of its own: it tells what was done twice.
    await ask(`create table ledger (id text, "from" text, "to" text, amount int)`);
    await postgresIdempotencyStore(pool).setUp();
  }, LONG);

  afterAll(async () => {
    await pool?.end();
    await link?.close();
    await server?.close();
  }, LONG);

  beforeEach(async () => {
    met = { lostCommits: 0, found: 0, terminated: 0, restarts: 0 };
    await ask("truncate accounts, ledger, idempotency_keys");
    await ask("insert into accounts select name, $2 from unnest($1::text[]) as name", [ACCOUNTS, START]);
  });

  /** Asks the server itself, beside the proxy and the pool. */
  async function ask(text: string, values?: unknown[]) {
    const client = new pg.Client(server.connection);
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  async function inTransaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    let failed = true;
    try {
      await client.query("begin");
      const result = await work(client);
      await client.query("commit");
      failed = false;
      return result;
    } finally {
      if (failed) await client.query("rollback").catch(() => {});
      client.release(failed);
    }
  }

  async function move(client: pg.PoolClient, { id, from, to, amount }: Transfer): Promise<string> {
    await client.query("update accounts set balance = balance - $2 where name = $1", [from, amount]);
    await client.query("update accounts set balance = balance + $2 where name = $1", [to, amount]);
    await client.query("insert into ledger values ($1, $2, $3, $4)", [id, from, to, amount]);
    return "moved";
  }

  /** As docs/idempotency.md has it: record and effect in one transaction. */
  async function transferOnce(transfer: Transfer): Promise<string> {
    let moved = false;
    const result = await inTransaction((client) => {
      const once = idempotent(
        (transfer: Transfer) => {
          moved = true;
          return move(client, transfer);
        },
        { key: ({ id }) => id, name: "transfer", store: postgresIdempotencyStore(client) },
      );
      return once(transfer);
    });
    if (!moved) met.found++;
    return result;
  }

  async function terminateAll(): Promise<void> {
    const terminated = await ask(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    met.terminated += terminated.length;
  }

  async function restart(how: "fast" | "immediate"): Promise<void> {
    await server.stop(how);
    await server.start();
    met.restarts++;
  }

  /** Of the next COMMIT the answer is lost. Not waited for: the connection may be lost to something else before. */
  async function loseACommit(how: "reset" | "end"): Promise<void> {
    void link.cutAfter(/commit/, how).then(() => met.lostCommits++);
  }

  /** What happens once so many transfers are done. The last fifty are left alone. */
  function disturb(done: number): (() => Promise<unknown>) | undefined {
    if (done === 330) return () => restart("fast");
    if (done === 660) return () => restart("immediate");
    if (done > 950) return undefined;
    switch (done % 40) {
      case 10:
        return () => loseACommit("reset");
      case 20:
        return async () => link.cut();
      case 30:
        return () => loseACommit("end");
      case 0:
        return terminateAll;
    }
    return undefined;
  }

  it(
    "makes every one of 1,000 once, through restarts, terminated processes and lost connections",
    async () => {
      const wanted = transfers(1_000);
      const transfer = retry(transferOnce, { ...PATIENT, retryIf: retryIfTransient({ idempotent: true }) });

      await transferAll(wanted, transfer, { clients: 8, disturb });

      const ledger = await ask("select * from ledger");
      const balances = await ask("select * from accounts");
      expect(inOrder(ledger)).toEqual(inOrder(wanted));
      expect(new Map(balances.map(({ name, balance }) => [name, balance]))).toEqual(balancesAfter(wanted));
      // It was no quiet run.
      expect(met.restarts).toBe(2);
      expect(met.terminated).toBeGreaterThan(50);
      expect(met.lostCommits).toBeGreaterThan(20);
      expect(met.found).toBeGreaterThan(20);
      expect(transfer.stats).toMatchObject({ calls: 1_000, successes: 1_000, failures: 0 });
      expect(transfer.stats.retries).toBeGreaterThan(100);
    },
    LONG,
  );

  it(
    "would make some twice without a key",
    async () => {
      const wanted = transfers(200);
      const transfer = retry((each: Transfer) => inTransaction((client) => move(client, each)), {
        ...PATIENT,
        retryIf: retryIfTransient({ idempotent: true }),
      });

      await transferAll(wanted, transfer, { clients: 8, disturb });

      const ledger: Transfer[] = await ask("select * from ledger");
      expect(new Set(ledger.map(({ id }) => id)).size).toBe(200);
      expect(ledger.length).toBeGreaterThan(200);
    },
    LONG,
  );

  it(
    "would lose some without another attempt",
    async () => {
      const lost: Transfer[] = [];

      await transferAll(transfers(200), (each) => transferOnce(each).catch(() => lost.push(each)), {
        clients: 8,
        disturb,
      });

      expect((await ask("select * from ledger")).length).toBeLessThan(200);
      expect(lost.length).toBeGreaterThan(0);
    },
    LONG,
  );
});

const noMariadb = whatIsMissing("mariadb");

describe.skipIf(noMariadb)(`transfers in MariaDB${reason(noMariadb)}`, () => {
  let server: Mariadb;
  let link: TcpProxy;

  beforeAll(async () => {
    server = await startMariadb();
    link = await proxy(server);
    await ask("create table accounts (name varchar(20) primary key, balance int not null)");
    await ask("create table ledger (id varchar(20), `from` varchar(20), `to` varchar(20), amount int)");
    for (const name of ACCOUNTS) await ask("insert into accounts values (?, ?)", [name, START]);
  }, LONG);

  afterAll(async () => {
    await link?.close();
    await server?.close();
  }, LONG);

  async function ask(text: string, values?: (string | number)[]): Promise<any> {
    const connection = await mysql.createConnection(server.connection);
    try {
      return (await connection.query(text, values))[0];
    } finally {
      await connection.end();
    }
  }

  async function transferOnce({ id, from, to, amount }: Transfer): Promise<void> {
    const connection = await mysql.createConnection({ ...server.connection, port: link.port });
    connection.on("error", () => {});
    try {
      await connection.query("begin");
      await connection.query("update accounts set balance = balance - ? where name = ?", [amount, from]);
      await connection.query("update accounts set balance = balance + ? where name = ?", [amount, to]);
      await connection.query("insert into ledger values (?, ?, ?, ?)", [id, from, to, amount]);
      await connection.query("commit");
    } finally {
      connection.destroy();
    }
  }

  /** Whoever connects meanwhile is refused, as by the server itself. */
  async function restart(): Promise<void> {
    await link.refuse();
    await server.stop();
    await server.start();
    await link.passThrough();
  }

  function disturb(done: number): (() => Promise<unknown>) | undefined {
    if (done === 130) return restart;
    if (done > 280) return undefined;
    switch (done % 40) {
      case 10:
        return async () => void link.cutAfter(/commit/, done % 80 === 10 ? "reset" : "end");
      case 30:
        return async () => link.cut();
    }
    return undefined;
  }

  it(
    "makes none twice without a key, where only what was surely not done is tried again",
    async () => {
      const wanted = transfers(300);
      const transfer = retry(transferOnce, { ...PATIENT, retryIf: retryIfTransient() });
      const unsure: Transfer[] = [];

      await transferAll(wanted, (each) => transfer(each).catch(() => unsure.push(each)), { clients: 8, disturb });

      const made: Transfer[] = await ask("select * from ledger");
      const balances: { name: string; balance: number }[] = await ask("select * from accounts");
      const ids = made.map(({ id }) => id);
      expect(new Map(balances.map(({ name, balance }) => [name, balance]))).toEqual(balancesAfter(made));
      expect(new Set(ids).size).toBe(ids.length);
      expect(inOrder([...made, ...unsure.filter(({ id }) => !ids.includes(id))])).toEqual(inOrder(wanted));
      // Who was refused waited until the server was back: only those under way were lost.
      expect(transfer.stats.retries).toBeGreaterThan(8);
      expect(unsure.length).toBeLessThan(80);
      // It was no quiet run: of some nobody knew, of both kinds.
      expect(unsure.some(({ id }) => ids.includes(id))).toBe(true);
      expect(unsure.some(({ id }) => !ids.includes(id))).toBe(true);
    },
    LONG,
  );
});
