import { createClient, createClientPool, createCluster, type RedisClientOptions } from "redis";
import { freePort, type TcpProxy } from "../servers/index.js";
import { failureOf, later, Recorder, type Scope } from "./recorder.js";
import { type RedisDriver, type RedisSession, recordReplies, withRedis } from "./redis-replies.js";
import { versionOf } from "./version-of.js";

// No second connection: what happens is thrown.
const plain = (port: number): RedisClientOptions => ({
  socket: { host: "127.0.0.1", port, reconnectStrategy: false, connectTimeout: 500 },
});

const driver: RedisDriver = {
  async connect({ port, ...rest }) {
    const client = createClient({ ...plain(port), ...("password" in rest ? rest : {}) });
    const failed = new Promise((resolve) => void client.once("error", resolve));
    client.on("error", () => {});
    await client.connect();
    return { failed, send: (...words) => client.sendCommand(words), close: () => client.destroy() };
  },
};

/** Records what `redis` throws. */
export async function recordNodeRedis(): Promise<void> {
  await withRedis(async ({ server, link, version }) => {
    const recorder = new Recorder({ driver: "redis", version: versionOf("redis"), server: version });
    const session: RedisSession = { server, link, record: recorder.record.bind(recorder) };
    await recordReplies(driver, session);
    await ownLimits(session);
    await transactions(session);
    await severalNodes(session);
    recorder.write("redis");
  });
}

async function connected({ defer }: Scope, options: RedisClientOptions) {
  const client = createClient(options);
  client.on("error", () => {});
  await client.connect();
  defer(() => client.destroy());
  return client;
}

/** A client that has lost its connection, and does not try to get another for a while. */
async function reconnecting(scope: Scope, link: TcpProxy, options: RedisClientOptions = {}) {
  const socket = { host: "127.0.0.1", port: link.port, reconnectStrategy: () => 10_000 };
  const client = await connected(scope, { ...options, socket });
  const lost = new Promise((resolve) => void client.once("reconnecting", resolve));
  await link.refuse();
  scope.defer(() => link.passThrough());
  link.cut();
  await lost;
  return client;
}

async function ownLimits({ link, record, server }: RedisSession): Promise<void> {
  await record("idle", "cut while idle, the error event (end)", async (scope) => {
    const client = await connected(scope, plain(link.port));
    const failed = new Promise((resolve) => void client.once("error", resolve));
    link.cut("end");
    return failed;
  });
  const options = plain(server.port);
  await record("query", "a command's timeout, before it was sent", async (scope) => {
    const client = await reconnecting(scope, link);
    return failureOf(client.withCommandOptions({ timeout: 20 }).get("key"));
  });
  await record("query", "a command's signal, before it was sent", async (scope) => {
    const client = await connected(scope, options);
    return failureOf(client.withAbortSignal(AbortSignal.abort()).get("key"));
  });
  await record("query", "socketTimeout", async (scope) => {
    const client = await connected(scope, { socket: { ...options.socket, socketTimeout: 20 } as never });
    return failureOf(client.sendCommand(["BLPOP", "empty", "30"]));
  });
  await record("query", "disableOfflineQueue, and nobody is connected", async (scope) => {
    const client = await reconnecting(scope, link, { disableOfflineQueue: true });
    return failureOf(client.get("key"));
  });
  await record("query", "the queue is full", async (scope) => {
    const limit = 20;
    const client = await reconnecting(scope, link, { commandsQueueMaxLength: limit });
    for (let n = 0; n < limit; n++) later(client.get("key"));
    return failureOf(client.get("key"));
  });
  await record("connect", "a reconnectStrategy that gives up with an error", async () => {
    const client = createClient({
      socket: { host: "127.0.0.1", port: await freePort(), reconnectStrategy: () => new Error("enough") },
    });
    client.on("error", () => {});
    return failureOf(client.connect());
  });
  await record("connect", "connects in vain, a command that was sent at once", async () => {
    const client = createClient(plain(await freePort()));
    client.on("error", () => {});
    const reply = later(client.get("key"));
    await failureOf(client.connect());
    return failureOf(reply);
  });
}

async function transactions({ record, server }: RedisSession): Promise<void> {
  const options = plain(server.port);
  await record("commit", "EXEC after a command that was refused", async (scope) => {
    const client = await connected(scope, options);
    return failureOf(client.multi().incr("counter").addCommand(["NOWHERE"]).exec());
  });
  await record("commit", "EXEC of which one command failed", async (scope) => {
    const client = await connected(scope, options);
    return failureOf(client.multi().set("text", "a").incr("text").exec());
  });
  await record("commit", "a key that was watched has changed", async (scope) => {
    const client = await connected(scope, options);
    await client.watch("key");
    await server.ask("SET", "key", "other");
    return failureOf(client.multi().set("key", "mine").exec());
  });
}

async function severalNodes({ record, server }: RedisSession): Promise<void> {
  await record("pool", "no client of the pool becomes free in time", async ({ defer }) => {
    const pool = createClientPool(plain(server.port), { minimum: 1, maximum: 1, acquireTimeout: 20 });
    pool.on("error", () => {});
    defer(() => pool.destroy());
    await pool.connect();
    later(pool.sendCommand(["BLPOP", "empty", "1"]));
    return failureOf(pool.get("key"));
  });
  await record("connect", "no node of a cluster listens", async () => {
    const cluster = createCluster({ rootNodes: [plain(await freePort())] });
    cluster.on("error", () => {});
    return failureOf(cluster.connect());
  });
}
