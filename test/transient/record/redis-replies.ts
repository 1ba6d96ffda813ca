import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort, proxy, type Redis, startRedis, type TcpProxy } from "../servers/index.js";
import { until } from "../servers/until.js";
import { failureOf, later, type Recorder, type Scope } from "./recorder.js";

/** One connection of a driver that neither connects again nor sends a command again. */
export interface RedisConnection {
  send(...words: readonly string[]): Promise<unknown>;
  /** The next error event. */
  readonly failed: Promise<unknown>;
  close(): void;
}

export interface RedisTarget {
  readonly port: number;
  readonly password?: string;
  readonly username?: string;
}

export interface RedisDriver {
  connect(target: RedisTarget): Promise<RedisConnection>;
}

export interface RedisSession {
  readonly server: Redis;
  readonly link: TcpProxy;
  record: Recorder["record"];
}

/** Starts a server and a proxy to it, for as long as `use` takes. */
export async function withRedis(use: (place: { server: Redis; link: TcpProxy; version: string }) => Promise<void>) {
  const server = await startRedis({ "busy-reply-threshold": 10 });
  const link = await proxy(server);
  try {
    await use({ server, link, version: `Redis ${/redis_version:(\S+)/.exec(await server.ask("INFO", "server"))![1]}` });
  } finally {
    await link.close();
    await server.close();
  }
}

/** Records the failures that any driver can be made to meet. */
export async function recordReplies(driver: RedisDriver, session: RedisSession): Promise<void> {
  await refusals(driver, session);
  await mistakes(driver, session);
  await scripts(driver, session);
  await replication(driver, session);
  await cluster(driver, session);
  await connecting(driver, session);
  await lostConnections(driver, session);
}

/** Records what a command fails with, after `prepare` was sent to the server by hand. */
async function fails(
  driver: RedisDriver,
  session: RedisSession,
  failure: string,
  command: readonly string[],
  { before = [], after = [], server = session.server }: Partial<Fixed> = {},
): Promise<void> {
  await session.record("query", failure, async (scope) => {
    const connection = await open(driver, scope, server);
    scope.defer(() => inOrder(server, after));
    await inOrder(server, before);
    return failureOf(connection.send(...command));
  });
}

interface Fixed {
  /** Commands that bring the failure about. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly server: Redis;
}

async function inOrder(server: Redis, commands: readonly string[]): Promise<void> {
  for (const command of commands) await server.ask(...command.split(" "));
}

async function open(driver: RedisDriver, { defer }: Scope, target: RedisTarget): Promise<RedisConnection> {
  const connection = await driver.connect(target);
  defer(() => connection.close());
  return connection;
}

async function refusals(driver: RedisDriver, session: RedisSession): Promise<void> {
  const { server } = session;
  await fails(driver, session, "more memory than allowed", ["SET", "key", "value"], {
    before: ["CONFIG SET maxmemory 1"],
    after: ["CONFIG SET maxmemory 0"],
  });
  await fails(driver, session, "too few replicas", ["SET", "key", "value"], {
    before: ["CONFIG SET min-replicas-to-write 1"],
    after: ["CONFIG SET min-replicas-to-write 0"],
  });
  await server.ask("ACL", "SETUSER", "limited", "on", ">secret", "~mine", "+@all", "-get");
  const limited = { username: "limited", password: "secret" };
  for (const [failure, ...command] of [
    ["no permission for a command", "GET", "mine"],
    ["no permission for a key", "SET", "key", "value"],
  ] as const) {
    await session.record("query", failure, async (scope) => {
      const connection = await open(driver, scope, { port: server.port, ...limited });
      return failureOf(connection.send(...command));
    });
  }
  await session.record("query", "no password was given", async (scope) => {
    const guarded = await startRedis({ requirepass: "secret" });
    scope.defer(() => guarded.close());
    // A driver may fail already when it says hello.
    return failureOf(open(driver, scope, guarded).then((connection) => connection.send("GET", "key")));
  });

  await session.record("query", "a save has failed, and so writes are refused", async (scope) => {
    const connection = await open(driver, scope, server);
    // A folder cannot be replaced by the file.
    const file = join(server.folder, "dump.rdb");
    rmSync(file, { force: true });
    mkdirSync(file);
    scope.defer(async () => {
      rmSync(file, { recursive: true });
      await server.ask("BGSAVE");
      await untilSaved(server, "ok");
    });
    await server.ask("BGSAVE");
    await untilSaved(server, "err");
    return failureOf(connection.send("SET", "key", "value"));
  });

  await session.record("query", "the server is still loading", async (scope) => {
    await server.restartLoading();
    scope.defer(() => server.finishLoading());
    return failureOf((await open(driver, scope, server)).send("GET", "key"));
  });
}

function untilSaved(server: Redis, status: string): Promise<void> {
  return untilSays(server, ["INFO", "persistence"], new RegExp(`rdb_bgsave_in_progress:0[^]*bgsave_status:${status}`));
}

/** Resolves once the server's reply to a command is like that. */
function untilSays(server: Redis, command: readonly string[], reply: RegExp): Promise<void> {
  let answer = "";
  const look = async () => {
    answer = await server.ask(...command);
    if (!reply.test(answer)) throw new Error(answer);
  };
  return until(look, 30_000, () => `${command} is not ${reply} but ${answer}; the log:\n${server.log().slice(-1_000)}`);
}

async function mistakes(driver: RedisDriver, session: RedisSession): Promise<void> {
  await fails(driver, session, "a key of another type", ["INCR", "list"], {
    before: ["LPUSH list a"],
    after: ["DEL list"],
  });
  await fails(driver, session, "a value that is no number", ["INCR", "key"], {
    before: ["SET key a"],
    after: ["DEL key"],
  });
  await fails(driver, session, "a command that is unknown", ["NOWHERE"]);
  await fails(driver, session, "too few arguments", ["GET"]);
  await fails(driver, session, "a syntax error", ["SET", "key", "value", "NOWHERE"]);
  await fails(driver, session, "a database that is missing", ["SELECT", "1000"]);
  await fails(
    driver,
    session,
    "a group that is there already",
    ["XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM"],
    {
      before: ["XGROUP CREATE stream group $ MKSTREAM"],
      after: ["DEL stream"],
    },
  );
  await fails(driver, session, "a group that is missing", [
    "XREADGROUP",
    "GROUP",
    "no",
    "me",
    "STREAMS",
    "stream",
    ">",
  ]);
}

async function scripts(driver: RedisDriver, session: RedisSession): Promise<void> {
  const endless = "while true do end";
  const runs = (server: Redis) => untilSays(server, ["GET", "key"], /^-BUSY/);

  await fails(driver, session, "a script that is not loaded", ["EVALSHA", "0".repeat(40), "0"]);
  await fails(driver, session, "a script with an error", ["EVAL", "return redis.call('get')", "0"]);
  await fails(driver, session, "a script that returns an error", [
    "EVAL",
    "return redis.error_reply('MINE not now')",
    "0",
  ]);
  await session.record("query", "another client's script runs on", async (scope) => {
    const { server } = session;
    const [other, connection] = [await open(driver, scope, server), await open(driver, scope, server)];
    const running = later(other.send("EVAL", endless, "0"));
    await runs(server);
    scope.defer(() => failureOf(running));
    scope.defer(() => server.ask("SCRIPT", "KILL"));
    return failureOf(connection.send("GET", "key"));
  });
  await session.record("query", "a script that is killed", async (scope) => {
    const connection = await open(driver, scope, session.server);
    const running = later(connection.send("EVAL", endless, "0"));
    await runs(session.server);
    await session.server.ask("SCRIPT", "KILL");
    return failureOf(running);
  });
}

async function replication(driver: RedisDriver, session: RedisSession): Promise<void> {
  const replica = await startRedis();
  try {
    const { port } = session.server;
    await replica.ask("REPLICAOF", "127.0.0.1", String(port));
    await untilSays(replica, ["INFO", "replication"], /master_link_status:up/);
    await fails(driver, session, "a write to a replica", ["SET", "key", "value"], { server: replica });
    await fails(driver, session, "a script that writes to a replica", ["EVAL", "redis.call('set', 'key', 1)", "0"], {
      server: replica,
    });

    await session.record("query", "a primary becomes a replica while a command waits", async (scope) => {
      await replica.ask("REPLICAOF", "NO", "ONE");
      const connection = await open(driver, scope, replica);
      const waiting = later(connection.send("BLPOP", "empty", "30"));
      await untilSays(replica, ["INFO", "clients"], /blocked_clients:1/);
      await replica.ask("REPLICAOF", "127.0.0.1", String(port));
      return failureOf(waiting);
    });

    await replica.ask("CONFIG", "SET", "replica-serve-stale-data", "no");
    await replica.ask("REPLICAOF", "127.0.0.1", String(await freePort()));
    await fails(driver, session, "a replica that has lost its primary", ["GET", "key"], { server: replica });
  } finally {
    await replica.close();
  }
}

async function cluster(driver: RedisDriver, session: RedisSession): Promise<void> {
  const nodes: Redis[] = [];
  const on = (server: Redis, failure: string, ...command: string[]) =>
    fails(driver, session, failure, command, { server });
  try {
    for (let n = 0; n < 2; n++) {
      nodes.push(
        await startRedis({ "cluster-enabled": "yes", "cluster-port": await freePort(), "cluster-node-timeout": 500 }),
      );
    }
    const [one, two] = nodes as [Redis, Redis];
    await on(one, "a cluster without an owner for the key", "GET", "key");
    await inOrder(one, ["CLUSTER ADDSLOTSRANGE 0 8191"]);
    await inOrder(two, ["CLUSTER ADDSLOTSRANGE 8192 16383"]);
    await meet(one, two);
    // The slots of a, b and foo are 15495, 3300 and 12182.
    await on(one, "a key that another node has", "GET", "foo");
    await on(one, "keys of several nodes", "MGET", "a", "b");
    await one.ask("SET", "{b}here", "1");
    await one.ask("CLUSTER", "SETSLOT", "3300", "MIGRATING", await two.ask("CLUSTER", "MYID"));
    await on(one, "a key that has moved already, while its slot moves", "GET", "b");
    await on(one, "keys of which some have moved already", "MGET", "{b}here", "{b}there");
    await two.kill();
    await untilSays(one, ["CLUSTER", "INFO"], /cluster_state:fail/);
    await on(one, "a cluster that has lost a node", "GET", "b");
  } finally {
    for (const node of nodes) await node.close();
  }
}

async function meet(one: Redis, two: Redis): Promise<void> {
  const [, bus] = /:(?:\d+)@(\d+)/.exec(await two.ask("CLUSTER", "NODES")) ?? [];
  await one.ask("CLUSTER", "MEET", "127.0.0.1", String(two.port), bus!);
  for (const node of [one, two]) await untilSays(node, ["CLUSTER", "INFO"], /cluster_state:ok/);
}

async function connecting(driver: RedisDriver, session: RedisSession): Promise<void> {
  const { link, record, server } = session;
  const target = (settings: object = {}): RedisTarget => ({ port: server.port, ...settings });
  await record("connect", "nobody listens", async () => failureOf(driver.connect(target({ port: await freePort() }))));
  await record("connect", "a wrong password", () =>
    failureOf(driver.connect(target({ username: "nobody", password: "wrong" }))),
  );
  for (const how of ["reset", "end"] as const) {
    await record("connect", `cut while connecting (${how})`, async () => {
      void link.cutInAnswer(0, how);
      return failureOf(driver.connect(target({ port: link.port })));
    });
  }
  await record("connect", "too many clients", async (scope) => {
    const connection = await open(driver, scope, server);
    scope.defer(() => connection.send("CONFIG", "SET", "maxclients", "1000"));
    await connection.send("CONFIG", "SET", "maxclients", "1");
    return failureOf(driver.connect(target()));
  });
  await record("connect", "nobody completes the connection", async (scope) =>
    failureOf(driver.connect(target({ port: await portWithoutAnswer(scope) }))),
  );
}

/** A port on which the system answers no call for a connection: the few that it holds for a frozen server are made. */
export async function portWithoutAnswer({ defer }: Scope): Promise<number> {
  const full = await startRedis({ "tcp-backlog": 1 });
  defer(() => full.close());
  full.freeze();
  const sockets = await fillBacklog(full.port);
  defer(() => sockets.forEach((socket) => void socket.destroy()));
  return full.port;
}

/** Connects until the system completes no connection any more for a server that accepts none. */
async function fillBacklog(port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let isConnected = true; isConnected; ) {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    sockets.push(socket);
    isConnected = await Promise.race([once(socket, "connect").then(() => true), pause(300, false)]);
  }
  return sockets;
}

async function lostConnections(driver: RedisDriver, session: RedisSession): Promise<void> {
  const { link, record, server } = session;
  const blocked = () => untilSays(server, ["INFO", "clients"], /blocked_clients:1/);
  const whileWaiting = async (scope: Scope, target: RedisTarget, breaks: () => unknown) => {
    const connection = await open(driver, scope, target);
    const waiting = later(connection.send("BLPOP", "empty", "30"));
    await blocked();
    await breaks();
    return failureOf(waiting);
  };

  for (const how of ["reset", "end"] as const) {
    await record("query", `cut in mid-command (${how})`, (scope) => whileWaiting(scope, link, () => link.cut(how)));
    await record("query", `cut in mid-answer (${how})`, async (scope) => {
      const connection = await open(driver, scope, link);
      await server.ask("SET", "long", "x".repeat(10_000));
      void link.cutInAnswer(2_000, how);
      return failureOf(connection.send("GET", "long"));
    });
    await record("query", `cut after the command has arrived, before its answer (${how})`, async (scope) => {
      const connection = await open(driver, scope, link);
      const cut = link.cutAfter(/INCR/, how);
      const error = await failureOf(connection.send("INCR", "counter"));
      await cut;
      return error;
    });
    await record("query", `cut before the command has arrived (${how})`, async (scope) => {
      const connection = await open(driver, scope, link);
      const cut = link.cutBefore(/INCR/, how);
      const error = await failureOf(connection.send("INCR", "counter"));
      await cut;
      return error;
    });
  }
  await record("idle", "cut while idle, the error event (reset)", async (scope) => {
    const { failed } = await open(driver, scope, link);
    link.cut();
    return failed;
  });
  await record("query", "a connection that was cut while idle", async (scope) => {
    const connection = await open(driver, scope, link);
    link.cut();
    await until(
      () =>
        connection.send("PING").then(
          () => Promise.reject(new Error("still there")),
          () => {},
        ),
      5_000,
      () => "",
    );
    return failureOf(connection.send("GET", "key"));
  });
  await record("query", "another client ends the connection (CLIENT KILL)", (scope) =>
    whileWaiting(scope, server, () => server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")),
  );
  await record("query", "another client ends the waiting (CLIENT UNBLOCK)", (scope) =>
    whileWaiting(scope, server, async () => {
      const [, id] = /id=(\d+) .* cmd=blpop/.exec(await server.ask("CLIENT", "LIST"))!;
      await server.ask("CLIENT", "UNBLOCK", id!, "ERROR");
    }),
  );
  for (const how of ["stop", "kill"] as const) {
    await record("query", `the server is ${how === "stop" ? "stopped" : "killed"} in mid-command`, (scope) => {
      scope.defer(() => server.start());
      return whileWaiting(scope, server, () => server[how]());
    });
  }
  await record("query", "a command in the queue behind one that was cut", async (scope) => {
    const connection = await open(driver, scope, link);
    const waiting = later(connection.send("BLPOP", "empty", "30"));
    const queued = later(connection.send("GET", "key"));
    await blocked();
    link.cut();
    await failureOf(waiting);
    return failureOf(queued);
  });
  await record("query", "a connection that its user has closed", async (scope) => {
    const connection = await open(driver, scope, server);
    connection.close();
    return failureOf(connection.send("GET", "key"));
  });
  await record("query", "its user closes the connection in mid-command", async (scope) => {
    const connection = await open(driver, scope, server);
    const waiting = later(connection.send("BLPOP", "empty", "30"));
    await blocked();
    connection.close();
    return failureOf(waiting);
  });
}
