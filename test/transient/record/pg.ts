import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pg, { type ClientConfig, type PoolConfig } from "pg";
import { freePort, type Postgres, proxy, startPostgres, type TcpProxy } from "../servers/index.js";
import { until } from "../servers/until.js";
import { failureOf, later, Recorder, type Scope } from "./recorder.js";
import { versionOf } from "./version-of.js";

// So that the same query is found again by its text.
const SLEEP = "select pg_sleep(30)";

/** Records what `pg` throws. */
export async function recordPg(): Promise<void> {
  const server = await startPostgres({ deadlock_timeout: "50ms", max_connections: 20 });
  const link = await proxy(server);
  try {
    const admin = await connect(server.connection);
    const { rows } = await admin.query("select split_part(version(), ' ', 2) as version");
    await setUp(admin);
    await admin.end();
    const recorder = new Recorder({ driver: "pg", version: versionOf("pg"), server: `PostgreSQL ${rows[0].version}` });
    const session = new Session(server, link, recorder);
    await conflicts(session);
    await cancellations(session);
    await permanentErrors(session);
    await connecting(session);
    await lostConnections(session);
    await commits(session);
    await pools(session);
    await shutdowns(session);
    recorder.write("pg");
  } finally {
    await link.close();
    await server.close();
  }
}

async function connect(config: ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function setUp(admin: pg.Client): Promise<void> {
  await admin.query(`
    create table account (id int primary key, balance int not null check (balance >= 0));
    create table entry (id int primary key, account int references account);
    create role guarded login password 'secret';
    create role nobody login;
    create role single login connection limit 1;
    create role common login;
    insert into account select id, 100 from generate_series(1, 9) as id;
    insert into entry values (1, 1);
  `);
  await admin.query("create database other");
}

class Session {
  readonly record: Recorder["record"];

  constructor(
    readonly server: Postgres,
    readonly link: TcpProxy,
    recorder: Recorder,
  ) {
    this.record = recorder.record.bind(recorder);
  }

  get direct() {
    return this.server.connection;
  }

  get proxied() {
    return { ...this.server.connection, port: this.link.port };
  }

  async client({ defer }: Scope, config: ClientConfig = this.direct): Promise<pg.Client> {
    const client = await connect(config);
    defer(() => client.end());
    return client;
  }

  pool({ defer }: Scope, config: PoolConfig = this.direct): pg.Pool {
    const pool = new pg.Pool(config);
    pool.on("error", () => {});
    defer(() => pool.end());
    return pool;
  }

  /** Resolves once another client has this state. */
  async waitsUntil(scope: Scope, condition: string): Promise<number> {
    const admin = await this.client(scope);
    const look = async () => {
      const { rows } = await admin.query(
        `select pid from pg_stat_activity where ${condition} and backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );
      if (rows.length === 0) throw new Error(condition);
      return rows[0].pid as number;
    };
    return until(look, 10_000, () => `no client of PostgreSQL has ${condition}`);
  }

  /** The process that sleeps by `SLEEP`. */
  sleeper(scope: Scope): Promise<number> {
    return this.waitsUntil(scope, `state = 'active' and query = '${SLEEP}'`);
  }

  /** Rejects as one of these queries does on a connection that then `fails`. */
  async whileAsleep(scope: Scope, config: ClientConfig, fails: (process: number) => unknown): Promise<unknown> {
    const client = await this.client(scope, config);
    const asleep = later(client.query(SLEEP));
    await fails(await this.sleeper(scope));
    return failureOf(asleep);
  }

  async failsToQuery(phase: "query" | "commit", failure: string, ...queries: string[]): Promise<void> {
    await this.record(phase, failure, async (scope) => {
      const client = await this.client(scope);
      for (const query of queries.slice(0, -1)) await client.query(query).catch(() => {});
      return failureOf(client.query(queries.at(-1)!));
    });
  }

  async failsToConnect(failure: string, config: ClientConfig): Promise<void> {
    await this.record("connect", failure, () => failureOf(connect(config)));
  }
}

async function conflicts(session: Session): Promise<void> {
  await session.record("query", "serializable: a row was updated by another transaction", async (scope) => {
    const [one, two] = [await session.client(scope), await session.client(scope)];
    await one.query("begin isolation level serializable");
    await one.query("select * from account");
    await two.query("update account set balance = balance + 1 where id = 1");
    return failureOf(one.query("update account set balance = balance + 1 where id = 1"));
  });

  await session.record("commit", "serializable: two transactions each read what the other wrote", async (scope) => {
    const [one, two] = [await session.client(scope), await session.client(scope)];
    for (const [client, id] of [
      [one, 2],
      [two, 3],
    ] as const) {
      await client.query("begin isolation level serializable");
      await client.query("select sum(balance) from account");
      await client.query(`update account set balance = balance + 1 where id = ${id}`);
    }
    await one.query("commit");
    return failureOf(two.query("commit"));
  });

  await session.record("query", "deadlock", async (scope) => {
    const clients = [await session.client(scope), await session.client(scope)];
    for (const [index, client] of clients.entries()) {
      await client.query("begin");
      await client.query(`update account set balance = balance + 1 where id = ${4 + index}`);
    }
    const crossed = clients.map((client, index) =>
      client.query(`update account set balance = 0 where id = ${5 - index}`),
    );
    return failureOf(Promise.all(crossed));
  });

  const locked = async (scope: Scope) => {
    const [holder, client] = [await session.client(scope), await session.client(scope)];
    await holder.query("begin");
    await holder.query("select * from account where id = 1 for update");
    return client;
  };

  await session.record("query", "lock_timeout", async (scope) => {
    const client = await locked(scope);
    await client.query("set lock_timeout = 10");
    return failureOf(client.query("update account set balance = 0 where id = 1"));
  });

  await session.record("query", "for update nowait", async (scope) => {
    const client = await locked(scope);
    return failureOf(client.query("select * from account where id = 1 for update nowait"));
  });

  await session.record("query", "rename a database while somebody uses it", async (scope) => {
    const client = await session.client(scope);
    await session.client(scope, { ...session.direct, database: "other" });
    return failureOf(client.query("alter database other rename to another"));
  });
}

async function cancellations(session: Session): Promise<void> {
  await session.failsToQuery("query", "statement_timeout", "set statement_timeout = 10", SLEEP);

  await session.record("query", "pg_cancel_backend", (scope) =>
    session.whileAsleep(scope, session.direct, async (process) => {
      await (await session.client(scope)).query("select pg_cancel_backend($1)", [process]);
    }),
  );

  await session.record("query", "pg_terminate_backend in mid-query", (scope) =>
    session.whileAsleep(scope, session.direct, (process) => terminate(session, scope, process)),
  );

  await session.record("idle", "pg_terminate_backend while idle, the error event", async (scope) => {
    const client = await session.client(scope);
    const failed = once(client, "error");
    await terminate(session, scope, await processOf(client));
    return (await failed)[0];
  });

  await session.record("query", "a client that was terminated while idle", async (scope) => {
    const client = await session.client(scope);
    const ended = endOf(client);
    await terminate(session, scope, await processOf(client));
    await ended;
    return failureOf(client.query("select 1"));
  });

  await session.record("idle", "pg_terminate_backend while idle in a pool, the pool's error event", async (scope) => {
    const pool = session.pool(scope);
    const { rows } = await pool.query("select pg_backend_pid() as process");
    const failed = once(pool, "error");
    await terminate(session, scope, rows[0].process);
    return (await failed)[0];
  });

  await session.record("idle", "idle_in_transaction_session_timeout, the error event", async (scope) => {
    const client = await session.client(scope);
    const failed = once(client, "error");
    await client.query("set idle_in_transaction_session_timeout = 10");
    await client.query("begin");
    return (await failed)[0];
  });

  await session.record("idle", "idle_session_timeout, the error event", async (scope) => {
    const client = await session.client(scope);
    const failed = once(client, "error");
    await client.query("set idle_session_timeout = 10");
    return (await failed)[0];
  });

  await session.record("query", "query_timeout of the driver", async (scope) => {
    const client = await session.client(scope, { ...session.direct, query_timeout: 20 });
    const error = await failureOf(client.query(SLEEP));
    // It sleeps on in the server, and would hold up the end of this client.
    await terminate(session, scope, await session.sleeper(scope));
    return error;
  });
}

/** Not `once`: that rejects with the error that comes first. */
function endOf(client: pg.Client): Promise<void> {
  return new Promise((resolve) => void client.once("end", () => resolve()));
}

async function processOf(client: pg.Client): Promise<number> {
  return (await client.query("select pg_backend_pid() as process")).rows[0].process;
}

async function terminate(session: Session, scope: Scope, process: number): Promise<void> {
  await (await session.client(scope)).query("select pg_terminate_backend($1)", [process]);
}

async function permanentErrors(session: Session): Promise<void> {
  const fails = (failure: string, ...queries: string[]) => session.failsToQuery("query", failure, ...queries);
  await fails("a duplicate key", "insert into account values (1, 0)");
  await fails("a parent row that is missing", "insert into entry values (2, 100)");
  await fails("a child row that is still there", "delete from account where id = 1");
  await fails("a check constraint", "update account set balance = -1 where id = 1");
  await fails("null in a column that is not null", "insert into account values (10, null)");
  await fails("a text that is no number", "select 'a'::int");
  await fails("a number out of range", "select 100000 * 100000");
  await fails("a division by zero", "select 1 / 0");
  await fails("a table that is missing", "select * from nowhere");
  await fails("a column that is missing", "select nothing from account");
  await fails("a syntax error", "selec 1");
  await fails("no privilege", "set role common", "select * from account");
  await fails("a transaction that has failed already", "begin", "select 1 / 0", "select 1");
  await fails("a read-only transaction", "begin read only", "update account set balance = 0");
  await fails(
    "a default that makes transactions read-only",
    "set default_transaction_read_only = on",
    "delete from entry",
  );
  await fails("a sequence that this session has not used", "create temp sequence numbers", "select currval('numbers')");
  await fails(
    "a limit of the configuration",
    "set temp_file_limit = 64",
    "set work_mem = 64",
    "select count(*) from (select random() from generate_series(1, 100000) order by 1 offset 1) as numbers",
  );
  await fails("too many columns", `select ${"1, ".repeat(2_000)}1`);
  await fails("an exception that a function raises", "do $$ begin raise exception 'no'; end $$");
  await session.failsToQuery(
    "commit",
    "a deferred constraint, at COMMIT",
    "create table late (account int references account deferrable initially deferred)",
    "begin",
    "insert into late values (100)",
    "commit",
  );
  await session.record("query", "a prepared statement whose table has changed", async (scope) => {
    const client = await session.client(scope);
    await client.query("create temp table changing (one int)");
    await client.query({ name: "read", text: "select * from changing" });
    await client.query("alter table changing add two int");
    return failureOf(client.query({ name: "read", text: "select * from changing" }));
  });
}

async function connecting(session: Session): Promise<void> {
  const { direct, link, proxied } = session;
  await session.failsToConnect("a wrong password", { ...direct, user: "guarded", password: "wrong" });
  await session.failsToConnect("no password", { ...direct, user: "guarded" });
  await session.failsToConnect("a role that is missing", { ...direct, user: "nowhere" });
  await session.failsToConnect("a role that may not connect", { ...direct, user: "nobody" });
  await session.failsToConnect("a database that is missing", { ...direct, database: "nowhere" });
  await session.failsToConnect("a server without TLS", { ...direct, ssl: true });
  await session.failsToConnect("nobody listens", { ...direct, port: await freePort() });

  for (const how of ["reset", "end"] as const) {
    await session.record("connect", `cut while connecting (${how})`, async () => {
      void link.cutInAnswer(0, how);
      return failureOf(connect(proxied));
    });
  }

  await session.record("connect", "connectionTimeoutMillis of a client", async ({ defer }) => {
    defer(() => link.passThrough());
    link.hang();
    return failureOf(connect({ ...proxied, connectionTimeoutMillis: 20 }));
  });

  await session.record("connect", "too many connections for a role", async (scope) => {
    await session.client(scope, { ...direct, user: "single" });
    return failureOf(connect({ ...direct, user: "single" }));
  });

  await session.record("connect", "too many connections: the rest is for superusers", async (scope) => {
    await untilFull(() => session.client(scope, { ...direct, user: "common" }));
    return failureOf(connect({ ...direct, user: "common" }));
  });

  await session.record("connect", "too many connections", async (scope) => {
    await untilFull(() => session.client(scope));
    return failureOf(connect(direct));
  });

  await session.record("connect", "a server that is starting up", async ({ defer }) => {
    await session.server.stop();
    holdRecovery(session.server.folder);
    defer(async () => {
      release(session.server.folder);
      await session.server.ready();
    });
    await session.server.begin({ restore_command: "until [ -e go ]; do sleep 0.02; done; false" });
    return until(
      async () => {
        const error = (await failureOf(connect(direct))) as { code?: string };
        if (error.code === "ECONNREFUSED") throw error;
        return error;
      },
      10_000,
      () => session.server.log(),
    );
  });
}

/** Recovery begins with asking for what is archived, which is answered only when the file "go" is there. */
function holdRecovery(folder: string): void {
  writeFileSync(join(folder, "data", "recovery.signal"), "");
}

function release(folder: string): void {
  writeFileSync(join(folder, "data", "go"), "");
}

async function untilFull(open: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await open();
    } catch {
      return;
    }
  }
}

async function lostConnections(session: Session): Promise<void> {
  const { link, proxied } = session;
  for (const how of ["reset", "end"] as const) {
    await session.record("query", `cut in mid-query (${how})`, (scope) =>
      session.whileAsleep(scope, proxied, () => link.cut(how)),
    );

    await session.record("query", `cut in mid-answer (${how})`, async (scope) => {
      const client = await session.client(scope, proxied);
      void link.cutInAnswer(2_000, how);
      return failureOf(client.query("select * from generate_series(1, 10000)"));
    });

    await session.record("idle", `cut while idle, the error event (${how})`, async (scope) => {
      const client = await session.client(scope, proxied);
      const failed = once(client, "error");
      link.cut(how);
      return (await failed)[0];
    });

    await session.record("query", `a query in the queue behind one that was cut (${how})`, async (scope) => {
      const client = await session.client(scope, proxied);
      const asleep = later(client.query(SLEEP));
      const queued = later(client.query("select 1"));
      await session.sleeper(scope);
      link.cut(how);
      await failureOf(asleep);
      return failureOf(queued);
    });
  }

  await session.record("query", "a client that was cut while idle", async (scope) => {
    const client = await session.client(scope, proxied);
    const ended = endOf(client);
    link.cut();
    await ended;
    return failureOf(client.query("select 1"));
  });

  await session.record("query", "a client that its user has closed", async (scope) => {
    const client = await session.client(scope);
    await client.end();
    return failureOf(client.query("select 1"));
  });
}

async function commits(session: Session): Promise<void> {
  const { link, proxied } = session;
  for (const how of ["reset", "end"] as const) {
    await session.record("commit", `cut after COMMIT has arrived, before its answer (${how})`, async (scope) => {
      const client = await session.client(scope, proxied);
      await client.query("begin");
      await client.query("update account set balance = balance + 1 where id = 9");
      const cut = link.cutAfter(/commit/i, how);
      const error = await failureOf(client.query("commit"));
      await cut;
      return error;
    });

    await session.record("commit", `cut before COMMIT has arrived (${how})`, async (scope) => {
      const client = await session.client(scope, proxied);
      await client.query("begin");
      await client.query("update account set balance = balance + 1 where id = 9");
      const cut = link.cutBefore(/commit/i, how);
      const error = await failureOf(client.query("commit"));
      await cut;
      return error;
    });
  }
}

async function pools(session: Session): Promise<void> {
  const { direct, link, proxied } = session;
  await session.record("pool", "no connection of the pool becomes free in time", async (scope) => {
    const pool = session.pool(scope, { ...direct, max: 1, connectionTimeoutMillis: 20 });
    const taken = await pool.connect();
    const error = await failureOf(pool.query("select 1"));
    taken.release();
    return error;
  });

  await session.record("pool", "the pool's new connection does not come about in time", async (scope) => {
    scope.defer(() => link.passThrough());
    link.hang();
    const pool = session.pool(scope, { ...proxied, connectionTimeoutMillis: 20 });
    return failureOf(pool.query("select 1"));
  });

  await session.record("pool", "nobody listens, through a pool", async (scope) => {
    const pool = session.pool(scope, { ...direct, port: await freePort() });
    return failureOf(pool.query("select 1"));
  });

  await session.record("pool", "a pool that its user has closed", async () => {
    const pool = new pg.Pool(direct);
    await pool.end();
    return failureOf(pool.query("select 1"));
  });
}

async function shutdowns(session: Session): Promise<void> {
  const { direct, server } = session;
  const startsAgain = ({ defer }: Scope) => defer(() => server.start());

  await session.record("query", "the server is stopped in mid-query (fast)", (scope) => {
    startsAgain(scope);
    return session.whileAsleep(scope, direct, () => server.stop("fast"));
  });

  await session.record("query", "the server is stopped in mid-query (immediate)", (scope) => {
    startsAgain(scope);
    return session.whileAsleep(scope, direct, () => server.stop("immediate"));
  });

  await session.record("query", "the server is killed in mid-query", (scope) => {
    startsAgain(scope);
    return session.whileAsleep(scope, direct, () => server.kill());
  });

  await session.record("query", "another server process crashes in mid-query", async (scope) => {
    const other = await session.client(scope);
    const victim = await processOf(other);
    scope.defer(() => server.ready());
    return session.whileAsleep(scope, direct, () => process.kill(victim, "SIGKILL"));
  });

  await session.record("connect", "the server shuts down (smart), and waits for a client", async (scope) => {
    startsAgain(scope);
    const client = await session.client(scope);
    const stopped = server.stop("smart");
    // That is the end of what it waits for.
    scope.defer(async () => {
      await client.end();
      await stopped;
    });
    return until(
      () => failureOf(connect(direct)),
      10_000,
      () => "the server still lets clients in",
    );
  });
}
