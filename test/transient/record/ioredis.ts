import { Cluster, Redis, type RedisOptions } from "ioredis";
import { freePort } from "../servers/index.js";
import { failureOf, later, Recorder, type Scope } from "./recorder.js";
import { portWithoutAnswer, type RedisDriver, type RedisSession, recordReplies, withRedis } from "./redis-replies.js";
import { versionOf } from "./version-of.js";

// Its own types do not let this one be undefined.
type Options = Omit<RedisOptions, "replyMapping">;

// No second connection, and no waiting for a server that loads: what happens is thrown.
const PLAIN: Options = {
  lazyConnect: true,
  enableReadyCheck: false,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => null,
  connectTimeout: 500,
};

const driver: RedisDriver = {
  async connect({ port, ...rest }) {
    const client = new Redis({ ...PLAIN, port, host: "127.0.0.1", ...rest });
    const failed = new Promise((resolve) => void client.once("error", resolve));
    try {
      await client.connect();
    } catch (error) {
      client.disconnect();
      throw error;
    }
    return {
      failed,
      send: (name, ...words) => client.call(name!, ...words),
      close: () => client.disconnect(),
    };
  },
};

/** Records what `ioredis` throws. */
export async function recordIoredis(): Promise<void> {
  await withRedis(async ({ server, link, version }) => {
    const recorder = new Recorder({ driver: "ioredis", version: versionOf("ioredis"), server: version });
    const session: RedisSession = { server, link, record: recorder.record.bind(recorder) };
    await recordReplies(driver, session);
    await connectionEvents(session);
    await ownLimits(session);
    await transactions(session);
    await clusters(session);
    recorder.write("ioredis");
  });
}

function client(options: Options): Redis {
  const made = new Redis({ ...PLAIN, host: "127.0.0.1", ...options });
  made.on("error", () => {});
  return made;
}

/** What the error event tells, where the promise says only that the connection is closed. */
async function connectionEvents({ link, record, server }: RedisSession): Promise<void> {
  const failed = async ({ defer }: Scope, options: Options) => {
    const redis = client(options);
    defer(() => redis.disconnect());
    const event = new Promise((resolve) => void redis.once("error", resolve));
    later(redis.connect());
    return event;
  };
  await record("connect", "nobody listens, the error event", async (scope) =>
    failed(scope, { port: await freePort() }),
  );
  await record("connect", "a wrong password, the error event", (scope) =>
    failed(scope, { port: server.port, username: "nobody", password: "wrong" }),
  );
  await record("connect", "cut while connecting, the error event", (scope) => {
    void link.cutInAnswer(0);
    return failed(scope, { port: link.port });
  });
  await record("connect", "nobody completes the connection, the error event", async (scope) =>
    failed(scope, { port: await portWithoutAnswer(scope) }),
  );
  await record("connect", "nobody listens, a command that was sent at once", async ({ defer }) => {
    const redis = client({ port: await freePort() });
    defer(() => redis.disconnect());
    return failureOf(redis.get("key"));
  });
}

async function ownLimits({ link, record, server }: RedisSession): Promise<void> {
  await record("query", "commandTimeout", async ({ defer }) => {
    const redis = client({ port: server.port, commandTimeout: 20 });
    defer(() => redis.disconnect());
    return failureOf(redis.call("BLPOP", "empty", "30"));
  });
  await record("query", "socketTimeout", async ({ defer }) => {
    const redis = client({ port: server.port, socketTimeout: 20 });
    defer(() => redis.disconnect());
    return failureOf(redis.call("BLPOP", "empty", "30"));
  });
  await record("query", "maxRetriesPerRequest, nobody listens", async ({ defer }) => {
    const redis = client({ port: await freePort(), maxRetriesPerRequest: 1, retryStrategy: () => 1 });
    defer(() => redis.disconnect());
    return failureOf(redis.get("key"));
  });
  await record("query", "maxRetriesPerRequest, cut each time", async ({ defer }) => {
    const redis = client({ port: link.port, maxRetriesPerRequest: 0, retryStrategy: () => 1 });
    defer(() => redis.disconnect());
    await redis.ping();
    const cut = link.cutAfter(/incr/i);
    const error = await failureOf(redis.incr("counter"));
    await cut;
    return error;
  });
  await record("query", "enableOfflineQueue is off, and nobody is connected", async ({ defer }) => {
    const redis = client({ port: server.port, enableOfflineQueue: false, lazyConnect: false });
    defer(() => redis.disconnect());
    return failureOf(redis.get("key"));
  });
}

async function transactions({ record, server }: RedisSession): Promise<void> {
  await record("commit", "EXEC after a command that was refused", async ({ defer }) => {
    const redis = client({ port: server.port });
    defer(() => redis.disconnect());
    return failureOf(redis.multi().incr("counter").call("nowhere").exec());
  });
  await record("query", "EXEC without MULTI", async ({ defer }) => {
    const redis = client({ port: server.port });
    defer(() => redis.disconnect());
    return failureOf(redis.call("exec"));
  });
}

async function clusters({ record, server }: RedisSession): Promise<void> {
  const quick = { clusterRetryStrategy: () => null, lazyConnect: true, redisOptions: { connectTimeout: 500 } };
  await record("connect", "no node of a cluster listens", async ({ defer }) => {
    const redis = new Cluster([{ host: "127.0.0.1", port: await freePort() }], quick);
    redis.on("error", () => {});
    defer(() => redis.disconnect());
    return failureOf(redis.connect());
  });
  await record("connect", "no node of a cluster listens, the error event", async ({ defer }) => {
    const redis = new Cluster([{ host: "127.0.0.1", port: await freePort() }], quick);
    defer(() => redis.disconnect());
    const failed = new Promise((resolve) => void redis.once("error", resolve));
    later(redis.connect());
    return failed;
  });
  await record("connect", "a server that is no cluster, the error event", async ({ defer }) => {
    const redis = new Cluster([{ host: "127.0.0.1", port: server.port }], quick);
    defer(() => redis.disconnect());
    const failed = new Promise((resolve) => void redis.once("error", resolve));
    later(redis.connect());
    return failed;
  });
}
