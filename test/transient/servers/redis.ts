import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { PATIENCE } from "../../limits.js";
import { programOf } from "./installed.js";
import { type Server, type Settings, serverOf } from "./server.js";
import { until } from "./until.js";

export interface Redis extends Server {
  /** What `ioredis` needs to connect, and `redis` as its `socket`. */
  readonly connection: { readonly host: string; readonly port: number };
  /** Sends one command by hand, and answers the reply: a text as it is, of anything else the first line. */
  ask(...words: readonly string[]): Promise<string>;
  /** Starts it again in such a manner that it answers LOADING, until `finishLoading` is called. */
  restartLoading(): Promise<void>;
  finishLoading(): Promise<void>;
}

// It looks at its clients after each key, and rests for so many microseconds before the next: 250 s in all, longer
// than a test may take.
const SLOW: Settings = { "key-load-delay": 50_000, "loading-process-events-interval-bytes": 1024 };

/** Starts a Redis of the test's own, which keeps its data when it is stopped; `settings` are as in redis.conf. */
export async function startRedis(settings: Settings = {}): Promise<Redis> {
  const server = await serverOf(
    {
      name: "redis",
      command: ({ folder, port }, more) => {
        const all = {
          bind: "127.0.0.1",
          port,
          dir: folder,
          save: "3600 1",
          rdbcompression: "no",
          "enable-debug-command": "yes",
          ...more,
        };
        return [programOf("redis", "redis-server"), ...Object.entries(all).flatMap(([k, v]) => [`--${k}`, String(v)])];
      },
      greet: async (port) => {
        const answer = await send(port, ["PING"]);
        // One that wants a password first is ready too.
        if (!/^(\+PONG|-NOAUTH|-MASTERDOWN)/.test(answer)) throw new Error(answer);
      },
      signals: { orderly: "SIGTERM" },
    },
    settings,
  );
  const ask = (...words: readonly string[]) => send(server.port, words);
  return Object.assign(server, {
    connection: { host: server.host, port: server.port },
    ask,
    restartLoading: async () => {
      await ask("DEBUG", "POPULATE", "5000", "filler", "1100");
      await ask("SAVE");
      await server.kill();
      await server.begin(SLOW);
      const loads = async () => {
        const answer = await ask("GET", "filler:0");
        if (!answer.startsWith("-LOADING")) throw new Error(answer);
      };
      await until(loads, PATIENCE, () => `redis does not load; its log:\n${server.log()}`);
    },
    finishLoading: async () => {
      await ask("CONFIG", "SET", "key-load-delay", "0");
      await server.ready();
    },
  });
}

async function send(port: number, words: readonly string[]): Promise<string> {
  const socket = connect(port, "127.0.0.1").setTimeout(10_000);
  socket.on("timeout", () => socket.destroy(new Error("redis does not answer")));
  try {
    await once(socket, "connect");
    socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`);
    return await replyOf(socket);
  } finally {
    socket.destroy();
  }
}

/** A text as it is; of anything else the first line. */
async function replyOf(socket: Socket): Promise<string> {
  let received = "";
  for await (const chunk of socket) {
    received += chunk;
    const end = received.indexOf("\r\n");
    if (end < 0) continue;
    const [line, rest] = [received.slice(0, end), received.slice(end + 2)];
    if (!line.startsWith("$") || line === "$-1") return line;
    const length = Number(line.slice(1));
    if (rest.length >= length + 2) return rest.slice(0, length);
  }
  throw new Error(`redis has ended the connection after ${JSON.stringify(received)}`);
}
