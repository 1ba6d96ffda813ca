import { freePort, type Mariadb, proxy, startMariadb, type TcpProxy } from "../servers/index.js";
import { until } from "../servers/until.js";
import { failureOf, later, type Phase, Recorder, type Scope } from "./recorder.js";
import { versionOf } from "./version-of.js";

export interface MysqlConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly connectTimeout?: number;
}

export interface MysqlConnection {
  query(sql: string): Promise<unknown>;
  /** The next error event. */
  readonly failed: Promise<unknown>;
  end(): Promise<void>;
  destroy(): void;
}

/** What the two drivers of MySQL have in common. */
export interface MysqlDriver {
  readonly name: string;
  connect(config: MysqlConfig): Promise<MysqlConnection>;
  /** Records what only this driver can be made to do. */
  recordOwn(session: MysqlSession): Promise<void>;
}

const SLEEP = "select sleep(30)";

/** Records what a driver of MySQL throws. */
export async function recordMysql(driver: MysqlDriver): Promise<void> {
  const server = await startMariadb();
  const link = await proxy(server);
  try {
    const version = await setUp(server);
    const recorder = new Recorder({
      driver: driver.name,
      version: versionOf(driver.name),
      server: `MariaDB ${version}`,
    });
    const session = new MysqlSession(driver, server, link, recorder);
    await conflicts(session);
    await cancellations(session);
    await permanentErrors(session);
    await connecting(session);
    await lostConnections(session);
    await commits(session);
    await driver.recordOwn(session);
    await shutdowns(session);
    recorder.write(driver.name);
  } finally {
    await link.close();
    await server.close();
  }
}

async function setUp(server: Mariadb): Promise<string> {
  const { createConnection } = await import("mysql2/promise");
  const admin = await createConnection({ ...server.connection, multipleStatements: true });
  await admin.query(`
    create table account (id int primary key, balance int not null check (balance >= 0), name varchar(3));
    create table entry (id int primary key, account int, foreign key (account) references account (id));
    create table small (text varchar(255)) engine = memory max_rows = 1;
    create user guarded@'127.0.0.1' identified by 'secret';
    create user single@'127.0.0.1' with max_user_connections 1;
    create user common@'127.0.0.1';
    grant select, update on test.account to common@'127.0.0.1';
    insert into account select seq, 100, 'a' from seq_1_to_9;
    insert into entry values (1, 1);
  `);
  const [rows] = await admin.query("select substring_index(version(), '-', 1) as version");
  await admin.end();
  return (rows as { version: string }[])[0]!.version;
}

export class MysqlSession {
  readonly record: Recorder["record"];

  constructor(
    readonly driver: MysqlDriver,
    readonly server: Mariadb,
    readonly link: TcpProxy,
    recorder: Recorder,
  ) {
    this.record = recorder.record.bind(recorder);
  }

  get direct(): MysqlConfig {
    return this.server.connection;
  }

  get proxied(): MysqlConfig {
    return { ...this.server.connection, port: this.link.port };
  }

  get common(): MysqlConfig {
    return { ...this.direct, user: "common" };
  }

  async client({ defer }: Scope, config: MysqlConfig = this.direct): Promise<MysqlConnection> {
    const client = await this.driver.connect(config);
    defer(() => client.destroy());
    return client;
  }

  /** The connection that runs this query, in the server. */
  async busy(scope: Scope, query = SLEEP): Promise<number> {
    const admin = await this.client(scope);
    const look = async () => {
      const found = (await admin.query(
        `select id from information_schema.processlist where info = '${query}' and command = 'Query' limit 1`,
      )) as { id: number }[];
      if (found.length === 0) throw new Error("none");
      return Number(found[0]!.id);
    };
    return until(look, 10_000, () => `no connection of MariaDB runs ${query}`);
  }

  /** What a query fails with that waits on a connection that then `fails`. */
  async whileAsleep(scope: Scope, config: MysqlConfig, fails: (id: number) => unknown): Promise<unknown> {
    const client = await this.client(scope, config);
    const asleep = later(client.query(SLEEP));
    await fails(await this.busy(scope));
    return failureOf(asleep);
  }

  async failsToQuery(failure: string, ...queries: string[]): Promise<void> {
    await this.record("query", failure, async (scope) => {
      const client = await this.client(scope);
      for (const query of queries.slice(0, -1)) await client.query(query);
      return failureOf(client.query(queries.at(-1)!));
    });
  }

  async failsToConnect(failure: string, config: MysqlConfig, phase: Phase = "connect"): Promise<void> {
    await this.record(phase, failure, (scope) => failureOf(this.client(scope, config)));
  }

  async admin(scope: Scope, ...queries: string[]): Promise<void> {
    const admin = await this.client(scope);
    for (const query of queries) await admin.query(query);
  }
}

async function conflicts(session: MysqlSession): Promise<void> {
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

  await session.record("query", "innodb_lock_wait_timeout", async (scope) => {
    const client = await locked(scope);
    await client.query("set innodb_lock_wait_timeout = 1");
    return failureOf(client.query("update account set balance = 0 where id = 1"));
  });

  await session.record("query", "for update nowait", async (scope) => {
    const client = await locked(scope);
    return failureOf(client.query("select * from account where id = 1 for update nowait"));
  });

  await session.record("query", "lock_wait_timeout, of a change of the table", async (scope) => {
    const client = await locked(scope);
    return failureOf(client.query("alter table account nowait add column other int"));
  });

  await session.record(
    "query",
    "innodb_snapshot_isolation: a row was updated by another transaction",
    async (scope) => {
      const [one, two] = [await session.client(scope), await session.client(scope)];
      await one.query("set innodb_snapshot_isolation = on");
      await one.query("begin");
      await one.query("select * from account");
      await two.query("update account set balance = balance + 1 where id = 2");
      return failureOf(one.query("update account set balance = balance + 1 where id = 2"));
    },
  );
}

async function cancellations(session: MysqlSession): Promise<void> {
  const { direct } = session;
  await session.failsToQuery("max_statement_time", "set max_statement_time = 0.01", SLEEP);
  await session.record("query", "KILL QUERY", (scope) =>
    session.whileAsleep(scope, direct, (id) => session.admin(scope, `kill query ${id}`)),
  );
  await session.record("query", "KILL CONNECTION in mid-query", (scope) =>
    session.whileAsleep(scope, direct, (id) => session.admin(scope, `kill connection ${id}`)),
  );
  const killedWhileIdle = async (scope: Scope) => {
    const client = await session.client(scope);
    const [{ id }] = (await client.query("select connection_id() as id")) as [{ id: number }];
    await session.admin(scope, `kill connection ${id}`);
    return client;
  };
  await session.record("idle", "KILL CONNECTION while idle, the error event", async (scope) => {
    return (await killedWhileIdle(scope)).failed;
  });
  await session.record("query", "KILL CONNECTION while idle, the next query", async (scope) => {
    const client = await killedWhileIdle(scope);
    await client.failed;
    return failureOf(client.query("select 1"));
  });
  await session.record("idle", "wait_timeout, the error event", async (scope) => {
    const client = await session.client(scope);
    await client.query("set wait_timeout = 1");
    return client.failed;
  });
}

async function permanentErrors(session: MysqlSession): Promise<void> {
  const fails = (failure: string, ...queries: string[]) => session.failsToQuery(failure, ...queries);
  await fails("a duplicate key", "insert into account values (1, 0, 'a')");
  await fails("a parent row that is missing", "insert into entry values (2, 100)");
  await fails("a child row that is still there", "delete from account where id = 1");
  await fails("a check constraint", "update account set balance = -1 where id = 1");
  await fails("null in a column that is not null", "insert into account values (10, null, 'a')");
  await fails("a text that is too long", "insert into account values (10, 0, 'abcdef')");
  await fails("a number out of range", "insert into account values (10, 100000000000, 'a')");
  await fails("a text that is no number", "insert into account values ('a', 1, 'a')");
  await fails("a table that is missing", "select * from nowhere");
  await fails("a column that is missing", "select nothing from account");
  await fails("a syntax error", "selec 1");
  await fails(
    "a table that is full",
    "set max_heap_table_size = 16384",
    `insert into small select repeat('a', 255) from seq_1_to_100000`,
  );
  await fails("a read-only transaction", "start transaction read only", "update account set balance = 0");
  await fails("an exception that a statement raises", "signal sqlstate '45000' set message_text = 'no'");
  await session.record("query", "no privilege", async (scope) => {
    const client = await session.client(scope, session.common);
    return failureOf(client.query("select * from mysql.user"));
  });
  await session.record("query", "a read-only server", async (scope) => {
    scope.defer(() => session.admin(scope, "set global read_only = off"));
    await session.admin(scope, "set global read_only = on");
    const client = await session.client(scope, session.common);
    return failureOf(client.query("update account set balance = 0"));
  });
}

async function connecting(session: MysqlSession): Promise<void> {
  const { direct, link, proxied } = session;
  await session.failsToConnect("a wrong password", { ...direct, user: "guarded", password: "wrong" });
  await session.failsToConnect("a database that is missing", { ...direct, database: "nowhere" });
  await session.failsToConnect("a database that is not for this user", {
    ...direct,
    user: "common",
    database: "mysql",
  });
  await session.failsToConnect("nobody listens", { ...direct, port: await freePort() });

  for (const how of ["reset", "end"] as const) {
    await session.record("connect", `cut while connecting (${how})`, async (scope) => {
      void link.cutInAnswer(0, how);
      return failureOf(session.client(scope, proxied));
    });
  }
  await session.record("connect", "connectTimeout: the server does not say hello", async (scope) => {
    scope.defer(() => link.passThrough());
    link.hang();
    return failureOf(session.client(scope, { ...proxied, connectTimeout: 50 }));
  });
  await session.record("connect", "too many connections for a user", async (scope) => {
    await session.client(scope, { ...direct, user: "single" });
    return failureOf(session.client(scope, { ...direct, user: "single" }));
  });
  // One more connection than the limit is for superusers.
  for (const [failure, config] of [
    ["too many connections: the last is for superusers", session.common],
    ["too many connections", direct],
  ] as const) {
    await session.record("connect", failure, async (scope) => {
      await session.admin(scope, "set global max_connections = 10");
      for (let n = 0; n < 11; n++) await session.client(scope, config).catch(() => {});
      return failureOf(session.client(scope, config));
    });
  }
}

async function lostConnections(session: MysqlSession): Promise<void> {
  const { link, proxied } = session;
  for (const how of ["reset", "end"] as const) {
    await session.record("query", `cut in mid-query (${how})`, (scope) =>
      session.whileAsleep(scope, proxied, () => link.cut(how)),
    );
    await session.record("query", `cut in mid-answer (${how})`, async (scope) => {
      const client = await session.client(scope, proxied);
      void link.cutInAnswer(2_000, how);
      return failureOf(client.query("select * from seq_1_to_10000"));
    });
    await session.record("query", `a query in the queue behind one that was cut (${how})`, async (scope) => {
      const client = await session.client(scope, proxied);
      const asleep = later(client.query(SLEEP));
      const queued = later(client.query("select 1"));
      await session.busy(scope);
      link.cut(how);
      await failureOf(asleep);
      return failureOf(queued);
    });
    await session.record("idle", `cut while idle, the error event (${how})`, async (scope) => {
      const client = await session.client(scope, proxied);
      link.cut(how);
      return client.failed;
    });
  }
  await session.record("query", "a connection that was cut while idle", async (scope) => {
    const client = await session.client(scope, proxied);
    link.cut();
    await client.failed;
    return failureOf(client.query("select 1"));
  });
  await session.record("query", "a connection that its user has closed", async (scope) => {
    const client = await session.client(scope);
    await client.end();
    return failureOf(client.query("select 1"));
  });
  await session.record("query", "a connection that its user has destroyed", async (scope) => {
    const client = await session.client(scope);
    client.destroy();
    return failureOf(client.query("select 1"));
  });
}

async function commits(session: MysqlSession): Promise<void> {
  const { link, proxied } = session;
  const committing = async (scope: Scope, cut: () => Promise<void>) => {
    const client = await session.client(scope, proxied);
    await client.query("begin");
    await client.query("update account set balance = balance + 1 where id = 9");
    const done = cut();
    const error = await failureOf(client.query("commit"));
    await done;
    return error;
  };
  for (const how of ["reset", "end"] as const) {
    await session.record("commit", `cut after COMMIT has arrived, before its answer (${how})`, (scope) =>
      committing(scope, () => link.cutAfter(/commit/i, how)),
    );
    await session.record("commit", `cut before COMMIT has arrived (${how})`, (scope) =>
      committing(scope, () => link.cutBefore(/commit/i, how)),
    );
  }
}

async function shutdowns(session: MysqlSession): Promise<void> {
  const { direct, server } = session;
  for (const how of ["stop", "kill"] as const) {
    const done = how === "stop" ? "stopped" : "killed";
    await session.record("query", `the server is ${done} in mid-query`, (scope) => {
      scope.defer(() => server.start());
      return session.whileAsleep(scope, direct, () => server[how]());
    });
    await session.record("idle", `the server is ${done} while idle, the error event`, async (scope) => {
      scope.defer(() => server.start());
      const client = await session.client(scope);
      await server[how]();
      return client.failed;
    });
  }
}
